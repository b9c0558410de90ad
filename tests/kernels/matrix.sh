# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The live tests on several kernels: run side by side, added to the tally, and compared in two tables.
# REQUIRES: steps.sh, gtest.sh, bpf_host.sh and machine.sh of tests/support are loaded; root, log_dir and name_regex are set;
# the working directory is root.

# Debian 12's own kernel, which has no uprobe_multi, so that there the agent attaches with perf events; the one of its
# backports; the newest that Debian offers to anybody.
readonly virtual_kernels=(6.1 6.12 newest)
# Where this machine refuses BPF, this one stands in for it.
readonly stand_in_kernel=6.12
readonly live_tests=build/release/tests/live_tests
# The host and the oldest kernel run everything. The others leave out what asks nothing of the kernel that may differ there:
# options and their mistakes, the web server and its clients, the service manager, and what the agent decides by itself.
readonly same_everywhere=(
  'Mistake.*' 'HostOnly*' 'WebOfALiveRun.*' 'Service.*' 'ModeSeconds.*' '*EndingSignal.*' 'OverheadBudget.WithoutOne*'
  'OverheadBudget.DearMode*' 'Stack.BeyondTheRateLimit*' 'Inserts.AreNotCounted*' 'Confinement.CommandKeeps*'
  'Selection.WithNothingFound*' 'Selection.CommAndPid*' 'Selection.AgentDoesNotLook*' 'LifeCycle.EndOfTheLast*'
  'LifeCycle.ThreeTargets*' 'LifeCycle.TargetInTheMiddle*'
)
everything_everywhere=
declare -A kernel_filters=()
kernel_rows=()

runs_everything() {
  [[ -n $everything_everywhere || $1 == host || $1 == 6.1 ]] || [[ $1 == "$stand_in_kernel" && -n $(bpf_refusals) ]]
}

# With a regular expression of the user's own that alone says what runs.
filter_of_kernel() {
  local glob='*'
  runs_everything "$1" || [[ -n $name_regex ]] || glob="*-$(IFS=: && printf '%s' "${same_everywhere[*]}")"
  gtest_filter "$live_tests" "$glob"
}

# jobs_of KERNEL…: one a line, "KERNEL SHARD SHARDS". What runs everything takes longest: it goes first, in two machines.
jobs_of() {
  local kernel long=() short=()
  for kernel in "$@"; do
    if [[ $kernel != host && -z $name_regex ]] && runs_everything "$kernel"; then
      long+=("$kernel 0 2" "$kernel 1 2")
    else
      short+=("$kernel 0 1")
    fi
  done
  printf '%s\n' "${long[@]}" "${short[@]}" | sed '/^$/d'
}

# run_job KERNEL SHARD SHARDS: leaves a log, a report, and the exit status and seconds, in kernel-KERNEL-SHARD.*
run_job() {
  local kernel=$1 shard=$2 shards=$3 stem=$log_dir/kernel-$1-$2 started=$SECONDS status=0 runner=(on_host)
  [[ $kernel == host ]] ||
    runner=(in_vm "$kernel" --env "GTEST_TOTAL_SHARDS=$shards" --env "GTEST_SHARD_INDEX=$shard")
  printf 'kernel %s, machine %d of %d: begun\n' "$kernel" $((shard + 1)) "$shards"
  ("${runner[@]}" "$stem.json" "$live_tests" "--gtest_filter=${kernel_filters[$kernel]}" --gtest_color=no) \
    >"$stem.log" 2>&1 || status=$?
  printf '%d %d\n' "$status" $((SECONDS - started)) >"$stem.status"
  printf 'kernel %s, machine %d of %d: done after %d s\n' "$kernel" $((shard + 1)) "$shards" $((SECONDS - started))
}

# run_jobs JOB…: as many at a time as there are CPUs; an emulated machine keeps one busy.
run_jobs() {
  local job words running=0 cpus
  cpus=$(nproc)
  for job in "$@"; do
    if ((running >= cpus)); then
      wait -n
      running=$((running - 1))
    fi
    read -ra words <<<"$job"
    run_job "${words[@]}" &
    running=$((running + 1))
  done
  wait
}

# property REPORT NAME: what a test has recorded under that name.
property() {
  jq -r --arg name "$2" '[.testsuites[].testsuite[][$name] | values][0] // "–"' "$1" 2>/dev/null || echo –
}

# verifier_steps REPORT: "PROGRAM STEPS BOUND" for each BPF program.
verifier_steps() {
  jq -r '.testsuites[].testsuite[] | . as $test | keys[] | select(startswith("steps.")) | ltrimstr("steps.") |
    "\(.) \($test["steps." + .]) \($test["bound." + .])"' "$1" 2>/dev/null || true
}

