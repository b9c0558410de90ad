# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Runs GoogleTest programs as steps and adds what they report to the tally.
# REQUIRES: steps.sh is loaded; log_dir, name_regex (may be empty) are set.

# The tests of PROGRAM that match name_regex and the glob, in the form --gtest_filter takes; empty when there are none.
gtest_filter() {
  local program=$1 glob=$2
  "$program" --gtest_list_tests "--gtest_filter=$glob" | awk '
    /^[^ ]+\.( |$)/ { suite = $1; next }
    /^  / { print suite $1 }' | { grep -E -- "${name_regex:-.}" || true; } | paste -sd: -
}

# passed, failed and skipped of one report, on one line.
gtest_counts() {
  jq -r '[.testsuites[].testsuite[]] |
    [(map(select(.result == "COMPLETED" and (has("failures") | not))) | length),
     (map(select(has("failures"))) | length),
     (map(select(.result == "SKIPPED" or .status == "NOTRUN")) | length)] | @tsv' "$1"
}

gtest_failures() {
  jq -r '.testsuites[].testsuite[] | select(has("failures")) |
    "\(.classname).\(.name)", (.failures[].failure | "  " + gsub("\n"; "\n  "))' "$1"
}

gtest_skips() {
  awk '/^\[ RUN/ { text = "" } /^\[  SKIPPED \]/ && /ms\)/ { print $4 ": " text } { text = $0 }' "$1"
}

# A program that died or wrote no report: what it had finished counts, and the death is one failure.
count_without_report() {
  local status=$1
  passed=$((passed + $(grep -c '^\[       OK \]' "$last_log" || true)))
  failed=$((failed + 1))
  show_log_tail
  say "FAILED $2: it ended with status $status before all its tests were done"
}

# count_gtest NAME STATUS REPORT
count_gtest() {
  local name=$1 status=$2 report=$3 good bad absent
  if ! jq -e . "$report" >/dev/null 2>&1; then
    count_without_report "$status" "$name"
    return
  fi
  read -r good bad absent < <(gtest_counts "$report")
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + absent))
  ((absent == 0)) || gtest_skips "$last_log" | sed 's/^/         | skipped /'
  if ((bad > 0)); then
    gtest_failures "$report" | sed 's/^/         | /'
    say "FAILED $name ($step_seconds s): $bad of $((good + bad + absent)); log: ${last_log#"$root"/}"
  elif ((status != 0 || good + absent == 0)); then
    failed=$((failed + 1))
    show_log_tail
    say "FAILED $name (exit status $status)"
  else
    say "  ok   $name ($step_seconds s): $good tests"
  fi
}

# run_gtest NAME PROGRAM GLOB RUNNER…: RUNNER is what "RUNNER… REPORT COMMAND…" is called as: on_host, or in_vm KERNEL.
run_gtest() {
  local name=$1 program=$2 glob=$3 filter report status=0
  shift 3
  report=$log_dir/${name//[^a-zA-Z0-9._-]/_}.json
  rm -f "$report"
  if ! filter=$(gtest_filter "$program" "$glob"); then
    failed=$((failed + 1))
    say "FAILED $name: ${program#"$root"/} does not list its tests"
  elif [[ -n $filter ]]; then
    run_step "$name" "$@" "$report" "$program" "--gtest_filter=$filter" --gtest_color=no || status=$?
    count_gtest "$name" "$status" "$report"
  elif [[ -n $name_regex ]]; then
    say "  --   $name: no name matches '$name_regex'"
  else
    failed=$((failed + 1))
    say "FAILED $name: there are no tests to run"
  fi
}
