// SPDX-License-Identifier: Apache-2.0
#include "agent/watcher.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <set>

#include "agent/base/log.h"
#include "agent/export/text.h"
#include "agent/export/wall_clock.h"

namespace mapscope {
namespace {

std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
      return "usage";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kPermission:
      return "permission";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kCorrupt:
      return "corrupt";
    case ErrorKind::kSystem:
      return "system";
  }
  return "system";
}

std::string_view label_of(const Error& error) {
  return error.label.empty() ? name_of(error.kind) : error.label;
}

std::string describe(const Process& process) {
  return "pid " + std::to_string(process.pid) + " (" + printable(process.comm) + ")";
}

// What could not be read may be where the map is.
Error nothing_to_probe(const Process& process, const std::vector<Error>& unreadable) {
  constexpr size_t kMaxNamed = 3;
  const size_t libraries = process.files.empty() ? 0 : process.files.size() - 1;
  std::string text = describe(process) + ": no known hash map in " + printable(process.exe) +
                     " or its " + std::to_string(libraries) + " libraries";
  for (size_t i = 0; i < std::min(unreadable.size(), kMaxNamed); ++i)
    text += "; " + printable(unreadable[i].text);
  if (unreadable.size() > kMaxNamed)
    text += "; nor can " + std::to_string(unreadable.size() - kMaxNamed) + " more be read";
  if (unreadable.empty()) text += "; 'agent inspect FILE' says what was looked for";
  return {ErrorKind::kUnsupported, std::move(text), Watcher::kNoMap};
}

Target describe_target(const Process& process) {
  Target target;
  target.container_id = process.container.id;
  target.pod_uid = process.container.pod_uid;
  target.pid = process.pid;
  target.start_ticks = process.start_ticks;
  target.comm = process.comm;
  target.exe = process.exe;
  return target;
}

bool is_same(const ProcessGlimpse& now, const Process& then) {
  return now.start_ticks == then.start_ticks && now.exe == then.exe;
}

}  // namespace

// A file that cannot be read does not keep the others from being watched.
Result<Watcher::PlannedProcess> Watcher::plan_process(const Process& process) {
  PlannedProcess planned;
  std::optional<Error> refused;
  std::vector<Error> unreadable;
  empty_files_.clear();
  for (const MappedFile& mapped : process.files) {
    auto file = open_mapped_file(process, mapped);
    const bool is_exe = &mapped == &process.files.front();
    // For want of descriptors, say: whatever it holds, a later look may open it.
    if (!file && file.error().kind == ErrorKind::kSystem) return std::move(file).error();
    if (!file && is_exe) refused = file.error();
    if (!file) {
      unreadable.push_back(std::move(file).error());
      continue;
    }
    auto found = binaries_.find(std::move(*file), mapped.path);
    if (!found) {
      refused = std::move(found).error();
      continue;
    }
    const std::shared_ptr<KnownBinary>& binary = *found;
    if (binary->refused) refused = binary->refused;
    if (binary->unreadable && is_exe) refused = binary->unreadable;
    if (binary->unreadable) unreadable.push_back(*binary->unreadable);
    if (binary->has_nothing()) empty_files_.push_back(mapped);
    if (binary->planned != nullptr) planned.binaries.push_back(binary);
    if (binary->types != nullptr) planned.go_files.emplace_back(binary, mapped);
  }
  if (planned.binaries.empty()) return refused ? *refused : nothing_to_probe(process, unreadable);
  for (const Error& error : unreadable) log_debug("{}", printable(error.text));
  return planned;
}

Result<uint32_t> Watcher::take_slot() {
  if (!free_slots_.empty()) {
    const uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }
  if (next_slot_ >= programs_->limits().targets) {
    return Error{ErrorKind::kSystem, "more than " + std::to_string(next_slot_) + " targets at once",
                 "too_many"};
  }
  return next_slot_++;
}

