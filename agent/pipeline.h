// SPDX-License-Identifier: Apache-2.0
// agent/pipeline.h – a batch of records on its way right: model → symbolize → export.
//
// Threads: one, except add_stats(), finish_in_place() and what the web server reads, which lock for
// themselves.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/attach/attachment.h"
#include "agent/collect/collector.h"
#include "agent/export/event_writer.h"
#include "agent/export/metric_table.h"
#include "agent/export/recent_events.h"
#include "agent/export/recent_resizes.h"
#include "agent/export/terminal_view.h"
#include "agent/model/doubling_table.h"
#include "agent/model/resize_model.h"
#include "agent/model/site_table.h"
#include "agent/model/target_table.h"
#include "agent/model/watch_times.h"
#include "agent/stop.h"
#include "agent/symbolize/symbolizer.h"

namespace mapscope {

struct DisplayOptions {
  EventFormat events = EventFormat::kText;
  int output_fd = -1;       // for event lines, open as long as the pipeline; -1: standard output
  std::string output_name;  // in error texts
  std::optional<uint64_t> min_stall_ns;  // absent: what fits the terminal
  bool by_program = false;               // see Summary
};

class Pipeline {
 public:
  // Called for each exec and exit of a target, in ring order: all its earlier records have been
  // handled.
  using OnProcess = std::function<void(const ms_process_record&)>;

  // REQUIRES: the references outlive the pipeline; so does `stop`, which may be nullptr.
  Pipeline(const TargetTable& targets, const DescriptorTable& descriptors, Symbolizer& symbolizer,
           const DisplayOptions& display, const Stop* stop = nullptr);

  void handle(const Batch& batch, const OnProcess& on_process);
  // A target came, changed or went.
  void show(const Target& target);
  // Who is not watched any more for a while, or again.
  void show(const std::vector<Pause>& pauses);
  // How much was inserted so far, if that is more than at the last call.
  void show_inserts(const SelfStats& stats);
  // Metrics and pages show the targets as they are now; tick() does it too.
  void refresh_targets();
  // Of targets that are gone for long, whose stacks go. REQUIRES: sorted; no record of them comes
  // any more.
  void forget(std::span<const uint32_t> targets);
  // A few times a second: shows what is due.
  Status tick();
  void finish(const SelfStats& stats);
  // The same from another thread while the pipeline's is held up, for the process is about to end.
  // Nothing is shown when it is held up in showing something. Keeps the turn for good.
  void finish_in_place(const SelfStats& stats);
  void add_stats(SelfStats& stats) const;

  [[nodiscard]] MetricTable& metrics() { return metrics_; }
  [[nodiscard]] const MetricTable& metrics() const { return metrics_; }
  [[nodiscard]] const SiteTable& sites() const { return sites_; }
  [[nodiscard]] const RecentResizes& recent() const { return recent_; }
  [[nodiscard]] const RecentEvents& fatals() const { return fatals_; }
  [[nodiscard]] const RecentEvents& races() const { return races_; }

 private:
  void on_stack(const ms_stack_record& record);
  void on_resize(const ms_resize_record& record);
  void on_frames(const ms_frames_record& record);
  void on_fatal(const ms_fatal_record& record);
  void on_race(const ms_race_record& record);
  void add_doubling(const Resize& resize);
  // As a line, as a row, or both.
  template <typename Event>
  void show_event(const Event& event);
  // Whether a resize is too short for a line.
  bool hide(const Resize& resize);
  void refuse(const Error& error);
  void show_summary(const SelfStats& stats);
  [[nodiscard]] bool is_late() const;
  void resolve_caller(Resize& resize);
  template <typename Record, typename... Arguments>
  void resolve(const Target& target, const Record& record, Arguments... arguments);

  const TargetTable* targets_;
  Symbolizer* symbolizer_;
  const Stop* stop_;
  const DisplayOptions display_;
  ResizeModel model_;
  MetricTable metrics_;
  SiteTable sites_;
  DoublingTable doublings_;
  RecentResizes recent_;
  RecentEvents fatals_;
  RecentEvents races_;
  WatchTimes watch_times_;
  std::optional<EventWriter> writer_;  // absent when no lines are wanted
  std::optional<TerminalView> view_;   // likewise rows and summary
  uint64_t hidden_lines_ = 0;
  uint64_t inserts_shown_ = 0;
  uint64_t started_ns_;
  // Held by the thread that works, but not while it resolves symbols or looks at a process, which
  // may take long.
  std::timed_mutex turn_;
  bool finished_ = false;
  bool targets_changed_ = false;
  std::atomic<uint64_t> refused_{0};
};

}  // namespace mapscope
