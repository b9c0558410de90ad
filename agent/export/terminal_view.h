// SPDX-License-Identifier: Apache-2.0
// agent/export/terminal_view.h – one row per resize for people, and the summary at the end.
//
// Rows fit 140 columns (the terminal's width when that is more); the header is repeated every
// kHeaderEvery rows. Of the resizes that ended within one second the first 50 are shown, of
// promotions, rebuilds and expansions the first 5, of races the first 10; the rest become one line
// "… and N more". Totals in the summary are of all. Fatals and targets are always shown. "–" is
// unknown. Columns:
//
//   TIME     local time at the begin        PROCESS  comm/pid of the target
//   THREAD   its id; GOID: of the goroutine as g18; TID/G: where both are seen
//   MAP      address                        KIND     grow, same_size, …        SLOTS   old→new
//   ENTRIES  before the insert              WALL     begin to end
//   RUN/W/B%  percent of the wall time on a CPU, waiting for one, and asleep or in I/O; of the
//            stall where the rest of the growth is other goroutines' work
//   FAULTS   page faults                    QUEUED   threads that waited behind it, and how long
//   CALL SITE  function file:line, or the caller's address
//
// A race is two lines in red, the writer that came in and the one that was there; the doubling of a
// map that took more than one split is a dim line.
// Strings of targets are escaped. Colours only on a terminal and without NO_COLOR.
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "agent/export/summary.h"
#include "agent/export/wall_clock.h"
#include "agent/model/resize.h"

namespace mapscope {

struct TerminalOptions {
  size_t width = 140;
  bool colour = false;
};

// What fits `out`: its width and whether it shows colours.
TerminalOptions terminal_options(std::FILE* out);

class TerminalView {
 public:
  // Does not own `out`. Writes are flushed by tick() and by everything but the rows of resizes and
  // doublings.
  explicit TerminalView(std::FILE* out = stdout);
  TerminalView(std::FILE* out, TerminalOptions options, const WallClock& clock);

  void row(const Resize& resize);
  void row(const Fatal& fatal);
  void row(const Race& race);
  void row(const Doubling& doubling);
  void row(const Target& target);  // attached, not supported, gone: one line
  // Call it a few times a second: shows a "… and N more" that is due, and flushes.
  void tick(uint64_t monotonic_ns);
  void summary(const Summary& summary);

 private:
  static constexpr unsigned kHeaderEvery = 40;

  enum RowKind { kResizeRows, kRestructuringRows, kRaceRows, kRowKinds };
  static constexpr std::array<unsigned, kRowKinds> kRowsPerSecond = {50, 5, 10};

  bool admit(RowKind kind, uint64_t end_ns);
  void show_header(const Resize& resize);
  void show_skipped();
  void put(std::string_view line, std::string_view colour = {});

  std::FILE* out_;
  TerminalOptions options_;
  WallClock clock_;
  unsigned rows_since_header_ = kHeaderEvery;
  bool goroutine_seen_ = false;
  bool thread_seen_ = false;
  uint64_t second_ = 0;
  std::array<unsigned, kRowKinds> rows_this_second_{};
  std::array<uint64_t, kRowKinds> skipped_{};
};

}  // namespace mapscope
