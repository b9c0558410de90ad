// SPDX-License-Identifier: Apache-2.0
// agent/startup.h – what the agent opens and starts while it has one thread and all its privileges.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/child.h"
#include "agent/discover/cri/container_names.h"
#include "agent/discover/mapping_events.h"
#include "agent/export/web_server.h"
#include "agent/options.h"
#include "agent/service_manager.h"

namespace mapscope {

struct Startup {
  ServiceManager manager;
  std::optional<WebSetup> web;            // absent when nothing is served
  UniqueFd output;                        // of --output
  std::unique_ptr<ContainerNames> names;  // not started; nullptr when nobody is asked
  std::optional<Child> child;             // held; absent without a command
  // Absent where the kernel refuses them. Debian's asks for CAP_SYS_ADMIN.
  std::optional<MappingEvents> mappings;
  std::string no_mappings;  // why not

  // The environment comes first, so that a command does not inherit what was meant for the agent;
  // the command comes last, so that no mistake elsewhere starts it, and before confine(), so that
  // it keeps what its caller had. Errors: see WebServer::prepare(),
  // ContainerNames::open() and Child::start().
  static Result<Startup> begin(const WatchOptions& options);
};

}  // namespace mapscope
