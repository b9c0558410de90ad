// SPDX-License-Identifier: Apache-2.0
#include "agent/export/terminal_view.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

#include "agent/export/event_text.h"
#include "agent/export/place.h"
#include "agent/export/text.h"
#include "agent/export/units.h"
#include "agent/runtimes/program_info.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

constexpr size_t kMinWidth = 140;
constexpr size_t kMaxWidth = 220;
constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr size_t kProcessWidth = 12;
constexpr size_t kKindWidth = 9;
constexpr size_t kThreadWidth = 7;
constexpr uint64_t kSecondNs = 1'000'000'000;

template <typename Value, typename Format>
std::string or_unknown(const std::optional<Value>& value, Format format) {
  return value ? format(*value) : std::string(kUnknownText);
}

// "store/4242", the comm shortened so that the pid is whole.
std::string process_text(const Target& target) {
  const std::string pid = fmt::format("/{}", target.pid);
  return shorten_middle(printable(target.comm), kProcessWidth - pid.size()) + pid;
}

std::string without_blank(std::string text) {
  std::erase(text, ' ');
  return text;
}

std::string slots_text(const Resize& resize) {
  const auto one = [](uint64_t slots) { return without_blank(human_count(slots)); };
  return or_unknown(resize.old_slots, one) + "→" + or_unknown(resize.new_slots, one);
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
  return without_blank(human_count(uint64_t{thread.minor_faults} + thread.major_faults));
}

std::string blocked_text(const Blocked& blocked) {
  if (blocked.threads == 0) return "0";
  return fmt::format("{}×{}", blocked.threads,
                     without_blank(human_duration(blocked.ns / blocked.threads)));
}

std::string own_text(const Resize& resize) {
  const Frame* own = resize.own_frame();
  return own == nullptr ? std::string() : place_text(own->function, own->file, own->line, 0);
}

// A goroutine where there is one: it is what the program knows, and threads serve many.
std::string thread_text(const Resize& resize) {
  if (!resize.goroutine) return std::to_string(resize.tid);
  return shorten_middle(fmt::format("g{}", resize.goroutine->id), kThreadWidth);
}

constexpr std::string_view kRowFormat =
    "{:<12} {:<12} {:>7} {:<14} {:<9} {:>12} {:>7} {:>7} {:>8} {:>6} {:>9}  ";

std::string header_text(bool goroutines, bool threads) {
  const std::string_view who = !goroutines ? "THREAD" : threads ? "TID/G" : "GOID";
  return fmt::format(kRowFormat, "TIME", "PROCESS", who, "MAP", "KIND", "SLOTS", "ENTRIES", "WALL",
                     "RUN/W/B%", "FAULTS", "QUEUED") +
         "CALL SITE";
}

std::string unverified_text(const Target& target) {
  return target.unverified ? fmt::format("; {} is unverified", printable(target.version)) : "";
}

std::string target_text(const Target& target) {
  const std::string who = target_name(target);
  switch (target.state) {
    case TargetState::kAttached:
      return fmt::format("watching {}: {}, {} probes{}", who,
                         target.runtime == nullptr ? kUnknownText : target.runtime->name,
                         target.probes, unverified_text(target));
    case TargetState::kUnsupported:
      return fmt::format("cannot watch {}: {}", who, printable(target.reason));
    case TargetState::kGone:
      return who + " is gone";
  }
  return who;
}

}  // namespace

TerminalOptions terminal_options(std::FILE* out) {
  TerminalOptions options;
  const int fd = fileno(out);
  if (fd < 0 || isatty(fd) == 0) return options;
  const char* no_colour = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  options.colour = no_colour == nullptr || *no_colour == '\0';
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
    options.width = std::clamp<size_t>(size.ws_col, kMinWidth, kMaxWidth);
  }
  return options;
}

TerminalView::TerminalView(std::FILE* out)
    : TerminalView(out, terminal_options(out), WallClock()) {}

TerminalView::TerminalView(std::FILE* out, TerminalOptions options, const WallClock& clock)
    : out_(out), options_(options), clock_(clock) {}

void TerminalView::put(std::string_view line, std::string_view colour) {
  if (!options_.colour) colour = {};
  fmt::print(out_, "{}{}{}\n", colour, line, colour.empty() ? std::string_view() : kReset);
}

void TerminalView::show_skipped() {
  constexpr std::array<std::string_view, kRowKinds> kWhat = {"", " promotions or the like",
                                                             " races"};
  for (size_t kind = 0; kind < kRowKinds; ++kind) {
    if (skipped_[kind] == 0) continue;
    put(fmt::format("… and {} more{}", grouped(skipped_[kind]), kWhat[kind]), kDim);
    skipped_[kind] = 0;
  }
}

