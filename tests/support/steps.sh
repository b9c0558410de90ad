# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A step is one named command: announced at once, timed, its output kept in a log that is shown when it fails.
# REQUIRES: log_dir is set and exists. Sets: passed, failed, skipped (the tally), last_log, step_seconds.

passed=0
failed=0
skipped=0
last_log=
step_seconds=0
running_step=

say() { printf '[%4ds] %s\n' "$SECONDS" "$*"; }

# Ends the step under way with everything it started: it leads a process group of its own.
stop_running_step() {
  [[ -z $running_step ]] || kill -TERM -- "-$running_step" 2>/dev/null || true
}

# What the step is doing: its last line, on a terminal five times a second, elsewhere once a minute.
follow_step() {
  local name=$1 log=$2 told=$SECONDS line columns
  columns=$(tput cols 2>/dev/null) || columns=100
  while kill -0 "$running_step" 2>/dev/null; do
    sleep 0.2
    [[ -t 1 ]] || ((SECONDS - told >= 60)) || continue
    line=$(printf '[%4ds]        %s: %s' "$SECONDS" "$name" "$(tail -n 1 "$log" | tr -d '\r\033')")
    if [[ -t 1 ]]; then
      printf '\r%s\033[K' "${line:0:columns-1}"
    else
      printf '%s\n' "${line:0:columns*2}"
      told=$SECONDS
    fi
  done
  [[ ! -t 1 ]] || printf '\r\033[K'
}

# run_step NAME COMMAND…: returns the command's status and judges nothing.
run_step() {
  local name=$1 started=$SECONDS status=0
  shift
  last_log=$log_dir/${name//[^a-zA-Z0-9._-]/_}.log
  say "  ...  $name"
  set -m
  "$@" >"$last_log" 2>&1 </dev/null &
  running_step=$!
  set +m
  follow_step "$name" "$last_log"
  wait "$running_step" || status=$?
  running_step=
  step_seconds=$((SECONDS - started))
  return "$status"
}

show_log_tail() {
  tail -n 60 "$last_log" | sed 's/^/         | /'
  say "       the whole log: ${last_log#"$root"/}"
}

# must NAME COMMAND…: a step without which nothing that follows makes sense.
must() {
  local status=0
  run_step "$@" || status=$?
  if ((status == 0)); then
    say "  ok   $1 ($step_seconds s)"
    return
  fi
  show_log_tail
  say "FAILED $1 (exit status $status): nothing that needs it can run"
  failed=$((failed + 1))
  return 1
}

# check NAME COMMAND…: a step that counts as one test; status 77 means that it cannot be decided here, and why.
check() {
  local status=0
  run_step "$@" || status=$?
  if ((status == 0)); then
    passed=$((passed + 1))
    say "  ok   $1 ($step_seconds s)"
  elif ((status == 77)); then
    skipped=$((skipped + 1))
    say "  skip $1: $(tail -n 1 "$last_log")"
  else
    failed=$((failed + 1))
    show_log_tail
    say "FAILED $1 (exit status $status)"
  fi
}
