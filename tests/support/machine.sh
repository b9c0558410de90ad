# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Runs a test program where the agent is under test: on this machine, or in a virtual one with another kernel.
# REQUIRES: the working directory is the repository.

# What live tests start, next to the agent and the target; deploy/bootstrap unpacks prometheus where nothing is installed.
readonly live_programs=(sh env nice nohup setsid timeout script cat true strip openssl prometheus promtool)
PATH=$PATH:/usr/sbin:/sbin:${XDG_CACHE_HOME:-$HOME/.cache}/mapscope/prometheus/usr/bin

# on_host REPORT COMMAND…: ends the shell that it is called in.
on_host() {
  local report=$1
  shift
  GTEST_OUTPUT=json:$report exec "$@"
}

# in_vm KERNEL [OPTION VALUE]… REPORT COMMAND…: options are those of tests/vm/run.
in_vm() {
  local kernel=$1 report results program programs=() status=0
  shift
  while [[ $1 == --* ]]; do
    programs+=("$1" "$2")
    shift 2
  done
  report=$1
  shift
  for program in build/release/agent/agent build/release/target/target "${live_programs[@]}"; do
    programs+=(--program "$program")
  done
  results=$(mktemp -d)
  # 125: the machine itself failed or hung, which says nothing about the tests; once more, on a fresh one.
  for _ in 1 2; do
    status=0
    tests/vm/run --kernel "$kernel" --timeout 900 --results "$results" --env GTEST_OUTPUT=json:/results/report.json --env "PATH=$PATH" \
      --file build/release/tests/fixtures "${programs[@]}" -- "$@" || status=$?
    ((status == 125)) || break
  done
  mv "$results/report.json" "$report" || true
  rm -rf "$results"
  return "$status"
}
