#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/insert-latency.sh [BUILD_DIR] – measures inserts during growth and draws docs/insert-latency.svg.
# Needs gnuplot; takes about a minute on an idle machine. The numbers go to stdout.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/release}
command -v gnuplot >/dev/null || { echo "insert-latency.sh: gnuplot is missing: apt install gnuplot-nox" >&2; exit 1; }
[ -d "$build" ] || cmake --preset release -B "$build" >&2
cmake --build "$build" --target insert_latency >&2
data=$(mktemp)
trap 'rm -f "$data"' EXIT
"$build/target/insert_latency" >"$data"
cat "$data"
gnuplot -e "data='$data'" - <<'PLOT'
set terminal svg size 860,480 font "sans-serif,14" background "white"
set output "docs/insert-latency.svg"
set title "p99 of one insert, by size of the table"
set xlabel "slots of the table (after growth)"
set ylabel "p99 of an insert"
set logscale x 2
set logscale y 10
set format x "2^{%L}"
set ytics ("100 ns" 100, "1 µs" 1e3, "10 µs" 1e4, "100 µs" 1e5, "1 ms" 1e6, "10 ms" 1e7, "100 ms" 1e8)
set yrange [30:3e8]
set grid ytics lc rgb "#dddddd"
set key top left Left reverse
plot data using 1:4 with linespoints lw 2 pt 7 ps 0.5 lc rgb "#c0392b" title "stop the world, the growing insert", \
     data using 1:2 with linespoints lw 2 pt 7 ps 0.5 lc rgb "#2980b9" title "incremental, inserts during growth", \
     data using 1:5 with linespoints lw 1 dt 2 pt 6 ps 0.5 lc rgb "#c0392b" title "stop the world, steady state", \
     data using 1:3 with linespoints lw 1 dt 2 pt 6 ps 0.5 lc rgb "#2980b9" title "incremental, steady state"
PLOT
