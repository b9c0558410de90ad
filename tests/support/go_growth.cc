// SPDX-License-Identifier: Apache-2.0
#include "tests/support/go_growth.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string_view>

namespace mapscope::test {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxTold = 5;

void sort_by_begin(std::vector<Json>& growths) {
  std::stable_sort(growths.begin(), growths.end(), [](const Json& a, const Json& b) {
    return a.at("begin_ns").get<uint64_t>() < b.at("begin_ns").get<uint64_t>();
  });
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::string("unknown")
                               : (found->is_string() ? found->get<std::string>() : found->dump());
}

// Of a map of tables; truth and events have the same words for it.
std::string tables_of(const Json& growth) {
  return ", directory " + text_of(growth, "old_directory") + " to " +
         text_of(growth, "new_directory") + ", level " + text_of(growth, "level");
}

// The facts that must be equal, in one line.
std::string facts_of_truth(const Json& growth, bool full) {
  const Json& site = growth.at("site");
  const std::string kind = growth.at("kind");
  const std::string trigger =
      full && kind == "small_to_table" ? "full" : growth.at("trigger").get<std::string>();
  return kind + " by " + trigger + " of " + growth.at("type").get<std::string>() + " " +
         growth.at("old_slots").dump() + " to " + growth.at("new_slots").dump() + " with " +
         growth.at("entries").dump() + " at " + site.at("function").get<std::string>() + " " +
         site.at("file").get<std::string>() + ":" + site.at("line").dump() + " in goroutine " +
         growth.at("goid").dump() + " on thread " + growth.at("tid").dump() + ", map " +
         growth.at("map").get<std::string>() + tables_of(growth);
}

std::string facts_of_event(const Json& event) {
  const Json site = event.value("site", Json::object());
  const Json map = event.value("map", Json::object());
  return text_of(event, "kind") + " by " + text_of(event, "trigger") + " of " +
         text_of(map, "type") + " " + text_of(event, "old_slots") + " to " +
         text_of(event, "new_slots") + " with " + text_of(event, "entries") + " at " +
         text_of(site, "function") + " " + base_name(text_of(site, "file")) + ":" +
         text_of(site, "line") + " in goroutine " +
         text_of(event.value("goroutine", Json::object()), "id") + " on thread " +
         text_of(event, "tid") + ", map " + text_of(map, "addr") + tables_of(event);
}

bool begun_in_time(const Json& truth, const Json& event) {
  const uint64_t begin = event.at("begin_ns");
  return begin >= truth.at("begin_ns").get<uint64_t>() &&
         begin <= truth.at("begin_by_ns").get<uint64_t>();
}

std::string compare_one(const Json& truth, const Json& event, bool full) {
  const std::string expected = facts_of_truth(truth, full);
  const std::string seen = without_shapes(facts_of_event(event));
  if (expected != seen) return "  expected " + expected + "\n  seen     " + seen + "\n";
  if (begun_in_time(truth, event)) return "";
  return "  " + expected + "\n  begun at " + event.at("begin_ns").dump() + ", not from " +
         truth.at("begin_ns").dump() + " to " + truth.at("begin_by_ns").dump() + "\n";
}

}  // namespace

std::string without_shapes(std::string text) {
  constexpr std::string_view kShape = "go.shape.";
  for (size_t at = text.find(kShape); at != std::string::npos; at = text.find(kShape, at)) {
    text.erase(at, kShape.size());
    const size_t end = text.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz", at);
    if (end == std::string::npos || text[end] != '_') continue;
    text.erase(end, text.find_first_not_of("0123456789", end + 1) - end);
  }
  return text;
}

GoTruth read_go_truth(const std::string& path) {
  GoTruth truth;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    Json object = Json::parse(line);
    if (!object.contains("kind")) {
      truth.totals = std::move(object);
    } else if (object.contains("pending")) {
      truth.pending.push_back(std::move(object));
    } else {
      truth.finished.push_back(std::move(object));
    }
  }
  if (truth.totals.is_null()) throw std::runtime_error(path + " is not complete");
  sort_by_begin(truth.finished);
  return truth;
}

std::string go_difference(const GoTruth& truth, const std::vector<Json>& events) {
  std::vector<Json> seen = events;
  sort_by_begin(seen);
  // Before 1.27 a full small map grows also for a key that it has, and the agent says that much.
  const std::string version = truth.totals.at("version");
  const bool full = version < "go1.27";
  std::string text;
  size_t told = 0;
  const size_t both = std::min(seen.size(), truth.finished.size());
  for (size_t i = 0; i < both && told < kMaxTold; ++i) {
    const std::string difference = compare_one(truth.finished[i], seen[i], full);
    if (difference.empty()) continue;
    text += "growth " + std::to_string(i) + ":\n" + difference;
    ++told;
  }
  if (seen.size() != truth.finished.size()) {
    text += std::to_string(truth.finished.size()) + " growths, of which " +
            std::to_string(seen.size()) + " were seen\n";
  }
  return text;
}

}  // namespace mapscope::test
