// SPDX-License-Identifier: Apache-2.0
#include "tests/support/go_rules.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace mapscope::test {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kGroupSlots = 8;
constexpr uint64_t kMaxTableSlots = 1024;

uint64_t number(const Json& event, const char* key) { return event.value(key, uint64_t{0}); }

bool has_place(const Json& event) {
  static constexpr std::array<std::string_view, 3> kRuntime = {"runtime.", "internal/runtime/",
                                                               "sync."};
  const Json site = event.value("site", Json::object());
  const std::string function = site.value("function", "");
  const bool of_runtime =
      std::any_of(kRuntime.begin(), kRuntime.end(),
                  [&](std::string_view prefix) { return function.starts_with(prefix); });
  return !function.empty() && !of_runtime && !site.value("file", "").empty() &&
         number(site, "line") > 0;
}

bool has_goroutine(const Json& event) {
  const Json goroutine = event.value("goroutine", Json::object());
  return number(goroutine, "id") > 0 && goroutine.value("status", "") == "running" &&
         number(goroutine, "stack_bytes") >= 2048 && goroutine.contains("m") &&
         !goroutine.value("start_function", "").empty();
}

bool times_add_up(const Json& event) {
  if (!event.contains("wall_ns")) return false;
  if (number(event, "stall_ns") > number(event, "wall_ns")) return false;
  if (!event.contains("running_ns")) return true;
  const uint64_t states = number(event, "running_ns") + number(event, "runnable_ns") +
                          number(event, "sleeping_ns") + number(event, "uninterruptible_ns");
  return states == number(event, event.contains("states_of") ? "stall_ns" : "wall_ns");
}

std::string classic_fault(const Json& event) {
  const uint64_t slots = number(event, "old_slots");
  const uint64_t limit = slots == kGroupSlots ? kGroupSlots : slots / kGroupSlots * 13 / 2;
  const uint64_t entries = number(event, "entries");
  const std::string how = event.at("kind").get<std::string>() + " by " + event.value("trigger", "");
  const uint64_t now = number(event, "new_slots");
  if (how == "grow by load") return now == 2 * slots && entries == limit ? "" : "not at the limit";
  if (how == "same_size by overflow") return now == slots && entries <= limit ? "" : "not as large";
  return "no kind of a classic map";
}

std::string split_fault(const Json& event) {
  const uint64_t directory = number(event, "old_directory");
  const uint64_t depth = number(event, "level");
  if (!event.contains("level") || depth > 40 || directory < uint64_t{1} << depth) return "level";
  const uint64_t then = directory == uint64_t{1} << depth ? 2 * directory : directory;
  if (number(event, "old_slots") != kMaxTableSlots) return "split of a table that may grow";
  return number(event, "new_directory") == then ? "" : "directory";
}

// Tables are at most so full; those of a directory of one are the map.
std::string load_fault(const Json& event) {
  const uint64_t limit = number(event, "old_slots") / kGroupSlots * 7;
  const uint64_t entries = number(event, "entries");
  if (number(event, "old_directory") != 1) return "";
  const bool is_full = entries == limit;
  return is_full == (event.value("trigger", "") == "load") && entries <= limit ? "" : "load";
}

std::string swiss_fault(const Json& event) {
  const std::string kind = event.at("kind");
  const uint64_t slots = number(event, "old_slots");
  const uint64_t now = number(event, "new_slots");
  if (kind == "prune") return now == slots ? "" : "a prune changed the size";
  if (now != 2 * slots) return "not twice as large";
  if (kind == "small_to_table") {
    return slots == kGroupSlots && number(event, "entries") == kGroupSlots ? "" : "not full";
  }
  if (kind != "grow" && kind != "split") return "no kind of a swiss map";
  const std::string fault = kind == "split" ? split_fault(event) : "";
  if (kind == "grow" && (slots >= kMaxTableSlots || event.contains("level"))) return "grow";
  return fault.empty() ? load_fault(event) : fault;
}

// Points of a map that is no table.
std::string restructuring_fault(const Json& event) {
  const std::string kind = event.at("kind");
  if (event.contains("old_slots") || event.contains("wall_ns")) return "a point with a size";
  if (kind == "promotion") return event.contains("misses") ? "" : "no misses";
  return kind == "rebuild" || kind == "expansion" ? "" : "no kind of a sync.Map";
}

std::string fault_of(const Json& event) {
  if (event.at("map").value("type", "").empty()) return "no type";
  if (!has_place(event)) return "no call site";
  if (!has_goroutine(event)) return "no goroutine";
  const std::string runtime = event.value("runtime", "");
  if (runtime == "sync_map") return restructuring_fault(event);
  if (!event.at("map").at("type").get<std::string>().starts_with("map[")) return "no map";
  if (!times_add_up(event)) return "times";
  return runtime == "go_classic" ? classic_fault(event) : swiss_fault(event);
}

// A header on a stack leaves its address to others when the stack moves.
bool is_on_stack(const Json& event) {
  const auto address = [](const Json& object, const char* key) {
    return std::stoull(object.at(key).get<std::string>(), nullptr, 16);
  };
  const Json& goroutine = event.at("goroutine");
  const uint64_t map = address(event.at("map"), "addr");
  return map >= address(goroutine, "stack_lo") && map < address(goroutine, "stack_hi");
}

}  // namespace

std::string broken_rule(const Json& resize) {
  const std::string fault = fault_of(resize);
  return fault.empty() ? "" : fault + ": " + resize.dump();
}

std::string broken_order(std::vector<Json> resizes) {
  std::stable_sort(resizes.begin(), resizes.end(), [](const Json& a, const Json& b) {
    return number(a, "begin_ns") < number(b, "begin_ns");
  });
  std::map<std::string, const Json*> last;
  for (const Json& resize : resizes) {
    if (!resize.contains("wall_ns") || is_on_stack(resize)) continue;
    const Json*& before = last[resize.at("map").at("addr").get<std::string>()];
    if (before != nullptr &&
        number(*before, "begin_ns") + number(*before, "wall_ns") > number(resize, "begin_ns"))
      return before->dump() + "\n" + resize.dump();
    before = &resize;
  }
  return "";
}

}  // namespace mapscope::test
