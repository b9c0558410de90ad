// SPDX-License-Identifier: Apache-2.0
// With no more than the documented capabilities the agent works, and keeps no more than these.
#include "agent/privileges.h"

#include <cap-ng.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/process_status.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {
namespace {

constexpr uid_t kNobody = 65534;
constexpr uid_t kOwner = 61234;

// Of this kernel: the documented ones, and SYS_ADMIN where perf events are all there is and want
// it.
uint64_t documented() {
  uint64_t bits = 0;
  for (const Capability& capability : kNeededCapabilities) bits |= 1ULL << capability.number;
  const auto kernel = running_kernel();
  if (kernel && !kernel->has_uprobe_multi() && attaching_needs_admin(AttachMethod::kPerf))
    bits |= 1ULL << CAP_SYS_ADMIN;
  return bits;
}

// In a new process: what may ever be had is `bits`.
void limit_to(uint64_t bits) {
  capng_clear(CAPNG_SELECT_BOTH);
  for (unsigned number = 0; number < 64; ++number) {
    if ((bits >> number & 1) == 0) continue;
    capng_update(CAPNG_ADD,
                 static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET),
                 number);
  }
  if (capng_apply(CAPNG_SELECT_BOTH) != 0) std::abort();
}

// As setcap(8) does.
void grant_to_file(const std::string& path, uint64_t bits) {
  vfs_cap_data data{};
  data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  data.data[0].permitted = static_cast<uint32_t>(bits);
  data.data[1].permitted = static_cast<uint32_t>(bits >> 32);
  ASSERT_EQ(setxattr(path.c_str(), "security.capability", &data, sizeof(data), 0), 0);
}

// The agent and a target in a place of their own; only the target's owner may read its program.
class WithLittlePrivilege : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::copy_file(agent_path(), agent_);
    std::filesystem::copy_file(target_path(), program_);
    ASSERT_EQ(chown(program_.c_str(), kOwner, kOwner), 0);
    ASSERT_EQ(chmod(program_.c_str(), 0500), 0);
    target_.emplace(std::vector<std::string>{"--inserts", "200000"}, SpawnOptions{.user = kOwner},
                    program_);
  }

  // Started with `options`, it must see every growth of a program of somebody else, and where.
  void expect_to_work(const SpawnOptions& options) {
    LiveAgent agent({"--pid", target_->pid_text()}, options, agent_);
    for (const auto& status : thread_status(agent.process().pid())) {
      EXPECT_EQ(capability_bits(status, "CapEff"), documented()) << status.at("Name");
      EXPECT_EQ(status.at("Seccomp"), "2") << status.at("Name");
    }
    ASSERT_EQ(target_->run(), 0);
    EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
    EXPECT_EQ(difference(target_->truth().growths, agent.growths()), "");
    ASSERT_FALSE(agent.events("resize").empty());
    for (const auto& event : agent.events("resize"))
      EXPECT_TRUE(event.contains("site") && event.at("site").contains("line")) << event;
  }

  TemporaryDirectory directory_;
  std::string agent_ = directory_ / "agent";
  std::string program_ = directory_ / "program";
  std::optional<LiveTarget> target_;
};

TEST_F(WithLittlePrivilege, RootWithTheDocumentedCapabilitiesSeesEverything) {
  expect_to_work({.before_exec = [bits = documented()] { limit_to(bits); }});
}

TEST_F(WithLittlePrivilege, UserWithFileCapabilitiesSeesEverything) {
  grant_to_file(agent_, documented());
  expect_to_work({.user = kNobody});
}

// Each of the documented ones is needed.
TEST_F(WithLittlePrivilege, LessIsRefusedInOneLine) {
  for (const Capability& capability : kNeededCapabilities) {
    if (capability.required && (documented() >> CAP_SYS_ADMIN & 1) != 0) continue;  // implied
    const uint64_t bits = documented() & ~(1ULL << capability.number);
    ChildProcess agent({agent_, "--no-web", "--pid", target_->pid_text()},
                       {.before_exec = [bits] { limit_to(bits); }});
    EXPECT_EQ(agent.wait(), 1) << capability.name;
    const std::string said = agent.err().text();
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  }
}

TEST(Confinement, NoThreadKeepsMoreThanIsDocumented) {
  LiveTarget target({"--inserts", "1"});
  LiveAgent agent(target);
  EXPECT_EQ(agent.get("/metrics").status, 200);
  const auto threads = thread_status(agent.process().pid());
  EXPECT_GE(threads.size(), 3U);
  for (const auto& status : threads) {
    const std::string& name = status.at("Name");
    EXPECT_EQ(capability_bits(status, "CapEff"), documented()) << name;
    EXPECT_EQ(capability_bits(status, "CapPrm"), documented()) << name;
    EXPECT_EQ(capability_bits(status, "CapBnd"), 0U) << name;
    EXPECT_EQ(capability_bits(status, "CapInh"), 0U) << name;
    EXPECT_EQ(capability_bits(status, "CapAmb"), 0U) << name;
    EXPECT_EQ(status.at("NoNewPrivs"), "1") << name;
    EXPECT_EQ(status.at("Seccomp"), "2") << name;
  }
}

TEST(Confinement, CommandKeepsWhatItsCallerHas) {
  LiveAgent agent({"--", target_path(), "--seconds", "3600"});
  const auto targets = nlohmann::json::parse(agent.get("/api/v1/targets").body).at("targets");
  ASSERT_EQ(targets.size(), 1U);
  const auto own = thread_status(getpid()).front();
  for (const auto& status : thread_status(targets[0].at("pid").get<pid_t>())) {
    for (const char* field : {"CapEff", "CapBnd", "NoNewPrivs", "Seccomp"})
      EXPECT_EQ(status.at(field), own.at(field)) << field;
  }
  const pid_t command = targets[0].at("pid");
  ASSERT_TRUE(poll_until([&] { return keeps_back(command, SIGTERM); }));
  agent.process().signal(SIGTERM);
  EXPECT_EQ(agent.wait(), 0);
}

}  // namespace
}  // namespace mapscope::test
