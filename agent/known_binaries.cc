// SPDX-License-Identifier: Apache-2.0
#include "agent/known_binaries.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "agent/base/log.h"
#include "agent/export/text.h"
#include "agent/export/wall_clock.h"
#include "agent/runtimes/go_version.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

int64_t changed_ns(const struct stat& status) {
  return status.st_mtim.tv_sec * kNsPerSecond + status.st_mtim.tv_nsec;
}

ms_goroutine_layout wire_layout(const GoroutineLayout& layout) {
  ms_goroutine_layout wire{};
  wire.source = layout.g_in_register ? MS_GOROUTINE_REGISTER : MS_GOROUTINE_TLS;
  wire.status = layout.status;
  wire.goid = layout.goid;
  wire.start_pc = layout.start_pc;
  wire.m_id = layout.m_id;
  wire.m_curg = layout.m_curg;
  wire.m_p = layout.m_p;
  return wire;
}

// Of generic functions of maps and sync there may be any number. Only these lead to the growth of a
// map; the others call back before one grows.
bool can_lead_to_growth(std::string_view function) {
  static constexpr std::array<std::string_view, 6> kRare = {
      "sync/atomic.", "internal/abi.", "maps.", "sync.Once", "internal/sync.", "sync.(*Pool)"};
  static constexpr std::array<std::string_view, 5> kGrowing = {
      "maps.Clone", "maps.Copy", "maps.Insert", "maps.Collect", "internal/sync.(*HashTrieMap["};
  const auto starts = [&](std::string_view prefix) { return function.starts_with(prefix); };
  return std::ranges::any_of(kGrowing, starts) || std::ranges::none_of(kRare, starts);
}

// A program with more pieces of it than fit keeps none: callers are then unknown, and never wrong.
// Returns whether it could; else lines are known of sampled stacks only.
bool put_runtime_text(const GoProgram& go, ms_image& image) {
  const GoText text = go.text();
  if (text.end <= text.begin || text.end - text.begin > UINT32_MAX) return false;
  image.text = text.begin;
  image.text_bytes = static_cast<uint32_t>(text.end - text.begin);
  auto ranges = go.text_of([&](const std::string& name) { return is_go_map_code(name, {}); });
  if (ranges.size() >= MS_TEXT_RANGES) {
    ranges = go.text_of([&](const std::string& name) {
      return is_go_map_code(name, {}) && can_lead_to_growth(name);
    });
  }
  if (ranges.size() >= MS_TEXT_RANGES) return false;
  for (ms_text_range& range : image.runtime_text) range = {UINT32_MAX, UINT32_MAX};
  for (const GoText& range : ranges) {
    image.runtime_text[image.runtime_count++] = {static_cast<uint32_t>(range.begin - text.begin),
                                                 static_cast<uint32_t>(range.end - text.begin)};
  }
  return true;
}

// A Go program that has a native map, too, is a Go program.
const ProbePlan& main_plan(const PlannedFile& planned) {
  const auto go = std::ranges::find_if(planned.plans,
                                       [](const ProbePlan& plan) { return plan.runtime->in_go; });
  return go == planned.plans.end() ? planned.plans.front() : *go;
}

}  // namespace

KnownBinaries::View KnownBinaries::view_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size, changed_ns(status),
          status.st_ctim.tv_sec * kNsPerSecond + status.st_ctim.tv_nsec};
}

// Every room is asked: two may share a file. One that refuses it does not keep the others out.
void KnownBinaries::plan_rooms(const Program& program, KnownBinary& binary,
                               PlannedFile& planned) const {
  for (const Runtime* runtime : all_runtimes()) {
    auto match = runtime->identify(program);
    if (match && !*match) continue;
    if (match && (*match)->unverified && go_strict_) match = unchecked_go(program);
    auto plan = match ? plan_probes(*runtime, **match, program, kernel_, mode_)
                      : Result<ProbePlan>(match.error());
    if (!plan) {
      binary.refused = plan.error();
      log_warn("{}", printable(binary.refused->text));
      continue;
    }
    for (const UnseenCopy& copy : plan->unseen) {
      binary.unseen.push_back(std::string(copy.spec->symbol) + " in " + copy.host + ": " +
                              copy.reason);
    }
    planned.plans.push_back(std::move(*plan));
  }
}

