// SPDX-License-Identifier: Apache-2.0
// What comes out of the ring, and all that the agent makes of it.
// The first byte chooses how it is shown; records follow, one behind the other.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "agent/pipeline.h"
#include "agent/runtimes/map_types.h"
#include "tests/fuzz/support/fuzz_target.h"
#include "tests/paths.h"
#include "tests/support/go_image.h"

namespace mapscope::test {
namespace {

constexpr size_t kQueueBytes = 64U << 10;
constexpr uint32_t kDescriptors = 1024;
constexpr uint32_t kNative = 1, kGo = 2;  // targets

// One native target and one in Go; every probe of every room.
struct Scene {
  Scene() {
    targets.add(target("store", *all_runtimes().front()));
    Target go = target("serve", *all_runtimes().back());
    const GoImage image = make_go_image(PclntabFormat::kGo120, "go1.25.12");
    planned.go = open_program_of(image.bytes).value().go;
    planned.types = std::make_shared<ProgramTypes>(planned.go);
    go.loaded = std::make_shared<LoadedPrograms>();
    go.loaded->add(planned.types, 0);
    map_type = GoImage::vaddr(image.map_type);
    targets.add(std::move(go));
    for (const Runtime* runtime : all_runtimes()) {
      const auto match = runtime->identify(open_program_of(image.bytes).value());
      if (match && *match) add_probes(*runtime, (*match)->probes);
    }
    const auto native = open_program(MAPSCOPE_FIXTURE_CONTRACT_PIE).value();
    const Runtime& room = *all_runtimes().front();
    add_probes(room, room.identify(native).value().value().probes);
  }
  static Target target(const std::string& comm, const Runtime& runtime) {
    Target target;
    target.comm = comm;
    target.exe = "/usr/bin/" + comm;
    target.runtime = &runtime;
    return target;
  }
  void add_probes(const Runtime& runtime, std::span<const ProbeSpec> probes) {
    for (const ProbeSpec& spec : probes) require(descriptors.take(&runtime, &spec, &planned).ok());
  }

  PlannedFile planned;  // of the target in Go
  TargetTable targets;
  DescriptorTable descriptors{kDescriptors};
  uint64_t map_type = 0;
};

const Scene& scene() {
  static const Scene scene;
  return scene;
}

// The kernel says how long a record is; here its type does, and what is left over is the last one.
void fill(RecordQueue& queue, Input input) {
  while (!input.empty()) {
    ms_record_header header{};
    std::memcpy(&header, input.data(), std::min(input.size(), sizeof(header)));
    const size_t wanted = record_size(header.type);
    const size_t bytes = wanted == 0 ? input.size() : std::min(wanted, input.size());
    queue.accept(input.data(), bytes);
    input = input.subspan(bytes);
  }
}

template <typename Record>
void append(Bytes& seed, const Record& record) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&record);
  seed.insert(seed.end(), bytes, bytes + sizeof(record));
}

ms_resize_record resize_of(uint32_t target, uint16_t descriptor) {
  ms_resize_record record{};
  record.header = {MS_RECORD_RESIZE, target, 4242, 4243};
  record.begin_ns = 1'000'000;
  record.end_ns = 1'500'000;
  record.sync_ns = 1'200'000;
  std::ranges::fill(record.begin_fields, 8);
  std::ranges::fill(record.end_fields, 16);
  record.begin_fields[0] = 0xc000123000;
  record.begin_fields[1] = scene().map_type;
  record.begin_valid = record.end_valid = 0xff;
  record.begin_descriptor = record.end_descriptor = descriptor;
  record.flags = MS_RESIZE_BLOCKED_KNOWN;
  record.stack_id = 7;
  record.goroutine = {0xc000002000, 18, 0xc000100000, 0xc000102000, GoImage::kMain, 3, 2, 0};
  std::memcpy(record.comm, "store", 6);
  std::memcpy(record.text, "ns::Map", 8);
  return record;
}

Bytes others_of(uint32_t target, uint16_t descriptor) {
  Bytes seed = {1};
  ms_frames_record frames{{MS_RECORD_FRAMES, target, 1, 2}, 7, 5, 2, descriptor, 0, {}};
  frames.frames[0] = GoImage::kMain;
  append(seed, frames);
  ms_fatal_record fatal{};
  fatal.header = {MS_RECORD_FATAL, target, 1, 2};
  fatal.descriptor = descriptor;
  fatal.map = 0xc000123000;
  fatal.growth_begin_ns = 3;
  std::memcpy(fatal.text, "concurrent map writes", 22);
  append(seed, fatal);
  ms_race_record race{};
  race.header = {MS_RECORD_RACE, target, 1, 2};
  race.map = 0xc000123000;
  race.map_type = scene().map_type;
  race.descriptor = race.first_descriptor = descriptor;
  append(seed, race);
  append(seed, ms_process_record{{MS_RECORD_PROCESS, target, 1, 2}, 5, MS_PROCESS_EXIT, 0});
  return seed;
}

}  // namespace

Seeds make_seeds() {
  Seeds seeds;
  for (uint32_t i = 0; i < scene().descriptors.size(); ++i) {
    const auto* probe = scene().descriptors.find(i);
    const uint32_t target = probe->runtime == all_runtimes().front() ? kNative : kGo;
    const auto descriptor = static_cast<uint16_t>(i);
    Bytes seed = {static_cast<uint8_t>(i)};
    append(seed, resize_of(target, descriptor));
    append(seed, resize_of(target, descriptor));
    seeds["resize" + std::to_string(i)] = seed;
    if (probe->spec->descriptor.kind != MS_PROBE_BEGIN)
      seeds["others" + std::to_string(i)] = others_of(target, descriptor);
  }
  return seeds;
}

void feed(Input input) {
  if (input.empty()) return;
  RecordQueue queue(kQueueBytes);
  fill(queue, input.subspan(1));
  Batch batch;
  queue.take(batch);
  require(batch.bytes() <= kQueueBytes);
  static Symbolizer symbolizer = Symbolizer::create().value();
  DisplayOptions display;
  display.events = input[0] % 2 == 0 ? EventFormat::kText : EventFormat::kJson;
  Pipeline pipeline(scene().targets, scene().descriptors, symbolizer, display);
  pipeline.handle(batch, [](const ms_process_record&) {});
  require(pipeline.tick().ok());
  pipeline.finish({});
  require(nlohmann::json::accept(pipeline.recent().json(1000)));
  require(nlohmann::json::accept(pipeline.fatals().json(100)));
  require(nlohmann::json::accept(pipeline.races().json(100)));
  require(pipeline.metrics().text().ends_with('\n'));
}

}  // namespace mapscope::test
