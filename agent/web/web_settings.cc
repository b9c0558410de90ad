// SPDX-License-Identifier: Apache-2.0
#include "agent/web/web_settings.h"

#include <openssl/ssl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/base/log.h"

namespace mapscope {
namespace {

// Whoever writes a file without renaming it empties it first, which would switch everything off.
// And the kernel stamps files by its tick: two writes within one look alike.
constexpr int64_t kSettledAfterNs = 100'000'000;

int64_t ns_of(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

int64_t now_ns() {
  using std::chrono::duration_cast;
  using std::chrono::nanoseconds;
  return duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::vector<std::string> files_of(const WebConfig& config) {
  std::vector<std::string> out;
  for (const PemSource* source :
       {&config.tls.certificate, &config.tls.key, &config.tls.client_authorities}) {
    if (!source->path.empty()) out.push_back(source->path);
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<LiveWebSettings>> LiveWebSettings::load(const std::string& path) {
  // What the library reads and loads for itself, it does now, while that is allowed.
  OPENSSL_init_ssl(0, nullptr);
  std::unique_ptr<LiveWebSettings> out(new LiveWebSettings(path));
  if (auto loaded = out->reload(); !loaded) return std::move(loaded).error();
  return out;
}

LiveWebSettings::Version LiveWebSettings::version_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size, ns_of(status.st_mtim),
          ns_of(status.st_ctim)};
}

// A time to come is that of a clock that was set back: it says nothing.
bool LiveWebSettings::is_settled(const Versions& versions) {
  int64_t newest = 0;
  for (const auto& [file, version] : versions)
    newest = std::max({newest, version.modified_ns, version.changed_ns});
  const int64_t age = now_ns() - newest;
  return age < 0 || age > kSettledAfterNs;
}

bool LiveWebSettings::is_due() const {
  Versions now;
  for (const auto& [file, known] : versions_) now.emplace(file, version_of(file));
  return (!is_settled_ || now != versions_) && is_settled(now);
}

void LiveWebSettings::watch(Versions versions) {
  is_settled_ = is_settled(versions);
  versions_ = std::move(versions);
}

// Versions are taken before the files are read: a change in between is seen as one the next time.
Status LiveWebSettings::reload() {
  auto settings = std::make_shared<WebSettings>();
  if (path_.empty()) {
    settings_ = std::move(settings);
    return Done{};
  }
  Versions versions = {{path_, version_of(path_)}};
  watch(versions);
  auto text = read_web_file(path_, kMaxWebConfigBytes);
  if (!text) return std::move(text).error();
  auto config = parse_web_config(*text, path_);
  if (!config) return std::move(config).error();
  for (const std::string& file : files_of(*config)) versions.emplace(file, version_of(file));
  watch(std::move(versions));
  if (config->has_tls) {
    auto tls = TlsContext::create(config->tls);
    if (!tls) return std::move(tls).error();
    settings->tls = std::move(*tls);
  }
  // Who was let in before is remembered, however often a certificate is renewed.
  const bool same_users = settings_ && settings_->auth && settings_->auth->users() == config->users;
  if (same_users) settings->auth = settings_->auth;
  if (!same_users && !config->users.empty())
    settings->auth = std::make_shared<BasicAuth>(std::move(config->users));
  settings->headers = std::move(config->headers);
  settings_ = std::move(settings);
  return Done{};
}

std::shared_ptr<const WebSettings> LiveWebSettings::current() {
  if (path_.empty() || !is_due()) return settings_;
  const Versions before = versions_;
  if (auto loaded = reload(); !loaded) {
    note_fault(loaded.error());
    // Too many open files, say, may pass without a change of any file.
    if (loaded.error().kind == ErrorKind::kSystem) is_settled_ = false;
    return settings_;
  }
  const std::lock_guard lock(mutex_);
  if (versions_ != before || !reload_error_.empty()) log_info("{} was read again", path_);
  reload_error_.clear();
  return settings_;
}

void LiveWebSettings::note_fault(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (reload_error_ == error.text) return;
  reload_error_ = error.text;
  log_warn("{}; what was read before stays in force", error.text);
}

std::string LiveWebSettings::reload_error() const {
  const std::lock_guard lock(mutex_);
  return reload_error_;
}

}  // namespace mapscope
