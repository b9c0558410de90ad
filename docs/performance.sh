#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# docs/performance.sh FILE – from what `tests/bench/run --json FILE` measured, prints the tables of docs/performance.md and
# draws docs/performance.svg. Needs jq and gnuplot.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly json=${1:?usage: docs/performance.sh FILE}
readonly programs=(cxx go_oldest go_newest)

# value KEY [DIGITS]: the median and the range, or the number itself.
value() {
  jq -r --arg key "$1" --argjson digits "${2:-2}" '
    def short: . * pow(10; $digits) | round / pow(10; $digits) | tostring;
    .[$key] | if . == null then "–" elif type == "object" then "\(.median | short) (\(.min | short) … \(.max | short))" else short end' "$json"
}

# row TEXT DIGITS KEY…
row() {
  local text=$1 digits=$2 key
  shift 2
  printf '| %s |' "$text"
  for key in "$@"; do printf ' %s |' "$(value "$key" "$digits")"; done
  printf '\n'
}

table() {
  printf '\n| %s |' "$1"
  shift
  printf ' %s |' "$@"
  printf '\n|---|'
  printf -- '---:|%.0s' "$@"
  printf '\n'
}

cost_tables() {
  table "ratio to the unprobed loop" "C++ map" "oldest Go" "newest Go"
  row "the agent by default, keys that are there" 3 "${programs[@]/#/always_on_ratio_}"
  row "the agent by default, maps from empty to a million entries" 3 "${programs[@]/#/always_on_fill_ratio_}"
  table "ns added to an insert" "C++ map" "oldest Go" "newest Go"
  row "inserts mode" 0 "${programs[@]/#/inserts_added_ns_}"
  row "empty BPF programs at the same instructions" 0 "${programs[@]/#/empty_added_ns_}"
  row "bpftrace" 0 "${programs[@]/#/bpftrace_added_ns_}"
  row "funclatency" 0 "${programs[@]/#/funclatency_added_ns_}"
  row "inserts mode to the empty programs, ratio" 2 "${programs[@]/#/insert_hit_vs_empty_probe_}"
  row "inserts mode to bpftrace, ratio" 3 "${programs[@]/#/insert_hit_vs_bpftrace_}"
  table "estimated to measured" "C++ map" "oldest Go" "newest Go"
  row "the meter, inserts" 2 "${programs[@]/#/meter_inserts_}"
  row "the meter, nothing but growths" 2 "${programs[@]/#/meter_resizes_}"
}

agent_tables() {
  local count
  table "the agent" "median (range)"
  row "idle, CPU in % of a core" 2 idle_agent_cpu
  row "idle, resident MB" 1 idle_agent_rss
  row "resizes per second" 0 resizes_per_second
  row "lost of them" 0 resizes_lost
  row "CPU meanwhile in % of a core" 1 resizes_agent_cpu
  row "ms until a storm is stopped" 0 storm_until_pause
  table "processes of one program" 1 50 500
  row "ms until all are attached" 0 targets_1_ready targets_50_ready targets_500_ready
  row "resident MB" 1 targets_1_agent_rss targets_50_agent_rss targets_500_agent_rss
  table "ms for so many probes" "uprobe_multi, in" "out" "perf events, in" "out"
  for count in 4 16 64 256; do
    row "$count" 1 "attach_${count}_multi" "detach_${count}_multi" "attach_${count}_perf" "detach_${count}_perf"
  done
}

benchmark_table() {
  table "what" "time"
  jq -r '.benchmarks[] | "| \(.name)\(if .series then ", \(.series | round) series" else "" end) | \(.real_time * 100 | round / 100) \(.time_unit) |"' "$json"
}

# One line a program, or a number of probes: label, then the medians.
medians() {
  local name=$1
  shift
  jq -r --arg name "$name" '[$name] + [$ARGS.positional[] as $key | .[$key] | if type == "object" then .median else . // "nan" end] |
    map(tostring) | join(" ")' "$json" --args "$@"
}

draw() {
  local work
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # the directory is known now
  trap "rm -rf '$work'" EXIT
  { medians '"C++"' {inserts,empty,bpftrace,funclatency}_added_ns_cxx
    medians '"oldest Go"' {inserts,empty,bpftrace,funclatency}_added_ns_go_oldest
    medians '"newest Go"' {inserts,empty,bpftrace,funclatency}_added_ns_go_newest; } >"$work/cost"
  for count in 4 16 64 256; do medians "$count" {attach,detach}_"$count"_{multi,perf}; done >"$work/attach"
  for count in 1 50 500; do medians "$count" "targets_${count}_ready" "targets_${count}_agent_rss"; done >"$work/targets"
  gnuplot -e "work='$work'" docs/performance.gnuplot
}

cost_tables
agent_tables
benchmark_table
draw
