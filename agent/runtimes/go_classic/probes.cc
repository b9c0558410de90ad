// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/go_classic/probes.h"

#include <array>

#include "agent/runtimes/descriptor.h"
#include "agent/runtimes/go_classic/layout.h"
#include "agent/runtimes/go_version.h"

namespace mapscope::go_classic {
namespace {

// How the arguments (*maptype, *hmap, …) are passed: in AX and BX from 1.17 on, before above the
// return address.
enum class Abi { kStack, kRegisters };

constexpr int32_t kFirstArgument = 8;
constexpr int32_t kSecondArgument = 16;

consteval ms_field map_type(Abi abi) {
  return abi == Abi::kStack ? deref(MS_REG_SP, kFirstArgument, 8) : reg(MS_REG_AX);
}
consteval ms_field map(Abi abi) {
  return abi == Abi::kStack ? deref(MS_REG_SP, kSecondArgument, 8) : reg(MS_REG_BX);
}
consteval ms_field member(Abi abi, int32_t offset, uint8_t size) {
  return abi == Abi::kStack ? deref2(MS_REG_SP, kSecondArgument, offset, size)
                            : deref(MS_REG_BX, offset, size);
}
// Of the map that the planner finds.
consteval ms_field found() { return reg(MS_REG_FOUND); }
consteval ms_field found(int32_t offset, uint8_t size) { return deref(MS_REG_FOUND, offset, size); }

constexpr uint8_t kMapArgument = 1;

// hashGrow() in another function: with the new buckets still to be allocated, as at its entry.
constexpr ProbeSpec kInlinedBegin = {
    .symbol = "runtime.hashGrow",
    .site = Site::kCall,
    .descriptor = descriptor(MS_PROBE_BEGIN, {found(), reg(MS_REG_AX), found(kCountOffset, 8),
                                              found(kLog2Offset, 1), found(kOverflowOffset, 2),
                                              found(kFlagsOffset, 1)})
                      .key(0),
    .why = "a resize begins",
    .callee = "runtime.makeBucketArray",
    .offset = kLog2Offset,
    .argument = kMapArgument,
};
// Its last step but one sets the mark of moved buckets back to 0.
constexpr ProbeSpec kInlinedSyncEnd = {
    .symbol = "runtime.hashGrow",
    .site = Site::kPointerCleared,
    .descriptor = descriptor(MS_PROBE_SYNC_END, {}),
    .why = "what this one insert paid for new buckets is over",
    .offset = kEvacuatedOffset,
};

consteval ProbeSpec begin(Abi abi) {
  return {.symbol = "runtime.hashGrow",
          .site = Site::kEntry,
          .need = Need::kRequired,
          .descriptor = descriptor(MS_PROBE_BEGIN,
                                   {map(abi), map_type(abi), member(abi, kCountOffset, 8),
                                    member(abi, kLog2Offset, 1), member(abi, kOverflowOffset, 2),
                                    member(abi, kFlagsOffset, 1)})
                            .key(0),
          .why = "a resize begins",
          .inlined = &kInlinedBegin};
}

// Of a map without pointers in its buckets, whose first overflow buckets come with the new ones.
constexpr std::string_view kMakesExtra = "runtime.newobject";

consteval ProbeSpec sync_end() {
  return {.symbol = "runtime.hashGrow",
          .site = Site::kNearExit,
          .need = Need::kOptional,
          .descriptor = descriptor(MS_PROBE_SYNC_END, {}),
          .why = "what this one insert paid for new buckets is over",
          .callee = kMakesExtra,
          .inlined = &kInlinedSyncEnd};
}

constexpr ProbeSpec kEnd = {
    .symbol = "runtime.advanceEvacuationMark",
    .site = Site::kPointerCleared,
    .need = Need::kRequired,
    .descriptor = descriptor(MS_PROBE_END, {found()}).key(0),
    .why = "all buckets have moved",
    .offset = kOldBucketsOffset,
    .inlined = &kEnd,
};

// Dear: runs at every insert and delete while a map grows.
consteval ProbeSpec end_of_step(std::string_view grow_work) {
  return {.symbol = grow_work,
          .site = Site::kExit,
          .need = Need::kFallback,
          .descriptor = descriptor(MS_PROBE_END, {found(), found(kOldBucketsOffset, 8)})
                            .key(0)
                            .only_if_zero(1)
                            .quiet(),
          .why = "all buckets have moved",
          .argument = kMapArgument};
}

// Third field: see EndField.
constexpr ProbeSpec kClear = {
    .symbol = "runtime.mapclear",
    .site = Site::kPointerCleared,
    .need = Need::kOptional,
    .descriptor = descriptor(MS_PROBE_END, {found(), found(), found()}).key(0).quiet(),
    .why = "the map is cleared before all buckets have moved",
    .offset = kOldBucketsOffset,
    .inlined = &kClear,
};

consteval ProbeSpec fatal(Abi abi, std::string_view function) {
  const ms_field text = abi == Abi::kStack ? deref(MS_REG_SP, kFirstArgument, 8) : reg(MS_REG_AX);
  const ms_field length =
      abi == Abi::kStack ? deref(MS_REG_SP, kSecondArgument, 8) : reg(MS_REG_BX);
  return {.symbol = function,
          .site = Site::kEntry,
          .need = Need::kOptional,
          .descriptor = descriptor(MS_PROBE_FATAL, {text, length}).text(0).length(1),
          .why = "the process dies of a misused map"};
}

// In the block that only a failed check leads to.
consteval ProbeSpec failed_check(std::string_view function, std::string_view fatal_function,
                                 uint8_t argument, ms_field checked_map) {
  return {.symbol = function,
          .site = Site::kCall,
          .need = Need::kDetail,
          .descriptor = descriptor(MS_PROBE_FAILED_CHECK, {checked_map}),
          .why = "the map that the process dies of",
          .callee = fatal_function,
          .argument = argument};
}

// The third field is not 0 while the map grows.
consteval ProbeSpec insert_begin(Abi abi, std::string_view function) {
  return {.symbol = function,
          .site = Site::kEntry,
          .need = Need::kOptional,
          .mode = Mode::kInserts,
          .descriptor = descriptor(MS_PROBE_INSERT,
                                   {map_type(abi), map(abi), member(abi, kOldBucketsOffset, 8)}),
          .why = "counts inserts"};
}

// Nothing of the map itself: a removal from a nil map is allowed.
consteval ProbeSpec write_begin(Abi abi, std::string_view function, std::string_view why) {
  return {.symbol = function,
          .site = Site::kEntry,
          .need = Need::kOptional,
          .mode = Mode::kRaces,
          .descriptor = descriptor(MS_PROBE_WRITE, {map_type(abi), map(abi)}),
          .why = why};
}

// A write of races mode ends at the return: between the last check and that the map still says that
// it is being written, and who comes then dies.
consteval ProbeSpec exit_of(std::string_view function, Mode mode, ms_probe_kind kind,
                            std::string_view fatal_function, std::string_view why) {
  return {.symbol = function,
          .site = mode == Mode::kRaces ? Site::kExit : Site::kLastCheck,
          .need = Need::kOptional,
          .mode = mode,
          .descriptor = descriptor(kind, {}),
          .why = why,
          .callee = fatal_function};
}

// A write that panics, for a key that cannot be hashed or a map that is nil, does not return. Locks
// are given up after that, by deferred calls.
constexpr ProbeSpec kPanic = {
    .symbol = "runtime.gopanic",
    .site = Site::kEntry,
    .need = Need::kOptional,
    .mode = Mode::kRaces,
    .descriptor = descriptor(MS_PROBE_WRITE_END, {}),
    .why = "a write that panics is over",
};

constexpr std::array<std::string_view, 4> kGrowWork = {
    "runtime.growWork", "runtime.growWork_fast32", "runtime.growWork_fast64",
    "runtime.growWork_faststr"};
constexpr std::array<std::string_view, 5> kAssign = {
    "runtime.mapassign", "runtime.mapassign_fast32", "runtime.mapassign_fast64",
    "runtime.mapassign_fast64ptr", "runtime.mapassign_faststr"};
constexpr std::array<std::string_view, 5> kRemove = {
    "runtime.mapdelete", "runtime.mapdelete_fast32", "runtime.mapdelete_fast64",
    "runtime.mapdelete_faststr", "runtime.mapclear"};

constexpr std::array<std::string_view, 9> kChecked = {
    "runtime.mapaccess1",         "runtime.mapaccess2",         "runtime.mapaccess1_fast32",
    "runtime.mapaccess2_fast32",  "runtime.mapaccess1_fast64",  "runtime.mapaccess2_fast64",
    "runtime.mapaccess1_faststr", "runtime.mapaccess2_faststr", "runtime.mapclone2"};
constexpr std::string_view kCheckedIteration = "runtime.mapiternext";

constexpr size_t kProbes = 7 + kGrowWork.size() + kChecked.size() + 2 * kAssign.size() +
                           3 * (kAssign.size() + kRemove.size());

consteval std::array<ProbeSpec, kProbes> table(Abi abi, std::string_view dies_in) {
  std::array<ProbeSpec, kProbes> out;
  size_t count = 0;
  out[count++] = begin(abi);
  out[count++] = sync_end();
  out[count++] = kEnd;
  for (const std::string_view function : kGrowWork) out[count++] = end_of_step(function);
  out[count++] = kClear;
  out[count++] = fatal(abi, dies_in);
  out[count++] = kPanic;
  for (const std::span<const std::string_view> functions :
       {std::span<const std::string_view>(kChecked), std::span<const std::string_view>(kAssign),
        std::span<const std::string_view>(kRemove)}) {
    for (const std::string_view function : functions)
      out[count++] = failed_check(function, dies_in, kMapArgument, found());
  }
  out[count++] = failed_check(kCheckedIteration, dies_in, 0, found(kIteratorMapOffset, 8));
  for (const std::string_view function : kAssign) {
    out[count++] = insert_begin(abi, function);
    out[count++] =
        exit_of(function, Mode::kInserts, MS_PROBE_INSERT_END, dies_in, "the insert is over");
  }
  for (const std::string_view function : kAssign) {
    out[count++] = write_begin(abi, function, "an insert begins");
    out[count++] =
        exit_of(function, Mode::kRaces, MS_PROBE_WRITE_END, dies_in, "the insert is over");
  }
  for (const std::string_view function : kRemove) {
    out[count++] = write_begin(abi, function, "a removal begins");
    out[count++] =
        exit_of(function, Mode::kRaces, MS_PROBE_WRITE_END, dies_in, "the removal is over");
  }
  return out;
}

constexpr auto kStackTable = table(Abi::kStack, "runtime.throw");
constexpr auto kThrowTable = table(Abi::kRegisters, "runtime.throw");
constexpr auto kFatalTable = table(Abi::kRegisters, "runtime.fatal");

// Since 1.19 a misused map is reported by a function of its own.
constexpr GoVersion kHasFatal{1, 19, 0};

}  // namespace

std::span<const ProbeSpec> probes_of(const GoVersion& version) {
  if (version < kGoRegisterArguments) return kStackTable;
  return version < kHasFatal ? std::span<const ProbeSpec>(kThrowTable) : kFatalTable;
}

}  // namespace mapscope::go_classic
