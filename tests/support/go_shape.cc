// SPDX-License-Identifier: Apache-2.0
#include "tests/support/go_shape.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "tests/paths.h"
#include "tests/support/image_file.h"

namespace mapscope::test {

Result<Program> make_go_shape(const std::string& shape, GoNames names, const std::string& version,
                              const std::function<void(std::vector<std::byte>*)>& spoil) {
  static const Result<ElfImage> shapes = open_image(MAPSCOPE_FIXTURE_GO_SHAPES);
  if (!shapes) return shapes.error();
  const auto symbol = shapes->find_function(shape);
  if (!symbol) return Error{ErrorKind::kNotFound, shape + ": no such shape"};
  std::vector<std::byte> code = shapes->code(symbol->vaddr, symbol->size);
  if (spoil) spoil(&code);
  const auto* format = std::find_if(std::begin(kGoFormats), std::end(kGoFormats),
                                    [&](const auto& known) { return version == known.second; });
  if (format == std::end(kGoFormats))
    return Error{ErrorKind::kNotFound, version + ": no such format"};
  GoImage image = make_go_image(format->first, version, std::move(names));
  image.put_bytes(GoImage::kText - GoImage::kBase, code.data(), code.size());
  return open_program_of(image.bytes);
}

}  // namespace mapscope::test