void Watcher::add_go_files(Target& target, const PlannedProcess& planned) {
  for (const auto& [binary, mapped] : planned.go_files) {
    if (const auto bias = symbolizer_->load_bias(target.id, mapped.dev, mapped.inode))
      target.loaded->add(binary->types, *bias);
  }
}

Status Watcher::attach_file(Target& target, const std::shared_ptr<KnownBinary>& binary,
                            Watched& watched) {
  std::shared_ptr<Attachment> attachment =
      sharing_ == Sharing::kShared ? binary->attachment.lock() : nullptr;
  if (attachment == nullptr) {
    const int pid = sharing_ == Sharing::kShared ? kEveryProcess : target.pid;
    auto attached = Attachment::attach(*programs_, *descriptors_, pid, binary->planned);
    if (!attached) return std::move(attached).error();
    attachment = std::make_shared<Attachment>(std::move(*attached));
    if (sharing_ == Sharing::kShared) binary->attachment = attachment;
  }
  if (mode_ended_) attachment->relieve(Relief::kMode, monotonic_now_ns());
  target.probes += attachment->probe_count();
  target.programs.push_back(binary->planned->info);
  target.unseen.insert(target.unseen.end(), binary->unseen.begin(), binary->unseen.end());
  watched.binaries.push_back(binary);
  watched.attachments.push_back(std::move(attachment));
  return Done{};
}

Status Watcher::attach(Target& target, const Process& process, const PlannedProcess& planned) {
  const ProgramInfo& first = *planned.binaries.front()->planned->info;
  target.runtime = first.runtime;
  target.version = first.version;
  target.unverified = first.unverified;
  target.build_id = first.build_id;
  target.language = first.language;
  target.loaded = std::make_shared<LoadedPrograms>();
  // Before the first record, which may be the last: a fatal is followed by the process' end.
  if (auto known = symbolizer_->add_target(target, process); !known) {
    log_warn("{}: no stacks: {}", describe(process), printable(known.error().text));
  }
  add_go_files(target, planned);
  const std::lock_guard lock(mutex_);
  auto slot = take_slot();
  if (!slot) return std::move(slot).error();
  Watched watched;
  watched.pid = target.pid;
  watched.slot = *slot;
  watched.labels = {target.comm, std::string(target.runtime->name), target.container_id,
                    target.pod_uid};
  watched.loaded = target.loaded;
  programs_->clear_counters(*slot);
  Status done = Done{};
  for (const auto& binary : planned.binaries) {
    if (done) done = attach_file(target, binary, watched);
  }
  if (done) {
    auto enabled = EnabledTarget::enable(*programs_, {target.id, target.pid, *slot});
    if (enabled) watched.enabled.emplace(std::move(*enabled));
    if (!enabled) done = std::move(enabled).error();
  }
  if (!done) {
    free_slots_.push_back(*slot);
    target.probes = 0;
    target.programs.clear();
    return done;
  }
  target.state = TargetState::kAttached;
  log_info("{}: {} probes for {} attached", describe(process), target.probes,
           watched.labels.runtime);
  watched_.emplace(target.id, std::move(watched));
  return Done{};
}

Result<bool> Watcher::extend(uint32_t id) {
  Target* target = targets_->find(id);
  if (target == nullptr) return false;
  auto process = read_process(target->pid);
  if (!process) return std::move(process).error();
  if (process->start_ticks != target->start_ticks || process->exe != target->exe) return false;
  auto planned = plan_process(*process);
  if (!planned) return std::move(planned).error();
  // Frames and types are those of what is mapped now.
  symbolizer_->update_target(*target, *process);
  add_go_files(*target, *planned);
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(id);
  if (found == watched_.end()) return false;
  Watched& watched = found->second;
  bool added = false;
  for (const auto& binary : planned->binaries) {
    if (std::ranges::find(watched.binaries, binary) != watched.binaries.end()) continue;
    if (auto attached = attach_file(*target, binary, watched); !attached)
      return std::move(attached).error();
    added = true;
  }
  return added;
}