std::shared_ptr<KnownBinary> KnownBinaries::plan(UniqueFd file, const std::string& path) const {
  auto binary = std::make_shared<KnownBinary>();
  auto program = Program::open(file, path);
  if (!program) {
    log_debug("{}", printable(program.error().text));
    binary->unreadable = std::move(program).error();
    return binary;
  }
  PlannedFile planned;
  plan_rooms(*program, *binary, planned);
  if (planned.plans.empty()) {
    if (program->go != nullptr && !binary->refused)
      binary->types = std::make_shared<ProgramTypes>(std::move(program->go));
    return binary;
  }
  if (program->go != nullptr) {
    auto goroutines = goroutine_layout(program->elf, *program->go);
    if (!goroutines) {
      binary->refused = std::move(goroutines).error();
      log_warn("{}", printable(binary->refused->text));
      return binary;
    }
    planned.image.goroutines = wire_layout(*goroutines);
    if (!put_runtime_text(*program->go, planned.image))
      binary->unseen.emplace_back("lines of growths whose whole stack is not sampled");
    planned.go = program->go;
    planned.types = binary->types = std::make_shared<ProgramTypes>(std::move(program->go));
  }
  const ProbePlan& first = main_plan(planned);
  planned.info = std::make_shared<const ProgramInfo>(ProgramInfo{
      path, first.build_id, first.match.version,
      binary->types == nullptr ? std::string_view() : "go", first.runtime, first.match.unverified});
  planned.name = path;
  planned.file = std::move(file);
  binary->planned = std::make_shared<const PlannedFile>(std::move(planned));
  return binary;
}

// Most files have nothing to probe, and most processes map the same ones: these are told by fstat()
// alone.
Result<std::shared_ptr<KnownBinary>> KnownBinaries::find(UniqueFd file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return system_error(path, errno);
  const View view = view_of(status);
  if (const auto empty = empty_views_.find(view); empty != empty_views_.end()) return empty->second;
  auto identity = programs_->identify(file.get());
  if (!identity) return std::move(identity).error();
  const uint64_t now_ns = monotonic_now_ns();
  const auto found = entries_.find(*identity);
  if (found != entries_.end()) {
    Entry& entry = found->second;
    const bool in_use = entry.binary.use_count() > 1 && entry.binary->planned != nullptr;
    bool same = entry.size == status.st_size && entry.changed_ns == changed_ns(status);
    if (!same && in_use) {
      same = entry.binary->planned->holds_in(file);
      if (!same)
        return Error{ErrorKind::kCorrupt,
                     path + ": its code has been changed under processes that run it"};
    }
    if (same) {
      entry.used_ns = now_ns;
      return entry.binary;
    }
    entries_.erase(found);
  }
  make_room();
  auto binary = plan(std::move(file), path);
  if (binary->has_nothing()) {
    empty_views_.emplace(view, binary);
    return binary;
  }
  entries_[*identity] = {binary, status.st_size, changed_ns(status), now_ns};
  return binary;
}

void KnownBinaries::make_room() {
  if (empty_views_.size() >= kMaxKept) empty_views_.clear();
  if (entries_.size() < kMaxKept) return;
  auto oldest = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->second.binary.use_count() > 1) continue;
    if (oldest == entries_.end() || entry->second.used_ns < oldest->second.used_ns) oldest = entry;
  }
  if (oldest != entries_.end()) entries_.erase(oldest);
}

void KnownBinaries::forget_idle(uint64_t now_ns) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    Entry& known = entry->second;
    if (known.binary.use_count() > 1) known.used_ns = now_ns;
    const bool idle = known.used_ns + kMaxIdleNs <= now_ns;
    entry = idle ? entries_.erase(entry) : std::next(entry);
  }
}

}  // namespace mapscope
