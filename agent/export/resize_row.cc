// SPDX-License-Identifier: Apache-2.0
#include "agent/export/resize_row.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "agent/export/event_text.h"
#include "agent/export/place.h"
#include "agent/export/text.h"
#include "agent/export/units.h"
#include "agent/runtimes/program_info.h"

namespace mapscope {
namespace {

constexpr size_t kMillisecondsFrom = 100;
constexpr size_t kUnverifiedFrom = 100;
constexpr size_t kProcessWidth = 12;
constexpr size_t kThreadWidth = 7;

template <typename Value, typename Format>
std::string or_unknown(const std::optional<Value>& value, Format format) {
  return value ? format(*value) : std::string(kUnknownText);
}

std::string without_blank(std::string text) {
  std::erase(text, ' ');
  return text;
}

std::string slots_text(const Resize& resize) {
  return or_unknown(resize.old_slots, short_count) + "→" +
         or_unknown(resize.new_slots, short_count);
}

// Percent on a CPU, waiting for one, asleep or in I/O; they add up to the wall time.
std::string split_text(const ThreadTimes& thread) {
  uint64_t all = 0;
  for (const uint64_t ns : thread.state_ns) all += ns;
  if (all == 0) return std::string(kUnknownText);
  const auto percent = [all](uint64_t ns) {
    return std::lround(100 * static_cast<double>(ns) / static_cast<double>(all));
  };
  return fmt::format("{}/{}/{}", percent(thread.state_ns[MS_RUNNING]),
                     percent(thread.state_ns[MS_RUNNABLE]),
                     percent(thread.state_ns[MS_SLEEPING] + thread.state_ns[MS_UNINTERRUPTIBLE]));
}

std::string faults_text(const ThreadTimes& thread) {
  return short_count(uint64_t{thread.minor_faults} + thread.major_faults);
}

std::string blocked_text(const Blocked& blocked) {
  if (blocked.threads == 0) return "0";
  return fmt::format("{}×{}", blocked.threads,
                     without_blank(human_duration(blocked.ns / blocked.threads)));
}

// A goroutine where there is one: it is what the program knows, and threads serve many.
std::string thread_text(const Resize& resize, size_t width) {
  if (!resize.goroutine) return std::to_string(resize.tid);
  return cut(fmt::format("g{}", resize.goroutine->id), kThreadWidth, width);
}

std::string_view thread_head(bool goroutines, bool threads) {
  if (!goroutines) return "THREAD";
  return threads ? "TID/G" : "GOID";
}

// Of what goes on after the insert that began it.
std::string move_text(const Resize& resize) {
  if (!resize.wall_ns || resize.wall_ns == resize.stall_ns) return {};
  return human_duration(*resize.wall_ns);
}

std::string map_address_text(uint64_t address) {
  return address == 0 ? std::string(kUnknownText) : fmt::format("{:#x}", address);
}

// What a restructuring never has is not unknown.
void fill_measures(const Resize& resize, std::array<std::string, kRowColumns>& cells) {
  cells[kStall] = or_unknown(resize.stall_ns, human_duration);
  cells[kQueued] = or_unknown(resize.blocked, blocked_text);
  cells[kMove] = move_text(resize);
  cells[kSlots] = slots_text(resize);
  cells[kStates] = or_unknown(resize.thread, split_text);
  cells[kFaults] = or_unknown(resize.thread, faults_text);
}

// On a narrow terminal.
bool has_short_time(size_t width) { return width != kUnlimited && width < kMillisecondsFrom; }

}  // namespace

std::string cut(const std::string& text, size_t to, size_t terminal_width) {
  return terminal_width == kUnlimited ? text : shorten_middle(text, to);
}

std::string short_count(uint64_t count) { return without_blank(human_count(count)); }

std::string process_text(const Target& target, size_t width) {
  const std::string pid = fmt::format("/{}", target.pid);
  return cut(printable(target.comm), kProcessWidth - pid.size(), width) + pid;
}

Columns row_columns(size_t width, bool goroutines, bool threads) {
  return {{{"STALL", 7},
           {"QUEUED", 8},
           {"MOVE", 7},
           {"TIME", has_short_time(width) ? 8U : 12U, 0, true},
           {"PROCESS", kProcessWidth, 0, true},
           {"SLOTS", 11},
           {"KIND", 9, 108, true},
           {"ENTRIES", 7, 116},
           {thread_head(goroutines, threads), kThreadWidth, 128},
           {"RUN/W/B%", 8, 140},
           {"MAP", 14, 160, true},
           {"FAULTS", 6, 168},
           {"MAP TYPE", 24, 192, true}},
          "CALL SITE",
          width};
}

std::string row_legend(const Columns& columns) {
  std::string text =
      "STALL: what one insert paid; QUEUED: threads×time behind it; MOVE: begin to end of an "
      "incremental move; SLOTS: before→after";
  if (columns.shows(kStates)) text += "; RUN/W/B%: running/waiting for a CPU/blocked";
  return text + "; –: unknown";
}

namespace {
std::string own_text(const Resize& resize) {
  const Frame* own = resize.own_frame();
  return own == nullptr ? std::string() : place_text(own->function, own->file, own->line, 0);
}
}  // namespace

std::string resize_row(const Resize& resize, const Columns& columns, std::string time,
                       size_t width) {
  std::array<std::string, kRowColumns> cells;
  if (!is_restructuring(resize.kind)) fill_measures(resize, cells);
  if (!columns.shows(kKind) && !resize.new_slots) cells[kSlots] = printable(resize.kind);
  if (has_short_time(width)) time.resize(8);
  cells[kTime] = std::move(time);
  cells[kProcess] = process_text(*resize.target, width);
  cells[kKind] = resize.kind;
  cells[kEntries] = or_unknown(resize.entries, human_count);
  cells[kThread] = thread_text(resize, width);
  cells[kMap] = map_address_text(resize.map_addr);
  cells[kType] = resize.map_type.empty() ? std::string(kUnknownText) : printable(resize.map_type);
  // A narrow terminal has no room for it; the process' own line says it.
  const bool has_room = width == kUnlimited || width >= kUnverifiedFrom;
  const bool unverified = has_room && resize.program != nullptr && resize.program->unverified;
  return columns.row(cells, site_text(resize.stack, resize.site_address()), own_text(resize),
                     unverified ? "  unverified" : "");
}

}  // namespace mapscope
