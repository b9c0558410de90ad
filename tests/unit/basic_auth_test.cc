// SPDX-License-Identifier: Apache-2.0
#include "agent/web/basic_auth.h"

#include <crypt.h>
#include <gtest/gtest.h>

#include <array>

namespace mapscope {
namespace {

// The C library's own way to a hash; the cheapest cost.
std::string hash_of(const std::string& password, const char* prefix = "$2b$") {
  crypt_data memory{};
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> salt{};
  crypt_gensalt_rn(prefix, 4, nullptr, 0, salt.data(), static_cast<int>(salt.size()));
  return crypt_r(password.c_str(), salt.data(), &memory);
}

TEST(BasicAuth, RightPasswordIsRememberedAndOnlyThat) {
  BasicAuth auth({{"a", hash_of("secret")}, {"b", hash_of("other")}});
  EXPECT_FALSE(auth.remembers({"a", "secret"}));
  EXPECT_TRUE(auth.verify({"a", "secret"}));
  EXPECT_TRUE(auth.remembers({"a", "secret"}));
  for (const Credentials& wrong :
       {Credentials{"a", "Secret"}, Credentials{"a", ""}, Credentials{"b", "secret"},
        Credentials{"c", "secret"}, Credentials{"", ""}, Credentials{"a", "secret2"}}) {
    EXPECT_FALSE(auth.verify(wrong));
    EXPECT_FALSE(auth.remembers(wrong));
  }
}

TEST(BasicAuth, EveryVersionOfBcryptIsKnown) {
  for (const char* prefix : {"$2a$", "$2b$", "$2y$"}) {
    const std::string hash = hash_of("secret", prefix);
    ASSERT_TRUE(hash.starts_with(prefix));
    EXPECT_EQ(bcrypt_fault(hash), "");
    EXPECT_TRUE(bcrypt_matches("secret", hash));
    EXPECT_FALSE(bcrypt_matches("secre", hash));
  }
}

TEST(BasicAuth, ZeroByteDoesNotEndThePassword) {
  const std::string hash = hash_of("secret");
  EXPECT_FALSE(bcrypt_matches(std::string("secret\0more", 11), hash));
}

// What a name that does not exist is checked against may even be the password's.
TEST(BasicAuth, UnknownUserIsNeverRight) {
  BasicAuth auth({{"a", hash_of("secret")}});
  EXPECT_FALSE(auth.verify({"nobody", "secret"}));
  EXPECT_FALSE(auth.remembers({"nobody", "secret"}));
}

TEST(BasicAuth, MemoryIsBounded) {
  std::map<std::string, std::string> users;
  const std::string hash = hash_of("secret");
  for (int i = 0; i < 200; ++i) users.emplace(std::to_string(i), hash);
  BasicAuth auth(users);
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(auth.verify({std::to_string(i), "secret"}));
  EXPECT_FALSE(auth.remembers({"0", "secret"}));
  EXPECT_TRUE(auth.remembers({"199", "secret"}));
}

TEST(BasicAuth, HeadersAreTakenApart) {
  const auto both = parse_basic_auth("bAsIc  dXNlcjpwYTpzcw==");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->user, "user");
  EXPECT_EQ(both->password, "pa:ss");
  for (const char* bad : {"", "Basic", "Basic ", "Bearer dXNlcjpwYXNz", "Basic dXNlcg==",
                          "Basic dXNlcjpwYXN", "Basic ====", "Basic !!!!", "Basic a=b="}) {
    EXPECT_FALSE(parse_basic_auth(bad)) << bad;
  }
}

}  // namespace
}  // namespace mapscope
