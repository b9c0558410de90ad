// SPDX-License-Identifier: Apache-2.0
// agent/export/terminal_view.h – one row per resize for people, and the summary at the end.
//
// On a terminal rows have its width, at least 80 columns, 100 where it is not known: the wider, the
// more columns; long names are cut. Elsewhere all columns are there and nothing is cut. A legend
// comes first; the header is repeated every kHeaderEvery rows. Resizes that took less than
// `min_stall_ns`, or an unknown time while that is not 0, are counted instead. Of the others that
// ended within one second the first 50 are shown, of promotions, rebuilds and expansions the first
// 5, of races the first 10; the rest become one line "… and N more". Totals in the summary are of
// all. Fatals, targets and pauses are always shown. "–" is unknown. Columns, in this order, with
// the width from which on they are there:
//
//   STALL    what the insert that began it paid
//   QUEUED   threads that waited behind it × how long each did
//   MOVE     begin to end of a move that goes on after that insert; else empty
//   TIME     local time at the begin, with milliseconds from 100 on
//   PROCESS  comm/pid of the target
//   SLOTS    before→after, in place of that a kind that has none
//   KIND     grow, same_size, … (108)
//   ENTRIES  before the insert (116)
//   THREAD   its id; GOID: of the goroutine as g18; TID/G: where both are seen (128)
//   RUN/W/B% percent of the move on a CPU, waiting for one, and asleep or in I/O; of the stall
//   where
//            the rest of the move is other goroutines' work (140)
//   MAP      address (160)
//   FAULTS   page faults (168)
//   MAP TYPE (192)
//   CALL SITE  function file:line, or the caller's address
//
// A race is two lines in red, the writer that came in and the one that was there; the doubling of a
// map that took more than one split is a dim line.
// Strings of targets are escaped. Colours only on a terminal and without NO_COLOR.
// Threads: one; lost() from any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "agent/base/result.h"
#include "agent/export/columns.h"
#include "agent/export/event_text.h"
#include "agent/export/line_writer.h"
#include "agent/export/summary.h"
#include "agent/export/wall_clock.h"
#include "agent/model/insert_report.h"
#include "agent/model/pause.h"
#include "agent/model/resize.h"

namespace mapscope {

struct TerminalOptions {
  size_t width = kUnlimited;
  bool colour = false;
  uint64_t min_stall_ns = 0;
  bool rows = true;  // else the summary alone
};

// What fits a descriptor: its width, whether it shows colours, and on a terminal from which stall
// on a row is worth a line.
TerminalOptions terminal_options(int fd);

class TerminalView {
 public:
  // Does not own `fd`. Lines are written by flush(), tick() and everything but the rows of resizes
  // and doublings, as agent/export/line_writer.h says.
  TerminalView(int fd, const TerminalOptions& options, const WallClock& clock = {});

  void row(const Resize& resize);
  void row(const Fatal& fatal);
  void row(const Race& race);
  void row(const Doubling& doubling);
  void row(const Target& target);  // attached, not supported, gone: one line
  void row(std::span<const Pause> pauses);
  // The map types that most was inserted into since the last report.
  void row(const InsertReport& report);
  // Call it a few times a second: shows a "… and N more" that is due, and writes. Errors: see
  // LineWriter::flush().
  Status tick(uint64_t monotonic_ns);
  void summary(const Summary& summary);

  // Resizes that had no row because they were too short.
  [[nodiscard]] uint64_t hidden() const { return hidden_; }
  // Lines that found no room.
  [[nodiscard]] uint64_t lost() const { return lines_.lost(); }

 private:
  static constexpr unsigned kHeaderEvery = 40;
  static constexpr uint64_t kHiddenEveryNs = 10'000'000'000;

  enum RowKind { kResizeRows, kRestructuringRows, kRaceRows, kRowKinds };
  static constexpr std::array<unsigned, kRowKinds> kRowsPerSecond = {50, 5, 10};
  using InsertKey = std::array<std::string, 3>;  // process, runtime, map type

  bool admit(RowKind kind, uint64_t end_ns);
  // Whether it is too short for a row; counts it.
  bool hide(const Resize& resize);
  void begin();
  void show_header(const Resize& resize);
  void show_skipped();
  void show_hidden();
  void put(std::string_view line, std::string_view colour = {});
  void put_wrapped(std::string_view text, std::string_view colour = {});
  [[nodiscard]] size_t longest_type() const { return options_.width == kUnlimited ? kWhole : 40; }

  LineWriter lines_;
  TerminalOptions options_;
  WallClock clock_;
  Columns columns_;
  bool begun_ = false;
  unsigned rows_since_header_ = kHeaderEvery;
  bool goroutine_seen_ = false;
  bool thread_seen_ = false;
  uint64_t second_ = 0;
  std::array<unsigned, kRowKinds> rows_this_second_{};
  std::array<uint64_t, kRowKinds> skipped_{};
  uint64_t hidden_ = 0;
  uint64_t hidden_shown_ = 0;  // of these, said so far
  uint64_t hidden_shown_ns_ = 0;
  std::map<InsertKey, uint64_t> inserts_;  // at the last report
  uint64_t inserts_ns_ = 0;
};

}  // namespace mapscope
