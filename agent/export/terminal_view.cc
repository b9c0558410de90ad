// SPDX-License-Identifier: Apache-2.0
#include "agent/export/terminal_view.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <utility>
#include <vector>

#include "agent/export/event_text.h"
#include "agent/export/pause_text.h"
#include "agent/export/place.h"
#include "agent/export/resize_row.h"
#include "agent/export/text.h"
#include "agent/export/units.h"
#include "agent/runtimes/program_info.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

constexpr size_t kMinWidth = 80;
constexpr size_t kDefaultWidth = 100;
constexpr size_t kMaxWidth = 240;
constexpr uint64_t kTerminalMinStallNs = 1'000'000;
constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr size_t kWrapIndent = 4;
constexpr size_t kInsertRows = 3;
constexpr uint64_t kSecondNs = 1'000'000'000;

// "1,234 inserts into map[string]int in 1.00 s, mean 95 ns, 1.20 µs during a resize"
std::string insert_text(const InsertCounts& counts, uint64_t more, uint64_t passed_ns) {
  std::string text =
      fmt::format("{} inserts{} in {}", grouped(more),
                  counts.map_type.empty() ? std::string() : " into " + printable(counts.map_type),
                  human_duration(passed_ns));
  if (counts.steady != 0)
    text += fmt::format(", mean {}", human_duration(counts.steady_ns / counts.steady));
  if (counts.during_resize != 0)
    text += fmt::format(", {} during a resize",
                        human_duration(counts.during_resize_ns / counts.during_resize));
  return text;
}

std::string unverified_text(const Target& target) {
  return target.unverified ? fmt::format("; {} is unverified", printable(target.version)) : "";
}

