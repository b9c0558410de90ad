// SPDX-License-Identifier: Apache-2.0
#include "agent/export/runbooks.h"

#include <cctype>

#include "agent/export/page.h"
#include "agent/export/text.h"

namespace mapscope {

extern const std::string_view kRunbooks;  // runbooks_text.cc.in

namespace {

constexpr std::string_view kHeading = "\n## ";

// Calls visit(name, body) for each section.
template <typename Visit>
void for_each_section(Visit visit) {
  for (size_t at = kRunbooks.find(kHeading); at != std::string_view::npos;) {
    at += kHeading.size();
    const size_t line_end = kRunbooks.find('\n', at);
    const size_t next = kRunbooks.find(kHeading, at);
    visit(kRunbooks.substr(at, line_end - at), kRunbooks.substr(line_end + 1, next - line_end - 1));
    at = next;
  }
}

// Text with `code` and [links], whose words alone are kept: they lead into the repository.
void append_words(std::string& out, std::string_view text) {
  bool in_code = false;
  while (!text.empty()) {
    const size_t end = text.find_first_of(in_code ? "`" : "`[");
    append_html_escaped(out, text.substr(0, end));
    if (end == std::string_view::npos) break;
    const char mark = text[end];
    text.remove_prefix(end + 1);
    if (mark == '`') {
      out += in_code ? "</code>" : "<code>";
      in_code = !in_code;
      continue;
    }
    const size_t close = text.find("](");
    const size_t link_end = close == std::string_view::npos ? close : text.find(')', close);
    if (link_end == std::string_view::npos) {
      out += '[';
      continue;
    }
    append_words(out, text.substr(0, close));
    text.remove_prefix(link_end + 1);
  }
}

bool is_numbered(std::string_view line) {
  return line.size() > 3 && std::isdigit(static_cast<unsigned char>(line[0])) != 0 &&
         line.substr(1, 2) == ". ";
}

// The subset of Markdown that docs/runbooks.md is written in: paragraphs and lists of one level.
class Page {
 public:
  std::string render(std::string_view body) {
    while (!body.empty()) {
      const size_t end = body.find('\n');
      add_line(body.substr(0, end));
      if (end == std::string_view::npos) break;
      body.remove_prefix(end + 1);
    }
    end_block();
    close_list("");
    return std::move(out_);
  }

 private:
  void add_line(std::string_view line) {
    if (line.empty()) return end_block();
    if (is_numbered(line)) return begin_item("ol", line.substr(3));
    if (line.starts_with("- ")) return begin_item("ul", line.substr(2));
    const bool continues = line.starts_with("  ");
    if (!continues && block_.empty()) close_list("");
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (!block_.empty()) block_ += ' ';
    block_ += line;
  }

  void begin_item(std::string_view list, std::string_view text) {
    end_block();
    close_list(list);
    if (list_.empty()) {
      list_ = list;
      out_ += '<' + list_ + ">\n";
    }
    block_ = text;
  }

  void end_block() {
    if (block_.empty()) return;
    const std::string_view tag = list_.empty() ? "p" : "li";
    out_.append("<").append(tag).append(">");
    append_words(out_, block_);
    out_.append("</").append(tag).append(">\n");
    block_.clear();
  }

  // Unless it is the one that goes on.
  void close_list(std::string_view going_on) {
    if (list_.empty() || list_ == going_on) return;
    out_ += "</" + list_ + ">\n";
    list_.clear();
  }

  std::string out_;
  std::string list_;   // "ol", "ul" or ""
  std::string block_;  // the paragraph or item that is being read
};

}  // namespace

std::vector<std::string_view> runbook_names() {
  std::vector<std::string_view> names;
  for_each_section([&](std::string_view name, std::string_view) { names.push_back(name); });
  return names;
}

std::optional<std::string> runbook_page(std::string_view name) {
  std::optional<std::string> page;
  for_each_section([&](std::string_view section, std::string_view body) {
    if (section == name) page = html_page(name, Page().render(body));
  });
  return page;
}

}  // namespace mapscope
