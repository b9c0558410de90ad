// SPDX-License-Identifier: Apache-2.0
#include "agent/attach/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "agent/base/log.h"
#include "mapscope.skel.h"

namespace mapscope {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint64_t kStackBurstSeconds = 2;
constexpr int kIdentifyAttempts = 1000;
constexpr unsigned kIdentifyPauseUs = 100;
// BPF_TRACE_UPROBE_MULTI of include/uapi/linux/bpf.h since 6.6; Debian 12's header is of 6.1.
constexpr auto kTraceUprobeMulti = static_cast<bpf_attach_type>(48);

int log_libbpf(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  va_list copy;
  va_copy(copy, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, copy);
  va_end(copy);
  if (length <= 0) return 0;
  std::string text(static_cast<size_t>(length) + 1, '\0');
  std::vsnprintf(text.data(), text.size(), format, arguments);
  text.resize(static_cast<size_t>(length));
  while (text.ends_with('\n')) text.pop_back();
  log_debug("libbpf: {}", text);
  return 0;
}

Error load_error(int errno_value) {
  if (errno_value == EPERM || errno_value == EACCES) {
    return {ErrorKind::kPermission,
            "BPF programs may not be loaded by this user: run with sudo; 'agent doctor' says what "
            "is missing"};
  }
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return {
        ErrorKind::kUnsupported,
        "this kernel has no type information at /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)"};
  }
  Error error = system_error("cannot load the BPF programs", errno_value);
  error.text +=
      "; 'agent --log.level debug' shows the kernel's words, 'agent doctor' what is missing";
  return error;
}

uint64_t sum_of(const std::vector<uint64_t>& per_cpu) {
  return std::accumulate(per_cpu.begin(), per_cpu.end(), uint64_t{0});
}

bool belongs_to(ms_probe_kind kind, Mode mode) {
  switch (kind) {
    case MS_PROBE_INSERT:
    case MS_PROBE_INSERT_END:
      return mode == Mode::kInserts;
    case MS_PROBE_WRITE:
    case MS_PROBE_WRITE_END:
      return mode == Mode::kRaces;
    default:
      return true;
  }
}

void add(ms_insert_type& sum, const ms_insert_type& value) {
  sum.type = value.type;
  sum.target = value.target;
  sum.count += value.count;
  for (size_t phase = 0; phase < MS_INSERT_PHASES; ++phase) {
    sum.sum_ns[phase] += value.sum_ns[phase];
    for (size_t i = 0; i < MS_TIME_BUCKETS; ++i) sum.log2_ns[phase][i] += value.log2_ns[phase][i];
  }
}

std::vector<uint64_t> per_cpu_buffer() {
  const int cpus = libbpf_num_possible_cpus();
  return std::vector<uint64_t>(cpus > 0 ? static_cast<size_t>(cpus) : 1);
}

std::vector<uint64_t> read_per_cpu(const bpf_map* map, uint32_t count) {
  std::vector<uint64_t> sums(count);
  std::vector<uint64_t> values = per_cpu_buffer();
  for (uint32_t index = 0; index < count; ++index) {
    if (bpf_map_lookup_elem(bpf_map__fd(map), &index, values.data()) == 0)
      sums[index] = sum_of(values);
  }
  return sums;
}

// Entries of a map that only one mode uses.
uint32_t entries_in(bool in_use, uint32_t count) { return in_use ? count : 1; }

