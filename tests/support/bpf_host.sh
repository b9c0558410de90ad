# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Can this machine, as this user, run the agent? Asked before anything is started, so that the answer is a reason.

# One line per thing that is missing; nothing when BPF can be used here.
bpf_refusals() {
  local text
  ((EUID == 0)) || { echo "no privilege: this is not root (use sudo)"; return; }
  [[ -r /sys/kernel/btf/vmlinux ]] || echo "no BTF: this kernel has no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)"
  [[ -r /sys/bus/event_source/devices/uprobe/type ]] || echo "no uprobes: this kernel has no uprobe event source (CONFIG_UPROBE_EVENTS)"
  text=$(bpftool prog list 2>&1 >/dev/null) || echo "bpf() is refused: ${text:-bpftool prog list failed} (a container needs --privileged)"
}
