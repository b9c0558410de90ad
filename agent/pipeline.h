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
#include <span>
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
#include "agent/stop.h"
#include "agent/symbolize/symbolizer.h"

namespace mapscope {

class Pipeline {
 public:
  // Called for each exec and exit of a target, in ring order: all its earlier records have been
  // handled.
  using OnProcess = std::function<void(const ms_process_record&)>;

  // REQUIRES: the references outlive the pipeline; so does `stop`, which may be nullptr.
  Pipeline(const TargetTable& targets, const DescriptorTable& descriptors, Symbolizer& symbolizer,
           EventFormat events, const Stop* stop = nullptr);

  void handle(const Batch& batch, const OnProcess& on_process);
  // A target came, changed or went.
  void show(const Target& target);
  // Metrics and pages show the targets as they are now; tick() does it too.
  void refresh_targets();
  // Of targets that are gone for long, whose stacks go. REQUIRES: sorted; no record of them comes
  // any more.
  void forget(std::span<const uint32_t> targets);
  // A few times a second: shows what is due.
  Status tick();
  void finish(const std::vector<SelfStats::Count>& lost);
  // The same from another thread while the pipeline's is held up, for the process is about to end.
  // Nothing is shown when it is held up in showing something. Keeps the turn for good.
  void finish_in_place(const std::vector<SelfStats::Count>& lost);
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
  void refuse(const Error& error);
  void show_summary(const std::vector<SelfStats::Count>& lost);
  [[nodiscard]] bool is_late() const;
  void resolve_caller(Resize& resize);
  template <typename Record, typename... Arguments>
  void resolve(const Target& target, const Record& record, Arguments... arguments);

  const TargetTable* targets_;
  Symbolizer* symbolizer_;
  const Stop* stop_;
  const EventFormat events_;
  ResizeModel model_;
  MetricTable metrics_;
  SiteTable sites_;
  DoublingTable doublings_;
  RecentResizes recent_;
  RecentEvents fatals_;
  RecentEvents races_;
  EventWriter writer_;
  TerminalView view_;
  uint64_t started_ns_;
  // Held by the thread that works, but not while it resolves symbols or looks at a process, which
  // may take long.
  std::timed_mutex turn_;
  bool finished_ = false;
  bool targets_changed_ = false;
  std::atomic<uint64_t> refused_{0};
};

}  // namespace mapscope
