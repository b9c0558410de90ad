// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/demangle.h"

#include <gtest/gtest.h>

#include <string>

namespace mapscope::test {
namespace {

TEST(Demangle, PlainNameStaysAsItIs) {
  EXPECT_EQ(demangle("mapscope_map_grow"), "mapscope_map_grow");
  EXPECT_EQ(demangle("_start"), "_start");
  EXPECT_EQ(demangle(""), "");
}

TEST(Demangle, MethodKeepsScopeAndArguments) {
  EXPECT_EQ(demangle("_ZN5Store3putEiRKSs"), "Store::put(int, std::string const&)");
  EXPECT_EQ(demangle("_ZNK5Store3getEi"), "Store::get(int) const");
}

TEST(Demangle, TemplateLosesItsReturnType) {
  EXPECT_EQ(demangle("_ZN1n1fIiEEbT_"), "n::f<int>(int)");
  EXPECT_EQ(demangle("_ZNSt6vectorIiSaIiEE12emplace_backIJiEEERiDpOT_"),
            "std::vector<int, std::allocator<int> >::emplace_back<int>(int&&)");
}

TEST(Demangle, AnonymousNamespaceIsNotAnArgumentList) {
  EXPECT_EQ(demangle("_ZN12_GLOBAL__N_11fIiEEvT_"), "(anonymous namespace)::f<int>(int)");
}

TEST(Demangle, LambdaKeepsTheFunctionAroundIt) {
  EXPECT_EQ(demangle("_ZZ4mainENKUlvE_clEv"), "main::{lambda()#1}::operator()() const");
}

TEST(Demangle, OperatorsAreNames) {
  EXPECT_EQ(demangle("_ZN1AlsEi"), "A::operator<<(int)");
  EXPECT_EQ(demangle("_ZN1AcvbEv"), "A::operator bool()");
  EXPECT_EQ(demangle("_ZN1AclIiEEvT_"), "A::operator()<int>(int)");
  EXPECT_EQ(demangle("_Znwm"), "operator new(unsigned long)");
}

TEST(Demangle, BrokenNameStaysAsItIs) { EXPECT_EQ(demangle("_ZN5Sto"), "_ZN5Sto"); }

TEST(Demangle, LongNameIsBounded) {
  const std::string mangled = "_Z" + std::string(100'000, 'P') + "v";
  EXPECT_LE(demangle(mangled.c_str()).size(), 4096U);
}

// A<int, int>, and 25 times a pair of what came last: a gigabyte, from 260 bytes.
TEST(Demangle, NameThatDoublesAtEachSubstitutionIsBounded) {
  std::string mangled = "_Z1f1AIiiE";
  for (const char last : std::string("0123456789ABCDEFGHIJKLMNO")) {
    const std::string substitution{'S', last, '_'};
    mangled.append("S_I").append(substitution).append(substitution).append("E");
  }
  const std::string name = demangle(mangled.c_str());
  EXPECT_TRUE(name.starts_with("f(A<int, int>, A<A<int, int>, A<int, int> >"));
  EXPECT_TRUE(name.ends_with("…"));
  EXPECT_LE(name.size(), 4096U);
}

TEST(ReadableFunction, ArgumentsAreLeftOut) {
  EXPECT_EQ(readable_function("Store::put(int, std::string const&)"), "Store::put");
  EXPECT_EQ(readable_function("main"), "main");
  EXPECT_EQ(readable_function("A::operator()(int) const"), "A::operator()");
  EXPECT_EQ(readable_function("A::operator<<(int)"), "A::operator<<");
}

TEST(ReadableFunction, ReceiverInParenthesesIsNoArgumentList) {
  EXPECT_EQ(readable_function("main.(*Store).Put"), "main.(*Store).Put");
}

TEST(ReadableFunction, LongTemplateArgumentsAreElided) {
  EXPECT_EQ(
      readable_function("std::unordered_map<unsigned long, std::vector<int, std::allocator<int> "
                        "> >::operator[](unsigned long&&)"),
      "std::unordered_map<…>::operator[]");
  EXPECT_EQ(readable_function("n::f<int>(int)"), "n::f<int>");
}

}  // namespace
}  // namespace mapscope::test