std::string target_text(const Target& target) {
  std::string who = target_name(target);
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

TerminalOptions terminal_options(int fd) {
  TerminalOptions options;
  if (isatty(fd) == 0) return options;
  const char* no_colour = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  options.colour = no_colour == nullptr || *no_colour == '\0';
  options.min_stall_ns = kTerminalMinStallNs;
  winsize size{};
  const bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0;
  options.width = known ? std::clamp<size_t>(size.ws_col, kMinWidth, kMaxWidth) : kDefaultWidth;
  return options;
}

TerminalView::TerminalView(int fd, const TerminalOptions& options, const WallClock& clock)
    : lines_(fd, "standard output"),
      options_(options),
      clock_(clock),
      columns_(row_columns(options.width, false, true)) {}

void TerminalView::put(std::string_view line, std::string_view colour) {
  if (!options_.colour) colour = {};
  lines_.add(fmt::format("{}{}{}", colour, line, colour.empty() ? std::string_view() : kReset));
}

void TerminalView::put_wrapped(std::string_view text, std::string_view colour) {
  for (const std::string& line : wrap(text, options_.width, kWrapIndent)) put(line, colour);
}

void TerminalView::begin() {
  if (std::exchange(begun_, true)) return;
  put_wrapped(row_legend(columns_), kDim);
  if (options_.min_stall_ns == 0) return;
  put_wrapped(
      fmt::format("Resizes shorter than {} are counted, not shown: --min-stall 0 shows all.",
                  human_duration(options_.min_stall_ns)),
      kDim);
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

void TerminalView::show_hidden() {
  const uint64_t more = hidden_ - hidden_shown_;
  if (more == 0) return;
  put(fmt::format("… {} shorter than {}", grouped(more), human_duration(options_.min_stall_ns)),
      kDim);
  hidden_shown_ = hidden_;
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

bool TerminalView::hide(const Resize& resize) {
  const uint64_t took_ns = resize.stall_ns.value_or(resize.wall_ns.value_or(0));
  if (took_ns >= options_.min_stall_ns) return false;
  // A point takes no time: it is no shorter resize.
  if (!is_restructuring(resize.kind)) ++hidden_;
  return true;
}

void TerminalView::show_header(const Resize& resize) {
  bool& seen = resize.goroutine ? goroutine_seen_ : thread_seen_;
  if (!std::exchange(seen, true)) {
    columns_ = row_columns(options_.width, goroutine_seen_, thread_seen_);
    if (columns_.shows(kThread)) rows_since_header_ = kHeaderEvery;
  }
  if (rows_since_header_ == kHeaderEvery) {
    put(columns_.head(), kBold);
    rows_since_header_ = 0;
  }
  ++rows_since_header_;
}

void TerminalView::row(const Resize& resize) {
  if (!options_.rows) return;
  begin();
  if (hide(resize)) return;
  const bool restructuring = is_restructuring(resize.kind);
  if (!admit(restructuring ? kRestructuringRows : kResizeRows,
             resize.begin_ns + resize.wall_ns.value_or(0)))
    return;
  show_header(resize);
  put(resize_row(resize, columns_, std::string(clock_.time_of_day(resize.begin_ns)),
                 options_.width));
}

void TerminalView::row(const Fatal& fatal) {
  if (!options_.rows) return;
  put_wrapped(fmt::format("{} {} {}", clock_.time_of_day(fatal.time_ns),
                          process_text(*fatal.target, options_.width), fatal_text(fatal)),
              kRed);
  lines_.write_out();
}

// The first writer came before and was still inside.
void TerminalView::row(const Race& race) {
  if (!options_.rows || !admit(kRaceRows, race.second.begin_ns)) return;
  const std::string head = fmt::format("{} {} race:", clock_.time_of_day(race.second.begin_ns),
                                       process_text(*race.target, options_.width));
  const RaceText text = race_text(race, longest_type());
  put_wrapped(fmt::format("{} {}", head, text.second), kRed);
  put_wrapped(fmt::format("{:>{}} {}", "while", character_count(head), text.first), kRed);
  lines_.write_out();
}

void TerminalView::row(const Doubling& doubling) {
  // One split has its own row.
  if (!options_.rows || doubling.splits < 2 || doubling.stall_ns < options_.min_stall_ns ||
      !admit(kResizeRows, doubling.end_ns))
    return;
  begin();
  put_wrapped(
      fmt::format("{} {} {} doubled {}→{} slots: {} splits in {}, {} of stalls",
                  clock_.time_of_day(doubling.end_ns),
                  process_text(*doubling.target, options_.width),
                  map_text(doubling.map_addr, doubling.map_type, longest_type()),
                  short_count(doubling.old_slots), short_count(doubling.new_slots),
                  grouped(doubling.splits),
                  human_duration(doubling.end_ns - std::min(doubling.end_ns, doubling.begin_ns)),
                  human_duration(doubling.stall_ns)),
      kDim);
}

void TerminalView::row(const Target& target) {
  if (!options_.rows) return;
  begin();
  put_wrapped(target_text(target), kDim);
  lines_.write_out();
}

void TerminalView::row(std::span<const Pause> pauses) {
  if (!options_.rows) return;
  for (const std::string& line : pause_lines(pauses))
    put_wrapped(fmt::format("{} {}", clock_.time_of_day(pauses.front().time_ns), line), kRed);
  lines_.write_out();
}

void TerminalView::row(const InsertReport& report) {
  if (!options_.rows) return;
  begin();
  const uint64_t since_ns = inserts_ns_ == 0 ? report.begin_ns : inserts_ns_;
  const uint64_t passed_ns = report.time_ns - std::min(report.time_ns, since_ns);
  inserts_ns_ = report.time_ns;
  std::vector<std::pair<uint64_t, const InsertCounts*>> most;
  for (const InsertCounts& counts : report.counts) {
    uint64_t& last = inserts_[{counts.process, counts.runtime, counts.map_type}];
    const uint64_t more = counts.count - std::min(std::exchange(last, counts.count), counts.count);
    if (more != 0) most.emplace_back(more, &counts);
  }
  std::ranges::stable_sort(most, std::greater<>(),
                           &std::pair<uint64_t, const InsertCounts*>::first);
  most.resize(std::min(most.size(), kInsertRows));
  for (const auto& [more, counts] : most) {
    put_wrapped(fmt::format("{} {}: {}", clock_.time_of_day(report.time_ns),
                            printable(counts->process), insert_text(*counts, more, passed_ns)),
                kDim);
  }
  lines_.write_out();
}

void TerminalView::summary(const Summary& summary) {
  show_skipped();
  show_hidden();
  for (const std::string& line : summary_lines(summary, options_.width)) put(line);
  lines_.write_out();
}

Status TerminalView::tick(uint64_t monotonic_ns) {
  if (monotonic_ns / kSecondNs > second_) show_skipped();
  if (hidden_ > hidden_shown_ && monotonic_ns >= hidden_shown_ns_ + kHiddenEveryNs) {
    show_hidden();
    hidden_shown_ns_ = monotonic_ns;
  }
  return lines_.flush();
}

}  // namespace mapscope