void set_limits(const mapscope_bpf& skeleton, const Limits& limits, Mode mode) {
  const bool inserts = mode == Mode::kInserts;
  const bool races = mode == Mode::kRaces;
  bpf_map__set_max_entries(skeleton.maps.insert_types, entries_in(inserts, limits.insert_types));
  skeleton.rodata->insert_type_mask = limits.insert_types - 1;
  bpf_map__set_max_entries(skeleton.maps.insert_starts, entries_in(inserts, MS_STARTS));
  bpf_map__set_max_entries(skeleton.maps.write_starts, entries_in(races, MS_STARTS));
  bpf_map__set_max_entries(skeleton.maps.map_writers, entries_in(races, MS_STARTS));

  bpf_map__set_max_entries(skeleton.maps.descriptors, limits.probes);
  bpf_map__set_max_entries(skeleton.maps.images, limits.images);
  bpf_map__set_max_entries(skeleton.maps.hits, limits.probes);
  bpf_map__set_max_entries(skeleton.maps.targets, limits.targets);
  bpf_map__set_max_entries(skeleton.maps.inserts, limits.targets);
  bpf_map__set_max_entries(skeleton.maps.overheads, limits.targets);
  bpf_map__set_max_entries(skeleton.maps.open_resizes, limits.open_resizes);
  bpf_map__set_max_entries(skeleton.maps.threads, limits.threads);
  bpf_map__set_max_entries(skeleton.maps.waits, limits.waits);
  bpf_map__set_max_entries(skeleton.maps.locks, limits.locks);
  bpf_map__set_max_entries(skeleton.maps.ring, limits.ring_bytes);
  const uint64_t per_second = limits.stacks_per_second == 0 ? 1 : limits.stacks_per_second;
  skeleton.rodata->stack_interval_ns = kNsPerSecond / per_second;
  skeleton.rodata->stack_burst_ns = kStackBurstSeconds * kNsPerSecond;
}

}  // namespace

Programs::Programs(SkeletonPtr<mapscope_bpf> skeleton, const Limits& limits, AttachMethod method,
                   Mode mode)
    : limits_(limits), method_(method), mode_(mode), skeleton_(std::move(skeleton)) {}
Programs::Programs(Programs&&) noexcept = default;
Programs& Programs::operator=(Programs&&) noexcept = default;
Programs::~Programs() = default;

Result<Programs> Programs::load(const Limits& limits, AttachMethod method, Mode mode,
                                bool tell_all) {
  libbpf_set_print(log_libbpf);
  SkeletonPtr<mapscope_bpf> skeleton(mapscope_bpf::open());
  if (!skeleton) return load_error(errno);
  set_limits(*skeleton, limits, mode);
  skeleton->rodata->tell_all = tell_all;
  bpf_program__set_autoload(skeleton->progs.fork_process, tell_all);
  bpf_program__set_autoload(skeleton->progs.clear_insert_types, mode == Mode::kInserts);
  Programs programs(std::move(skeleton), limits, method, mode);
  for (int kind = MS_PROBE_BEGIN; kind < MS_PROBE_KINDS; ++kind) {
    const auto probe_kind = static_cast<ms_probe_kind>(kind);
    bpf_program* program = programs.program(probe_kind);
    if (program == nullptr || !belongs_to(probe_kind, mode)) continue;
    bpf_program__set_autoload(program, true);
    if (method == AttachMethod::kMulti)
      bpf_program__set_expected_attach_type(program, kTraceUprobeMulti);
  }
  if (const int failed = mapscope_bpf::load(programs.skeleton_.get()); failed != 0)
    return load_error(-failed);
  const auto& hooks = programs.skeleton_->progs;
  for (bpf_program* hook : {hooks.switch_threads, hooks.wake_thread, hooks.finish_wake,
                            hooks.exit_thread, hooks.exec_process, hooks.fork_process}) {
    if (!bpf_program__autoload(hook)) continue;
    LinkPtr link(bpf_program__attach(hook));
    if (!link) return system_error(std::string("cannot attach ") + bpf_program__name(hook), errno);
    programs.hooks_.push_back(std::move(link));
  }
  return programs;
}

