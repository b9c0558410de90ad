// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_types.h"

#include <algorithm>
#include <string>

namespace mapscope {
namespace {

constexpr uint64_t kTypeBytes = 48;
constexpr uint64_t kPointerBytesAt = 8;
constexpr uint64_t kFlagsAt = 20;
constexpr uint64_t kAlignAt = 21;
constexpr uint64_t kKindAt = 23;
constexpr uint64_t kNameAt = 40;
constexpr uint8_t kKindMask = 31;
constexpr uint8_t kMapKind = 21;
constexpr uint8_t kExtraStar = 2;
constexpr uint8_t kNamed = 4;
constexpr uint64_t kMaxTypesBytes = 1ULL << 30;
constexpr size_t kMaxTypeNameBytes = 64 << 10;
constexpr size_t kMaxCandidates = 2'000'000;          // words that could be the kind of a map
constexpr uint64_t kMinGroupBytes = 8;                // eight times nothing, and a word
constexpr uint64_t kMaxGroupBytes = 8 + 8 * 256 + 8;  // what is over 128 bytes is stored elsewhere
constexpr uint64_t kMaxTypeBytes = 1ULL << 47;        // no object is larger than the address space

// abi.Type and what of a map's descriptor is at one place in both families.
struct MapDescriptor {
  uint64_t size;
  uint64_t pointer_bytes;
  uint32_t hash;
  uint8_t flags;
  uint8_t align;
  uint8_t field_align;
  uint8_t kind;
  uint64_t equal;
  uint64_t gc_data;
  int32_t name;
  int32_t pointer_to_this;
  uint64_t key;
  uint64_t elem;
  uint64_t group;
  uint64_t hasher;
  // Classic: u8 key bytes, u8 elem bytes, u16 bucket bytes. Swiss: group bytes.
  uint64_t sizes;
};
static_assert(sizeof(MapDescriptor) == 88);

}  // namespace

GoTypes::GoTypes(const ImageBytes& bytes, const GoModuleData& module, PclntabFormat format,
                 const GoVersion& version)
    : bytes_(&bytes),
      begin_(module.types),
      end_(module.types_end),
      long_names_(format < PclntabFormat::kGo116 ||
                  (format == PclntabFormat::kGo116 && version.minor <= 16)) {}

// A byte of flags, the length, the text.
std::optional<GoTypes::Text> GoTypes::name(int32_t offset) const {
  if (offset <= 0 || !holds(begin_ + static_cast<uint32_t>(offset), 4)) return std::nullopt;
  ByteCursor cursor(*bytes_, begin_ + static_cast<uint32_t>(offset) + 1, end_);
  uint32_t length = 0;
  if (long_names_) {
    const auto high = cursor.byte();
    const auto low = cursor.byte();
    if (high && low) length = uint32_t{*high} << 8 | *low;
  } else {
    length = cursor.uvarint().value_or(0);
  }
  const uint64_t start = cursor.vaddr();
  if (length == 0 || length > kMaxTypeNameBytes || !holds(start, length)) return std::nullopt;
  return Text{start, length};
}

std::string GoTypes::read(const Text& text) const {
  std::string found(text.bytes, '\0');
  const bool complete =
      bytes_->read(text.vaddr, std::as_writable_bytes(std::span(found))) == text.bytes;
  return complete ? found : "";
}

std::optional<uint64_t> GoTypes::size_of(uint64_t type) const {
  const auto size = holds(type, kTypeBytes) ? bytes_->load<uint64_t>(type) : std::nullopt;
  return size && *size < kMaxTypeBytes ? size : std::nullopt;
}

bool GoTypes::may_have_pointers(uint64_t type) const {
  return !holds(type, kTypeBytes) || bytes_->load<uint64_t>(type + kPointerBytesAt) != 0U;
}

std::optional<GoTypes::Map> GoTypes::map_at(uint64_t vaddr, GoMapFamily family) const {
  if (vaddr % 8 != 0 || !holds(vaddr, sizeof(MapDescriptor))) return std::nullopt;
  const auto descriptor = bytes_->load<MapDescriptor>(vaddr);
  if (!descriptor || (descriptor->kind & kKindMask) != kMapKind || descriptor->size != 8 ||
      descriptor->pointer_bytes != 8 || descriptor->align != 8 || descriptor->field_align != 8) {
    return std::nullopt;
  }
  Map map;
  map.type.group_bytes =
      family == GoMapFamily::kClassic ? descriptor->sizes >> 16 & 0xffff : descriptor->sizes;
  if (map.type.group_bytes < kMinGroupBytes || map.type.group_bytes > kMaxGroupBytes) {
    return std::nullopt;
  }
  const auto key = size_of(descriptor->key);
  const auto elem = size_of(descriptor->elem);
  const auto text = name(descriptor->name);
  if (!key || !elem || !text) return std::nullopt;
  map.type.key_bytes = *key;
  map.type.elem_bytes = *elem;
  map.type.group_has_pointers = may_have_pointers(descriptor->group);
  map.name = *text;
  // The star makes the name serve the pointer type as well.
  std::string start = (descriptor->flags & kExtraStar) != 0 ? "*" : "";
  if ((descriptor->flags & kNamed) == 0) start += "map[";
  if (read({text->vaddr, std::min<uint32_t>(text->bytes, 5)}).starts_with(start)) {
    if (start.starts_with('*')) map.name = {text->vaddr + 1, text->bytes - 1};
    return map;
  }
  return std::nullopt;
}

std::optional<GoMapType> GoTypes::map_type(uint64_t vaddr, GoMapFamily family) const {
  auto map = map_at(vaddr, family);
  if (!map) return std::nullopt;
  map->type.name = read(map->name);
  if (map->type.name.empty()) return std::nullopt;
  return std::move(map->type);
}

std::optional<GoTypes::Part> GoTypes::part_at(uint64_t vaddr) const {
  if (!holds(vaddr, kTypeBytes)) return std::nullopt;
  const auto size = bytes_->load<uint64_t>(vaddr);
  const auto flags = bytes_->load<uint8_t>(vaddr + kFlagsAt);
  const auto align = bytes_->load<uint8_t>(vaddr + kAlignAt);
  const auto offset = bytes_->load<int32_t>(vaddr + kNameAt);
  const auto text = offset ? name(*offset) : std::nullopt;
  if (!size || *size >= kMaxTypeBytes || !flags || !align || *align == 0 || !text)
    return std::nullopt;
  std::string found = read(*text);
  if ((*flags & kExtraStar) != 0) {
    if (!found.starts_with('*')) return std::nullopt;
    found.erase(0, 1);
  }
  return Part{std::move(found), *size, *align};
}

// Source: cmd/compile/internal/reflectdata/map.go: groups of eight slots behind a control word;
// what is over 128 bytes is stored elsewhere, and a last member without bytes takes one.
bool GoTypes::fits_group(const Part& key, const Part& elem, uint64_t group_bytes) {
  constexpr uint64_t kMaxInline = 128;
  constexpr uint64_t kSlots = 8;
  const auto stored = [](const Part& part) {
    return part.bytes > kMaxInline ? Part{"", 8, 8} : Part{"", part.bytes, part.align};
  };
  const Part k = stored(key);
  const Part e = stored(elem);
  uint64_t slot = align_up(k.bytes, e.align) + e.bytes;
  if (e.bytes == 0 && slot > 0) ++slot;
  slot = align_up(slot, std::max(k.align, e.align));
  const uint64_t together = slot == 0 ? 16 : align_up(8 + kSlots * slot, 8);
  // With GOEXPERIMENT=mapsplitgroup all keys, then all elements.
  const uint64_t elems_at = align_up(8 + kSlots * k.bytes, e.align);
  const uint64_t split = align_up(elems_at + kSlots * e.bytes + (e.bytes == 0), 8);
  return group_bytes == together || group_bytes == split;
}

std::optional<bool> GoTypes::agrees_with_parts(uint64_t vaddr, GoMapFamily family) const {
  const auto map = map_type(vaddr, family);
  const auto descriptor = bytes_->load<MapDescriptor>(vaddr);
  if (!map || !descriptor) return std::nullopt;
  const auto key = part_at(descriptor->key);
  const auto elem = part_at(descriptor->elem);
  if (!key || !elem) return false;
  const bool is_named = (descriptor->flags & kNamed) != 0;
  if (!is_named && map->name != "map[" + key->name + "]" + elem->name) return false;
  return family != GoMapFamily::kSwiss || fits_group(*key, *elem, map->group_bytes);
}

std::vector<uint64_t> GoTypes::map_types(size_t max_types, GoMapFamily family) const {
  std::vector<uint64_t> found;
  size_t candidates = 0;
  const uint64_t end = begin_ + std::min(end_ - begin_, kMaxTypesBytes);
  uint64_t at = align_up(begin_, 8);
  while (at < end && end - at >= sizeof(MapDescriptor)) {
    const auto view = bytes_->view(at + kKindAt);
    if (view.empty()) break;
    std::vector<uint64_t> likely;  // looking closer reads, which ends the view
    size_t i = 0;
    for (; i < view.size(); i += 8) {
      const auto kind = static_cast<uint8_t>(view[i]);
      if ((kind & kKindMask) == kMapKind) likely.push_back(at + i);
    }
    for (const uint64_t place : likely) {
      if (found.size() == max_types || ++candidates > kMaxCandidates) return found;
      if (map_at(place, family)) found.push_back(place);
    }
    at += i;
  }
  return found;
}

}  // namespace mapscope
