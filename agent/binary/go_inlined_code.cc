// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_inlined_code.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace mapscope {
namespace {

constexpr size_t kMaxNamesBytes = 16 << 20;

struct Call {
  std::string name;
  std::optional<uint32_t> parent;
  std::optional<size_t> last;  // its newest range, an index in the result
};

class Collector {
 public:
  Collector(const GoPclntab& table, const GoInlineTree& tree, PcWork* work)
      : table_(&table), tree_(&tree), work_(work), ranges_(tree.ranges(work)) {}

  std::vector<GoInlinedCode> collect(uint64_t end) {
    for (const PcRange& range : ranges_) {
      if (range.begin >= end || !add(range, end)) break;
    }
    return std::move(found_);
  }

 private:
  // From the innermost call out; false when the work or the space is used up.
  bool add(const PcRange& range, uint64_t end) {
    std::vector<Call*> calls;
    std::optional<uint32_t> index = static_cast<uint32_t>(range.value);
    while (index && calls.size() < GoInlineTree::kMaxDepth) {
      Call* found = call(*index);
      if (found == nullptr || work_->steps_left == 0) break;
      --work_->steps_left;
      calls.push_back(found);
      // The compiler writes a call before those inlined into it: in a ring one of them is not.
      if (found->parent && *found->parent >= *index) break;
      index = found->parent;
    }
    for (auto found = calls.rbegin(); found != calls.rend(); ++found) {
      if (!extend(*found, range.begin, std::min(range.end, end))) return false;
    }
    return work_->steps_left > 0;
  }

  bool extend(Call* call, uint64_t begin, uint64_t end) {
    if (call->last && found_[*call->last].end >= begin) {
      found_[*call->last].end = end;
      return true;
    }
    names_bytes_ += call->name.size();
    if (found_.size() == GoInlineTree::kMaxRanges || names_bytes_ > kMaxNamesBytes) return false;
    call->last = found_.size();
    found_.push_back({call->name, begin, end});
    return true;
  }

  Call* call(uint32_t index) {
    const auto known = calls_.find(index);
    if (known != calls_.end()) return &known->second;
    const auto inlined = tree_->call(index);
    auto name = inlined ? table_->name(inlined->name) : std::nullopt;
    if (!name || calls_bytes_ > kMaxNamesBytes) return nullptr;
    calls_bytes_ += name->size();
    return &calls_.emplace(index, Call{std::move(*name), index_at(inlined->parent_pc), {}})
                .first->second;
  }

  [[nodiscard]] std::optional<uint32_t> index_at(uint64_t pc) const {
    const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), pc,
                                        [](uint64_t at, const PcRange& r) { return at < r.begin; });
    if (after == ranges_.begin() || pc >= std::prev(after)->end) return std::nullopt;
    return static_cast<uint32_t>(std::prev(after)->value);
  }

  const GoPclntab* table_;
  const GoInlineTree* tree_;
  PcWork* work_;
  std::vector<PcRange> ranges_;
  std::unordered_map<uint32_t, Call> calls_;  // pointers to its values stay valid
  std::vector<GoInlinedCode> found_;
  size_t names_bytes_ = 0;  // in found_
  size_t calls_bytes_ = 0;  // in calls_
};

}  // namespace

std::vector<GoInlinedCode> inlined_code(const ImageBytes& bytes, const GoModule& module,
                                        const GoFunctionRecord& record, uint64_t end) {
  PcWork work;
  const GoInlineTree tree(bytes, module, record);
  return Collector(module.table, tree, &work).collect(end);
}

}  // namespace mapscope
