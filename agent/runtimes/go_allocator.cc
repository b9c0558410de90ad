// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/go_allocator.h"

#include <algorithm>
#include <array>

namespace mapscope {
namespace {

constexpr std::array<uint64_t, 67> kSizeClasses = {
    8,     16,    24,    32,    48,    64,    80,    96,    112,   128,   144,  160,   176,   192,
    208,   224,   240,   256,   288,   320,   352,   384,   416,   448,   480,  512,   576,   640,
    704,   768,   896,   1024,  1152,  1280,  1408,  1536,  1792,  2048,  2304, 2688,  3072,  3200,
    3456,  4096,  4864,  5376,  6144,  6528,  6784,  6912,  8192,  9472,  9728, 10240, 10880, 12288,
    13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768};
constexpr uint64_t kMaxSmallBytes = kSizeClasses.back();
constexpr uint64_t kPageBytes = 8192;
constexpr uint64_t kHeaderBytes = 8;
constexpr uint64_t kMinBytesForHeader = 512;
constexpr GoVersion kHasHeaders{1, 22, 0};

uint64_t header_bytes(const GoObject& object, const GoVersion& version) {
  const bool small = object.bytes <= kMaxSmallBytes - kHeaderBytes;
  return version >= kHasHeaders && small && object.has_pointers && object.bytes > kMinBytesForHeader
             ? kHeaderBytes
             : 0;
}

}  // namespace

uint64_t go_allocated_bytes(const GoObject& object, const GoVersion& version) {
  const uint64_t bytes = object.bytes + header_bytes(object, version);
  const uint64_t max_small = version < kHasHeaders ? kMaxSmallBytes : kMaxSmallBytes - kHeaderBytes;
  if (object.bytes > max_small) return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  return *std::lower_bound(kSizeClasses.begin(), kSizeClasses.end(), bytes);
}

uint64_t go_usable_bytes(const GoObject& object, const GoVersion& version) {
  return go_allocated_bytes(object, version) - header_bytes(object, version);
}

}  // namespace mapscope
