// SPDX-License-Identifier: Apache-2.0
#include "agent/export/event_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/export/place.h"
#include "agent/export/text.h"
#include "agent/export/units.h"

namespace mapscope {
namespace {

uint64_t time_since(uint64_t now_ns, uint64_t then_ns) {
  return now_ns - std::min(now_ns, then_ns);
}

// "; the map last grew to 1 Ki slots 1.23 ms before", "" unknown.
std::string last_growth_text(const Fatal& fatal) {
  if (!fatal.last_growth_ns) return {};
  const std::string size = fatal.last_growth_slots
                               ? fmt::format(" to {} slots", human_count(*fatal.last_growth_slots))
                               : std::string();
  const std::string ago = human_duration(time_since(fatal.time_ns, *fatal.last_growth_ns));
  return fatal.growing ? fmt::format("; the map had been growing{} for {}", size, ago)
                       : fmt::format("; the map last grew{} {} before", size, ago);
}

}  // namespace

std::string writer_text(uint64_t goid, uint32_t tid) {
  return goid == 0 ? fmt::format("thread {}", tid)
                   : fmt::format("goroutine {} (thread {})", goid, tid);
}

std::string map_text(uint64_t address, std::string_view type, size_t longest) {
  std::string text = "map";
  if (address != 0) text += fmt::format(" {:#x}", address);
  if (!type.empty()) text += ' ' + shorten_middle(printable(type), longest);
  return text;
}

std::string site_text(const StackPtr& stack, uint64_t caller) {
  const Frame* frame = stack == nullptr ? nullptr : stack->site_frame();
  if (frame == nullptr) return place_text({}, {}, 0, stack == nullptr ? caller : 0);
  return place_text(frame->function, frame->file, frame->line, frame->address);
}

std::string fatal_text(const Fatal& fatal) {
  const std::string map = fatal.map_addr == 0 ? "" : " of " + map_text(fatal.map_addr, {});
  return fmt::format("{}: fatal error: {}{} at {}{}",
                     writer_text(fatal.goroutine ? fatal.goroutine->id : 0, fatal.tid),
                     printable(fatal.message), map, site_text(fatal.stack, 0),
                     last_growth_text(fatal));
}

RaceText race_text(const Race& race, size_t longest) {
  const Writer& first = race.first;
  const Writer& second = race.second;
  return {fmt::format("{} writes {} at {}", writer_text(second.goid, second.tid),
                      map_text(race.map_addr, race.map_type, longest), site_text(second.stack, 0)),
          fmt::format("{} has been writing it for {} at {}", writer_text(first.goid, first.tid),
                      human_duration(time_since(second.begin_ns, first.begin_ns)),
                      site_text(first.stack, 0))};
}

std::string target_name(const Target& target) {
  return fmt::format("{} (pid {})", printable(target.comm), target.pid);
}

}  // namespace mapscope
