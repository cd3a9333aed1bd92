# work - requests a second when each message costs CPU time, a line for each model.
load 'plots/style.gp'
eval curves_begin
set label 1 heading('Requests a second when each message has work to do')
set label 2 WORK_QPS_NOTE
set xtics @WORK_TICS
set xrange [-0.3:WORK_COUNT - 0.7]
set xlabel 'CPU time that each message asks for, microseconds'
set ylabel 'requests a second (logarithmic)'
set logscale y
aside(i) = 0.02 * (i - N / 2.0)
plot for [i=1:words(WORK_QPS)] DATA.'/work' index (i-1) using ($2 + aside(lt_of(WORK_QPS, i))):3:4:5 \
     with yerrorbars lt lt_of(WORK_QPS, i) pt -1 notitle, \
     for [i=1:words(WORK_QPS)] '' index (i-1) using ($2 + aside(lt_of(WORK_QPS, i))):3 \
     with linespoints lt lt_of(WORK_QPS, i) title word(WORK_QPS, i), \
     DATA.'/work-ceiling' using 1:2 with lines lc rgb GREY dt 3 lw 1.5 title 'the work alone'
