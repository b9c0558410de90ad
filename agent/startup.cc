// SPDX-License-Identifier: Apache-2.0
#include "agent/startup.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

namespace mapscope {
namespace {

// Clients may hold hundreds of descriptors, and must not be what keeps a target from being watched.
// After the command was started, for which more than it asked for may be too many.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, std::max<rlim_t>(limit.rlim_cur, 65536));
  std::ignore = setrlimit(RLIMIT_NOFILE, &limit);
}

// A pipe that nobody reads would hold it up for ever.
Result<UniqueFd> open_output(const std::string& path) {
  constexpr mode_t kMode = 0666;
  UniqueFd file(::open(path.c_str(),
                       O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NONBLOCK, kMode));
  if (!file.valid()) {
    const std::string why =
        errno == ENXIO ? "it is a pipe that nobody reads" : std::generic_category().message(errno);
    return Error{ErrorKind::kUsage, "--output: cannot write to '" + path + "': " + why};
  }
  ::fcntl(file.get(), F_SETFL, O_APPEND);
  return file;
}

}  // namespace

Result<Startup> Startup::begin(const WatchOptions& options) {
  Startup out;
  out.manager = ServiceManager::from_environment();
  if (options.web_enabled) {
    auto web = WebServer::prepare(options.web);
    if (!web) return std::move(web).error();
    out.web = std::move(*web);
  }
  if (!options.output.empty()) {
    auto output = open_output(options.output);
    if (!output) return std::move(output).error();
    out.output = std::move(*output);
  }
  if (!options.cri_socket.empty()) {
    auto names = ContainerNames::open(options.cri_socket);
    if (!names) return std::move(names).error();
    out.names = std::move(*names);
  }
  if (!options.command.empty()) {
    auto child = Child::start({options.command, options.user, options.follow});
    if (!child) return std::move(child).error();
    out.child = std::move(*child);
  }
  raise_descriptor_limit();
  auto mappings = MappingEvents::open();
  if (mappings) {
    out.mappings = std::move(*mappings);
  } else {
    out.no_mappings = std::move(mappings).error().text;
  }
  return out;
}

}  // namespace mapscope
