// SPDX-License-Identifier: Apache-2.0
// agent/model/resize_model.h – gives a record its meaning: whose it is, what its fields say, which
// stack led to it.
//
// In:      checked records of bpf/wire.h; stacks resolved for their MS_RECORD_STACK, which come
// before what refers to them. Out:     Resize and Fatal, whose views point into the record. Errors:
// unknown target or descriptor, or values that the room refuses as impossible (kCorrupt). The
// caller counts. Memory:  bounded; a stack whose resize never comes is forgotten first.   Threads:
// one.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/attach/attachment.h"
#include "agent/base/result.h"
#include "agent/model/caller_table.h"
#include "agent/model/resize.h"
#include "agent/model/target_table.h"
#include "bpf/wire.h"

namespace mapscope {

class ResizeModel {
 public:
  // REQUIRES: both outlive the model.
  ResizeModel(const TargetTable& targets, const DescriptorTable& descriptors)
      : targets_(&targets), descriptors_(&descriptors) {}

  // The type of the map that a stack belongs to; for a fatal, whose text is its message, that of
  // the target's last resize. Valid until the next call. "" unknown.
  std::string_view map_type_of(const ms_stack_record& record);
  // The room whose probe sampled a stack; nullptr unknown.
  [[nodiscard]] const Runtime* runtime_of(uint32_t descriptor) const;
  void remember_stack(uint32_t target, uint64_t stack_id, const StackPtr& stack);
  // Lets go of the stacks of these targets. REQUIRES: sorted.
  void forget(std::span<const uint32_t> targets);
  Result<Resize> resize(const ms_resize_record& record);
  Result<Fatal> fatal(const ms_fatal_record& record);
  Result<Race> race(const ms_race_record& record);

 private:
  static constexpr size_t kMaxStacks = 65536;

  struct MapKey {
    uint32_t target;
    uint64_t address;
    bool operator==(const MapKey&) const = default;
  };
  struct MapHash {
    size_t operator()(const MapKey& map) const {
      return std::hash<uint64_t>{}(map.address * 0x9e3779b97f4a7c15U ^ map.target);
    }
  };

  // Not held: a stack that its table needed the bytes of is none.
  struct Sampled {
    std::weak_ptr<const Stack> stack;
    uint32_t target = 0;
  };
  StackPtr take_stack(uint64_t stack_id);
  // Its own stack, or the last one of the same caller and map type.
  void add_stack(const ms_resize_record& record, uint64_t file, Resize& resize);

  // A map's last growth, for the report of its death.
  struct LastGrowth {
    uint64_t begin_ns = 0;
    std::optional<uint64_t> slots;  // of the whole map; unknown after the split of one table
  };
  void remember_growth(const Resize& resize);
  void add_last_growth(const ms_fatal_record& record, Fatal& fatal) const;

  static constexpr size_t kMaxGrowths = 65536;

  const TargetTable* targets_;
  const DescriptorTable* descriptors_;
  std::unordered_map<MapKey, LastGrowth, MapHash> last_growths_;  // by target and map
  std::unordered_map<uint64_t, Sampled> stacks_;
  std::deque<uint64_t> stack_order_;
  std::unordered_map<uint32_t, std::string> last_types_;  // by target
  CallerTable callers_;
};

}  // namespace mapscope
