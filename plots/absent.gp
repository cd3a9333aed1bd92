# absent - stands for a figure of which nothing was measured, as an interrupted run may leave it.
load 'plots/style.gp'
set label 1 heading(NAME)
set label 2 'not measured in this run'
unset border
unset tics
unset key
plot [0:1] [0:1] 2
