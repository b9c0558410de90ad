// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/foreign.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/paths.h"
#include "tests/support/image_file.h"

namespace mapscope {
namespace {

using test::Bytes;

// A program of one executable segment and no sections, with `behind` after its program headers.
Bytes bare_program(const std::string& behind) {
  const Elf64_Ehdr header = test::header_of_program(1);
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_X;
  constexpr size_t kHeaders = sizeof(header) + sizeof(segment);
  segment.p_filesz = kHeaders;
  Bytes bytes(kHeaders + behind.size());
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), &segment, sizeof(segment));
  std::memcpy(bytes.data() + kHeaders, behind.data(), behind.size());
  return bytes;
}

Error why_not(const Bytes& bytes) {
  const auto program = test::open_program_of(bytes);
  return program ? Error{ErrorKind::kSystem, "it is one"} : program.error();
}

Error why_not(const std::string& text) { return why_not(Bytes(text.begin(), text.end())); }

TEST(Foreign, PackedProgramIsNamed) {
  const Error error = why_not(bare_program("\x45\xec\xcd\x1cUPX!\xdc\x0a\x0e\x16"));
  EXPECT_EQ(error.kind, ErrorKind::kUnsupported);
  EXPECT_EQ(error.label, "packed");
  EXPECT_NE(error.text.find("packed by UPX"), std::string::npos) << error.text;
  EXPECT_EQ(why_not(bare_program("nothing of the kind")).text, "it is one");
  EXPECT_EQ(why_not(bare_program("")).text, "it is one");
}

TEST(Foreign, ScriptIsNamedWithItsInterpreter) {
  EXPECT_NE(why_not("#!/usr/bin/env python3\nimport os\n")
                .text.find("a script, run by /usr/bin/env python3; "),
            std::string::npos);
  EXPECT_NE(why_not("#! /bin/sh \r\n").text.find("run by /bin/sh; "), std::string::npos);
  EXPECT_NE(why_not("#!/bin/sh").text.find("run by /bin/sh; "), std::string::npos);
  for (const char* text : {"#!", "#!\n", "#! \n", "#", "", "echo\n"})
    EXPECT_NE(why_not(text).text.find("not an ELF file"), std::string::npos) << text;
  EXPECT_LT(why_not("#!/" + std::string(5000, 'x')).text.size(), 400U);
}

TEST(Foreign, ProgramOfTinyGoIsNamed) {
  const auto program = test::open_program(MAPSCOPE_FIXTURE_TINYGO);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().label, "tinygo");
  EXPECT_NE(program.error().text.find("built by TinyGo"), std::string::npos);
}

TEST(Foreign, OrdinaryProgramIsNot) {
  const auto image = test::open_image(MAPSCOPE_FIXTURE_NO_CONTRACT);
  ASSERT_TRUE(image);
  EXPECT_FALSE(foreign_program(*image));
}

}  // namespace
}  // namespace mapscope
