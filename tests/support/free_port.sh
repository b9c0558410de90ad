# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0

# A port of loopback on which nobody listens now.
free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)) && (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  printf '%s\n' "$port"
}
