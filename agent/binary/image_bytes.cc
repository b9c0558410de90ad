// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/image_bytes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/binary/relocations.h"

namespace mapscope {
namespace {

size_t read_at(const UniqueFd& fd, uint64_t offset, std::span<std::byte> out) {
  size_t have = 0;
  while (have < out.size()) {
    const ssize_t got =
        pread(fd.get(), out.data() + have, out.size() - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  return have;
}

}  // namespace

ImageBytes::ImageBytes(UniqueFd fd, std::span<const LoadSegment> segments)
    : fd_(std::move(fd)), segments_(segments.begin(), segments.end()), blocks_(kSets * kWays) {}

Result<ImageBytes> ImageBytes::open(const ElfImage& image) {
  UniqueFd fd(fcntl(image.descriptor().get(), F_DUPFD_CLOEXEC, 0));
  if (!fd.valid()) return system_error(image.name(), errno);
  return ImageBytes(std::move(fd), image.load_segments());
}

bool ImageBytes::relocate(const ElfImage& image) {
  const auto dynamic = image.dynamic();
  if (!dynamic) return false;
  relocations_ = read_relocations(*this, *dynamic);
  if (relocations_.empty()) return false;
  blocks_ = std::vector<Block>(kSets * kWays);
  return true;
}

const LoadSegment* ImageBytes::segment_of(uint64_t vaddr) const {
  for (const LoadSegment& segment : segments_) {
    if (vaddr >= segment.vaddr && vaddr - segment.vaddr < segment.bytes) return &segment;
  }
  return nullptr;
}

const ImageBytes::Block& ImageBytes::block(uint64_t number) const {
  const auto set = blocks_.begin() + static_cast<std::ptrdiff_t>(number % kSets * kWays);
  Block* oldest = &*set;
  for (auto way = set; way != set + kWays; ++way) {
    if (way->number == number) {
      way->last_use = ++uses_;
      return *way;
    }
    if (way->last_use < oldest->last_use) oldest = &*way;
  }
  if (oldest->data == nullptr)
    oldest->data = std::make_unique<std::array<std::byte, kBlockBytes>>();
  oldest->number = number;
  oldest->last_use = ++uses_;
  oldest->bytes = read_at(fd_, number * kBlockBytes, *oldest->data);
  apply_relocations(oldest);
  return *oldest;
}

// A word may begin in the block before, or end in the one behind.
void ImageBytes::apply_relocations(Block* block) const {
  const uint64_t begin = block->number * kBlockBytes;
  const uint64_t end = begin + block->bytes;
  constexpr uint64_t kWord = sizeof(Relocation::value);
  const uint64_t first = begin < kWord ? 0 : begin - kWord + 1;
  auto at = std::lower_bound(
      relocations_.begin(), relocations_.end(), first,
      [](const Relocation& relocation, uint64_t offset) { return relocation.offset < offset; });
  for (; at != relocations_.end() && at->offset < end; ++at) {
    std::array<std::byte, kWord> word;
    std::memcpy(word.data(), &at->value, kWord);
    for (uint64_t i = 0; i < kWord; ++i) {
      const uint64_t place = at->offset + i;
      if (place >= begin && place < end) (*block->data)[place - begin] = word[i];
    }
  }
}

std::span<const std::byte> ImageBytes::view(uint64_t vaddr) const {
  const LoadSegment* segment = segment_of(vaddr);
  if (segment == nullptr) return {};
  const uint64_t skip = vaddr - segment->vaddr;
  const uint64_t offset = segment->offset + skip;
  const Block& found = block(offset / kBlockBytes);
  const size_t at = offset % kBlockBytes;
  if (at >= found.bytes) return {};
  const auto bytes = std::min<uint64_t>(found.bytes - at, segment->bytes - skip);
  return std::span(*found.data).subspan(at, bytes);
}

size_t ImageBytes::read(uint64_t vaddr, std::span<std::byte> out) const {
  const uint64_t wanted = std::min<uint64_t>(out.size(), available(vaddr));
  size_t have = 0;
  while (have < wanted) {
    const auto bytes = view(vaddr + have);
    if (bytes.empty()) break;
    const size_t count = std::min<size_t>(bytes.size(), wanted - have);
    std::memcpy(out.data() + have, bytes.data(), count);
    have += count;
  }
  return have;
}

std::optional<std::string> ImageBytes::text(uint64_t vaddr, size_t max_bytes) const {
  const uint64_t limit = std::min<uint64_t>(available(vaddr), max_bytes + 1);
  std::string text;
  while (text.size() < limit) {
    const auto bytes = view(vaddr + text.size());
    if (bytes.empty()) break;
    const size_t count = std::min<size_t>(bytes.size(), limit - text.size());
    const auto* start = reinterpret_cast<const char*>(bytes.data());
    const size_t length = strnlen(start, count);
    text.append(start, length);
    if (length < count) return text;
  }
  return std::nullopt;
}

uint64_t ImageBytes::available(uint64_t vaddr) const {
  const LoadSegment* segment = segment_of(vaddr);
  return segment == nullptr ? 0 : segment->bytes - (vaddr - segment->vaddr);
}

std::optional<uint64_t> ImageBytes::file_offset(uint64_t vaddr) const {
  const LoadSegment* segment = segment_of(vaddr);
  if (segment == nullptr) return std::nullopt;
  return segment->offset + (vaddr - segment->vaddr);
}

std::optional<uint8_t> ByteCursor::byte() {
  if (at_ == have_) {
    if (next_ >= end_) return std::nullopt;
    const size_t wanted = std::min<uint64_t>(buffer_.size(), end_ - next_);
    at_ = 0;
    have_ = bytes_->read(next_, std::span(buffer_).first(wanted));
    if (have_ == 0) return std::nullopt;
    next_ += have_;
  }
  return static_cast<uint8_t>(buffer_[at_++]);
}

std::optional<uint32_t> ByteCursor::uvarint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    const auto next = byte();
    if (!next) return std::nullopt;
    value |= static_cast<uint64_t>(*next & 0x7f) << shift;
    if ((*next & 0x80) == 0) {
      if (value > UINT32_MAX) return std::nullopt;
      return static_cast<uint32_t>(value);
    }
  }
  return std::nullopt;
}

}  // namespace mapscope
