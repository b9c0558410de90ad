// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/instruction.h"

#include <gtest/gtest.h>

#include "tests/paths.h"
#include "tests/support/image_file.h"

namespace mapscope {
namespace {

constexpr uint64_t kAddress = 0x1000;

Result<std::vector<Instruction>> decode(std::initializer_list<uint8_t> bytes) {
  const std::vector<uint8_t> copy(bytes);
  return disassemble(std::as_bytes(std::span(copy)), kAddress);
}

// The only instruction in `bytes`.
Instruction one(std::initializer_list<uint8_t> bytes) {
  const Result<std::vector<Instruction>> code = decode(bytes);
  if (!code || code->size() != 1) return {};
  return code->front();
}

Result<FunctionCode> shape(std::string_view name) {
  static const Result<Program> program = test::open_program(MAPSCOPE_FIXTURE_SHAPES);
  if (!program) return program.error();
  return read_function(*program, name);
}

TEST(Instruction, LengthTextAndAddressAreDecoded) {
  const Result<std::vector<Instruction>> code = decode({0x90, 0x0f, 0x1f, 0x44, 0, 0, 0x55, 0xc3});
  ASSERT_TRUE(code) << code.error().text;
  ASSERT_EQ(code->size(), 4U);
  EXPECT_EQ((*code)[0].text, "nop");
  EXPECT_EQ((*code)[1].length, 5);
  EXPECT_TRUE((*code)[1].is_nop);
  EXPECT_EQ((*code)[2].text, "push rbp");
  EXPECT_EQ((*code)[3].vaddr, kAddress + 7);
}

TEST(Instruction, NothingDecodesToNothing) {
  const Result<std::vector<Instruction>> code = decode({});
  ASSERT_TRUE(code);
  EXPECT_TRUE(code->empty());
}

TEST(Instruction, InvalidOpcodeIsUnsupported) {
  const Result<std::vector<Instruction>> code = decode({0x90, 0x06});
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(code.error().text.find("0x1001"), std::string::npos);
}

TEST(Instruction, TruncatedInstructionIsUnsupported) { EXPECT_FALSE(decode({0x48, 0x8b})); }

TEST(Instruction, FlowIsTold) {
  EXPECT_EQ(one({0x90}).flow, Flow::kNext);
  EXPECT_EQ(one({0xc3}).flow, Flow::kReturn);
  EXPECT_EQ(one({0xf3, 0xc3}).flow, Flow::kReturn);
  EXPECT_EQ(one({0xc2, 8, 0}).flow, Flow::kReturn);
  EXPECT_EQ(one({0xe8, 0, 0, 0, 0}).flow, Flow::kCall);
  EXPECT_EQ(one({0xff, 0xd0}).flow, Flow::kCall);
  EXPECT_EQ(one({0xff, 0xe0}).flow, Flow::kIndirectJump);
  EXPECT_EQ(one({0x3e, 0xff, 0xe0}).flow, Flow::kIndirectJump);
  EXPECT_EQ(one({0xff, 0x25, 0, 0, 0, 0}).flow, Flow::kIndirectJump);
  EXPECT_EQ(one({0xcc}).flow, Flow::kOther);
  EXPECT_EQ(one({0x0f, 0x05}).flow, Flow::kOther);
  EXPECT_EQ(one({0x0f, 0x0b}).flow, Flow::kOther);
  EXPECT_EQ(one({0xf4}).flow, Flow::kOther);
}

TEST(Instruction, DirectJumpsHaveTargets) {
  const Instruction jump = one({0xeb, 0x10});
  EXPECT_EQ(jump.flow, Flow::kJump);
  EXPECT_EQ(jump.target, kAddress + 0x12);
  const Instruction back = one({0x0f, 0x84, 0xfa, 0xff, 0xff, 0xff});
  EXPECT_EQ(back.flow, Flow::kConditionalJump);
  EXPECT_EQ(back.target, kAddress);
  EXPECT_EQ(one({0xe3, 0x00}).flow, Flow::kConditionalJump);  // jrcxz
  EXPECT_EQ(one({0xe2, 0x00}).flow, Flow::kConditionalJump);  // loop
}

TEST(Instruction, OnlyHarmlessInstructionsKeepArguments) {
  EXPECT_TRUE(one({0x90}).keeps_arguments);
  EXPECT_TRUE(one({0xf3, 0x0f, 0x1e, 0xfa}).keeps_arguments);   // endbr64
  EXPECT_TRUE(one({0x48, 0x8b, 0x07}).keeps_arguments);         // mov rax, [rdi]
  EXPECT_TRUE(one({0x31, 0xc0}).keeps_arguments);               // xor eax, eax
  EXPECT_TRUE(one({0x48, 0x85, 0xff}).keeps_arguments);         // test rdi, rdi
  EXPECT_FALSE(one({0x48, 0x89, 0x07}).keeps_arguments);        // mov [rdi], rax
  EXPECT_FALSE(one({0x48, 0x89, 0xf7}).keeps_arguments);        // mov rdi, rsi
  EXPECT_FALSE(one({0x31, 0xc9}).keeps_arguments);              // xor ecx, ecx
  EXPECT_FALSE(one({0x41, 0xb0, 0x01}).keeps_arguments);        // mov r8b, 1
  EXPECT_FALSE(one({0xb6, 0x01}).keeps_arguments);              // mov dh, 1
  EXPECT_FALSE(one({0x48, 0x83, 0xec, 0x08}).keeps_arguments);  // sub rsp, 8
  EXPECT_FALSE(one({0x55}).keeps_arguments);                    // push rbp
  EXPECT_FALSE(one({0xe8, 0, 0, 0, 0}).keeps_arguments);        // call
  EXPECT_FALSE(one({0x48, 0x87, 0xf8}).keeps_arguments);        // xchg rax, rdi
  EXPECT_FALSE(one({0xf3, 0x48, 0xa5}).keeps_arguments);        // rep movsq
  EXPECT_FALSE(one({0x48, 0x99}).keeps_arguments);              // cqo writes rdx
  EXPECT_FALSE(one({0x0f, 0xa2}).keeps_arguments);              // cpuid
}

TEST(Instruction, OperandsAreTold) {
  const Instruction store = one({0x48, 0xc7, 0x40, 0x18, 0, 0, 0, 0});  // mov qword [rax + 24], 0
  EXPECT_EQ(store.operation, Operation::kMove);
  EXPECT_TRUE(store.operands[0].is_memory(Register::kAx, 24));
  EXPECT_EQ(store.operands[0].size, 8);
  EXPECT_EQ(store.operands[1].kind, Operand::Kind::kImmediate);
  EXPECT_TRUE(store.writes_memory);
  EXPECT_EQ(store.written, 0U);
  const Instruction indexed = one({0x8b, 0x4c, 0x84, 0x10});  // mov ecx, [rsp + 4 * rax + 16]
  EXPECT_FALSE(indexed.operands[1].is_memory(Register::kSp, 16));
  const Instruction goroutine = one({0x64, 0x48, 0x8b, 0x09});  // mov rcx, fs:[rcx]
  EXPECT_FALSE(goroutine.operands[1].is_memory(Register::kCx, 0));
}

TEST(Instruction, PartOfARegisterIsTheWhole) {
  EXPECT_EQ(one({0xb6, 0x01}).written, set_of(Register::kDx));              // mov dh, 1
  EXPECT_EQ(one({0x41, 0xb0, 0x01}).written, set_of(Register::kR8));        // mov r8b, 1
  EXPECT_EQ(one({0x0f, 0xb6, 0x4b, 0x09}).operands[0].reg, Register::kCx);  // movzx ecx, …
}

TEST(Instruction, WrittenRegistersAreThoseThatMayChange) {
  EXPECT_EQ(one({0x48, 0x39, 0xd8}).written, 0U);                                 // cmp rax, rbx
  EXPECT_EQ(one({0x55}).written, set_of(Register::kSp));                          // push rbp
  EXPECT_EQ(one({0x5d}).written, set_of(Register::kSp) | set_of(Register::kBp));  // pop rbp
  EXPECT_EQ(one({0x48, 0xf7, 0xe6}).written, set_of(Register::kAx) | set_of(Register::kDx));  // mul
  EXPECT_EQ(one({0x48, 0x87, 0xf8}).written,
            set_of(Register::kAx) | set_of(Register::kDi));                 // xchg
  EXPECT_EQ(one({0xf0, 0x0f, 0xb1, 0x31}).written, set_of(Register::kAx));  // lock cmpxchg
  EXPECT_EQ(one({0xf0, 0x0f, 0xc1, 0x11}).written, set_of(Register::kDx));  // lock xadd
  EXPECT_EQ(one({0xf0, 0x48, 0xff, 0x07}).written, 0U);                     // lock inc [rdi]
  EXPECT_TRUE(one({0xf0, 0x48, 0xff, 0x07}).writes_memory);
}

// What compilers use from GOAMD64=v3 and -march=x86-64-v3 on.
TEST(Instruction, NewerInstructionsWriteTheirFirstOperand) {
  const RegisterSet cx = set_of(Register::kCx);
  EXPECT_EQ(one({0xc4, 0xe2, 0xf1, 0xf7, 0xc8}).written, cx);     // shlx rcx, rax, rcx
  EXPECT_EQ(one({0xc4, 0xe2, 0xf3, 0xf7, 0xc8}).written, cx);     // shrx
  EXPECT_EQ(one({0xc4, 0xe2, 0xf2, 0xf7, 0xc8}).written, cx);     // sarx
  EXPECT_EQ(one({0xc4, 0xe3, 0xfb, 0xf0, 0xc8, 1}).written, cx);  // rorx
  EXPECT_EQ(one({0xc4, 0xe2, 0xf0, 0xf2, 0xcb}).written, cx);     // andn rcx, rcx, rbx
  EXPECT_EQ(one({0xc4, 0xe2, 0xf0, 0xf3, 0xc8}).written, cx);     // blsr rcx, rax
  EXPECT_EQ(one({0x0f, 0x38, 0xf0, 0x08}).written, cx);           // movbe ecx, [rax]
  EXPECT_EQ(one({0xc4, 0xe2, 0xeb, 0xf6, 0xcb}).written,
            cx | set_of(Register::kDx));                    // mulx rcx, rdx, rbx
  EXPECT_EQ(one({0xc5, 0xfa, 0x6f, 0x08}).written, 0U);     // vmovdqu xmm1, [rax]
  const Instruction store = one({0x0f, 0x38, 0xf1, 0x08});  // movbe [rax], ecx
  EXPECT_EQ(store.written, 0U);
  EXPECT_TRUE(store.writes_memory);
  EXPECT_TRUE(one({0x44, 0x0f, 0x11, 0x38}).writes_memory);  // movups [rax], xmm15
}

TEST(Instruction, UnnamedOperandsCount) {
  EXPECT_EQ(one({0x0f, 0xa2}).written, set_of(Register::kAx) | set_of(Register::kBx) |
                                           set_of(Register::kCx) | set_of(Register::kDx));  // cpuid
  EXPECT_EQ(one({0xf3, 0x48, 0xab}).written,
            set_of(Register::kDi) | set_of(Register::kCx));                       // rep stosq
  EXPECT_EQ(one({0xc9}).written, set_of(Register::kSp) | set_of(Register::kBp));  // leave
  EXPECT_EQ(one({0xd7}).written, set_of(Register::kAx));                          // xlatb
  EXPECT_TRUE(one({0xf3, 0x48, 0xab}).writes_memory);
}

TEST(Instruction, WhatLeavesTheProgramWritesEverything) {
  for (const Instruction& in : {one({0x0f, 0x05}), one({0xcc}), one({0xf4})}) {
    EXPECT_EQ(in.written, kAllRegisters) << in.text;  // syscall, int3, hlt
    EXPECT_TRUE(in.writes_memory) << in.text;
  }
}

TEST(Instruction, DirectCallsHaveTargets) {
  EXPECT_EQ(one({0xe8, 0x10, 0, 0, 0}).target, kAddress + 0x15);
  EXPECT_EQ(one({0xff, 0xd0}).target, 0U);
}

TEST(Instruction, OpcodeStandsAfterThePrefixes) {
  EXPECT_EQ(one({0x90}).opcode(), 0x90);
  EXPECT_EQ(one({0x66, 0x90}).opcode(), 0x90);
  EXPECT_EQ(one({0x41, 0x54}).opcode(), 0x54);
  const Instruction locked = one({0xf0, 0x48, 0xff, 0x07});
  EXPECT_EQ(locked.opcode(), 0xff);
  EXPECT_TRUE(locked.has_prefix(0xf0));
  EXPECT_FALSE(locked.has_prefix(0x66));
}

TEST(FunctionCode, MissingFunctionIsNotFound) {
  const Result<FunctionCode> function = shape("no_such_shape");
  ASSERT_FALSE(function);
  EXPECT_EQ(function.error().kind, ErrorKind::kNotFound);
}

TEST(FunctionCode, FunctionWithoutSizeIsUnsupported) {
  const Result<FunctionCode> function = shape("no_size");
  ASSERT_FALSE(function);
  EXPECT_EQ(function.error().kind, ErrorKind::kUnsupported);
}

TEST(FunctionCode, JumpIntoAnInstructionIsUnsupported) {
  EXPECT_FALSE(shape("jump_into_instruction"));
}
TEST(FunctionCode, DataBetweenInstructionsIsUnsupported) { EXPECT_FALSE(shape("data_inside")); }
TEST(FunctionCode, FunctionThatEndsInsideAnInstructionIsUnsupported) {
  EXPECT_FALSE(shape("cut_short"));
}

TEST(FunctionCode, JumpsInsideAndOutAreTold) {
  const Result<FunctionCode> inside = shape("two_returns");
  ASSERT_TRUE(inside) << inside.error().text;
  ASSERT_EQ(inside->jump_targets.size(), 1U);
  EXPECT_TRUE(inside->is_jump_target(inside->jump_targets.front()));
  EXPECT_FALSE(inside->is_jump_target(inside->symbol.vaddr));
  EXPECT_FALSE(inside->jump_out);
  const Result<FunctionCode> out = shape("tail_call");
  ASSERT_TRUE(out) << out.error().text;
  EXPECT_TRUE(out->jump_out);
  const Result<FunctionCode> computed = shape("computed_jump");
  ASSERT_TRUE(computed) << computed.error().text;
  EXPECT_TRUE(computed->indirect_jump);
}

}  // namespace
}  // namespace mapscope
