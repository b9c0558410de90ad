// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_program.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <mutex>
#include <utility>

#include "agent/binary/go_build_info.h"
#include "agent/binary/go_function_index.h"
#include "agent/binary/go_inline_tree.h"
#include "agent/binary/go_inlined_code.h"
#include "agent/binary/go_module_data.h"
#include "agent/binary/go_pc_values.h"
#include "agent/binary/go_runtime_version.h"
#include "agent/binary/go_types.h"
#include "agent/binary/image_bytes.h"

namespace mapscope {
namespace {

// Also without build info. An external linker leaves the table of a PIE no name of its own (up to
// 1.25), but the note with Go's build id.
bool has_go_sections(const ElfImage& image) {
  static constexpr const char* kSections[] = {".gopclntab", ".data.rel.ro.gopclntab",
                                              ".note.go.buildid"};
  return std::any_of(std::begin(kSections), std::end(kSections),
                     [&](const char* name) { return image.find_section(name).has_value(); });
}

bool has_experiment(const GoBuild& build, std::string_view name) {
  return std::find(build.experiments.begin(), build.experiments.end(), name) !=
         build.experiments.end();
}

// Profiles are used since 1.20.
constexpr GoVersion kFirstWithProfile{1, 20, 0};

}  // namespace

bool GoBuild::may_have_profile() const {
  if (!profile.empty()) return true;
  return !has_settings && (version == GoVersion{} || version >= kFirstWithProfile);
}

struct GoProgram::Impl {
  Impl(ImageBytes image_bytes, GoBuild go_build)
      : bytes(std::move(image_bytes)), build(std::move(go_build)) {}

  std::mutex mutex;  // look-ups share the cache of blocks
  ImageBytes bytes;
  GoBuild build;
  std::optional<GoModule> module;  // always, once open; points to `bytes`
  std::optional<GoFunctionIndex> index;
  std::optional<GoMapFamily> family;

  [[nodiscard]] const GoPclntab& table() const { return module->table; }
  void read_version(const ElfImage& image);
  std::optional<size_t> find(std::string_view name);
  GoMapFamily map_family();
  [[nodiscard]] std::optional<GoFunction> function(size_t index) const;
  [[nodiscard]] std::optional<GoFrame> frame(const GoFunctionRecord& record, uint64_t pc,
                                             uint32_t name, PcWork* work) const;
  [[nodiscard]] GoTypes types() const {
    return {bytes, module->data, module->table.format(), build.version};
  }
};

// Some remove the build info, esbuild among them.
void GoProgram::Impl::read_version(const ElfImage& image) {
  const auto number = find("runtime.schedinit");
  const auto found = number ? function(*number) : std::nullopt;
  if (!found) return;
  std::string text = read_runtime_version(image, bytes, found->vaddr, found->size);
  set_go_version(&build, std::move(text));
}

std::optional<size_t> GoProgram::Impl::find(std::string_view name) {
  if (!index) index.emplace(table());
  return index->find(table(), name);
}

// By what grows maps; a program in which none ever grows has neither.
GoMapFamily GoProgram::Impl::map_family() {
  if (family) return *family;
  const bool swiss_default = build.version.minor >= 24 && !has_experiment(build, "noswissmap");
  const auto has_any = [this](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(), [this](const char* name) { return find(name); });
  };
  family = swiss_default ? GoMapFamily::kSwiss : GoMapFamily::kClassic;
  // A profile can inline any one of them away.
  if (has_any({"runtime.hashGrow", "runtime.growWork", "runtime.evacuate"})) {
    family = GoMapFamily::kClassic;
  } else if (has_any({"internal/runtime/maps.(*table).rehash",
                      "internal/runtime/maps.(*Map).growToTable",
                      "internal/runtime/maps.newTable"})) {
    family = GoMapFamily::kSwiss;
  }
  return *family;
}

std::optional<GoFunction> GoProgram::Impl::function(size_t number) const {
  const auto record = table().record(number);
  const auto end = table().entry(number + 1);
  if (!record || !end || *end <= record->entry) return std::nullopt;
  auto name = table().name(record->name);
  if (!name) return std::nullopt;
  return GoFunction{std::move(*name), record->entry, *end - record->entry};
}

std::optional<GoFrame> GoProgram::Impl::frame(const GoFunctionRecord& record, uint64_t pc,
                                              uint32_t name, PcWork* work) const {
  auto function = table().name(name);
  if (!function) return std::nullopt;
  GoFrame frame;
  frame.function = std::move(*function);
  const auto file = pc_value(bytes, table(), record.pcfile, record.entry, pc, work);
  if (file && *file >= 0) {
    frame.file = table().file(record, static_cast<uint32_t>(*file)).value_or("");
  }
  const auto line = pc_value(bytes, table(), record.pcln, record.entry, pc, work);
  if (line && *line > 0) frame.line = static_cast<uint32_t>(*line);
  return frame;
}

Result<std::optional<GoProgram>> GoProgram::open(const ElfImage& image) {
  Result<ImageBytes> bytes = ImageBytes::open(image);
  if (!bytes) return std::move(bytes).error();
  std::optional<GoBuild> build = read_go_build(image, *bytes);
  if (!build && !has_go_sections(image)) return std::optional<GoProgram>();
  if (bytes->relocate(image)) build = read_go_build(image, *bytes);
  if (!build) build.emplace();
  auto impl = std::make_unique<Impl>(std::move(*bytes), std::move(*build));
  Result<GoModule> module = find_go_module(image, impl->bytes, impl->build);
  if (!module) return std::move(module).error();
  impl->module = *module;
  if (impl->build.text.empty()) impl->read_version(image);
  return std::optional<GoProgram>(GoProgram(std::move(impl)));
}