# count_kernel KERNEL: what its machines left becomes one log, one report and one row.
count_kernel() {
  local kernel=$1 stem=$log_dir/kernel-$1 status=0 ended seconds file before reports statuses
  reports=("$stem"-?.json) statuses=("$stem"-?.status)
  last_log=$stem.log step_seconds=0 before=("$passed" "$failed" "$skipped")
  cat "$stem"-?.log >"$last_log"
  for file in "${statuses[@]}"; do
    read -r ended seconds <"$file"
    ((ended == 0)) || status=$ended
    step_seconds=$((step_seconds + seconds))
  done
  ((${#reports[@]} < ${#statuses[@]})) ||
    jq -s '{testsuites: (map(.testsuites) | add)}' "${reports[@]}" >"$stem.json" 2>/dev/null || rm -f "$stem.json"
  count_gtest "live tests on kernel $kernel" "$status" "$stem.json"
  kernel_rows+=("$(printf '%s\t' "$kernel" "$(property "$stem.json" kernel)" "$(property "$stem.json" attach_method)" \
    $((passed - before[0])) $((failed - before[1])) $((skipped - before[2])) "$(verifier_steps "$stem.json" | wc -l)")$step_seconds")
}

# Before the machines, two of which may have one kernel.
fetch_kernels() {
  local kernel
  for kernel in "$@"; do tests/vm/kernel "$kernel"; done
}

# run_together NAME KERNEL…
run_together() {
  local name=$1 kernel jobs
  shift
  mapfile -t jobs < <(jobs_of "$@")
  run_step "$name" run_jobs "${jobs[@]}" || true
  for kernel in "$@"; do count_kernel "$kernel"; done
}

# Each kernel with what it runs; leaves those out on which no test has a name that is wanted.
prepare_kernels() {
  local kernel filter
  for kernel in "$@"; do
    rm -f "$log_dir/kernel-$kernel"[-.]*
    if ! filter=$(filter_of_kernel "$kernel") || [[ -z $filter && -z $name_regex ]]; then
      failed=$((failed + 1))
      say "FAILED live tests on kernel $kernel: ${live_tests#"$root"/} lists none"
    elif [[ -z $filter ]]; then
      say "  --   live tests on kernel $kernel: no name matches '$name_regex'"
    else
      kernel_filters[$kernel]=$filter
    fi
  done
}

# run_kernels KERNEL…: host first and alone, because its tests measure times.
run_kernels() {
  local wanted=("$@") refusals kernel machines=()
  refusals=$(bpf_refusals)
  if [[ -n $refusals && " ${wanted[*]} " == *" host "* ]]; then
    say "       this machine refuses BPF, so kernel $stand_in_kernel stands in for it, in a virtual machine:"
    printf '         | %s\n' "${refusals//$'\n'/$'\n'         | }"
    mapfile -t wanted < <(printf '%s\n' "${wanted[@]/host/$stand_in_kernel}" | awk '!seen[$0]++')
  fi
  prepare_kernels "${wanted[@]}"
  for kernel in "${wanted[@]}"; do
    [[ $kernel == host || -z ${kernel_filters[$kernel]:-} ]] || machines+=("$kernel")
  done
  [[ -z ${kernel_filters[host]:-} ]] || run_together "live tests on this kernel" host
  ((${#machines[@]} > 0)) || return 0
  must "fetch kernels" fetch_kernels "${machines[@]}" || return 0
  run_together "live tests in virtual machines (kernels ${machines[*]})" "${machines[@]}"
}

# The tables, one line a row with tabs between.
kernel_table() {
  printf 'machine\tkernel\tattach method\tpassed\tfailed\tskipped\tBPF programs\tseconds\n'
  ((${#kernel_rows[@]} == 0)) || printf '%s\n' "${kernel_rows[@]}"
}

verifier_table() {
  local row kernel release rest
  for row in "${kernel_rows[@]}"; do
    IFS=$'\t' read -r kernel release rest <<<"$row"
    verifier_steps "$log_dir/kernel-$kernel.json" | sed "s|^|$release |"
  done | awk -v OFS='\t' '
    !($1 in column) { column[$1] = ++columns; title[columns] = $1 }
    !($2 in row) { row[$2] = ++rows; name[rows] = $2; bound[rows] = $4 }
    { steps[row[$2], column[$1]] = $3 }
    END {
      if (!rows) exit
      $0 = ""; $1 = "BPF program"; for (c = 1; c <= columns; c++) $(c + 1) = title[c]
      $(columns + 2) = "bound"; print
      for (r = 1; r <= rows; r++) {
        $0 = ""; $1 = name[r]; for (c = 1; c <= columns; c++) $(c + 1) = steps[r, c]
        $(columns + 2) = bound[r]; print
      }
    }'
}

show_kernel_tables() {
  ((${#kernel_rows[@]} > 0)) || return 0
  local table
  for table in kernel_table verifier_table; do
    "$table" | column -t -s $'\t' | sed 's/^/       /'
  done
}
