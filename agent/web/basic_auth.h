// SPDX-License-Identifier: Apache-2.0
// agent/web/basic_auth.h – users and their bcrypt hashes; is this one of them?
//
// bcrypt is slow on purpose (50 ms and more), so what has once been verified is remembered, as a
// salted digest of name, hash and password; failures never are. A name that does not exist costs
// the same as a wrong password: it is checked against the hash of an existing user, always the same
// one for the same name.
// Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace mapscope {

// Why the text is no hash that can be used: "" when it is one. $2a$, $2b$ and $2y$, cost 4 to 16:
// one more doubles the time, and 16 takes seconds.
std::string_view bcrypt_fault(std::string_view hash);

// The time of one call is that of the hash. False for a password with a zero byte.
bool bcrypt_matches(const std::string& password, const std::string& hash);

struct Credentials {
  std::string user;
  std::string password;
};

// Of the header's value "Basic <base64 of user:password>"; nullopt when it is something else.
std::optional<Credentials> parse_basic_auth(std::string_view authorization);

class BasicAuth {
 public:
  // REQUIRES: at least one user.
  explicit BasicAuth(std::map<std::string, std::string> users);

  [[nodiscard]] const std::map<std::string, std::string>& users() const { return users_; }
  // Has verify() said yes to exactly these? Microseconds.
  [[nodiscard]] bool remembers(const Credentials& credentials) const;
  // Takes as long as bcrypt does.
  bool verify(const Credentials& credentials);

 private:
  using Digest = std::array<unsigned char, 32>;
  static constexpr size_t kRemembered = 128;

  // The user's hash, or a stand-in for a name that does not exist.
  [[nodiscard]] const std::string& hash_for(const std::string& user, bool& exists) const;
  [[nodiscard]] Digest digest(std::string_view user, std::string_view hash,
                              std::string_view password) const;

  std::map<std::string, std::string> users_;
  Digest salt_{};
  mutable std::mutex mutex_;       // guards what follows
  std::deque<Digest> remembered_;  // oldest first
};

}  // namespace mapscope