// The reason is a label: one word of few, the text is for people.
Error Watcher::refuse(Target* target, Error error) {
  if (target != nullptr) {
    target->state = TargetState::kUnsupported;
    target->reason = label_of(error);
  }
  const std::lock_guard lock(mutex_);
  ++attach_errors_[std::string(label_of(error))];
  return error;
}

Target* Watcher::describe_again(uint32_t id, const Process& process) {
  Target* target = id == 0 ? nullptr : targets_->find(id);
  if (target == nullptr) return targets_->add(describe_target(process));
  *target = describe_target(process);
  target->id = id;
  return target;
}

Result<const Target*> Watcher::watch(int pid, Interest interest, uint32_t known) {
  const bool quiet = interest == Interest::kEverybody;
  auto process = read_process(pid);
  if (!process && quiet && process.error().kind == ErrorKind::kNotFound)
    return Error{ErrorKind::kNotFound, std::move(process).error().text, kEnded};
  if (!process) return refuse(nullptr, std::move(process).error());
  auto planned = plan_process(*process);
  const bool passed_over =
      quiet && !planned &&
      (planned.error().label == kNoMap || planned.error().kind == ErrorKind::kNotFound);
  if (passed_over) return std::move(planned).error();
  Target* target = describe_again(known, *process);
  if (!planned) return refuse(target, std::move(planned).error());
  auto attached = attach(*target, *process, *planned);
  if (!attached) symbolizer_->remove_target(target->id);
  // Between reading /proc and attaching, the process may have ended, or executed another program.
  const auto now = glimpse_process(pid);
  if (now && is_same(*now, *process)) {
    if (!attached) return refuse(target, std::move(attached).error());
    return static_cast<const Target*>(target);
  }
  // It was counted, and the record of its end comes after what it did.
  if (attached && quiet && !programs_->is_enabled(static_cast<uint32_t>(pid), target->id))
    return static_cast<const Target*>(target);
  Error changed{ErrorKind::kNotFound,
                describe(*process) + ": ended or changed its program while being attached"};
  forget(target->id);
  symbolizer_->remove_target(target->id);
  if (!quiet) return refuse(target, std::move(changed));
  targets_->mark_gone(target->id);
  changed.label = kEnded;
  return changed;
}

void Watcher::forget(uint32_t id, bool is_gone) {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  const Watched& watched = found->second;
  const uint32_t slot = watched.slot;
  InsertTotals totals;
  add_inserts(id, watched, programs_->read_insert_types(), totals);
  past_inserts_.add(totals);
  guard_.forget(metered(id, watched));
  for (const auto& attachment : watched.attachments)
    if (attachment.use_count() == 1) origins_.erase(attachment.get());
  watched_.erase(found);
  programs_->clear_insert_types(id);
  free_slots_.push_back(slot);
  const uint64_t expired = programs_->expire_open_resizes(id);
  if (is_gone) expired_ += expired;
  symbolizer_->remove_target(id);
  targets_->mark_gone(id);
  const Target* target = targets_->find(id);
  if (!is_gone || expired == 0 || target == nullptr) return;
  log_info("pid {} ({}): gone inside {} of its resizes, which are counted as expired", target->pid,
           printable(target->comm), expired);
}

void Watcher::tick(uint64_t now_ns) {
  binaries_.forget_idle(now_ns);
  if (mode_ != Mode::kInserts) return;
  const std::lock_guard lock(mutex_);
  past_inserts_.expire(now_ns, [this](const ProcessLabels& labels) {
    return std::ranges::any_of(watched_,
                               [&](const auto& entry) { return entry.second.labels == labels; });
  });
}

size_t Watcher::attached() const {
  const std::lock_guard lock(mutex_);
  return watched_.size();
}

ProcessLabels Watcher::Watched::labels_of(const Runtime* runtime) const {
  ProcessLabels of_file = labels;
  if (runtime != nullptr) of_file.runtime = runtime->name;
  return of_file;
}

