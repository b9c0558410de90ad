// SPDX-License-Identifier: Apache-2.0
#include "tests/faults/fault.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace mapscope::test {

Scene::Scene(const Fault& fault) : fault_(fault) {
  bystander_ = &add("bystander", {"--inserts", "500"});
  start_agent();
}

void Scene::start_agent() {
  std::vector<std::string> arguments = {"--exe", path("*"), "--log.level", "info"};
  arguments.insert(arguments.end(), fault_.arguments.begin(), fault_.arguments.end());
  agent_.emplace(arguments, SpawnOptions{.before_exec = fault_.before_agent});
}

LiveTarget& Scene::add(const std::string& name, const std::vector<std::string>& load,
                       const SpawnOptions& options) {
  const std::string program = path(name);
  if (!std::filesystem::exists(program)) copy_of_target(directory_, name);
  return targets_.emplace_back(load, options, program);
}

LiveTarget& Scene::add_watched(const std::string& name, const std::vector<std::string>& load,
                               const SpawnOptions& options) {
  LiveTarget& target = add(name, load, options);
  EXPECT_TRUE(await_attached(agent(), target.pid())) << agent().process().err().text();
  return target;
}

bool Scene::await_gone(pid_t pid) {
  return poll_until([&] { return times(agent(), "gone", pid) > 0; });
}

bool Scene::await_said(const std::string& text) {
  return poll_until([&] { return agent().process().err().text().find(text) != std::string::npos; });
}

uint64_t Scene::lost(const std::string& reason) const {
  return agent_->metric("mapscope_records_lost_total", {"reason=\"" + reason + "\""});
}

void Scene::expect_truth(LiveTarget& target) {
  EXPECT_TRUE(await_gone(target.pid()));
  const std::vector<Growth> truth = target.truth().growths;
  EXPECT_FALSE(truth.empty());
  EXPECT_EQ(difference(truth, agent().growths(target.pid())), "");
}

void Scene::expect_run(LiveTarget& target) {
  ASSERT_EQ(target.run(), 0) << target.process().err().text();
  expect_truth(target);
}

void Scene::expect_said() {
  std::istringstream log(agent().process().err().text());
  size_t told = 0;
  std::string others;
  for (std::string line; std::getline(log, line);) {
    const bool is_it = *fault_.said != '\0' && line.find(fault_.said) != std::string::npos;
    told += is_it ? 1 : 0;
    const bool of_weight = line.starts_with("agent: warning") || line.starts_with("agent: error");
    if (of_weight && !is_it) others += line + "\n";
  }
  EXPECT_EQ(told, *fault_.said == '\0' ? 0U : 1U) << log.str();
  if (fault_.whole_machine) return;
  EXPECT_EQ(others, "");
}

void Scene::conclude() {
  ASSERT_TRUE(await_attached(agent(), bystander_->pid()));
  expect_run(*bystander_);
  EXPECT_EQ(agent().get("/-/healthy").status, 200);
  const KernelObjects held = kernel_objects_of(agent().process().pid());
  EXPECT_FALSE(held.programs.empty());
  EXPECT_EQ(interrupt(agent()), 0) << agent().process().err().text();
  EXPECT_TRUE(poll_until([&] { return count_existing(held) == 0; })) << count_existing(held);
  expect_said();
}

TEST_P(Faults, AreSurvived) {
  const Fault& fault = GetParam();
  Scene scene(fault);
  fault.act(scene);
  if (!HasFatalFailure()) scene.conclude();
}

}  // namespace mapscope::test
