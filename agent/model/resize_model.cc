// SPDX-License-Identifier: Apache-2.0
#include "agent/model/resize_model.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/model/goroutine.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

// BPF terminates its strings; a record is not believed to.
template <size_t N>
std::string_view bounded(const char (&text)[N]) {
  return {text, ::strnlen(text, N)};
}

Error unknown(std::string_view what, uint32_t number) {
  return {ErrorKind::kCorrupt, "a record names " + std::string(what) + " " +
                                   std::to_string(number) + ", which is not known"};
}

// `in_one_call`: what begins it returns when it has ended.
void apply_times(const ms_resize_record& record, bool in_one_call, Resize& resize) {
  resize.begin_ns = record.begin_ns;
  if ((record.flags & MS_RESIZE_POINT) != 0) return;
  resize.wall_ns = record.end_ns - record.begin_ns;
  // Ended inside its synchronous part: that insert paid for all of it. The end of that part goes
  // unnoticed in a thread that could not be followed.
  if (record.sync_ns != 0) {
    resize.stall_ns = record.sync_ns - record.begin_ns;
  } else if (in_one_call || ((record.flags & MS_RESIZE_SYNC_PROBED) != 0 &&
                             (record.flags & MS_RESIZE_STATES_UNKNOWN) == 0 &&
                             record.end_tid == record.header.tid)) {
    resize.stall_ns = resize.wall_ns;
  }
  if ((record.flags & MS_RESIZE_STATES_UNKNOWN) != 0) return;
  ThreadTimes& thread = resize.thread.emplace();
  for (size_t state = 0; state < thread.state_ns.size(); ++state)
    thread.state_ns[state] = record.state_ns[state];
  thread.minor_faults = record.minor_faults;
  thread.major_faults = record.major_faults;
  thread.switches = record.switches;
  resize.thread_of_stall = (record.flags & MS_RESIZE_STATES_OF_SYNC) != 0;
}

void apply_meaning(const ResizeMeaning& meaning, Resize& resize) {
  resize.map_addr = meaning.map_addr;
  resize.map_type = meaning.map_type;
  resize.kind = meaning.kind;
  resize.trigger = meaning.trigger;
  resize.old_slots = meaning.old_slots;
  resize.new_slots = meaning.new_slots;
  resize.entries = meaning.entries;
  resize.new_bytes = meaning.new_bytes;
  resize.old_bytes = meaning.old_bytes;
  resize.level = meaning.level;
  resize.reserve = meaning.reserve;
  resize.old_directory = meaning.old_directory;
  resize.new_directory = meaning.new_directory;
  resize.misses = meaning.misses;
  resize.ended_by_clear = meaning.ended_by_clear;
}

// nullopt: no Go program, or closed for long.
std::optional<MapTypes> types_of(const DescriptorTable::Entry& probe, uint64_t bias,
                                 const Target& target) {
  auto own = probe.types.lock();
  if (own == nullptr) return std::nullopt;
  return std::optional<MapTypes>(std::in_place, std::move(own), bias, target.loaded);
}

}  // namespace

std::string_view ResizeModel::map_type_of(const ms_stack_record& record) {
  const DescriptorTable::Entry* probe = descriptors_->find(record.descriptor);
  if (last_types_.size() > TargetTable::kMaxGone) last_types_.clear();
  std::string& last = last_types_[record.header.target];
  if (probe == nullptr || probe->spec == nullptr ||
      probe->spec->descriptor.kind != MS_PROBE_FATAL) {
    last = bounded(record.text);
  }
  return last;
}

void ResizeModel::remember_stack(uint32_t target, uint64_t stack_id, const StackPtr& stack) {
  if (stack == nullptr || !stacks_.emplace(stack_id, Sampled{stack, target}).second) return;
  stack_order_.push_back(stack_id);
  if (stack_order_.size() <= kMaxStacks) return;
  stacks_.erase(stack_order_.front());
  stack_order_.pop_front();
}

// Numbers in stack_order_ that are in stacks_ no more do no harm.
void ResizeModel::forget(std::span<const uint32_t> targets) {
  const auto goes = [&](uint32_t target) { return std::ranges::binary_search(targets, target); };
  std::erase_if(stacks_, [&](const auto& entry) { return goes(entry.second.target); });
  callers_.forget(targets);
  std::erase_if(last_growths_, [&](const auto& entry) { return goes(entry.first.target); });
  for (const uint32_t target : targets) last_types_.erase(target);
}

StackPtr ResizeModel::take_stack(uint64_t stack_id) {
  const auto found = stacks_.find(stack_id);
  if (found == stacks_.end()) return nullptr;
  StackPtr stack = found->second.stack.lock();
  stacks_.erase(found);
  return stack;
}

void ResizeModel::add_stack(const ms_resize_record& record, uint64_t file, Resize& resize) {
  const bool in_file = (record.flags & MS_RESIZE_CALLER_IN_FILE) != 0;
  resize.caller = in_file ? record.caller + record.load_bias : record.caller;
  // A caller that was walked to is the call itself.
  resize.caller_is_return = record.goroutine.g == 0;
  if (record.stack_id != 0) resize.stack = take_stack(record.stack_id);
  resize.own_is_known = resize.stack != nullptr;
  if (record.caller == 0) return;
  const CallerKey key{in_file ? file : 0, in_file ? 0 : resize.target->id, record.caller,
                      resize.map_type};
  if (resize.stack != nullptr) return callers_.remember(key, resize.caller, resize.stack);
  CallerTable::Found known = callers_.find(key);
  resize.stack = std::move(known.stack);
  resize.own_is_known = known.own_is_known;
}