bpf_program* Programs::program(ms_probe_kind kind) const {
  switch (kind) {
    case MS_PROBE_BEGIN:
      return skeleton_->progs.begin_resize;
    case MS_PROBE_SYNC_END:
      return skeleton_->progs.end_sync;
    case MS_PROBE_END:
      return skeleton_->progs.end_resize;
    case MS_PROBE_INSERT:
      return skeleton_->progs.count_insert;
    case MS_PROBE_FATAL:
      return skeleton_->progs.report_fatal;
    case MS_PROBE_POINT:
      return skeleton_->progs.report_point;
    case MS_PROBE_CANCEL:
      return skeleton_->progs.cancel_resize;
    case MS_PROBE_INSERT_END:
      return skeleton_->progs.end_insert;
    case MS_PROBE_WRITE:
      return skeleton_->progs.begin_write;
    case MS_PROBE_WRITE_END:
      return skeleton_->progs.end_write;
    case MS_PROBE_FAILED_CHECK:
      return skeleton_->progs.note_failed_check;
    case MS_PROBE_KINDS:
      return nullptr;
  }
  return nullptr;
}

int Programs::ring_fd() const { return bpf_map__fd(skeleton_->maps.ring); }

// The page is never read: a file that shrinks would kill the reader.
Result<FileIdentity> Programs::identify(int fd) const {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* const mapping = ::mmap(nullptr, page, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapping == MAP_FAILED) return system_error("cannot map a file to identify it", errno);
  ms_file_identity identity{};
  identity.address = reinterpret_cast<uint64_t>(mapping);
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = &identity;
  options.ctx_size_in = sizeof(identity);
  // The kernel does not wait for a lock there that other threads of the agent take for moments.
  int failed = 0;
  for (int attempt = 0; attempt < kIdentifyAttempts; ++attempt) {
    failed = bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.identify_mapping), &options);
    if (failed != 0 || options.retval != EBUSY) break;
    ::usleep(kIdentifyPauseUs);
  }
  ::munmap(mapping, page);
  if (failed != 0) return system_error("cannot identify a file", -failed);
  if (options.retval != 0)
    return system_error("cannot identify a file", static_cast<int>(options.retval));
  return FileIdentity{identity.device, identity.inode};
}

Status Programs::write_descriptor(uint32_t index, const ms_descriptor& descriptor) {
  const int failed =
      bpf_map_update_elem(bpf_map__fd(skeleton_->maps.descriptors), &index, &descriptor, BPF_ANY);
  if (failed != 0) return system_error("descriptor " + std::to_string(index), -failed);
  return Done{};
}

Status Programs::write_image(uint32_t index, const ms_image& image) {
  const int failed =
      bpf_map_update_elem(bpf_map__fd(skeleton_->maps.images), &index, &image, BPF_ANY);
  if (failed != 0) return system_error("image " + std::to_string(index), -failed);
  return Done{};
}

// Bit 1 of EFLAGS is always set: every hit is skipped.
void Programs::silence(uint32_t index) {
  ms_descriptor descriptor{};
  descriptor.skip_eflags = 0x02;
  bpf_map_update_elem(bpf_map__fd(skeleton_->maps.descriptors), &index, &descriptor, BPF_ANY);
}

Status Programs::enable_target(uint32_t tgid, uint32_t id, uint32_t slot) {
  ms_target target{};
  target.id = id;
  target.slot = slot;
  const int failed =
      bpf_map_update_elem(bpf_map__fd(skeleton_->maps.targets), &tgid, &target, BPF_ANY);
  if (failed != 0) return system_error("pid " + std::to_string(tgid) + " as a target", -failed);
  return Done{};
}

bool Programs::is_enabled(uint32_t tgid, uint32_t id) const {
  ms_target target{};
  return bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.targets), &tgid, &target) == 0 &&
         target.id == id;
}

void Programs::disable_target(uint32_t tgid, uint32_t id) {
  if (is_enabled(tgid, id)) bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.targets), &tgid);
}

