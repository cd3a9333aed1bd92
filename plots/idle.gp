# idle - 100 active connections among idle ones, a line for each model: QPS, and CPU a request.
load 'plots/style.gp'
eval curves_begin
set label 1 heading('100 active connections among idle ones: who pays for the silent')
set label 2 IDLE_QPS_NOTE
set multiplot
set logscale x
set xtics @IDLE_TICS rotate by 0 font ',12'
set xrange [IDLE_NONE / 1.5:IDLE_LAST * 1.5]
set xlabel 'idle connections (logarithmic)'
at(x) = x == 0 ? IDLE_NONE : x

set lmargin at screen 0.08
set rmargin at screen 0.39
set ylabel 'server CPU time a request, microseconds (logarithmic)'
set logscale y
set format y '%g'
set yrange [IDLE_CPU_MIN / 1.5:*]
unset key
plot for [i=1:words(IDLE_QPS)] DATA.'/idle-cpu' index (i-1) using (beside(at($1), lt_of(IDLE_QPS, i))):3:4:5 \
     with yerrorbars lt lt_of(IDLE_QPS, i) pt -1 notitle, \
     for [i=1:words(IDLE_QPS)] '' index (i-1) using (beside(at($1), lt_of(IDLE_QPS, i))):3 \
     with linespoints lt lt_of(IDLE_QPS, i) title word(IDLE_QPS, i)

unset label 1
unset label 2
unset label 3
unset label 4
set lmargin at screen 0.49
set rmargin at screen 0.79
set ylabel 'requests a second'
unset logscale y
set format y '%.0s%c'
set yrange [0:*]
set key at screen 0.805, screen 0.86
plot for [i=1:words(IDLE_QPS)] DATA.'/idle' index (i-1) using (beside(at($1), lt_of(IDLE_QPS, i))):3:4:5 \
     with yerrorbars lt lt_of(IDLE_QPS, i) pt -1 notitle, \
     for [i=1:words(IDLE_QPS)] '' index (i-1) using (beside(at($1), lt_of(IDLE_QPS, i))):3 \
     with linespoints lt lt_of(IDLE_QPS, i) title word(IDLE_QPS, i)
unset multiplot
