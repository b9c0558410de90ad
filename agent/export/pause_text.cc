// SPDX-License-Identifier: Apache-2.0
#include "agent/export/pause_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "agent/export/text.h"
#include "agent/export/units.h"

namespace mapscope {
namespace {

constexpr size_t kMaxNames = 5;

// "store/1, store/2 and 3 more"
class Names {
 public:
  void add(const Target& target) {
    if (++count_ > kMaxNames) return;
    if (!text_.empty()) text_ += ", ";
    text_ += fmt::format("{}/{}", printable(target.comm), target.pid);
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  // With the verb that goes with one or with many.
  [[nodiscard]] std::string with(std::string_view one, std::string_view many) const {
    const std::string more =
        count_ > kMaxNames ? fmt::format(" and {} more", grouped(count_ - kMaxNames)) : "";
    return fmt::format("{}{} {}", text_, more, count_ == 1 ? one : many);
  }

 private:
  std::string text_;
  size_t count_ = 0;
};

std::string own_pause(const Pause& pause) {
  std::string text = fmt::format(
      "{}/{}: probes take {} % of its CPU time, more than --overhead-budget: not watched for a "
      "while",
      printable(pause.target->comm), pause.target->pid,
      std::max(1L, std::lround(pause.share * 100)));
  if (pause.until_ns)
    text += fmt::format(" ({})",
                        human_duration(*pause.until_ns - std::min(*pause.until_ns, pause.time_ns)));
  return text;
}

}  // namespace

std::vector<std::string> pause_lines(std::span<const Pause> pauses) {
  std::vector<std::string> lines;
  std::map<std::string, Names> muted;  // by the name of the cause
  Names again;
  for (const Pause& pause : pauses) {
    if (!pause.begins) {
      again.add(*pause.target);
    } else if (pause.cause) {
      const std::string cause =
          fmt::format("{}/{}", printable(pause.cause->comm), pause.cause->pid);
      muted[cause].add(*pause.target);
    } else {
      lines.push_back(own_pause(pause));
    }
  }
  for (const auto& [cause, names] : muted) {
    lines.push_back(names.with("is", "are") + " not watched either: the same file as " + cause +
                    ", the same probes");
  }
  if (!again.empty()) lines.push_back(again.with("is", "are") + " watched again");
  return lines;
}

}  // namespace mapscope
