// SPDX-License-Identifier: Apache-2.0
// agent/discover/cri/container_runtime.h – what a container is called in Kubernetes, as the runtime
// that started it tells over the Container Runtime Interface (containerd, CRI-O).
//
// In:  its socket, which is root's as a rule. It is only asked, for its version and for lists.
// Names are the cluster's, whatever is in them: escape them where they are shown. Threads: any, no
// shared state.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "agent/base/result.h"

namespace mapscope {

struct ContainerName {
  std::string container_id;
  std::string pod_uid;
  std::string pod_namespace;
  std::string pod;
  std::string container;  // "" when it is the pod's sandbox itself
  bool operator==(const ContainerName&) const = default;
};

class ContainerRuntime {
 public:
  // `stop_fd`: calls are given up when it can be read; -1: never.
  explicit ContainerRuntime(std::string socket, int stop_fd = -1)
      : socket_(std::move(socket)), stop_fd_(stop_fd) {}

  // "containerd 1.6.20"; printable. Errors: see call().
  [[nodiscard]] Result<std::string> version() const;
  // nullopt: the runtime has no such container. Errors: see call().
  [[nodiscard]] Result<std::optional<ContainerName>> find(const std::string& container_id) const;

  [[nodiscard]] const std::string& socket() const { return socket_; }

 private:
  std::string socket_;
  int stop_fd_;
};

}  // namespace mapscope
