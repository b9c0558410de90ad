#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/dashboard.py – draws docs/dashboard.svg: main panels of deploy/grafana/mapscope.json, with their own queries, from a real
Prometheus that scraped real agents on real load for --seconds (default 90). Grafana itself is not needed.

Needs root, gnuplot, build/release and the Go programs of tests/go/build.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/dashboard"))
from live import Live, default_fixtures  # noqa: E402

DASHBOARD = ROOT / "deploy/grafana/mapscope.json"
PANELS = ["Growth rate", "Stall of inserts that grow a map", "Stall, p50 and p99", "Time queued behind growth",
          "Thread states during growth", "Page faults during growth", "Goroutines that grow a map, by status", "Bytes of new tables",
          "CPU of the agents"]
COLUMNS, WIDTH, HEIGHT = 3, 1380, 1080
# Of a panel with more lines only the largest are drawn.
MOST_LINES = 6
COLORS = ["#2980b9", "#c0392b", "#27ae60", "#8e44ad", "#d68910", "#16a085"]
FORMATS = {"s": "%.1s%cs", "Bps": "%.0s%cB/s", "ops": "%.0s%c/s", "percentunit": "%.1f%%"}


def with_values(expression):
    expression = expression.replace("$__rate_interval", "15s").replace("$__range", "5m")
    return re.sub(r'"\$\w+"', '".*"', expression)


def legend(template, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match.group(1), ""), template).strip()


def read_panel(live, panel, begin, end):
    """[(legend, labels, [(seconds, value)])]"""
    lines = []
    for target in panel["targets"]:
        answer = live.api("query_range", query=with_values(target["expr"]), start=begin, end=end, step=1)
        for series in answer["result"]:
            points = [(t - begin, float(v)) for t, v in series["values"] if v not in ("NaN", "+Inf")]
            lines.append((legend(target["legendFormat"], series["metric"]), series["metric"], points))
    return [line for line in lines if line[2]]


def quoted(text):
    text = text.replace("\\", "/").replace('"', "'")
    return text if len(text) <= 44 else text[:43] + "…"


def block(points):
    return "\n".join(f"{t:.1f} {value:.9g}" for t, value in points) + "\ne\n"


def line_plot(panel, lines):
    unit = panel["fieldConfig"]["defaults"]["unit"]
    scale = 100 if unit == "percentunit" else 1
    lines = sorted(lines, key=lambda line: -max(v for _, v in line[2]))[:MOST_LINES]
    lines = [(name, labels, [(t, v * scale) for t, v in points]) for name, labels, points in lines]
    stacked = panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"
    if stacked:
        lines = stack(lines)
    style = "with filledcurves y1=0" if stacked else "with lines lw 1.6"
    plots = [f"'-' {style} lc rgb '{COLORS[i % len(COLORS)]}' title \"{quoted(name)}\"" for i, (name, _, _) in enumerate(lines)]
    # The lines of the legend stand above those of the plot.
    top = max(max(v for _, v in line[2]) for line in lines) * (1.1 + 0.09 * len(lines)) or 1
    text = f"set format y '{FORMATS.get(unit, '%.1s%c')}'\nset key on inside top left Left reverse samplen 1 spacing 0.9 font ',9' opaque\nset yrange [0:{top:.6g}]\n"
    return text + "plot " + ", ".join(plots) + "\n" + "".join(block(points) for _, _, points in lines)


def stack(lines):
    """Each on top of those behind it; the tallest is drawn first."""
    total, stacked = {}, []
    for name, labels, points in lines:
        for t, value in points:
            total[t] = total.get(t, 0) + value
        stacked.append((name, labels, [(t, total[t]) for t, _ in points]))
    return stacked[::-1]


def seconds_text(value):
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return "0"


def heat_plot(lines):
    """Counts between two bounds, from the cumulative ones; rows are buckets, not seconds."""
    buckets = sorted(((float(labels["le"]), dict(points)) for _, labels, points in lines if labels["le"] != "+Inf"), key=lambda b: b[0])
    used = [i for i in range(len(buckets)) if max(buckets[i][1].values()) > (max(buckets[i - 1][1].values()) if i else 0)]
    first, last = max(used[0] - 1, 0), min(used[-1] + 1, len(buckets) - 1)
    tics = ", ".join(f"'{seconds_text(buckets[i][0])}' {i - first + 0.5}" for i in range(first, last + 1, 2))
    text = f"set ytics ({tics})\nset yrange [-0.5:{last - first + 0.5}]\nunset key\nunset colorbox\n"
    text += "set palette defined (0 '#ffffff', 0.02 '#fdebd0', 0.2 '#f5b041', 1 '#a04000')\nset cbrange [0:*]\nplot '-' using 1:2:3 with image\n"
    for t in sorted(buckets[first][1]):
        for i in range(first, last + 1):
            below = buckets[i - 1][1].get(t, 0) if i else 0
            text += f"{t:.1f} {i - first} {max(buckets[i][1].get(t, 0) - below, 0):.6g}\n"
    return text + "e\n"


def draw(panels, seconds, path):
    rows = -(-len(panels) // COLUMNS)
    text = (f"set terminal svg size {WIDTH},{HEIGHT} noenhanced font 'sans-serif,11' background 'white'\nset output '{path}'\n"
            f"set multiplot layout {rows},{COLUMNS} margins 0.055,0.985,0.04,0.93 spacing 0.055,0.085\n"
            "set grid ytics lc rgb '#dddddd'\nset border 3 lc rgb '#999999'\nset tics nomirror\n"
            f"set xrange [0:{seconds}]\nset format x '%g s'\nset style fill solid 0.55 noborder\n")
    for panel, lines in panels:
        text += f"set title \"{quoted(panel['title'])}\" font ',13'\nset ytics auto\n"
        text += heat_plot(lines) if panel["type"] == "heatmap" else line_plot(panel, lines)
    with tempfile.NamedTemporaryFile("w", suffix=".gnuplot") as script:
        script.write(text + "unset multiplot\n")
        script.flush()
        subprocess.run(["gnuplot", script.name], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=90, help="how long the load runs")
    parser.add_argument("--output", default=str(ROOT / "docs/dashboard.svg"))
    options = parser.parse_args()
    by_title = {panel["title"]: panel for panel in json.loads(DASHBOARD.read_text())["panels"]}
    with Live(default_fixtures(), ROOT / "deploy/prometheus/mapscope.rules.yml") as live:
        begin = time.time()
        while time.time() < begin + options.seconds:
            left = begin + options.seconds - time.time()
            print(f"dashboard.py: {left:.0f} s of load to go", file=sys.stderr, flush=True)
            time.sleep(min(left, 10))
        panels = [(by_title[title], read_panel(live, by_title[title], begin, time.time())) for title in PANELS]
    empty = [panel["title"] for panel, lines in panels if not lines]
    if empty:
        sys.exit(f"dashboard.py: no data for {', '.join(empty)}")
    draw(panels, options.seconds, options.output)
    print(f"dashboard.py: {options.output}")


main()