GoProgram::GoProgram(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GoProgram::GoProgram(GoProgram&&) noexcept = default;
GoProgram& GoProgram::operator=(GoProgram&&) noexcept = default;
GoProgram::~GoProgram() = default;

const GoBuild& GoProgram::build() const { return impl_->build; }
size_t GoProgram::function_count() const { return impl_->table().function_count(); }

std::optional<GoFunction> GoProgram::find_function(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  const auto index = impl_->find(name);
  return index ? impl_->function(*index) : std::nullopt;
}

std::vector<GoFunction> GoProgram::functions(std::span<const std::string_view> prefixes,
                                             size_t max_functions) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<GoFunction> found;
  for (const size_t index :
       GoFunctionIndex::starting_with(impl_->table(), prefixes, max_functions)) {
    if (auto function = impl_->function(index)) found.push_back(std::move(*function));
  }
  return found;
}

GoText GoProgram::text() const { return {impl_->module->data.text, impl_->module->data.text_end}; }

std::vector<GoText> GoProgram::text_of(
    const std::function<bool(const std::string&)>& wanted) const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<GoText> ranges;
  for (const size_t index : GoFunctionIndex::matching(impl_->table(), wanted)) {
    const auto begin = impl_->table().entry(index);
    const auto end = impl_->table().entry(index + 1);
    if (!begin || !end || *end <= *begin) continue;
    if (!ranges.empty() && ranges.back().end == *begin) {
      ranges.back().end = *end;
    } else {
      ranges.push_back({*begin, *end});
    }
  }
  return ranges;
}

std::optional<GoFunction> GoProgram::function_at(uint64_t vaddr) const {
  const std::lock_guard lock(impl_->mutex);
  const auto index = impl_->table().find(vaddr);
  return index ? impl_->function(*index) : std::nullopt;
}

std::vector<GoFrame> GoProgram::frames(uint64_t vaddr) const {
  const std::lock_guard lock(impl_->mutex);
  const auto index = impl_->table().find(vaddr);
  const auto record = index ? impl_->table().record(*index) : std::nullopt;
  if (!record) return {};
  const GoInlineTree tree(impl_->bytes, *impl_->module, *record);
  std::vector<GoFrame> frames;
  PcWork work;
  uint64_t pc = vaddr;
  uint32_t below = UINT32_MAX;
  while (const auto inlined = tree.call_at(pc, &work)) {
    // The compiler writes a call before those inlined into it: in a ring one of them is not.
    const auto call = *inlined < below ? tree.call(*inlined) : std::nullopt;
    auto frame = call ? impl_->frame(*record, pc, call->name, &work) : std::nullopt;
    if (!frame || frames.size() == GoInlineTree::kMaxDepth) return {};
    frames.push_back(std::move(*frame));
    below = *inlined;
    pc = call->parent_pc;
  }
  auto frame = impl_->frame(*record, pc, record->name, &work);
  if (!frame) return {};
  frames.push_back(std::move(*frame));
  return frames;
}

std::optional<uint64_t> GoProgram::stack_depth(uint64_t vaddr) const {
  const std::lock_guard lock(impl_->mutex);
  const auto index = impl_->table().find(vaddr);
  const auto record = index ? impl_->table().record(*index) : std::nullopt;
  if (!record) return std::nullopt;
  PcWork work;
  const auto depth =
      pc_value(impl_->bytes, impl_->table(), record->pcsp, record->entry, vaddr, &work);
  if (!depth || *depth < 0) return std::nullopt;
  return static_cast<uint64_t>(*depth);
}

std::vector<GoInlinedCode> GoProgram::inlined_code(const GoFunction& function) const {
  const std::lock_guard lock(impl_->mutex);
  const auto index = impl_->table().find(function.vaddr);
  const auto record = index ? impl_->table().record(*index) : std::nullopt;
  const auto end = index ? impl_->table().entry(*index + 1) : std::nullopt;
  if (!record || !end || record->entry != function.vaddr) return {};
  return mapscope::inlined_code(impl_->bytes, *impl_->module, *record, *end);
}

std::optional<GoMapType> GoProgram::map_type(uint64_t type_vaddr) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->types().map_type(type_vaddr, impl_->map_family());
}

std::vector<uint64_t> GoProgram::map_types(size_t max_types) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->types().map_types(max_types, impl_->map_family());
}

Status GoProgram::check_map_types() const {
  constexpr size_t kMaxChecked = 1000;
  const std::lock_guard lock(impl_->mutex);
  const GoMapFamily family = impl_->map_family();
  const GoTypes types = impl_->types();
  size_t agreeing = 0;
  for (const uint64_t type : types.map_types(kMaxChecked, family)) {
    const auto agrees = types.agrees_with_parts(type, family);
    if (agrees == false) {
      const auto map = types.map_type(type, family);
      return Error{ErrorKind::kUnsupported,
                   "its version was not checked, and the type " + (map ? map->name : "of a map") +
                       " is described in another way than the one known",
                   "go_layout"};
    }
    if (agrees) ++agreeing;
  }
  if (agreeing > 0) return Done{};
  return Error{ErrorKind::kUnsupported,
               "its version was not checked, and it has no map types to see how they are described",
               "go_layout"};
}

}  // namespace mapscope
