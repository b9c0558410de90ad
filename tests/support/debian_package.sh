# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Packages of any suite of Debian, fetched and unpacked but never installed. apt does it with a configuration of its own,
# so signatures and checksums are verified and nothing of the host changes.
# REQUIRES: root is the project's directory. Every function works in a DIRECTORY that belongs to one suite.

readonly debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# with_apt DIRECTORY PROGRAM ARGS…: one of apt's programs, confined to the lists and archives under DIRECTORY.
with_apt() {
  local directory=$1 program=$2
  shift 2
  "$program" -q -o Dir::Etc::SourceList="$directory/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State::Lists="$directory/lists" \
    -o Dir::State::status=/dev/null -o Dir::Cache="$directory/cache" -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
    -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o Acquire::Languages=none "$@"
}

# read_package_index DIRECTORY SUITE: what the suite offers, into DIRECTORY.
read_package_index() {
  local directory=$1 suite=$2 mirror
  [[ -r $debian_keyring ]] || { echo "$debian_keyring is missing: apt-get install debian-archive-keyring" >&2; return 1; }
  mirror=$("$root/deploy/debian_mirror" "$suite") || return
  mkdir -p "$directory/lists/partial" "$directory/cache/archives/partial"
  printf 'deb [signed-by=%s] %s %s main\n' "$debian_keyring" "$mirror" "$suite" >"$directory/sources.list"
  with_apt "$directory" apt-get -o APT::Update::Error-Mode=any update
}

# package_megabytes DIRECTORY PACKAGE…: the size of the download.
package_megabytes() {
  local directory=$1
  shift
  with_apt "$directory" apt-cache --no-all-versions show "$@" |
    awk '$1 == "Size:" { bytes += $2 } END { print int(bytes / 1e6 + 0.5) }'
}

# unpack_packages DIRECTORY PACKAGE…: into DIRECTORY/unpacked.
unpack_packages() {
  local directory=$1 package
  shift
  (cd "$directory" && with_apt "$directory" apt-get download "$@") || return
  for package in "$directory"/*.deb; do
    dpkg -x "$package" "$directory/unpacked" || return
  done
}
