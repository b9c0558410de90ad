// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/module.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "agent/symbolize/debug_file.h"
#include "agent/symbolize/demangle.h"
#include "agent/symbolize/unwind_table.h"

namespace mapscope {
namespace {

constexpr size_t kMaxFileNameBytes = 1024;

}  // namespace

Module::Module(const ExecutableMapping& mapping, UniqueFd fd, ElfFile elf, uint64_t bias)
    : path_(mapping.path),
      dev_(mapping.dev),
      inode_(mapping.inode),
      fd_(std::move(fd)),
      elf_(std::move(elf)),
      bias_(bias),
      start_(mapping.start),
      end_(mapping.end) {}

Result<std::unique_ptr<Module>> Module::open(const ExecutableMapping& mapping, UniqueFd fd) {
  Result<ElfFile> elf =
      fd.valid() ? ElfFile::open(fd.get(), mapping.path, 0) : ElfFile::open_vdso();
  if (!elf) return std::move(elf).error();
  const auto bias = elf->load_bias(mapping.start, mapping.offset);
  if (!bias)
    return Error{ErrorKind::kCorrupt,
                 mapping.path + ": is not mapped where its program headers say"};
  return std::unique_ptr<Module>(new Module(mapping, std::move(fd), std::move(*elf), *bias));
}

bool Module::absorb(const ExecutableMapping& mapping) {
  if (mapping.dev != dev_ || mapping.inode != inode_ || mapping.path != path_) return false;
  if (elf_.load_bias(mapping.start, mapping.offset) != bias_) return false;
  start_ = std::min(start_, mapping.start);
  end_ = std::max(end_, mapping.end);
  return true;
}

void Module::append_frames(uint64_t address, const UniqueFd& root, uint64_t max_debug_bytes,
                           std::vector<Frame>& frames) {
  if (parsed_ == nullptr) parse(root, max_debug_bytes);
  const uint64_t vaddr = address - bias_;
  std::vector<SourceFrame> sources = parsed_->debug_info->find(vaddr);
  if (sources.empty()) sources.emplace_back();
  const char* symbol = parsed_->symbols.find(vaddr);
  SourceFrame& function = sources.back();
  // A C++ function's symbol says more than its plain name; a C function's may carry a compiler's
  // suffix.
  const bool better = symbol != nullptr && !function.is_linkage &&
                      (function.function.empty() || std::string_view(symbol).starts_with("_Z"));
  if (better) function.function = symbol;
  for (SourceFrame& source : sources) {
    Frame frame;
    frame.address = address;
    frame.function = demangle(source.function.c_str());
    frame.file = source.file.substr(0, kMaxFileNameBytes);
    frame.line = source.line;
    frame.module = path_;
    frame.module_address = vaddr;
    frames.push_back(std::move(frame));
  }
}

Elf* Module::elf_to_unwind_by() {
  if (!std::exchange(unwind_table_guarded_, true)) guard_unwind_table(elf_.elf());
  return elf_.new_reference();
}

void Module::forget() { parsed_.reset(); }

void Module::parse(const UniqueFd& root, uint64_t max_debug_bytes) {
  parsed_ = std::make_unique<Parsed>();
  parsed_->symbols.add(elf_.elf());
  if (fd_.valid()) {
    Result<ElfFile> own = ElfFile::open(fd_.get(), path_, max_debug_bytes);
    if (own && own->has_debug_info()) {
      parsed_->debug_elf = std::make_unique<ElfFile>(std::move(*own));
    } else if (auto debug = open_debug_file(root, path_, elf_, max_debug_bytes)) {
      parsed_->debug_fd = std::move(debug->fd);
      parsed_->debug_elf = std::make_unique<ElfFile>(std::move(debug->elf));
      parsed_->symbols.add(parsed_->debug_elf->elf());
    }
  }
  parsed_->debug_info = std::make_unique<DebugInfo>(
      parsed_->debug_elf == nullptr ? nullptr : parsed_->debug_elf->elf());
}

}  // namespace mapscope
