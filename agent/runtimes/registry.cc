// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "agent/runtimes/cxx_target/room.h"
#include "agent/runtimes/go_classic/room.h"
#include "agent/runtimes/go_swiss/room.h"
#include "agent/runtimes/runtime.h"
#include "agent/runtimes/sync_map/room.h"

namespace mapscope {

std::span<const Runtime* const> all_runtimes() {
  static const std::array rooms = {
      &cxx_target::runtime(),
      &go_classic::runtime(),
      &go_swiss::runtime(),
      &sync_map::runtime(),
  };
  return rooms;
}

}  // namespace mapscope
