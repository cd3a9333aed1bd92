# cpu - the server's CPU time a request, a bar for each model.
load 'plots/style.gp'
eval bars_begin
set xrange [0:CPU_MAX * 1.25]
set label 1 heading('Server CPU time a request with 100 connections')
set label 2 'user and system, all threads and processes; shorter is better; beside the bar: requests a second that one core can serve'
set xlabel 'microseconds of CPU time a request'
plot DATA.'/cpu' using ($3/2):1:($3/2):(0.36) with boxxyerror lc rgb BLUE, \
     '' using 3:1:4:5 with xerrorbars lc rgb '#000000' lw 1.5 pt -1, \
     '' using 5:1:6 with labels left offset 1,0 noenhanced, \
     DATA.'/cpu.missing' using (0):1:3 with labels left offset 1,0 tc rgb GREY font ',11' noenhanced
