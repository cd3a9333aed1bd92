# terminal - the figure qps, in characters.
load DATA.'/data.gp'
set lmargin 19
set tmargin 2
set rmargin 4
set border 0
set tics nomirror scale 0
set ytics @MODEL_TICS
set yrange [N + 0.5:0.5]
set xrange [0:*]
set format x '%.0s%c'
set title 'Requests a second with 100 connections'
unset key
plot DATA.'/qps' using (0):1:3:(0) with vectors nohead lt 1, '' using 3:1:6 with labels left offset 1,0
