// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/go_source.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

TEST(GoSource, PackageOfAFunction) {
  EXPECT_EQ(go_package_of("main.main"), "main");
  EXPECT_EQ(go_package_of("main.(*Store).Put.func1"), "main");
  EXPECT_EQ(go_package_of("github.com/x/store.(*Cache).Put"), "github.com/x/store");
  EXPECT_EQ(go_package_of("gopkg.in/yaml%2ev3.Unmarshal"), "gopkg.in/yaml%2ev3");
  EXPECT_EQ(go_package_of("main.put[github.com/x/store.Key]"), "main");
  EXPECT_EQ(go_package_of("main.(*Cache[go.shape.int]).Put"), "main");
  EXPECT_EQ(go_package_of(""), "");
  EXPECT_EQ(go_package_of("main"), "");
}

TEST(GoSource, NameOfAPackage) {
  EXPECT_EQ(go_package_name("main"), "main");
  EXPECT_EQ(go_package_name("github.com/x/store"), "store");
  EXPECT_EQ(go_package_name("github.com/x/store/v2"), "store");
  EXPECT_EQ(go_package_name("gopkg.in/yaml%2ev3"), "yaml");
  EXPECT_EQ(go_package_name("v2"), "v2");
}

TEST(GoSource, TypeIsWrittenAsInItsPackage) {
  const auto in_main = [](std::string_view type) { return go_type_in_source(type, "main"); };
  EXPECT_EQ(in_main("map[string]*main.Session"), "map[string]*Session");
  EXPECT_EQ(in_main("map[main.point]main.size"), "map[point]size");
  EXPECT_EQ(in_main("map[string]*store.Session"), "map[string]*store.Session");
  EXPECT_EQ(in_main("map[domain.Key]int"), "map[domain.Key]int");
  EXPECT_EQ(in_main("map[string]interface {}"), "map[string]interface {}");
  EXPECT_EQ(in_main("map[string]func(...main.T) <-chan int"), "map[string]func(...T) <-chan int");
  EXPECT_EQ(in_main("map[string]struct { X main.T \"json:\\\"main.T\\\"\" }"),
            "map[string]struct { X T \"json:\\\"main.T\\\"\" }");
  EXPECT_EQ(in_main("main.Sessions"), "Sessions");
  EXPECT_EQ(in_main("map[uint64][160]uint8"), "map[uint64][160]uint8");
  EXPECT_EQ(go_type_in_source("map[string]*main.Session", ""), "map[string]*main.Session");
}

TEST(GoSource, TypeInAPackageWithAPath) {
  EXPECT_EQ(go_type_in_source("map[uint64]*scrape.cacheEntry", "github.com/prometheus/scrape"),
            "map[uint64]*cacheEntry");
  EXPECT_EQ(go_type_in_source("map[string]yaml.Node", "gopkg.in/yaml%2ev3"), "map[string]Node");
  EXPECT_EQ(go_type_in_source("map[string]store.Key", "github.com/x/store/v2"), "map[string]Key");
}

TEST(GoSource, TypeParametersLoseTheirPaths) {
  EXPECT_EQ(go_type_in_source("map[string]main.Pair[github.com/x/store.Key,int]", "main"),
            "map[string]Pair[store.Key,int]");
  EXPECT_EQ(go_type_in_source("map[go.shape.int64]go.shape.string_0", "main"), "map[int64]string");
}

TEST(GoSource, OriginIsKnownByTheName) {
  EXPECT_TRUE(go_origin("text/template.addFuncs").standard_library);
  EXPECT_TRUE(go_origin("encoding/json.(*decodeState).object").standard_library);
  EXPECT_TRUE(go_origin("vendor/golang.org/x/net/http2/hpack.init").standard_library);
  EXPECT_FALSE(go_origin("main.main").standard_library);
  EXPECT_FALSE(go_origin("github.com/x/net/http.init").standard_library);
  EXPECT_FALSE(go_origin("fixtures/grow.putInt").standard_library);
  EXPECT_FALSE(go_origin("").standard_library);
}

TEST(GoSource, InitIsKnownByTheName) {
  for (const char* name : {"main.init", "main.init.0", "unicode.init", "runtime.doInit1"})
    EXPECT_TRUE(go_origin(name).at_init) << name;
  // What init defines may run whenever; so may a method of that name.
  for (const char* name : {"main.init.0.func1", "main.init.func1", "main.glob..func1",
                           "main.(*T).init", "main.initialise", ""})
    EXPECT_FALSE(go_origin(name).at_init) << name;
}

TEST(GoSource, AdviceCanBePasted) {
  EXPECT_EQ(go_make_advice("map[string]*main.Session", 1000, "main.(*Store).Put"),
            "make(map[string]*Session, 1000)");
  EXPECT_EQ(go_make_advice("map[string]*main.Session", 1000, ""),
            "make(map[string]*main.Session, 1000)");
  EXPECT_EQ(go_make_advice("", 9, "main.main"), "make(map[…]…, 9)");
}

}  // namespace
}  // namespace mapscope
