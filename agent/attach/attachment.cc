// SPDX-License-Identifier: Apache-2.0
#include "agent/attach/attachment.h"

#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <map>
#include <numeric>
#include <string>
#include <utility>

namespace mapscope {
namespace {

// The sites of one BPF program in one file.
struct SiteGroup {
  std::vector<unsigned long> offsets;
  std::vector<uint64_t> cookies;
};

Error attach_error(const std::string& image, bpf_program* program, int errno_value) {
  Error error = system_error(
      "cannot attach " + std::string(bpf_program__name(program)) + " to " + image, errno_value);
  if (error.kind == ErrorKind::kPermission)
    error.text += "; run with sudo, 'agent doctor' says what is missing";
  return error;
}

// What only adds how long inserts take.
bool is_of_times(uint8_t kind) { return kind == MS_PROBE_SYNC_END || kind == MS_PROBE_INSERT_END; }

bool is_of_mode(uint8_t kind) {
  return kind == MS_PROBE_INSERT || kind == MS_PROBE_INSERT_END || kind == MS_PROBE_WRITE ||
         kind == MS_PROBE_WRITE_END;
}

bool is_sync_end(const ms_descriptor& descriptor) { return descriptor.kind == MS_PROBE_SYNC_END; }

// Whether the synchronous part of every resize has a probe at its end: none of those could be put
// where the plan wants it is left out.
bool ends_every_sync(const ProbePlan& plan) {
  const auto lacks = [](const auto& one) { return is_sync_end(one.spec->descriptor); };
  return std::ranges::none_of(plan.unseen, lacks) &&
         std::ranges::none_of(plan.missing,
                              [&](const auto& one) { return !one.absent && lacks(one); }) &&
         std::ranges::any_of(
             plan.probes, [](const PlannedProbe& probe) { return is_sync_end(probe.descriptor); });
}

}  // namespace

// Reading also brings the page into memory, without which some file systems warn in the kernel's
// log.
bool PlannedFile::holds_in(const UniqueFd& other) const {
  std::vector<std::byte> now;
  for (const ProbePlan& plan : plans) {
    for (const PlannedProbe& probe : plan.probes) {
      now.resize(probe.bytes.size());
      const ssize_t got =
          ::pread(other.get(), now.data(), now.size(), static_cast<off_t>(probe.file_offset));
      if (got != static_cast<ssize_t>(now.size()) || now != probe.bytes) return false;
    }
  }
  return true;
}

uint64_t PlannedFile::next_number() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

Result<ImageTable::Number> ImageTable::take(Programs& programs, const PlannedFile& file) {
  static const Number native = std::make_shared<const uint32_t>(0);
  if (file.go == nullptr) return native;
  const std::lock_guard lock(pool_->mutex);
  std::erase_if(pool_->taken, [](const auto& entry) { return entry.second.expired(); });
  if (auto held = pool_->taken[file.number].lock()) return held;
  const bool is_new = pool_->free.empty();
  const uint32_t index =
      is_new ? static_cast<uint32_t>(pool_->programs.size()) : pool_->free.back();
  if (index >= programs.limits().images) {
    return Error{ErrorKind::kSystem, "more than " + std::to_string(index - 1) +
                                         " files with goroutines are probed at once"};
  }
  if (auto written = programs.write_image(index, file.image); !written)
    return std::move(written).error();
  is_new ? pool_->programs.resize(index + 1) : pool_->free.pop_back();
  pool_->programs[index] = file.go;
  Number number(new uint32_t(index), [pool = pool_](const uint32_t* last) {
    const std::lock_guard locked(pool->mutex);
    pool->free.push_back(*last);
    delete last;
  });
  pool_->taken[file.number] = number;
  return number;
}

std::shared_ptr<const GoProgram> ImageTable::program(uint32_t index) const {
  const std::lock_guard lock(pool_->mutex);
  return index < pool_->programs.size() ? pool_->programs[index].lock() : nullptr;
}

Result<uint32_t> DescriptorTable::take(const Runtime* runtime, const ProbeSpec* spec,
                                       const PlannedFile* file) {
  Entry entry{runtime, spec};
  if (file != nullptr) {
    entry.file = file->number;
    entry.go = file->go;
    entry.info = file->info;
    entry.types = file->types;
  }
  if (const auto index = free_->take()) {
    entries_[*index] = std::move(entry);
    return *index;
  }
  const uint32_t index = size();
  if (index >= capacity_) {
    return Error{ErrorKind::kSystem,
                 "all " + std::to_string(capacity_) + " probe descriptors are in use"};
  }
  entries_.push_back(std::move(entry));
  return index;
}

void DescriptorTable::Free::give_back(std::vector<uint32_t> indices) {
  const std::lock_guard lock(mutex_);
  indices_.insert(indices_.end(), indices.begin(), indices.end());
}

std::optional<uint32_t> DescriptorTable::Free::take() {
  const std::lock_guard lock(mutex_);
  if (indices_.empty()) return std::nullopt;
  const uint32_t index = indices_.front();
  indices_.pop_front();
  return index;
}

const DescriptorTable::Entry* DescriptorTable::find(uint32_t index) const {
  return index < entries_.size() ? &entries_[index] : nullptr;
}

struct Attachment::State {
  struct AttachedLink {
    uint8_t kind;
    uint32_t probes;
    LinkPtr link;
  };
  Programs* programs = nullptr;
  DescriptorTable* descriptors = nullptr;
  int pid = kEveryProcess;
  std::shared_ptr<const PlannedFile> planned;
  std::vector<uint32_t> taken;
  ImageTable::Number image;
  std::map<uint8_t, SiteGroup> groups;  // by kind of probe
  std::vector<AttachedLink> links;
  Relief lasting = Relief::kNone;  // at most kTimes
  bool mode_over = false;
  bool paused = false;
  uint64_t relieved_ns = 0;
  uint64_t resume_ns = 0;
  uint64_t pause_ns = kFirstPauseNs;
  uint64_t lasting_resume_ns = 0;
  uint64_t lasting_pause_ns = kFirstLastingNs;

