// SPDX-License-Identifier: Apache-2.0
#include "tests/support/https_agent.h"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/live_agent.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

constexpr std::string_view kAnnouncement = "agent: metrics at https://127.0.0.1:";
// Of the password of kLogin, with the cost that tools choose by themselves.
constexpr const char* kHash = "$2b$10$yVUfg6RVojOuC8RiaG16YOPXO1KCZLEaadOrzKIecKJ3q7evtUtjO";

}  // namespace

HttpsAgent::HttpsAgent(CertificateAuthority& authority, const LiveTarget& target,
                       const std::string& more, const LiveTarget& second)
    : authority_(&authority), more_(more) {
  install(authority.issue("IP:127.0.0.1"));
  write_config(good_config());
  process_.emplace(std::vector<std::string>{
      agent_path(), "--web.listen-address", "127.0.0.1:0", "--web.config.file", config_path(),
      "--events", "json", "--pid", target.pid_text(), "--pid", second.pid_text()});
  const bool announced = poll_until([this] {
    const std::string said = process_->err().text();
    const size_t at = said.find(kAnnouncement);
    if (at != std::string::npos && said.find('\n', at) != std::string::npos)
      port_ = static_cast<uint16_t>(std::stoul(said.substr(at + kAnnouncement.size())));
    return port_ != 0 || !process_->running();
  });
  if (!announced || port_ == 0)
    throw std::runtime_error("the agent did not get ready: " + process_->err().text());
}

void HttpsAgent::install(const Certificate& certificate) {
  for (const auto& [from, name] :
       {std::pair(certificate.key, "key.pem"), std::pair(certificate.certificate, "cert.pem")}) {
    std::filesystem::copy_file(from, directory_ / "new");
    std::filesystem::rename(directory_ / "new", directory_ / name);
  }
}

void HttpsAgent::write_config(const std::string& text) const {
  std::ofstream(config_path()) << text;
}

std::string HttpsAgent::good_config() const {
  return "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n" + more_ +
         "basic_auth_users:\n  scraper: " + kHash + "\n";
}

TlsAnswer HttpsAgent::get(const std::string& path, const std::string& login,
                          const Certificate& own) const {
  return https_exchange(port_, get_request(path, login), {authority_->certificate(), own});
}

}  // namespace mapscope::test
