// SPDX-License-Identifier: Apache-2.0
// The metrics as Prometheus reads them: its own promtool judges the text.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "agent/export/metric_table.h"
#include "agent/export/text.h"
#include "tests/support/sample_resize.h"

namespace mapscope {
namespace {

// A file with the text, removed at the end.
class TextFile {
 public:
  explicit TextFile(const std::string& text) {
    const int fd = mkstemp(path_.data());
    EXPECT_GE(fd, 0);
    close(fd);
    std::ofstream(path_) << text;
  }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  TextFile(TextFile&&) = delete;
  TextFile& operator=(TextFile&&) = delete;
  ~TextFile() { unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = testing::TempDir() + "mapscope_metrics_XXXXXX";
};

struct Verdict {
  int exit_code = -1;  // 127: promtool is missing
  std::string output;
};

Verdict promtool_check(const std::string& metrics) {
  const TextFile file(metrics);
  Verdict verdict;
  std::FILE* pipe = popen(("promtool check metrics 2>&1 <" + file.path()).c_str(), "re");
  if (pipe == nullptr) return verdict;
  std::array<char, 4096> buffer{};
  for (size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    verdict.output.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  verdict.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return verdict;
}

SelfStats full_stats() {
  SelfStats stats;
  stats.records = {{"resize", 5}, {"stack", 2}, {"fatal", 1}, {"process", 3}};
  stats.lost = {{"ring_resize", 0}, {"superseded", 1}};
  stats.probes = {{"attached", 4}};
  stats.attach_errors = {{"permission", 0}};
  stats.pending = {{"store", "go_swiss", "", 1}};
  stats.inserts = {{"store", "go_swiss", "", 1'000'000}};
  stats.insert_times = {
      {"store", "go_swiss", "map[int]int", false, {0, 0, 0, 0, 0, 0, 0, 9}, 1234}};
  stats.probe_hits = 12;
  stats.ring_fill_ratio = 0.5;
  stats.web_config_ok = true;
  stats.cri_errors = 0;
  stats.container_names = {{"c", "p", "sh\"op", "ca\nrt", "st\\ore"}};
  return stats;
}

void add_targets(MetricTable& table, const Sample& sample) {
  Target unsupported;
  unsupported.state = TargetState::kUnsupported;
  unsupported.reason = "no known map";
  table.set_targets({sample.target, unsupported});
}

TEST(Prometheus, PromtoolAcceptsEveryFamily) {
  MetricTable table;
  Sample sample;
  table.set_self_stats(full_stats);
  add_targets(table, sample);
  sample.resize.goroutine = sample_goroutine();
  table.add(sample.resize);
  table.add(sample.fatal);
  table.add(sample.race);
  table.add(sample.doubling);
  sample.resize.misses = 7;
  for (const char* kind : {"promotion", "rebuild", "expansion"}) {
    sample.resize.kind = kind;
    table.add(sample.resize);
  }
  const Verdict verdict = promtool_check(table.text());
  EXPECT_EQ(verdict.exit_code, 0) << verdict.output;
}

TEST(Prometheus, PromtoolRefusesABrokenText) {
  EXPECT_NE(promtool_check("mapscope_x{process=\"open} 1\n").exit_code, 0);
}

TEST(Prometheus, AgentWithoutTargetsIsAccepted) {
  const Verdict verdict = promtool_check(MetricTable().text());
  EXPECT_EQ(verdict.exit_code, 0) << verdict.output;
}

TEST(Prometheus, HostileNamesAreEscaped) {
  const std::array<std::string, 10> names = {"quo\"te",
                                             "back\\slash",
                                             "line\nfeed",
                                             "} 1\nevil_total 7",
                                             "bad \xff\xfe",
                                             "cut \xe2\x82",
                                             std::string("a\0b", 3),
                                             "\x1b[31mred",
                                             std::string(1000, 'x'),
                                             std::string(4096, '"')};
  MetricTable table;
  Sample sample;
  for (const std::string& name : names) {
    sample.target.comm = name;
    sample.target.exe = name;
    sample.target.container_id = name;
    sample.target.pod_uid = name;
    sample.resize.map_type = name;
    sample.fatal.message = name;
    sample.race.map_type = name;
    sample.doubling.map_type = name;
    table.add(sample.resize);
    table.add(sample.fatal);
    table.add(sample.race);
    table.add(sample.doubling);
    add_targets(table, sample);
    const Verdict verdict = promtool_check(table.text());
    EXPECT_EQ(verdict.exit_code, 0) << name << ": " << verdict.output;
  }
  const std::string text = table.text();
  EXPECT_NE(text.find(R"(process="quo\"te")"), std::string::npos);
  EXPECT_NE(text.find(R"(process="back\\slash")"), std::string::npos);
  EXPECT_NE(text.find(R"(process="line\nfeed")"), std::string::npos);
  EXPECT_EQ(text.find("\nevil_total"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\xff'), std::string::npos);
}

TEST(Prometheus, NamesThatLookAlikeAreOneSeries) {
  MetricTable table;
  Sample sample;
  for (const std::string name : {"a\xff", "a\xfe", "a\xef\xbf\xbd"}) {
    sample.target.comm = name;
    table.add(sample.resize);
  }
  const std::string text = table.text();
  EXPECT_NE(
      text.find("mapscope_resizes_total{process=\"a\xef\xbf\xbd\",runtime=\"go_swiss\",map_type=\""
                "map[string]*main.Session\",kind=\"grow\",trigger=\"load\"} 3\n"),
      std::string::npos)
      << text;
}

TEST(Prometheus, LargeCountersAreExact) {
  MetricTable table;
  table.set_self_stats([] {
    SelfStats stats;
    stats.probe_hits = 999'999'999'999'999;
    return stats;
  });
  EXPECT_NE(table.text().find("mapscope_probe_hits_total 999999999999999\n"), std::string::npos);
}

TEST(Label, LongValueEndsInAnEllipsis) {
  std::string label;
  assign_label(label, std::string(kMaxLabelBytes, 'x'));
  EXPECT_EQ(label, std::string(kMaxLabelBytes, 'x'));
  assign_label(label, std::string(kMaxLabelBytes + 1, 'x'));
  EXPECT_EQ(label, std::string(kMaxLabelBytes - 3, 'x') + "…");
}

TEST(Label, LongValueIsNotCutInsideACharacter) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "€";
  std::string label;
  for (const std::string_view prefix : {"", "a", "ab"}) {
    assign_label(label, std::string(prefix) + text);
    EXPECT_LE(label.size(), kMaxLabelBytes);
    for (size_t at = 0; at < label.size();) {
      const CodePoint c = decode_utf8(label, at);
      ASSERT_NE(c.bytes, 0U) << prefix;
      at += c.bytes;
    }
  }
}

TEST(Label, CleaningTwiceChangesNothing) {
  for (const std::string& raw : {std::string("\xff\x01\n\xe2\x82\xac"), std::string(500, '\xff'),
                                 std::string(199, 'x') + "€"}) {
    std::string once;
    std::string twice;
    assign_label(once, raw);
    assign_label(twice, once);
    EXPECT_EQ(once, twice);
  }
}

}  // namespace
}  // namespace mapscope
