// SPDX-License-Identifier: Apache-2.0
#include "agent/pipeline.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "agent/base/log.h"
#include "agent/export/event_text.h"
#include "agent/export/pause_text.h"
#include "agent/export/text.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

constexpr auto kTurnWait = std::chrono::milliseconds(100);

// Gives a lock up for as long as it lives.
class Unlocked {
 public:
  explicit Unlocked(std::timed_mutex& mutex) : mutex_(&mutex) { mutex_->unlock(); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
  Unlocked(Unlocked&&) = delete;
  Unlocked& operator=(Unlocked&&) = delete;
  ~Unlocked() { mutex_->lock(); }

 private:
  std::timed_mutex* mutex_;
};

}  // namespace

Pipeline::Pipeline(const TargetTable& targets, const DescriptorTable& descriptors,
                   Symbolizer& symbolizer, const DisplayOptions& display, const Stop* stop)
    : targets_(&targets),
      symbolizer_(&symbolizer),
      stop_(stop),
      display_(display),
      model_(targets, descriptors),
      started_ns_(monotonic_now_ns()) {
  if (display.output_fd >= 0) {
    writer_.emplace(display.output_fd, display.output_name);
  } else if (display.events == EventFormat::kJson) {
    writer_.emplace(STDOUT_FILENO, "standard output");
  }
  if (display.events != EventFormat::kText && display.events != EventFormat::kSummary) return;
  TerminalOptions options = terminal_options(STDOUT_FILENO);
  options.rows = display.events == EventFormat::kText;
  if (display.min_stall_ns) options.min_stall_ns = *display.min_stall_ns;
  view_.emplace(STDOUT_FILENO, options);
}

template <typename Event>
void Pipeline::show_event(const Event& event) {
  if (writer_) writer_->write(event);
  if (view_) view_->row(event);
}

bool Pipeline::hide(const Resize& resize) {
  const uint64_t took_ns = resize.stall_ns.value_or(resize.wall_ns.value_or(0));
  if (took_ns >= display_.min_stall_ns.value_or(0)) return false;
  if (!is_restructuring(resize.kind)) ++hidden_lines_;
  return true;
}

void Pipeline::handle(const Batch& batch, const OnProcess& on_process) {
  const std::lock_guard turn(turn_);
  batch.for_each([&](const ms_record_header& header) {
    switch (header.type) {
      case MS_RECORD_STACK:
        return on_stack(reinterpret_cast<const ms_stack_record&>(header));
      case MS_RECORD_FRAMES:
        return on_frames(reinterpret_cast<const ms_frames_record&>(header));
      case MS_RECORD_RACE:
        return on_race(reinterpret_cast<const ms_race_record&>(header));
      case MS_RECORD_RESIZE:
        return on_resize(reinterpret_cast<const ms_resize_record&>(header));
      case MS_RECORD_FATAL:
        return on_fatal(reinterpret_cast<const ms_fatal_record&>(header));
      case MS_RECORD_PROCESS: {
        const Unlocked elsewhere(turn_);
        return on_process(reinterpret_cast<const ms_process_record&>(header));
      }
      default:
        return;
    }
  });
}

void Pipeline::on_stack(const ms_stack_record& record) {
  const Target* target = targets_->find(record.header.target);
  if (target == nullptr) return;
  resolve(*target, record, model_.runtime_of(record.descriptor), model_.map_type_of(record));
}

void Pipeline::on_frames(const ms_frames_record& record) {
  const Target* target = targets_->find(record.header.target);
  if (target == nullptr) return;
  resolve(*target, record, model_.runtime_of(record.descriptor));
}

// When the end is near, what is left has no call site rather than no summary.
bool Pipeline::is_late() const { return stop_ != nullptr && stop_->is_late(); }

template <typename Record, typename... Arguments>
void Pipeline::resolve(const Target& target, const Record& record, Arguments... arguments) {
  if (is_late()) return;
  StackPtr stack;
  {
    const Unlocked elsewhere(turn_);
    stack = symbolizer_->resolve(target, record, arguments...);
  }
  model_.remember_stack(target.id, record.stack_id, stack);
}

void Pipeline::resolve_caller(Resize& resize) {
  if (resize.stack != nullptr || is_late()) return;
  const Unlocked elsewhere(turn_);
  resize.stack = symbolizer_->resolve_caller(resize);
}

void Pipeline::on_race(const ms_race_record& record) {
  const auto race = model_.race(record);
  if (!race) return refuse(race.error());
  metrics_.add(*race);
  sites_.add(*race);
  races_.add(*race);
  show_event(*race);
}