const Runtime* Watcher::runtime_of(const Watched& watched, const ProgramTypes* file) {
  const auto binary = std::ranges::find_if(
      watched.binaries, [&](const auto& known) { return known->types.get() == file; });
  return binary == watched.binaries.end() ? nullptr : (*binary)->planned->info->runtime;
}

void Watcher::add_inserts(uint32_t id, const Watched& watched,
                          const std::vector<ms_insert_type>& types, InsertTotals& totals) const {
  if (const uint64_t untyped = programs_->read_inserts(watched.slot); untyped != 0) {
    totals[{watched.labels_of(runtime_of(watched, nullptr)), ""}].count += untyped;
  }
  for (const ms_insert_type& entry : types) {
    if (entry.target != id) continue;
    const auto [type, file] = watched.loaded->find_type(entry.type);
    const Runtime* runtime = file == nullptr ? nullptr : runtime_of(watched, file);
    InsertTotal& total =
        totals[{watched.labels_of(runtime), type == nullptr ? std::string() : type->name}];
    total.timed = true;
    total.count += entry.count;
    for (size_t phase = 0; phase < MS_INSERT_PHASES; ++phase) {
      total.sum_ns[phase] += entry.sum_ns[phase];
      for (size_t i = 0; i < MS_TIME_BUCKETS; ++i)
        total.log2_ns[phase][i] += entry.log2_ns[phase][i];
    }
  }
}

void Watcher::add_inserts(SelfStats& stats) const {
  InsertTotals inserts = past_inserts_.totals();
  if (mode_ == Mode::kInserts) {
    const std::vector<ms_insert_type> types = programs_->read_insert_types();
    for (const auto& [id, watched] : watched_) add_inserts(id, watched, types, inserts);
  }
  for (const auto& [key, totals] : inserts) {
    const auto& [labels, map_type] = key;
    stats.inserts.push_back({labels.process, labels.runtime, map_type,
                             static_cast<double>(totals.count), labels.container_id,
                             labels.pod_uid});
    for (size_t phase = 0; totals.timed && phase < MS_INSERT_PHASES; ++phase) {
      stats.insert_times.push_back({labels.process, labels.runtime, map_type,
                                    phase == MS_DURING_RESIZE, totals.log2_ns[phase],
                                    totals.sum_ns[phase], labels.container_id, labels.pod_uid});
    }
  }
}

// Those that several processes share count once.
uint64_t Watcher::probe_count() const {
  std::set<const Attachment*> seen;
  uint64_t probes = 0;
  for (const auto& [id, watched] : watched_) {
    for (const auto& attachment : watched.attachments) {
      if (seen.insert(attachment.get()).second) probes += attachment->probe_count();
    }
  }
  return probes;
}

void Watcher::add_stats(SelfStats& stats) const {
  const std::lock_guard lock(mutex_);
  std::map<ProcessLabels, double> pending;
  for (const auto& [id, watched] : watched_) pending[watched.labels] += 0;
  for (const Programs::OpenResize& open : programs_->read_open_resizes()) {
    const auto found = watched_.find(open.target);
    const DescriptorTable::Entry* entry = descriptors_->find(open.descriptor);
    if (found == watched_.end() || entry == nullptr || entry->runtime == nullptr) continue;
    ++pending[found->second.labels_of(entry->runtime)];
  }
  stats.probes.push_back({"attached", probe_count()});
  const std::vector<uint64_t> hits = programs_->read_hits(descriptors_->size());
  stats.probe_hits = std::accumulate(hits.begin(), hits.end(), uint64_t{0});
  for (const auto& [kind, count] : attach_errors_) stats.attach_errors.push_back({kind, count});
  for (const auto& [labels, count] : pending) {
    stats.pending.push_back(
        {labels.process, labels.runtime, "", count, labels.container_id, labels.pod_uid});
  }
  add_inserts(stats);
  guard_.add_stats(stats, all_metered());
  stats.expired_resizes += expired_;
}

}  // namespace mapscope
