# c10k - what each of ten thousand connections costs at the server's end, three stacked bars.
load 'plots/style.gp'
kib(bytes) = bytes / 1024.0
eval bars_begin
set xrange [0:kib(C10K_MAX) * 1.35]
set label 1 heading(C10K_CLIENTS.' connections: memory for each')
set label 2 'at the server''s end: its own + the kernel''s; nothing is in the buffers'
set xlabel 'KiB a connection'
set format x '%g'
set key at screen 0.98, screen 0.99 right top Left reverse
plot DATA.'/c10k' using (kib($3/2)):1:(kib($3/2)):(0.36) with boxxyerror lc rgb BLUE title 'the server''s own memory', \
     '' using (kib($3 + $4/2)):1:(kib($4/2)):(0.36) with boxxyerror lc rgb ORANGE fs pattern 4 border title 'kernel stacks of its threads', \
     '' using (kib($3 + $4 + $5/2)):1:(kib($5/2)):(0.36) with boxxyerror lc rgb GREEN fs pattern 2 border title 'sockets, files, tasks in the kernel', \
     '' using (kib($3 + $4 + $5)):1:6 with labels left offset 1,0 noenhanced notitle, \
     DATA.'/memory.missing' using (0):1:3 with labels left offset 1,0 tc rgb GREY font ',11' noenhanced notitle
