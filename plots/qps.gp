# qps - requests a second, a bar for each model.
load 'plots/style.gp'
eval bars_begin
set xrange [0:QPS_MAX * 1.15]
set label 1 heading('Requests a second with 100 connections')
set label 2 'each sends a 64-byte message, waits for its echo, sends the next; longer is better; line: smallest to largest run'
set xlabel 'requests a second'
plot DATA.'/qps' using ($3/2):1:($3/2):(0.36) with boxxyerror lc rgb BLUE, \
     '' using 3:1:4:5 with xerrorbars lc rgb '#000000' lw 1.5 pt -1, \
     '' using 5:1:6 with labels left offset 1,0 noenhanced, \
     DATA.'/qps.missing' using (0):1:3 with labels left offset 1,0 tc rgb GREY font ',11' noenhanced
