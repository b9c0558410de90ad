// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_types.h – the map types among a program's type descriptors.
//
// Source: runtime/type.go _type and maptype of go1.15, internal/abi/type.go and map_swiss.go of
// go1.24, map.go of go1.27; every field read here is at one place in all of them, or in all of its
// family.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/binary/go_module_data.h"

namespace mapscope {

enum class GoMapFamily { kClassic, kSwiss };

class GoTypes {
 public:
  // `version`: of the program, 0.0.0 when unknown. `bytes` must outlive this.
  GoTypes(const ImageBytes& bytes, const GoModuleData& module, PclntabFormat format,
          const GoVersion& version);

  [[nodiscard]] std::optional<GoMapType> map_type(uint64_t vaddr, GoMapFamily family) const;
  [[nodiscard]] std::vector<uint64_t> map_types(size_t max_types, GoMapFamily family) const;
  // Whether a map's descriptor is made of those of its key and its element; nullopt: no map type.
  [[nodiscard]] std::optional<bool> agrees_with_parts(uint64_t vaddr, GoMapFamily family) const;

 private:
  [[nodiscard]] bool holds(uint64_t vaddr, uint64_t size) const {
    return vaddr >= begin_ && vaddr < end_ && end_ - vaddr >= size;
  }
  // Where the text of a name is; checked to lie within the types.
  struct Text {
    uint64_t vaddr = 0;
    uint32_t bytes = 0;
  };
  // What a map's descriptor says, its name not yet read.
  struct Map {
    GoMapType type;
    Text name;
  };
  // What the descriptor of a key or an element says.
  struct Part {
    std::string name;
    uint64_t bytes = 0;
    uint64_t align = 1;
  };
  [[nodiscard]] std::optional<Part> part_at(uint64_t vaddr) const;
  static bool fits_group(const Part& key, const Part& elem, uint64_t group_bytes);
  [[nodiscard]] std::optional<Map> map_at(uint64_t vaddr, GoMapFamily family) const;
  [[nodiscard]] std::optional<Text> name(int32_t offset) const;
  [[nodiscard]] std::string read(const Text& text) const;  // "" when it cannot be read
  [[nodiscard]] std::optional<uint64_t> size_of(uint64_t type) const;
  [[nodiscard]] bool may_have_pointers(uint64_t type) const;

  const ImageBytes* bytes_;
  uint64_t begin_;
  uint64_t end_;
  bool long_names_;  // two bytes of length, up to 1.16
};

}  // namespace mapscope
