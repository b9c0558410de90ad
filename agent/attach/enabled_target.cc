// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "agent/attach/attachment.h"

namespace mapscope {

Result<EnabledTarget> EnabledTarget::enable(Programs& programs, const TargetSetup& target) {
  auto enabled = programs.enable_target(static_cast<uint32_t>(target.pid), target.id, target.slot);
  if (!enabled) return std::move(enabled).error();
  return EnabledTarget(&programs, target.id, target.pid);
}

EnabledTarget::EnabledTarget(EnabledTarget&& other) noexcept
    : programs_(std::exchange(other.programs_, nullptr)), id_(other.id_), pid_(other.pid_) {}

EnabledTarget& EnabledTarget::operator=(EnabledTarget&& other) noexcept {
  std::swap(programs_, other.programs_);
  std::swap(id_, other.id_);
  std::swap(pid_, other.pid_);
  return *this;
}

EnabledTarget::~EnabledTarget() {
  if (programs_ != nullptr) programs_->disable_target(static_cast<uint32_t>(pid_), id_);
}

}  // namespace mapscope
