# fanout-latency - the chat room: from send to delivery, p50 and p99, against members.
load 'plots/style.gp'
eval curves_begin
set label 1 heading('The chat room: from send to delivery')
set label 2 FANOUT_LATENCY_NOTE
set logscale xy
set xtics @FANOUT_TICS
set xrange [FANOUT_FIRST / 1.5:FANOUT_LAST * 1.5]
set format y '%.0s%c'
set xlabel 'members (logarithmic)'
set ylabel 'microseconds (logarithmic)'
lt_backend(i) = word(BACKENDS, i) eq 'select' ? 3 : word(BACKENDS, i) eq 'poll' ? 4 : 5
plot for [i=1:words(BACKENDS)] DATA.'/fanout-p99' index (i-1) using 1:3 \
     with linespoints lt lt_backend(i) dt 2 title word(BACKENDS, i).', p99', \
     for [i=1:words(BACKENDS)] DATA.'/fanout-latency' index (i-1) using 1:3 \
     with linespoints lt lt_backend(i) title word(BACKENDS, i).', p50'