const Runtime* ResizeModel::runtime_of(uint32_t descriptor) const {
  const DescriptorTable::Entry* probe = descriptors_->find(descriptor);
  return probe == nullptr ? nullptr : probe->runtime;
}

void ResizeModel::remember_growth(const Resize& resize) {
  if (resize.map_addr == 0 || !resize.new_slots) return;
  if (last_growths_.size() >= kMaxGrowths) last_growths_.clear();
  LastGrowth& last = last_growths_[{resize.target->id, resize.map_addr}];
  last = {resize.begin_ns, resize.level ? std::nullopt : resize.new_slots};
}

void ResizeModel::add_last_growth(const ms_fatal_record& record, Fatal& fatal) const {
  if (record.growth_begin_ns != 0) {
    fatal.growing = true;
    fatal.last_growth_ns = record.growth_begin_ns;
    return;
  }
  const auto last = last_growths_.find({fatal.target->id, fatal.map_addr});
  if (fatal.map_addr == 0 || last == last_growths_.end()) return;
  fatal.last_growth_ns = last->second.begin_ns;
  fatal.last_growth_slots = last->second.slots;
}

Result<Resize> ResizeModel::resize(const ms_resize_record& record) {
  const Target* target = targets_->find(record.header.target);
  if (target == nullptr) return unknown("target", record.header.target);
  const DescriptorTable::Entry* probe = descriptors_->find(record.begin_descriptor);
  if (probe == nullptr || probe->runtime == nullptr)
    return unknown("probe", record.begin_descriptor);
  const bool is_point = (record.flags & MS_RESIZE_POINT) != 0;
  if (!is_point && (record.end_ns < record.begin_ns ||
                    (record.sync_ns != 0 && record.sync_ns < record.begin_ns))) {
    return Error{ErrorKind::kCorrupt, "a resize ends before it begins"};
  }
  auto types = types_of(*probe, record.load_bias, *target);
  auto meaning = probe->runtime->normalize(record, types ? &*types : nullptr);
  if (!meaning) return std::move(meaning).error();
  Resize resize;
  resize.target = target;
  resize.runtime = probe->runtime;
  resize.tid = record.header.tid;
  resize.end_tid = record.end_tid;
  resize.comm = bounded(record.comm);
  apply_meaning(*meaning, resize);
  apply_times(record, probe->spec->descriptor.key_field == MS_NO_FIELD, resize);
  if ((record.flags & MS_RESIZE_BLOCKED_KNOWN) != 0)
    resize.blocked = {record.blocked_threads, record.blocked_ns};
  resize.goroutine = goroutine_of(record.goroutine, types ? &*types : nullptr);
  resize.program = probe->info;
  add_stack(record, probe->file, resize);
  remember_growth(resize);
  return resize;
}

Result<Fatal> ResizeModel::fatal(const ms_fatal_record& record) {
  const Target* target = targets_->find(record.header.target);
  if (target == nullptr) return unknown("target", record.header.target);
  const DescriptorTable::Entry* probe = descriptors_->find(record.descriptor);
  if (probe == nullptr || probe->runtime == nullptr) return unknown("probe", record.descriptor);
  Fatal fatal;
  fatal.target = target;
  fatal.runtime = probe->runtime;
  fatal.tid = record.header.tid;
  fatal.comm = bounded(record.comm);
  fatal.message = bounded(record.text);
  fatal.map_addr = record.map;
  fatal.time_ns = record.time_ns;
  fatal.is_first = record.ordinal == 0;
  const auto types = types_of(*probe, record.load_bias, *target);
  fatal.goroutine = goroutine_of(record.goroutine, types ? &*types : nullptr);
  fatal.program = probe->info;
  add_last_growth(record, fatal);
  fatal.stack = take_stack(record.stack_id);
  return fatal;
}

Result<Race> ResizeModel::race(const ms_race_record& record) {
  const Target* target = targets_->find(record.header.target);
  if (target == nullptr) return unknown("target", record.header.target);
  const DescriptorTable::Entry* probe = descriptors_->find(record.descriptor);
  if (probe == nullptr || probe->runtime == nullptr) return unknown("probe", record.descriptor);
  Race race;
  race.target = target;
  race.runtime = probe->runtime;
  race.program = probe->info;
  race.comm = bounded(record.comm);
  race.map_addr = record.map;
  auto types = types_of(*probe, record.load_bias, *target);
  if (const GoMapType* type = types ? types->find(record.map_type) : nullptr)
    race.map_type = type->name;
  race.first = {record.first_tid, record.first_goid, record.first_begin_ns,
                take_stack(record.first_stack_id)};
  race.second = {record.header.tid, record.goroutine.id, record.time_ns,
                 take_stack(record.stack_id)};
  return race;
}

}  // namespace mapscope
