# qps-connections - requests a second against connections, a line for each model.
load 'plots/style.gp'
eval curves_begin
set label 1 heading('Requests a second against connections')
set label 2 LOAD_QPS_NOTE
set logscale x
set xtics @LOAD_TICS
set xrange [LOAD_FIRST / 1.5:LOAD_LAST * 1.5]
set xlabel 'connections (logarithmic)'
set ylabel 'requests a second'
set yrange [0:*]
plot for [i=1:words(LOAD_QPS)] DATA.'/qps-connections' index (i-1) using (beside($1, lt_of(LOAD_QPS, i))):3:4:5 \
     with yerrorbars lt lt_of(LOAD_QPS, i) pt -1 notitle, \
     for [i=1:words(LOAD_QPS)] '' index (i-1) using (beside($1, lt_of(LOAD_QPS, i))):3 \
     with linespoints lt lt_of(LOAD_QPS, i) title word(LOAD_QPS, i)
