# memory - what an idle connection costs, two stacked bars for each model.
load 'plots/style.gp'
kib(bytes) = bytes / 1024.0
eval bars_begin
set xrange [0:kib(MEMORY_MAX) * 1.3]
set label 1 heading('Memory for each idle connection')
set label 2 'what the server grew by for each that was open; the kernel''s socket buffers are not in it'
set xlabel 'KiB an idle connection'
set format x '%g'
set key at screen 0.98, screen 0.99 right top Left reverse
plot DATA.'/memory' using (kib($3/2)):1:(kib($3/2)):(0.36) with boxxyerror lc rgb BLUE title 'the server''s own memory', \
     DATA.'/memory-kernel' using (kib($4 + $3/2)):1:(kib($3/2)):(0.36) with boxxyerror lc rgb ORANGE fs pattern 4 border title 'kernel stacks of its threads', \
     '' using (kib($5)):1:6 with labels left offset 1,0 noenhanced notitle, \
     DATA.'/memory.missing' using (0):1:3 with labels left offset 1,0 tc rgb GREY font ',11' noenhanced notitle
