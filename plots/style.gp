# style - what all figures share: colours, points, grid, the lines above and below.
#
# Called by plots/draw with the terminal set and DATA naming the folder of its data files.
# The colours are those of Okabe and Ito, which the colour-blind can tell apart, without the yellow,
# which paper swallows; every model has a point type of its own as well, and after seven models the
# lines are dashed, so that nothing rests on colour alone.

load DATA.'/data.gp'

set linetype 1 lc rgb '#000000' lw 2 dt 1 pt 5
set linetype 2 lc rgb '#E69F00' lw 2 dt 1 pt 7
set linetype 3 lc rgb '#56B4E9' lw 2 dt 1 pt 9
set linetype 4 lc rgb '#009E73' lw 2 dt 1 pt 11
set linetype 5 lc rgb '#0072B2' lw 2 dt 1 pt 13
set linetype 6 lc rgb '#D55E00' lw 2 dt 1 pt 4
set linetype 7 lc rgb '#CC79A7' lw 2 dt 1 pt 6
set linetype 8 lc rgb '#000000' lw 2 dt 2 pt 8
set linetype 9 lc rgb '#E69F00' lw 2 dt 2 pt 10
set linetype 10 lc rgb '#56B4E9' lw 2 dt 2 pt 12
set linetype 11 lc rgb '#009E73' lw 2 dt 2 pt 1
set linetype 12 lc rgb '#0072B2' lw 2 dt 2 pt 2
set linetype 13 lc rgb '#D55E00' lw 2 dt 2 pt 3
set linetype 14 lc rgb '#CC79A7' lw 2 dt 2 pt 5
set linetype cycle 14

GREY = '#606060'
BLUE = '#0072B2'
ORANGE = '#E69F00'
GREEN = '#009E73'

# A heading and a line under it, both at the left; the machine at the foot.
heading(text) = '{/:Bold '.text.'}'
set label 1 at screen 0.02, screen 0.965 left
set label 2 at screen 0.02, screen 0.915 left tc rgb GREY font ',12'
set label 3 FOOTER at screen 0.02, screen 0.045 left noenhanced tc rgb GREY font ',10'
set label 4 FOOTER_2 at screen 0.02, screen 0.018 left noenhanced tc rgb GREY font ',10'
set tmargin at screen 0.87
set bmargin at screen 0.19

set border 3 lc rgb GREY
set tics nomirror out textcolor rgb '#000000'
set xtics offset 0,0.2
set xlabel offset 0,0.6
set grid lc rgb '#dddddd' lt 1 lw 1 dt 1
set style fill solid 0.85 noborder
set errorbars 0.6 lw 1.5 dt solid
set encoding utf8

# Numbers on an axis: 50, 20 k, 3 M.
set format x '%.0s%c'
set format y '%.0s%c'

# ---- bars: a row for each model, the first one at the top ---------------------------------------

bars_begin = "unset grid; set grid x lc rgb '#dddddd' lt 1 lw 1; set border 2; set lmargin at screen 0.19; set rmargin at screen 0.94; set yrange [N + 0.5:0.5]; set ytics @MODEL_TICS scale 0; set xrange [0:*]; unset key"

# ---- curves: a line for each model, the key at the right ------------------------------------------

curves_begin = "set lmargin at screen 0.09; set rmargin at screen 0.78; set key at screen 0.8, screen 0.86 left top Left reverse spacing 1.25 samplen 2.5; set pointsize 1.1"

# Models measured at the same x stand a little beside each other on a logarithmic axis.
beside(x, i) = x * 1.025 ** (i - N / 2.0)
