// textDocument/formatting: what `kiln fmt` would write, as one edit of the lines that change.

#include <algorithm>

#include "mappings/formatter.h"
#include "mappings/language/requests.h"

namespace kiln::mappings {

void answer_formatting(const LanguageRequest& request, base::JsonWriter& result) {
  const std::string& before = request.document.text();
  base::SourceMap sources;
  base::Diagnostics ignored;
  const auto after = format(sources, sources.add(request.document.path(), before), ignored);
  result.begin_array();
  if (after && *after != before) {
    const auto common = [](auto a, auto a_end, auto b, auto b_end) {
      return static_cast<std::size_t>(std::mismatch(a, a_end, b, b_end).first - a);
    };
    std::size_t head = common(before.begin(), before.end(), after->begin(), after->end());
    head = head == 0 ? 0 : before.rfind('\n', head - 1) + 1;  // npos + 1 is 0
    std::size_t tail =
        common(before.rbegin(), before.rend() - static_cast<std::ptrdiff_t>(head), after->rbegin(),
               after->rend() - static_cast<std::ptrdiff_t>(std::min(head, after->size())));
    const std::size_t line = before.find('\n', before.size() - tail);
    tail = line == std::string::npos ? 0 : before.size() - line - 1;
    result.begin_object().key("range");
    write_range(result, before, head, before.size() - tail);
    result.member("newText", std::string_view(*after).substr(head, after->size() - tail - head)).end_object();
  }
  result.end_array();
}

}  // namespace kiln::mappings
