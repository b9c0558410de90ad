// SPDX-License-Identifier: Apache-2.0
#include "agent/export/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include "agent/export/metric_samples.h"

namespace mapscope {
namespace {

using Families = std::vector<prometheus::MetricFamily>;

// The numbers of /proc/self/stat that follow the comm, which may itself hold blanks and brackets.
struct SelfStat {
  double user_ticks = 0;
  double system_ticks = 0;
  double start_ticks = 0;
  double resident_pages = 0;
};

std::optional<SelfStat> read_self_stat() {
  std::ifstream file("/proc/self/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t comm_end = text.rfind(')');
  if (comm_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(comm_end + 1));
  std::vector<std::string> values{std::istream_iterator<std::string>(fields), {}};
  // proc(5) counts from 1 with pid and comm in front: state is field 3 and values[0].
  constexpr size_t kFirst = 3;
  if (values.size() <= 24 - kFirst) return std::nullopt;
  const auto field = [&](size_t number) { return std::stod(values[number - kFirst]); };
  return SelfStat{field(14), field(15), field(22), field(24)};
}

std::optional<double> boot_time_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

void append(Families& families, Family family, double value) {
  Samples samples(family);
  samples.add({}, value);
  samples.finish(families);
}

void append_stat(Families& families) {
  const auto stat = read_self_stat();
  if (!stat) return;
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  append(families, Family::kProcessCpu, (stat->user_ticks + stat->system_ticks) / ticks_per_second);
  append(families, Family::kProcessResident,
         stat->resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  if (const auto boot = boot_time_seconds()) {
    append(families, Family::kProcessStart, *boot + stat->start_ticks / ticks_per_second);
  }
}

void append_fds(Families& families) {
  std::error_code error;
  size_t open_fds = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++open_fds;
  }
  // The directory being read was one of them.
  if (!error && open_fds > 0) {
    append(families, Family::kProcessOpenFds, static_cast<double>(open_fds - 1));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    const bool unlimited = limit.rlim_cur == RLIM_INFINITY;
    append(
        families, Family::kProcessMaxFds,
        unlimited ? std::numeric_limits<double>::infinity() : static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace

void append_process_metrics(std::vector<prometheus::MetricFamily>& families) {
  append_stat(families);
  append_fds(families);
}

}  // namespace mapscope
