# syscalls - system calls and context switches a request, two bars for each model.
load 'plots/style.gp'
eval bars_begin
set xrange [0:SYSCALLS_MAX * 1.12]
set label 1 heading('System calls and context switches a request with 100 connections')
set label 2 SYSCALLS_NOTE
set xlabel 'a request'
set format x '%g'
set key at screen 0.98, screen 0.99 right top Left reverse
plot DATA.'/syscalls' using ($3/2):($1-0.2):($3/2):(0.18) with boxxyerror lc rgb BLUE title 'system calls', \
     '' using 3:($1-0.2):4:5 with xerrorbars lc rgb '#000000' lw 1.5 pt -1 notitle, \
     '' using 5:($1-0.2):6 with labels left offset 1,0 font ',11' notitle, \
     DATA.'/switches' using ($3/2):($1+0.2):($3/2):(0.18) with boxxyerror lc rgb ORANGE fs pattern 4 border title 'context switches', \
     '' using 3:($1+0.2):4:5 with xerrorbars lc rgb '#000000' lw 1.5 pt -1 notitle, \
     '' using 5:($1+0.2):6 with labels left offset 1,0 font ',11' notitle, \
     DATA.'/syscalls.missing' using (0):($1-0.2):3 with labels left offset 1,0 tc rgb GREY font ',11' noenhanced notitle