uint64_t Programs::expire_open_resizes(uint32_t id) {
  const int fd = bpf_map__fd(skeleton_->maps.open_resizes);
  std::vector<ms_open_key> mine;
  ms_open_key key{};
  for (int found = bpf_map_get_next_key(fd, nullptr, &key); found == 0;
       found = bpf_map_get_next_key(fd, &key, &key)) {
    if (key.target == id) mine.push_back(key);
  }
  uint64_t expired = 0;
  for (const ms_open_key& open : mine) {
    if (bpf_map_delete_elem(fd, &open) == 0) ++expired;
  }
  return expired;
}

std::vector<uint64_t> Programs::read_drops() const {
  return read_per_cpu(skeleton_->maps.drops, MS_DROPS);
}

std::vector<uint64_t> Programs::read_hits(uint32_t count) const {
  return read_per_cpu(skeleton_->maps.hits, count);
}

uint64_t Programs::read_inserts(uint32_t slot) const {
  std::vector<uint64_t> values = per_cpu_buffer();
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.inserts), &slot, values.data()) != 0)
    return 0;
  return sum_of(values);
}

ProbeUse Programs::read_use(uint32_t slot) const {
  ProbeUse use;
  std::vector<ms_overhead> per_cpu(per_cpu_buffer().size());
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.overheads), &slot, per_cpu.data()) != 0)
    return use;
  for (const ms_overhead& cpu : per_cpu) {
    for (size_t i = 0; i < use.hits.size(); ++i) use.hits[i] += cpu.hits[i];
    use.program_ns += cpu.program_ns;
  }
  return use;
}

void Programs::clear_counters(uint32_t slot) {
  const std::vector<uint64_t> no_inserts = per_cpu_buffer();
  const std::vector<ms_overhead> no_use(no_inserts.size());
  bpf_map_update_elem(bpf_map__fd(skeleton_->maps.inserts), &slot, no_inserts.data(), BPF_ANY);
  bpf_map_update_elem(bpf_map__fd(skeleton_->maps.overheads), &slot, no_use.data(), BPF_ANY);
}

std::vector<ms_insert_type> Programs::read_insert_types() const {
  std::map<std::pair<uint32_t, uint64_t>, ms_insert_type> sums;
  if (mode_ != Mode::kInserts) return {};
  std::vector<ms_insert_type> values(per_cpu_buffer().size());
  for (uint32_t index = 0; index < limits_.insert_types; ++index) {
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.insert_types), &index, values.data()) != 0)
      continue;
    for (const ms_insert_type& value : values) {
      if (value.target != 0) add(sums[{value.target, value.type}], value);
    }
  }
  std::vector<ms_insert_type> all;
  all.reserve(sums.size());
  for (const auto& [key, sum] : sums) all.push_back(sum);
  return all;
}

void Programs::clear_insert_types(uint32_t id) {
  if (mode_ != Mode::kInserts) return;
  ms_clear_inserts clear{};
  clear.target = id;
  clear.cpus = static_cast<uint32_t>(per_cpu_buffer().size());
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = &clear;
  options.ctx_size_in = sizeof(clear);
  const int failed =
      bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.clear_insert_types), &options);
  if (failed != 0)
    log_warn("{}", system_error("cannot clear the inserts of a target", -failed).text);
}

std::vector<Programs::OpenResize> Programs::read_open_resizes() const {
  const int fd = bpf_map__fd(skeleton_->maps.open_resizes);
  std::vector<OpenResize> resizes;
  // The record is the first of what is kept.
  std::vector<char> value(bpf_map__value_size(skeleton_->maps.open_resizes));
  ms_open_key key{};
  for (int found = bpf_map_get_next_key(fd, nullptr, &key);
       found == 0 && resizes.size() < limits_.open_resizes;
       found = bpf_map_get_next_key(fd, &key, &key)) {
    // It may have ended meanwhile.
    if (bpf_map_lookup_elem(fd, &key, value.data()) != 0) continue;
    ms_resize_record record{};
    std::memcpy(&record, value.data(), sizeof(record));
    resizes.push_back({key.target, record.begin_descriptor});
  }
  return resizes;
}

}  // namespace mapscope