void Pipeline::on_resize(const ms_resize_record& record) {
  auto resize = model_.resize(record);
  if (!resize) return refuse(resize.error());
  resolve_caller(*resize);
  metrics_.add(*resize);
  sites_.add(*resize);
  recent_.add(*resize);
  if (writer_ && !hide(*resize)) writer_->write(*resize);
  if (view_) view_->row(*resize);
  add_doubling(*resize);
}

void Pipeline::add_doubling(const Resize& resize) {
  const auto doubling = doublings_.add(resize);
  if (!doubling) return;
  metrics_.add(*doubling);
  show_event(*doubling);
}

void Pipeline::on_fatal(const ms_fatal_record& record) {
  const auto fatal = model_.fatal(record);
  if (!fatal) return refuse(fatal.error());
  // Other misuse ends a program in the same function.
  const auto is_map_fatal = fatal->runtime->is_map_fatal;
  if (is_map_fatal != nullptr && !is_map_fatal(fatal->message)) return;
  if (fatal->is_first) {
    metrics_.add(*fatal);
    sites_.add(*fatal);
  }
  fatals_.add(*fatal);
  // Whoever runs the agent without events, as a service does, has no other record of it.
  log_warn("{}, {}", target_name(*fatal->target), fatal_text(*fatal));
  show_event(*fatal);
}

void Pipeline::refuse(const Error& error) {
  if (refused_++ == 0)
    log_warn("a record was refused ({}); further ones are only counted", printable(error.text));
}

void Pipeline::refresh_targets() {
  targets_changed_ = false;
  metrics_.set_targets(targets_->snapshot());
}

void Pipeline::forget(std::span<const uint32_t> targets) {
  model_.forget(targets);
  targets_changed_ = true;
}

void Pipeline::show(const Target& target) {
  const std::lock_guard turn(turn_);
  targets_changed_ = true;
  if (target.state == TargetState::kAttached) watch_times_.begin(target, monotonic_now_ns());
  if (target.state == TargetState::kGone) watch_times_.end(target, monotonic_now_ns());
  show_event(target);
}

void Pipeline::show(const std::vector<Pause>& pauses) {
  if (pauses.empty()) return;
  const std::lock_guard turn(turn_);
  targets_changed_ = true;
  for (const Pause& pause : pauses) {
    watch_times_.add(pause);
    if (writer_) writer_->write(pause);
  }
  if (display_.events == EventFormat::kText) return view_->row(pauses);
  for (const std::string& line : pause_lines(pauses)) log_warn("{}", line);
}

void Pipeline::show_inserts(const SelfStats& stats) {
  const std::lock_guard turn(turn_);
  InsertReport report = insert_report(stats, monotonic_now_ns());
  report.begin_ns = started_ns_;
  uint64_t inserts = 0;
  for (const InsertCounts& counts : report.counts) inserts += counts.count;
  if (std::exchange(inserts_shown_, inserts) != inserts) show_event(report);
}

Status Pipeline::tick() {
  const std::lock_guard turn(turn_);
  if (targets_changed_) refresh_targets();
  if (view_) {
    if (auto shown = view_->tick(monotonic_now_ns()); !shown) return shown;
  }
  if (writer_) return writer_->flush();
  return Done{};
}

void Pipeline::finish(const SelfStats& stats) {
  const std::lock_guard turn(turn_);
  show_summary(stats);
}

void Pipeline::finish_in_place(const SelfStats& stats) {
  if (turn_.try_lock_for(kTurnWait)) show_summary(stats);
}

void Pipeline::show_summary(const SelfStats& stats) {
  if (std::exchange(finished_, true)) return;
  const uint64_t now_ns = monotonic_now_ns();
  Summary summary{sites_.targets(), sites_.sites(), stats.lost, now_ns - started_ns_};
  summary.paused = watch_times_.paused(now_ns);
  summary.inserts = insert_report(stats, now_ns).counts;
  summary.by_program = display_.by_program;
  if (view_) {
    summary.hidden = view_->hidden();
    view_->summary(summary);
  }
  if (!writer_) return;
  summary.hidden = hidden_lines_;
  writer_->write(summary);
  if (auto flushed = writer_->flush(); !flushed) log_warn("{}", flushed.error().text);
  if (writer_->lost() != 0)
    log_warn("{} event lines found no room in {}", writer_->lost(), writer_->name());
}

void Pipeline::add_stats(SelfStats& stats) const {
  stats.lost.push_back({"record_refused", refused_.load()});
  stats.lost.push_back(
      {"event_unwritten", (writer_ ? writer_->lost() : 0) + (view_ ? view_->lost() : 0)});
  stats.lost.push_back({"doubling_evicted", doublings_.evicted()});
  const SymbolizerCounts symbols = symbolizer_->counts();
  stats.lost.push_back({"stack_refused", symbols.refused});
  stats.stacks_evicted = symbols.evicted;
}

}  // namespace mapscope
