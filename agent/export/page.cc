// SPDX-License-Identifier: Apache-2.0
#include "agent/export/page.h"

#include "agent/export/text.h"

namespace mapscope {

std::string html_page(std::string_view title, std::string_view body) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>";
  append_html_escaped(out, title);
  out +=
      "</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body>\n"
      "<header><a href=\"/\">Mapscope</a> <small>" MAPSCOPE_VERSION "</small></header>\n<h1>";
  append_html_escaped(out, title);
  out += "</h1>\n";
  out += body;
  return out += "</body></html>\n";
}

std::string_view style_sheet() {
  return "body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:1rem auto;padding:0 1rem;"
         "overflow-wrap:anywhere}\n"
         "h1{font-size:1.5rem}h2{font-size:1.2rem;margin:1.5rem 0 .5rem}\n"
         "small,.detail{font-weight:400;color:#666;font-size:.875rem}\n"
         "ol,ul{padding-left:1.5rem;margin:.5rem 0}li{margin:.5rem 0}\n"
         ".detail,.advice{display:block}.fatal{color:#b00020}\n"
         "code{font:.9em ui-monospace,monospace}\n"
         "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}a{color:#8bf}"
         "small,.detail{color:#aaa}.fatal{color:#ff8a80}}\n";
}

}  // namespace mapscope