// Resizes do not end in the order in which they arrive; one from an earlier second counts as of
// the current one.
bool TerminalView::admit(RowKind kind, uint64_t end_ns) {
  if (end_ns / kSecondNs > second_) {
    show_skipped();
    second_ = end_ns / kSecondNs;
    rows_this_second_ = {};
  }
  if (rows_this_second_[kind] == kRowsPerSecond[kind]) {
    ++skipped_[kind];
    return false;
  }
  ++rows_this_second_[kind];
  return true;
}

void TerminalView::show_header(const Resize& resize) {
  bool& seen = resize.goroutine ? goroutine_seen_ : thread_seen_;
  if (!std::exchange(seen, true)) rows_since_header_ = kHeaderEvery;
  if (rows_since_header_ == kHeaderEvery) {
    put(header_text(goroutine_seen_, thread_seen_), kBold);
    rows_since_header_ = 0;
  }
  ++rows_since_header_;
}

void TerminalView::row(const Resize& resize) {
  const bool restructuring = is_restructuring(resize.kind);
  if (!admit(restructuring ? kRestructuringRows : kResizeRows,
             resize.begin_ns + resize.wall_ns.value_or(0)))
    return;
  show_header(resize);
  const auto count = [](uint64_t value) { return human_count(value); };
  const std::string map =
      resize.map_addr == 0 ? std::string(kUnknownText) : fmt::format("{:#x}", resize.map_addr);
  // What a restructuring never has is not unknown.
  const auto unless_restructuring = [restructuring](std::string text) {
    return restructuring ? std::string() : std::move(text);
  };
  std::string line =
      fmt::format(kRowFormat, clock_.time_of_day(resize.begin_ns), process_text(*resize.target),
                  thread_text(resize), map, shorten_middle(resize.kind, kKindWidth),
                  unless_restructuring(slots_text(resize)), or_unknown(resize.entries, count),
                  unless_restructuring(or_unknown(resize.wall_ns, human_duration)),
                  unless_restructuring(or_unknown(resize.thread, split_text)),
                  unless_restructuring(or_unknown(resize.thread, faults_text)),
                  unless_restructuring(or_unknown(resize.blocked, blocked_text)));
  const std::string_view mark =
      resize.program != nullptr && resize.program->unverified ? "  unverified" : "";
  const size_t used = character_count(line) + mark.size();
  const size_t room = std::max<size_t>(options_.width - std::min(options_.width, used), 16);
  put(line + fit_places(site_text(resize.stack, resize.site_address()), own_text(resize), room)
                 .append(mark));
}

void TerminalView::row(const Fatal& fatal) {
  put(fmt::format("{} {} {}", clock_.time_of_day(fatal.time_ns), process_text(*fatal.target),
                  fatal_text(fatal)),
      kRed);
  std::fflush(out_);
}

// The first writer came before and was still inside.
void TerminalView::row(const Race& race) {
  if (!admit(kRaceRows, race.second.begin_ns)) return;
  const std::string head = fmt::format("{} {} race:", clock_.time_of_day(race.second.begin_ns),
                                       process_text(*race.target));
  const RaceText text = race_text(race);
  put(fmt::format("{} {}", head, text.second), kRed);
  put(fmt::format("{:>{}} {}", "while", character_count(head), text.first), kRed);
  std::fflush(out_);
}

void TerminalView::row(const Doubling& doubling) {
  // One split has its own row.
  if (doubling.splits < 2 || !admit(kResizeRows, doubling.end_ns)) return;
  put(fmt::format("{} {} {} doubled {}→{} slots: {} splits in {}, {} of stalls",
                  clock_.time_of_day(doubling.end_ns), process_text(*doubling.target),
                  map_text(doubling.map_addr, doubling.map_type),
                  without_blank(human_count(doubling.old_slots)),
                  without_blank(human_count(doubling.new_slots)), grouped(doubling.splits),
                  human_duration(doubling.end_ns - std::min(doubling.end_ns, doubling.begin_ns)),
                  human_duration(doubling.stall_ns)),
      kDim);
}

void TerminalView::row(const Target& target) {
  put(target_text(target), kDim);
  std::fflush(out_);
}

void TerminalView::summary(const Summary& summary) {
  show_skipped();
  for (const std::string& line : summary_lines(summary, options_.width)) put(line);
  std::fflush(out_);
}

void TerminalView::tick(uint64_t monotonic_ns) {
  if (monotonic_ns / kSecondNs > second_) show_skipped();
  std::fflush(out_);
}

}  // namespace mapscope
