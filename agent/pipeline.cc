// SPDX-License-Identifier: Apache-2.0
#include "agent/pipeline.h"

#include <unistd.h>

#include "agent/base/log.h"
#include "agent/export/text.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {

Pipeline::Pipeline(const TargetTable& targets, const DescriptorTable& descriptors,
                   Symbolizer& symbolizer, EventFormat events)
    : targets_(&targets),
      symbolizer_(&symbolizer),
      events_(events),
      model_(targets, descriptors),
      writer_(STDOUT_FILENO, "standard output"),
      started_ns_(monotonic_now_ns()) {}

void Pipeline::handle(const Batch& batch, const OnProcess& on_process) {
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
      case MS_RECORD_PROCESS:
        return on_process(reinterpret_cast<const ms_process_record&>(header));
      default:
        return;
    }
  });
}

void Pipeline::on_stack(const ms_stack_record& record) {
  const Target* target = targets_->find(record.header.target);
  if (target == nullptr) return;
  model_.remember_stack(target->id, record.stack_id,
                        symbolizer_->resolve(*target, record, model_.runtime_of(record.descriptor),
                                             model_.map_type_of(record)));
}

void Pipeline::on_frames(const ms_frames_record& record) {
  const Target* target = targets_->find(record.header.target);
  if (target == nullptr) return;
  const Runtime* runtime = model_.runtime_of(record.descriptor);
  model_.remember_stack(target->id, record.stack_id,
                        symbolizer_->resolve(*target, record, runtime));
}

void Pipeline::on_race(const ms_race_record& record) {
  const auto race = model_.race(record);
  if (!race) return refuse(race.error());
  metrics_.add(*race);
  sites_.add(*race);
  races_.add(*race);
  if (events_ == EventFormat::kJson) writer_.write(*race);
  if (events_ == EventFormat::kText) view_.row(*race);
}

void Pipeline::on_resize(const ms_resize_record& record) {
  auto resize = model_.resize(record);
  if (!resize) return refuse(resize.error());
  if (resize->stack == nullptr) resize->stack = symbolizer_->resolve_caller(*resize);
  metrics_.add(*resize);
  sites_.add(*resize);
  recent_.add(*resize);
  if (events_ == EventFormat::kJson) writer_.write(*resize);
  if (events_ == EventFormat::kText) view_.row(*resize);
  add_doubling(*resize);
}

void Pipeline::add_doubling(const Resize& resize) {
  const auto doubling = doublings_.add(resize);
  if (!doubling) return;
  metrics_.add(*doubling);
  if (events_ == EventFormat::kJson) writer_.write(*doubling);
  if (events_ == EventFormat::kText) view_.row(*doubling);
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
  if (events_ == EventFormat::kJson) writer_.write(*fatal);
  if (events_ == EventFormat::kText) view_.row(*fatal);
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
  targets_changed_ = true;
  if (events_ == EventFormat::kJson) writer_.write(target);
  if (events_ == EventFormat::kText) view_.row(target);
}

Status Pipeline::tick() {
  if (targets_changed_) refresh_targets();
  if (events_ == EventFormat::kText) view_.tick(monotonic_now_ns());
  if (events_ == EventFormat::kJson) return writer_.flush();
  return Done{};
}

void Pipeline::finish(const std::vector<SelfStats::Count>& lost) {
  const Summary summary{sites_.targets(), sites_.sites(), lost, monotonic_now_ns() - started_ns_};
  if (events_ == EventFormat::kText) view_.summary(summary);
  if (events_ != EventFormat::kJson) return;
  writer_.write(summary);
  if (auto flushed = writer_.flush(); !flushed) log_warn("{}", flushed.error().text);
}

void Pipeline::add_stats(SelfStats& stats) const {
  stats.lost.push_back({"record_refused", refused_.load()});
  stats.lost.push_back({"event_unwritten", writer_.lost()});
  stats.lost.push_back({"doubling_evicted", doublings_.evicted()});
  const SymbolizerCounts symbols = symbolizer_->counts();
  stats.lost.push_back({"stack_refused", symbols.refused});
  stats.stacks_evicted = symbols.evicted;
}

}  // namespace mapscope
