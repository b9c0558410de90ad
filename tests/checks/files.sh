# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the checks share. A check reads the tree it is started in, prints "path:line: what is wrong" for every fault, and
# ends with 0 (good), 1 (faults) or 77 (cannot be decided here; the last line says why).

# The project's files, tracked or new, whose path matches one of the glob patterns.
project_files() {
  local path pattern
  while IFS= read -r path; do
    [[ -f $path && ! -L $path ]] || continue
    for pattern in "$@"; do
      # shellcheck disable=SC2053
      [[ $path != $pattern ]] || { printf '%s\n' "$path"; break; }
    done
  done < <(
    if [[ -e .git ]]; then
      git -c safe.directory='*' ls-files --cached --others --exclude-standard
    else
      find . -type f -not -path './build/*' -printf '%P\n'
    fi | sort -u
  )
}

# Scripts by their first line, whatever their name.
project_scripts() {
  local path
  while IFS= read -r path; do
    [[ $(head -n 1 "$path" | tr -d '\0') != '#!/usr/bin/env bash' ]] || printf '%s\n' "$path"
  done < <(project_files '*')
}

# Ends a check: faults are what it has printed to the file.
report_faults() {
  local faults=$1
  [[ -z $faults ]] || { printf '%s\n' "$faults"; exit 1; }
}

# Other versions format differently and know other checks; Debian 12's is the one that decides.
require_clang_14() {
  local version
  version=$("$1" --version | grep -o 'version [0-9]*' | head -n 1)
  [[ $version == "version 14" ]] || { echo "$1 $version is not the 14 of Debian 12, which decides"; exit 77; }
}
