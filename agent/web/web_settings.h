// SPDX-License-Identifier: Apache-2.0
// agent/web/web_settings.h – the web configuration in force, read again when its files change.
//
// The configuration, certificates and keys are watched by what stat() says of them, at each new
// connection, which costs microseconds. A change counts once nothing has changed for a tenth of a
// second, so that no half of a file is read, and is taken as a whole or not at all: while any of
// the files is broken, what was last read in one piece stays in force, the fault is logged once,
// and reload_error() tells it. Connections keep the settings that they began with.
// Threads: current() from one; the others from any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/web/basic_auth.h"
#include "agent/web/tls_context.h"
#include "agent/web/web_config.h"

namespace mapscope {

struct WebSettings {
  std::unique_ptr<TlsContext> tls;  // nullptr: plain HTTP
  std::shared_ptr<BasicAuth> auth;  // nullptr: no login; the same as before for the same users
  std::vector<std::pair<std::string, std::string>> headers;
};

class LiveWebSettings {
 public:
  // `path` "": nothing is configured, and nothing watched. Errors: what is wrong with the files.
  static Result<std::unique_ptr<LiveWebSettings>> load(const std::string& path);

  // Looks whether the files have changed.
  std::shared_ptr<const WebSettings> current();
  [[nodiscard]] bool has_file() const { return !path_.empty(); }
  // Why the files as they are now are not in force; "" when they are.
  [[nodiscard]] std::string reload_error() const;

 private:
  // What stat() says of a file, as far as it changes with the file; zeros: there is none.
  struct Version {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t bytes = 0;
    int64_t modified_ns = 0;
    int64_t changed_ns = 0;
    bool operator==(const Version&) const = default;
  };
  using Versions = std::map<std::string, Version>;

  explicit LiveWebSettings(std::string path) : path_(std::move(path)) {}
  static Version version_of(const std::string& path);
  static bool is_settled(const Versions& versions);
  [[nodiscard]] bool is_due() const;
  void watch(Versions versions);
  Status reload();
  void note_fault(const Error& error);

  std::string path_;
  Versions versions_;        // of the files that the last try read
  bool is_settled_ = false;  // they were not being written at that time
  std::shared_ptr<const WebSettings> settings_;
  mutable std::mutex mutex_;  // guards what follows
  std::string reload_error_;
};

}  // namespace mapscope
