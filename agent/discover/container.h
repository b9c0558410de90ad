// SPDX-License-Identifier: Apache-2.0
// agent/discover/container.h – which container, and which pod, a process runs in: from the text of
// /proc/PID/cgroup.
//
// In:  "0::/path" (cgroup v2) or lines "N:controllers:/path" (v1, and hybrids of the two).
// How: the last component of a path that is a container's id, plain or as an engine wraps it for
//      systemd (cri-containerd-ID.scope, crio-ID.scope, docker-ID.scope, libpod-ID.scope); the pod
//      is the component podUID or kubepods…-podUID.slice before it. A nested node (kind, minikube)
//      is a container itself: the innermost one counts. Paths are as the reader's cgroup namespace
//      shows them, "/../…" for what is outside of it; the components stay the same.
// What these say is the engines' convention, not the kernel's: a process that may create cgroups
// can name them as it likes. Threads: pure.
#pragma once

#include <string>
#include <string_view>

namespace mapscope {

struct Container {
  std::string id;  // lower-case hex, 32 to 64 digits; "" in no container
  std::string
      pod_uid;  // with dashes, as Kubernetes shows it; a static pod's has none. "" in no pod
  bool operator==(const Container&) const = default;
};

Container parse_cgroups(std::string_view text);

}  // namespace mapscope
