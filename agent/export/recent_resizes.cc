// SPDX-License-Identifier: Apache-2.0
#include "agent/export/recent_resizes.h"

#include <algorithm>

#include "agent/export/event_json.h"
#include "agent/export/wall_clock.h"

namespace mapscope {

void RecentResizes::add(const Resize& resize) {
  if (is_restructuring(resize.kind)) return;
  const std::lock_guard lock(mutex_);
  if (slots_.size() < capacity_) {
    slots_.emplace_back();
    next_ = slots_.size() - 1;
  }
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % capacity_;
  slot.resize = resize;
  slot.resize.stack.reset();
  slot.target = *resize.target;
  slot.target.loaded.reset();
  slot.comm = resize.comm;
  slot.map_type = resize.map_type;
  const Frame* site = resize.stack == nullptr ? nullptr : resize.stack->site_frame();
  slot.has_site = site != nullptr;
  if (site != nullptr) slot.site = *site;
  const Frame* own = resize.own_frame();
  slot.has_own = own != nullptr;
  if (own != nullptr) slot.own = *own;
}

std::vector<RecentResizes::Slot> RecentResizes::last(size_t limit, std::string_view process) const {
  std::vector<Slot> last;
  const std::lock_guard lock(mutex_);
  for (size_t back = 1; back <= slots_.size() && last.size() < limit; ++back) {
    const Slot& slot = slots_[(next_ + slots_.size() - back) % slots_.size()];
    if (process.empty() || slot.target.comm == process) last.push_back(slot);
  }
  std::ranges::reverse(last);
  return last;
}

std::string RecentResizes::json(size_t limit, std::string_view process) const {
  std::string out = "[";
  WallClock clock;
  for (Slot& slot : last(limit, process)) {
    if (out.size() > 1) out += ',';
    Stack stack;
    if (slot.has_site) {
      stack.frames.push_back(std::move(slot.site));
      stack.site = 0;
      stack.whole = false;
    }
    if (slot.has_own) {
      stack.frames.push_back(std::move(slot.own));
      stack.own = 1;
    }
    Resize& resize = slot.resize;
    resize.target = &slot.target;
    resize.comm = slot.comm;
    resize.map_type = slot.map_type;
    if (slot.has_site) resize.stack = borrow(stack);
    append_resize_json(out, resize, clock.rfc3339(resize.begin_ns));
  }
  return out += ']';
}

}  // namespace mapscope