  Status attach_all();
  Status prepare();
  [[nodiscard]] bool is_off(uint8_t kind) const;
  [[nodiscard]] ms_descriptor descriptor_of(const ProbePlan& plan, const PlannedProbe& probe) const;
  // Those that are not off and not there.
  Status attach_groups();
  Status write_descriptors();
  Status put_back();
  Status attach_group(uint8_t kind, const SiteGroup& group);
  void note(Relief relief, uint64_t now_ns);
  // Those that are off; they are no longer held here.
  std::vector<LinkPtr> take_links();
};

Status Attachment::State::attach_group(uint8_t kind, const SiteGroup& group) {
  bpf_program* program = programs->program(static_cast<ms_probe_kind>(kind));
  if (program == nullptr) {
    return Error{ErrorKind::kUnsupported, "no program for probes of kind " + std::to_string(kind)};
  }
  const std::string path = "/proc/self/fd/" + std::to_string(planned->file.get());
  if (programs->method() == AttachMethod::kMulti) {
    bpf_uprobe_multi_opts options{};
    options.sz = sizeof(options);
    options.offsets = group.offsets.data();
    options.cookies = reinterpret_cast<const __u64*>(group.cookies.data());
    options.cnt = group.offsets.size();
    LinkPtr link(bpf_program__attach_uprobe_multi(program, pid, path.c_str(), nullptr, &options));
    if (!link) return attach_error(planned->name, program, errno);
    links.push_back({kind, static_cast<uint32_t>(group.offsets.size()), std::move(link)});
    return Done{};
  }
  for (size_t i = 0; i < group.offsets.size(); ++i) {
    bpf_uprobe_opts options{};
    options.sz = sizeof(options);
    options.bpf_cookie = group.cookies[i];
    LinkPtr link(
        bpf_program__attach_uprobe_opts(program, pid, path.c_str(), group.offsets[i], &options));
    if (!link) return attach_error(planned->name, program, errno);
    links.push_back({kind, 1, std::move(link)});
  }
  return Done{};
}

bool Attachment::State::is_off(uint8_t kind) const {
  return paused || (lasting == Relief::kTimes && is_of_times(kind)) ||
         (mode_over && is_of_mode(kind));
}

ms_descriptor Attachment::State::descriptor_of(const ProbePlan& plan,
                                               const PlannedProbe& probe) const {
  ms_descriptor descriptor = probe.descriptor;
  descriptor.vaddr = probe.vaddr;
  // What a native map runs has no goroutine, in a Go program either.
  if (plan.runtime->in_go) descriptor.image = *image;
  if (lasting >= Relief::kStacks && planned->go != nullptr) descriptor.flags |= MS_NO_STACK;
  if (descriptor.kind == MS_PROBE_BEGIN && !is_off(MS_PROBE_SYNC_END) && ends_every_sync(plan))
    descriptor.flags |= MS_SYNC_PROBED;
  return descriptor;
}

Status Attachment::State::prepare() {
  auto number = descriptors->images().take(*programs, *planned);
  if (!number) return std::move(number).error();
  image = std::move(*number);
  for (const ProbePlan& plan : planned->plans) {
    for (const PlannedProbe& probe : plan.probes) {
      auto index = descriptors->take(plan.runtime, probe.spec, planned.get());
      if (!index) return std::move(index).error();
      taken.push_back(*index);
      if (auto written = programs->write_descriptor(*index, descriptor_of(plan, probe)); !written)
        return written;
      SiteGroup& group = groups[probe.descriptor.kind];
      group.offsets.push_back(probe.file_offset);
      group.cookies.push_back(*index);
    }
  }
  return Done{};
}

// The file may have changed since it was planned; a probe in the middle of an instruction would
// harm the target.
Status Attachment::State::attach_groups() {
  if (!planned->holds_in(planned->file)) {
    return Error{ErrorKind::kCorrupt,
                 planned->name + ": changed while it was being planned; try again"};
  }
  for (const auto& [kind, group] : groups) {
    const bool is_there = std::ranges::find(links, kind, &AttachedLink::kind) != links.end();
    if (is_off(kind) || is_there) continue;
    if (auto attached = attach_group(kind, group); !attached) return attached;
  }
  return Done{};
}

Status Attachment::State::attach_all() {
  if (auto prepared = prepare(); !prepared) return prepared;
  return attach_groups();
}

std::vector<LinkPtr> Attachment::State::take_links() {
  std::vector<LinkPtr> taken_links;
  for (AttachedLink& link : links) {
    if (is_off(link.kind)) taken_links.push_back(std::move(link.link));
  }
  std::erase_if(links, [](const AttachedLink& link) { return link.link == nullptr; });
  return taken_links;
}

void Attachment::Detach::operator()(State* state) const {
  // Another attachment may come to the same file before the kernel has let go of this one.
  for (const uint32_t index : state->taken) state->programs->silence(index);
  state->paused = true;
  // An index must not be taken again before.
  state->programs->detacher().detach(
      state->take_links(), [taken = std::move(state->taken), free = state->descriptors->free(),
                            image = std::move(state->image)] { free->give_back(taken); });
  delete state;
}

Result<Attachment> Attachment::attach(Programs& programs, DescriptorTable& descriptors, int pid,
                                      std::shared_ptr<const PlannedFile> file) {
  std::unique_ptr<State, Detach> state(
      new State{&programs, &descriptors, pid, std::move(file), {}, {}, {}, {}});
  if (auto attached = state->attach_all(); !attached) return std::move(attached).error();
  return Attachment(std::move(state));
}

uint32_t Attachment::probe_count() const {
  return std::accumulate(state_->links.begin(), state_->links.end(), 0U,
                         [](uint32_t sum, const auto& link) { return sum + link.probes; });
}

Relief Attachment::relief() const {
  if (state_->paused) return Relief::kAll;
  return state_->mode_over && state_->lasting == Relief::kTimes ? Relief::kMode : state_->lasting;
}

uint64_t Attachment::relieved_ns() const { return state_->relieved_ns; }

uint64_t Attachment::resume_ns() const { return state_->resume_ns; }

bool Attachment::is_resume_due(uint64_t now_ns) const {
  return state_->paused && now_ns >= state_->resume_ns;
}

void Attachment::State::note(Relief relief, uint64_t now_ns) {
  if (relief == Relief::kAll) {
    paused = true;
    resume_ns = now_ns + pause_ns;
    pause_ns = std::min(2 * pause_ns, kLongestPauseNs);
  } else if (relief == Relief::kMode) {
    mode_over = true;
  } else {
    lasting = std::max(lasting, relief);
    lasting_resume_ns = now_ns + lasting_pause_ns;
  }
}

bool Attachment::relieve(Relief relief, uint64_t now_ns) {
  const bool had_stacks = state_->planned->go != nullptr && state_->lasting == Relief::kNone;
  state_->note(relief, now_ns);
  // First, so that no growth counts on a probe that goes.
  const bool written = state_->write_descriptors().ok();
  // Links are closed one by one: nothing of what goes on meanwhile is to be half seen.
  for (const auto& [kind, group] : state_->groups) {
    if (!state_->is_off(kind)) continue;
    for (const uint64_t index : group.cookies)
      state_->programs->silence(static_cast<uint32_t>(index));
  }
  std::vector<LinkPtr> links = state_->take_links();
  if (links.empty() && !(relief == Relief::kStacks && had_stacks && written)) return false;
  state_->relieved_ns = now_ns;
  if (!links.empty()) state_->programs->detacher().detach(std::move(links), [] {});
  return true;
}

bool Attachment::resume_lasting(uint64_t now_ns) {
  if (state_->paused || state_->lasting == Relief::kNone || now_ns < state_->lasting_resume_ns)
    return false;
  const Relief was = std::exchange(state_->lasting, Relief::kNone);
  state_->lasting_pause_ns = std::min(2 * state_->lasting_pause_ns, kLongestPauseNs);
  if (state_->put_back()) return true;
  relieve(was, now_ns);
  return false;
}

// Begins last: a resize is to count on an end only when that is there.
Status Attachment::State::write_descriptors() {
  for (const bool begins : {false, true}) {
    auto index = taken.begin();
    for (const ProbePlan& plan : planned->plans) {
      for (const PlannedProbe& probe : plan.probes) {
        const uint32_t number = *index++;
        const uint8_t kind = probe.descriptor.kind;
        if ((kind == MS_PROBE_BEGIN) != begins || is_off(kind)) continue;
        if (auto written = programs->write_descriptor(number, descriptor_of(plan, probe)); !written)
          return written;
      }
    }
  }
  return Done{};
}

// All of them are silent until the last is in place.
Status Attachment::State::put_back() {
  if (auto attached = attach_groups(); !attached) return attached;
  return write_descriptors();
}

Status Attachment::resume(uint64_t now_ns) {
  if (!std::exchange(state_->paused, false)) return Done{};
  auto back = state_->put_back();
  if (!back) relieve(Relief::kAll, now_ns);
  return back;
}

}  // namespace mapscope
