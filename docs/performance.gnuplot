# SPDX-License-Identifier: Apache-2.0
# Draws docs/performance.svg from the files that docs/performance.sh writes into `work`.
set terminal svg size 1120,400 font "sans-serif,13" background "white"
set output "docs/performance.svg"
set multiplot layout 1,3
set grid ytics lc rgb "#dddddd"
set key top left Left reverse samplen 1

set title "added to one insert"
set ylabel "ns"
set logscale y 10
set yrange [100:100000]
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
plot work."/cost" using 3:xtic(1) lc rgb "#bbbbbb" title "empty BPF programs", \
     "" using 2 lc rgb "#2980b9" title "agent --mode inserts", \
     "" using 4 lc rgb "#c0392b" title "bpftrace", \
     "" using 5 lc rgb "#e67e22" title "funclatency"

set title "probes put in and taken out"
set xlabel "probes"
set ylabel "ms"
set logscale x 2
set xtics (4, 16, 64, 256)
set xrange [3:340]
set yrange [0.1:100000]
plot work."/attach" using 1:2 with linespoints lw 2 pt 7 lc rgb "#2980b9" title "uprobe\\_multi, in", \
     "" using 1:4 with linespoints lw 2 dt 2 pt 6 lc rgb "#2980b9" title "uprobe\\_multi, out", \
     "" using 1:3 with linespoints lw 2 pt 7 lc rgb "#c0392b" title "perf events, in", \
     "" using 1:5 with linespoints lw 2 dt 2 pt 6 lc rgb "#c0392b" title "perf events, out"

set title "processes of one program"
set xlabel "processes"
set ylabel "MB, ms"
set xtics (1, 50, 500)
set xrange [0.7:800]
set yrange [10:2000]
plot work."/targets" using 1:3 with linespoints lw 2 pt 7 lc rgb "#2980b9" title "resident MB", \
     "" using 1:2 with linespoints lw 2 pt 6 lc rgb "#27ae60" title "ms until all are attached"
unset multiplot
