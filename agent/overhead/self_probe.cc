// SPDX-License-Identifier: Apache-2.0
#include "agent/overhead/self_probe.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

namespace mapscope {
namespace {

// BPF_TRACE_UPROBE_MULTI of Linux 6.6; headers of Debian 12 are older.
constexpr auto kTraceUprobeMulti = static_cast<bpf_attach_type>(48);
constexpr const char* kSelf = "/proc/self/exe";
constexpr const char* kUprobeType = "/sys/bus/event_source/devices/uprobe/type";

// File offset of an address in the main executable's mapping.
Result<uint64_t> file_offset_of(ProbedFunction function) {
  const auto address = reinterpret_cast<uint64_t>(function);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uint64_t begin = 0;
    uint64_t end = 0;
    uint64_t offset = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &begin, &end, &offset) !=
        3)
      continue;
    if (address >= begin && address < end) return address - begin + offset;
  }
  return Error{ErrorKind::kSystem, "/proc/self/maps: own code is not there"};
}

bpf_insn instruction(uint8_t code, uint8_t dst, uint8_t src, int32_t imm) {
  bpf_insn insn{};
  insn.code = code;
  insn.dst_reg = dst & 15;
  insn.src_reg = src & 15;
  insn.imm = imm;
  return insn;
}

Result<int> uprobe_pmu_type() {
  std::ifstream file(kUprobeType);
  int type = 0;
  if (!(file >> type))
    return Error{ErrorKind::kUnsupported, std::string(kUprobeType) + ": kernel has no uprobes"};
  return type;
}

Result<UniqueFd> open_uprobe_event(int type, const char* path, uint64_t offset) {
  perf_event_attr attr{};
  attr.size = sizeof(attr);
  attr.type = static_cast<uint32_t>(type);
  attr.config1 = reinterpret_cast<uint64_t>(path);
  attr.config2 = offset;
  UniqueFd fd(
      static_cast<int>(syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!fd.valid()) return system_error("perf_event_open of a uprobe", errno);
  return fd;
}

}  // namespace

Result<CountingProgram> CountingProgram::load(AttachMethod method) {
  CountingProgram out;
  bpf_map_create_opts map_options{};
  map_options.sz = sizeof(map_options);
  map_options.map_flags = BPF_F_MMAPABLE;
  out.map_ = UniqueFd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "mapscope_count", sizeof(uint32_t),
                                     sizeof(uint64_t), 1, &map_options));
  if (!out.map_.valid()) return system_error("bpf(BPF_MAP_CREATE)", errno);
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  out.page_ = mmap(nullptr, page_bytes, PROT_READ, MAP_SHARED, out.map_.get(), 0);
  if (out.page_ == MAP_FAILED) return system_error("mmap of a BPF map", errno);

  // r1 = &map[0]; r0 = 1; lock *r1 += r0; r0 = 0; exit
  const std::array<bpf_insn, 6> code = {
      instruction(BPF_LD | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, out.map_.get()),
      instruction(0, 0, 0, 0),
      instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 1),
      instruction(BPF_STX | BPF_DW | BPF_ATOMIC, BPF_REG_1, BPF_REG_0, BPF_ADD),
      instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0),
      instruction(BPF_JMP | BPF_EXIT, 0, 0, 0),
  };
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  if (method == AttachMethod::kMulti) options.expected_attach_type = kTraceUprobeMulti;
  out.program_ = UniqueFd(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "mapscope_count", "GPL", code.data(),
                                        code.size(), &options));
  if (!out.program_.valid()) return system_error("bpf(BPF_PROG_LOAD)", errno);
  return out;
}

CountingProgram::CountingProgram(CountingProgram&& other) noexcept
    : map_(std::move(other.map_)),
      program_(std::move(other.program_)),
      page_(std::exchange(other.page_, MAP_FAILED)) {}

CountingProgram::~CountingProgram() {
  if (page_ != MAP_FAILED) munmap(page_, static_cast<size_t>(sysconf(_SC_PAGESIZE)));
}

uint64_t CountingProgram::hits() const {
  return __atomic_load_n(static_cast<const uint64_t*>(page_), __ATOMIC_RELAXED);
}

Result<SelfProbe> SelfProbe::attach(std::span<const ProbedFunction> functions,
                                    AttachMethod method) {
  std::vector<uint64_t> offsets;
  for (const ProbedFunction function : functions) {
    Result<uint64_t> offset = file_offset_of(function);
    if (!offset) return std::move(offset).error();
    offsets.push_back(*offset);
  }
  return attach_at(kSelf, offsets, method);
}

Result<SelfProbe> SelfProbe::attach_at(const std::string& path, std::span<const uint64_t> offsets,
                                       AttachMethod method) {
  Result<CountingProgram> program = CountingProgram::load(method);
  if (!program) return std::move(program).error();
  SelfProbe probe(std::move(*program));
  Status attached = method == AttachMethod::kMulti ? probe.attach_multi(path.c_str(), offsets)
                                                   : probe.attach_perf(path.c_str(), offsets);
  if (!attached) return std::move(attached).error();
  return probe;
}

Status SelfProbe::attach_multi(const char* path, std::span<const uint64_t> offsets) {
  bpf_link_create_opts options{};
  options.sz = sizeof(options);
  options.uprobe_multi.path = path;
  options.uprobe_multi.offsets = offsets.data();
  options.uprobe_multi.cnt = static_cast<uint32_t>(offsets.size());
  options.uprobe_multi.pid = static_cast<uint32_t>(getpid());
  UniqueFd link(bpf_link_create(program_.fd(), 0, kTraceUprobeMulti, &options));
  if (!link.valid()) return system_error("bpf(BPF_LINK_CREATE) of a uprobe_multi", errno);
  links_.push_back(std::move(link));
  return Done{};
}

Status SelfProbe::attach_perf(const char* path, std::span<const uint64_t> offsets) {
  Result<int> type = uprobe_pmu_type();
  if (!type) return std::move(type).error();
  for (const uint64_t offset : offsets) {
    Result<UniqueFd> event = open_uprobe_event(*type, path, offset);
    if (!event) return std::move(event).error();
    if (ioctl(event->get(), PERF_EVENT_IOC_SET_BPF, program_.fd()) != 0) {
      return system_error("ioctl(PERF_EVENT_IOC_SET_BPF)", errno);
    }
    if (ioctl(event->get(), PERF_EVENT_IOC_ENABLE, 0) != 0)
      return system_error("ioctl(PERF_EVENT_IOC_ENABLE)", errno);
    links_.push_back(std::move(*event));
  }
  return Done{};
}

}  // namespace mapscope
