# latency - percentiles, a row of points for each model.
load 'plots/style.gp'
eval bars_begin
set label 1 heading('Latency of a message with 100 connections: the typical one and the slowest')
set label 2 'from send to the last byte of the echo; a long line: many wait while a few are served'
set xlabel 'microseconds (logarithmic)'
set logscale x
set xrange [*:*]
set rmargin at screen 0.86
set key at screen 0.88, screen 0.86 left top Left reverse spacing 1.4
set pointsize 1.4
plot DATA.'/latency' using 3:1:3:7 with xerrorbars lc rgb '#aaaaaa' lw 3 pt -1 notitle, \
     '' using 3:1 with points pt 7 lc rgb '#000000' title 'p50', \
     '' using 4:1 with points pt 6 lw 2 lc rgb '#0072B2' title 'p90', \
     '' using 5:1 with points pt 9 lc rgb '#E69F00' title 'p99', \
     '' using 6:1 with points pt 5 lc rgb '#009E73' title 'p99.9', \
     '' using 7:1 with points pt 2 lw 2 lc rgb '#D55E00' title 'max', \
     DATA.'/latency.missing' using 2:1:3 with labels left offset 1,0 tc rgb GREY font ',11' noenhanced notitle
