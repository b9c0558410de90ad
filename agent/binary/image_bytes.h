// SPDX-License-Identifier: Apache-2.0
// agent/binary/image_bytes.h – the bytes of an ELF file at link-time addresses, read when asked
// for; once relocated, as the loader leaves them in memory when it puts the file where it was
// linked for.
//
// In:      the segments and relocations of an ElfImage; the file may change or shrink while it is
//          read.
// How:     pread in blocks of 16 KiB; the last 64 of them (1 MiB) stay in memory. Relocations are
//          applied to a block when it is read; only those are kept whose value is not in the file
//          (16 bytes each, at most kMaxRelocations).
// Errors:  an address outside the file, or a read that fails, gives fewer bytes or none.
// Threads: one at a time: reading changes the cache.   Owns: a duplicate of the descriptor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/binary/elf_image.h"

namespace mapscope {

// The first multiple of `alignment` from an address on; UINT64_MAX when there is none.
constexpr uint64_t align_up(uint64_t vaddr, uint64_t alignment) {
  const uint64_t rest = vaddr % alignment;
  if (rest == 0) return vaddr;
  return vaddr > UINT64_MAX - alignment ? UINT64_MAX : vaddr + (alignment - rest);
}

constexpr size_t kMaxRelocations = 2'000'000;

// A word that the loader fills in.
struct Relocation {
  uint64_t offset = 0;  // in the file
  uint64_t value = 0;
};

class ImageBytes {
 public:
  static constexpr size_t kBlockBytes = 16 << 10;

  // Errors: no descriptor left.
  static Result<ImageBytes> open(const ElfImage& image);
  // From here on relocations are applied. True when some bytes are others than in the file. Reads
  // the whole table, which takes milliseconds in a large file: for programs that need it.
  bool relocate(const ElfImage& image);

  // Some bytes at an address, at least one, up to the end of a block or of the segment; empty when
  // there are none. Valid until the next call of anything here.
  [[nodiscard]] std::span<const std::byte> view(uint64_t vaddr) const;
  // Copies to `out` and returns how many bytes; fewer than asked for at the end of a segment.
  size_t read(uint64_t vaddr, std::span<std::byte> out) const;
  // The text up to a NUL; nullopt when none comes within `max_bytes`.
  [[nodiscard]] std::optional<std::string> text(uint64_t vaddr, size_t max_bytes) const;
  // Bytes of the file from an address to the end of its segment; 0 outside.
  [[nodiscard]] uint64_t available(uint64_t vaddr) const;
  // Where an address is in the file; nullopt outside.
  [[nodiscard]] std::optional<uint64_t> file_offset(uint64_t vaddr) const;
  // Little-endian.
  template <typename T>
  [[nodiscard]] std::optional<T> load(uint64_t vaddr) const {
    T value{};
    if (read(vaddr, std::as_writable_bytes(std::span(&value, 1))) != sizeof(T)) return std::nullopt;
    return value;
  }
  [[nodiscard]] std::span<const LoadSegment> segments() const { return segments_; }

 private:
  static constexpr size_t kWays = 4;
  static constexpr size_t kSets = 16;

  struct Block {
    uint64_t number = UINT64_MAX;  // offset in the file / kBlockBytes
    uint64_t last_use = 0;
    size_t bytes = 0;
    std::unique_ptr<std::array<std::byte, kBlockBytes>> data;
  };

  ImageBytes(UniqueFd fd, std::span<const LoadSegment> segments);
  [[nodiscard]] const LoadSegment* segment_of(uint64_t vaddr) const;
  const Block& block(uint64_t number) const;
  void apply_relocations(Block* block) const;

  UniqueFd fd_;
  std::vector<LoadSegment> segments_;
  std::vector<Relocation> relocations_;  // by offset
  mutable std::vector<Block> blocks_;    // kSets groups of kWays
  mutable uint64_t uses_ = 0;
};

// Reads forward from an address; other reads may go between.
class ByteCursor {
 public:
  // Never reads at or beyond `end`. `bytes` must outlive the cursor.
  ByteCursor(const ImageBytes& bytes, uint64_t vaddr, uint64_t end)
      : bytes_(&bytes), next_(vaddr), end_(end) {}

  std::optional<uint8_t> byte();
  // Unsigned LEB128; nullopt when it does not fit 32 bits or has no end.
  std::optional<uint32_t> uvarint();
  // Address of the next byte.
  [[nodiscard]] uint64_t vaddr() const { return next_ - (have_ - at_); }

 private:
  const ImageBytes* bytes_;
  uint64_t next_;  // of the next refill
  uint64_t end_;
  size_t at_ = 0;
  size_t have_ = 0;
  std::array<std::byte, 128> buffer_;
};

}  // namespace mapscope
