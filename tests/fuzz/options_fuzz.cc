// SPDX-License-Identifier: Apache-2.0
// Command lines, listen addresses, kernel releases and globs.
// One word a line; every word is also asked as an address, a release and a name for the globs.
#include <algorithm>
#include <vector>

#include "agent/options.h"
#include "agent/web/listen_address.h"
#include "tests/fuzz/support/fuzz_target.h"

namespace mapscope::test {
namespace {

// Without those that print.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words = {"agent"};
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string word(text.substr(0, std::min(end, text.find('\0'))));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!word.starts_with("-h") && !word.starts_with("--help") && !word.starts_with("--version"))
      words.push_back(word);
  }
  return words;
}

void check(const Error& error) { require(error.kind == ErrorKind::kUsage && !error.text.empty()); }

void check_word(const std::string& word) {
  if (const auto address = split_listen_address(word)) {
    const auto again = split_listen_address(address->text());
    require(again && again->host == address->host && again->port == address->port);
  } else {
    check(address.error());
  }
  (void)parse_kernel(word);
}

}  // namespace

Seeds make_seeds() {
  return {
      {"pid",
       bytes_of("--pid\n4242\n--events\njson\n--mode\nraces\n--mode-seconds=5\n--seconds\n1.5")},
      {"all", bytes_of("--all\n--exclude\n/usr/lib/*\n--exe=*/bin/[!a-c]?ore\n--comm\nstore\n"
                       "--overhead-budget\n0.5%\n--stacks-per-second\n10\n--ring-kib\n64")},
      {"web",
       bytes_of("--pid=1\n--web.listen-address\n127.0.0.1:9847\n--web.listen-address=[::1]:0\n"
                "--web.max-requests\n7\n--web.telemetry-path\n/m\n--no-web\n--log.level\ninfo")},
      {"command",
       bytes_of("--attach-method\nperf\n--debug.no-sandbox\n--\n./store\n--port\n[a,b]")},
      {"inspect", bytes_of("inspect\n./store\n--json\n--kernel\n6.18.3-x\n--mode\ninserts")},
      {"doctor", bytes_of("doctor\n--json")}};
}

void feed(Input input) {
  std::vector<std::string> words = words_of(text_of(input));
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const auto parsed = parse_options(static_cast<int>(words.size()), arguments.data());
  if (!parsed) check(parsed.error());
  for (const std::string& word : words) {
    check_word(word);
    if (parsed) (void)parsed->options.watch.selection.matches(word, words.back());
  }
}

}  // namespace mapscope::test
