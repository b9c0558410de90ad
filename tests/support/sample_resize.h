// SPDX-License-Identifier: Apache-2.0
// tests/support/sample_resize.h – a resize and the like with everything known, for tests to
// change.
#pragma once

#include "agent/model/resize.h"
#include "agent/runtimes/program_info.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {

inline constexpr Runtime kSampleRuntime = {
    .name = "go_swiss",
    .describe = "for tests",
    .looked_for = {},
    .hosts = {},
    .identify = nullptr,
    .normalize = nullptr,
    .is_map_code = nullptr,
    .reserve_advice =
        [](std::string_view map_type, uint64_t entries, std::string_view /*function*/) {
          return "make(" + std::string(map_type) + ", " + std::to_string(entries) + ")";
        },
};

inline Goroutine sample_goroutine() {
  return {18, "running", 0xc000100000, 0xc000102000, 3, "main.worker"};
}

// Owns what they point to, so it is neither copied nor moved.
struct Sample {
  Sample() {
    target.id = 1;
    target.pid = 4242;
    target.comm = "store";
    target.exe = "/usr/bin/store";
    target.build_id = "c0ffee";
    target.runtime = &kSampleRuntime;
    target.version = "go1.27.4";
    const auto program = std::make_shared<const ProgramInfo>(
        ProgramInfo{target.exe, target.build_id, target.version, target.language, target.runtime});
    target.programs = {program};
    resize.program = fatal.program = race.program = doubling.program = program;
    target.probes = 3;
    Frame map_frame;
    map_frame.function = "runtime.mapassign";
    map_frame.file = "map.go";
    map_frame.line = 600;
    map_frame.map_code = true;
    Frame caller;
    caller.function = "main.(*Store).Put";
    caller.file = "store.go";
    caller.line = 42;
    stack.frames = {map_frame, caller};
    stack.site = 1;
    fill_resize();
    fatal.target = &target;
    fatal.runtime = &kSampleRuntime;
    fatal.tid = 4246;
    fatal.comm = "store";
    fatal.message = "concurrent map writes";
    fatal.map_addr = 0xc000123000;
    fatal.time_ns = 81234600000;
    fatal.stack = borrow(stack);
    fill_race();
    fill_doubling();
  }
  // From now on the site is one of a library that this line of the program's led to.
  void lead_from_own_module() {
    Frame own;
    own.function = "main.serve";
    own.file = "serve.go";
    own.line = 7;
    stack.frames.push_back(own);
    stack.own = static_cast<int>(stack.frames.size()) - 1;
    resize.own_is_known = true;
  }
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;
  Sample(Sample&&) = delete;
  Sample& operator=(Sample&&) = delete;
  ~Sample() = default;

  Target target;
  Stack stack;
  Resize resize;
  Fatal fatal;
  Race race;
  Doubling doubling;

 private:
  void fill_race() {
    race.target = &target;
    race.runtime = &kSampleRuntime;
    race.comm = "store";
    race.map_addr = 0xc000123000;
    race.map_type = "map[string]*main.Session";
    race.first = {4245, 18, 81234599000, borrow(stack)};
    race.second = {4246, 19, 81234600000, borrow(stack)};
  }
  void fill_doubling() {
    doubling.target = &target;
    doubling.runtime = &kSampleRuntime;
    doubling.map_addr = 0xc000123000;
    doubling.map_type = "map[string]*main.Session";
    doubling.old_slots = 16384;
    doubling.new_slots = 32768;
    doubling.splits = 16;
    doubling.begin_ns = 81200000000;
    doubling.end_ns = 81234567890;
    doubling.stall_ns = 640000;
  }
  void fill_resize() {
    resize.target = &target;
    resize.runtime = &kSampleRuntime;
    resize.tid = 4245;
    resize.end_tid = 4245;
    resize.comm = "store";
    resize.map_addr = 0xc000123000;
    resize.map_type = "map[string]*main.Session";
    resize.kind = "grow";
    resize.trigger = "load";
    resize.old_slots = 512;
    resize.new_slots = 1024;
    resize.entries = 448;
    resize.new_bytes = 26632;
    resize.old_bytes = 13316;
    resize.reserve = Reserve{449, 1024, 896, 26632};
    resize.begin_ns = 81234567890;
    resize.wall_ns = 38300;
    resize.stall_ns = 38300;
    ThreadTimes times;
    times.state_ns = {21714, 16586, 0, 0};
    times.minor_faults = 7;
    times.switches = 1;
    resize.thread = times;
    resize.blocked = Blocked{0, 0};
    resize.caller = 0x4011c0;
    resize.stack = borrow(stack);
  }
};

}  // namespace mapscope
