# memory - what an idle connection costs, two stacked bars for each model.
load 'plots/style.gp'
eval bars_begin
set label 1 heading('Memory for each idle connection')
set label 2 'what the server grew by, divided by the connections that were open; the kernel''s socket buffers are not in it'
set xlabel 'bytes an idle connection'
set key at screen 0.94, screen 0.86 right top Left reverse opaque
plot DATA.'/memory' using ($3/2):1:($3/2):(0.36):ytic(2) with boxxyerror lc rgb BLUE title 'the server''s own memory', \
     DATA.'/memory-kernel' using ($4+$3/2):1:($3/2):(0.36) with boxxyerror lc rgb ORANGE fs pattern 4 border title 'kernel stacks of its threads', \
     '' using ($3+$4):1:5 with labels left offset 1,0 noenhanced notitle, \
     DATA.'/memory.missing' using (0):1:3 with labels left offset 1,0 tc rgb GREY font ',11' noenhanced notitle
