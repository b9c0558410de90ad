// SPDX-License-Identifier: Apache-2.0
#include "agent/web/basic_auth.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <cstring>
#include <iterator>
#include <memory>
#include <utility>

#include "agent/web/http_message.h"

namespace mapscope {
namespace {

constexpr size_t kBcryptLength = 60;  // "$2b$12$", 22 of salt, 31 of digest
constexpr size_t kMaxEncoded = 8192;

bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > kMaxEncoded) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  // The library counts the padding as zero bytes.
  const size_t last = text.find_last_not_of('=');
  const size_t padding = last == std::string_view::npos ? text.size() : text.size() - 1 - last;
  if (padding > 2) return std::nullopt;
  out.resize(static_cast<size_t>(length) - padding);
  return out;
}

}  // namespace

std::string_view bcrypt_fault(std::string_view hash) {
  constexpr std::string_view kDigits = "0123456789";
  constexpr std::string_view kAlphabet =
      "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kNotOne = "has no bcrypt hash ($2b$…, 60 characters)";
  if (hash.size() != kBcryptLength || !hash.starts_with("$2") || hash[3] != '$' || hash[6] != '$' ||
      std::string_view("aby").find(hash[2]) == std::string_view::npos ||
      hash.substr(4, 2).find_first_not_of(kDigits) != std::string_view::npos ||
      hash.substr(7).find_first_not_of(kAlphabet) != std::string_view::npos) {
    return kNotOne;
  }
  const int cost = (hash[4] - '0') * 10 + (hash[5] - '0');
  if (cost < 4 || cost > 16) return "has a hash whose cost is not between 4 and 16";
  return "";
}

bool bcrypt_matches(const std::string& password, const std::string& hash) {
  const auto memory = std::make_unique<crypt_data>();
  // The library ends at a zero byte, where the password does not.
  const bool cut_short = password.find('\0') != std::string::npos;
  const char* computed = crypt_r(password.c_str(), hash.c_str(), memory.get());
  const bool matches = computed != nullptr && equal(computed, hash);
  OPENSSL_cleanse(memory.get(), sizeof(crypt_data));
  return matches && !cut_short;
}

std::optional<Credentials> parse_basic_auth(std::string_view authorization) {
  constexpr std::string_view kScheme = "basic ";
  if (!equal_names(authorization.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  const auto text = decode_base64(authorization);
  if (!text) return std::nullopt;
  const size_t colon = text->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Credentials{text->substr(0, colon), text->substr(colon + 1)};
}

BasicAuth::BasicAuth(std::map<std::string, std::string> users) : users_(std::move(users)) {
  // Cannot fail for so few bytes once the machine has started up.
  [[maybe_unused]] const ssize_t got = getrandom(salt_.data(), salt_.size(), 0);
}

BasicAuth::Digest BasicAuth::digest(std::string_view user, std::string_view hash,
                                    std::string_view password) const {
  std::string text(salt_.begin(), salt_.end());
  for (const std::string_view part : {user, hash, password}) {
    text += std::to_string(part.size()) + ':';
    text += part;
  }
  Digest out{};
  EVP_Digest(text.data(), text.size(), out.data(), nullptr, EVP_sha256(), nullptr);
  OPENSSL_cleanse(text.data(), text.size());
  return out;
}

const std::string& BasicAuth::hash_for(const std::string& user, bool& exists) const {
  const auto found = users_.find(user);
  exists = found != users_.end();
  if (exists) return found->second;
  uint64_t chosen = 0;
  const Digest name = digest(user, "", "");
  std::memcpy(&chosen, name.data(), sizeof(chosen));
  return std::next(users_.begin(), static_cast<ptrdiff_t>(chosen % users_.size()))->second;
}

bool BasicAuth::remembers(const Credentials& credentials) const {
  bool exists = false;
  const std::string& hash = hash_for(credentials.user, exists);
  const Digest wanted = digest(credentials.user, hash, credentials.password);
  const std::lock_guard lock(mutex_);
  bool found = false;
  for (const Digest& known : remembered_)
    found |= CRYPTO_memcmp(known.data(), wanted.data(), wanted.size()) == 0;
  return found && exists;
}

bool BasicAuth::verify(const Credentials& credentials) {
  bool exists = false;
  const std::string& hash = hash_for(credentials.user, exists);
  const bool matches = bcrypt_matches(credentials.password, hash);
  if (!matches || !exists) return false;
  const Digest verified = digest(credentials.user, hash, credentials.password);
  const std::lock_guard lock(mutex_);
  if (remembered_.size() == kRemembered) remembered_.pop_front();
  remembered_.push_back(verified);
  return true;
}

}  // namespace mapscope
