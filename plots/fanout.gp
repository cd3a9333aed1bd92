# fanout - the chat room: deliveries a second, and a CPU second of the server, against members.
load 'plots/style.gp'
eval curves_begin
set label 1 heading('The chat room: deliveries against members of the room')
set label 2 FANOUT_NOTE
set multiplot
set logscale x
set xtics @FANOUT_TICS
set xrange [FANOUT_FIRST / 1.5:FANOUT_LAST * 1.5]
set yrange [0:*]
set format y '%.1s%c'
set xlabel 'members (logarithmic)'
lt_backend(i) = word(BACKENDS, i) eq 'select' ? 3 : word(BACKENDS, i) eq 'poll' ? 4 : 5

set lmargin at screen 0.09
set rmargin at screen 0.43
set ylabel 'deliveries a second'
unset key
plot for [i=1:words(BACKENDS)] DATA.'/fanout' index (i-1) using 1:3:4:5 \
     with yerrorbars lt lt_backend(i) pt -1 notitle, \
     for [i=1:words(BACKENDS)] '' index (i-1) using 1:3 \
     with linespoints lt lt_backend(i) title word(BACKENDS, i)

unset label 1
unset label 2
unset label 3
unset label 4
set lmargin at screen 0.55
set rmargin at screen 0.87
set ylabel 'deliveries a CPU second of the server'
set key at screen 0.88, screen 0.86
plot for [i=1:words(BACKENDS)] DATA.'/fanout-speed' index (i-1) using 1:3:4:5 \
     with yerrorbars lt lt_backend(i) pt -1 notitle, \
     for [i=1:words(BACKENDS)] '' index (i-1) using 1:3 \
     with linespoints lt lt_backend(i) title word(BACKENDS, i)
unset multiplot
