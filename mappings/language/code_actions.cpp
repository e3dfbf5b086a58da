// textDocument/codeAction: the help of a diagnostic as an edit, where the help says exactly what to write.

#include <algorithm>

#include "mappings/language/requests.h"

namespace kiln::mappings {

namespace {

struct Fix {
  std::string title;
  base::Span span;
  std::string text;
};

bool one_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

/// "did you mean `x`?": the word that the caret underlines becomes x; of a path its last step.
std::optional<Fix> did_you_mean(const base::Diagnostic& finding, const std::string& help,
                                const base::SourceMap& sources) {
  constexpr std::string_view kStart = "did you mean ";
  const std::size_t at = help.find(kStart);
  const std::size_t begin = at + kStart.size() + 1;
  if (at == std::string::npos || begin >= help.size()) return std::nullopt;
  const char quote = help[begin - 1];
  const bool quoted = quote == '`' || quote == '"';
  const std::size_t first = quoted ? begin : begin - 1;
  const std::size_t end = help.find(quoted ? quote : '?', first);
  if (end == std::string::npos) return std::nullopt;
  const std::string right = help.substr(first, end - first);
  std::string_view wrong = sources.text(finding.span);
  base::Span span = finding.span;
  if (const std::size_t dot = wrong.rfind('.');
      dot != std::string_view::npos && right.find('.') == std::string::npos) {
    span.begin += static_cast<std::uint32_t>(dot + 1);
    wrong.remove_prefix(dot + 1);
  }
  if (wrong.size() > 2 && wrong.front() == '"' && wrong.back() == '"' &&
      one_word(wrong.substr(1, wrong.size() - 2))) {
    ++span.begin;
    --span.end;
  } else if (!one_word(wrong)) {
    return std::nullopt;
  }
  return Fix{"Change to `" + right + "`", span, right};
}

/// `=` on a list, `+=` on a single value.
std::optional<Fix> other_operator(const base::Diagnostic& finding, std::string_view written) {
  if (written == "=" || written == "?=") return Fix{"Append with `+=`", finding.span, "+="};
  if (written == "+=") return Fix{"Set with `=`", finding.span, "="};
  return std::nullopt;
}

std::optional<Fix> insert_behind(const base::Diagnostic& finding, std::string title, std::string text) {
  return Fix{std::move(title), {finding.span.file, finding.span.end, finding.span.end}, std::move(text)};
}

std::vector<Fix> fixes_of(const base::Diagnostic& finding, const base::SourceMap& sources) {
  std::vector<Fix> out;
  const auto keep = [&](std::optional<Fix> fix) {
    if (fix) out.push_back(std::move(*fix));
  };
  for (const std::string& help : finding.helps) keep(did_you_mean(finding, help, sources));
  using base::ErrorCode;
  const std::string_view word = sources.text(finding.span);
  if (finding.code == ErrorCode::E0202) keep(other_operator(finding, word));
  if (finding.code == ErrorCode::E0406) {
    keep(insert_behind(finding, "Add `else omit`", " else omit"));
    keep(insert_behind(finding, "Add `else warn`", " else warn \"not in the table\""));
  }
  return out;
}

void write_fix(base::JsonWriter& json, const LanguageRequest& request, const Fix& fix,
               std::string_view code) {
  json.begin_object().member("title", fix.title).member("kind", "quickfix");
  // The client matches a fix to the squiggle by the diagnostics of its own request.
  json.key("diagnostics").begin_array();
  for (const base::JsonView given : request.params["context"]["diagnostics"])
    if (given["code"].text() == code) json.value(given);
  json.end_array();
  json.key("edit").begin_object().key("changes").begin_object().key(request.document.uri()).begin_array();
  json.begin_object().key("range");
  write_range(json, request.document.text(), fix.span.begin, fix.span.end);
  json.member("newText", fix.text).end_object().end_array().end_object().end_object().end_object();
}

}  // namespace

void answer_code_actions(const LanguageRequest& request, base::JsonWriter& result) {
  const TextDocument& document = request.document;
  const std::size_t begin = document.offset(read_position(request.params["range"]["start"]));
  const std::size_t end = document.offset(read_position(request.params["range"]["end"]));
  const Findings& findings = request.workspace.findings(request.workspace.site_of(document));
  const LibraryFile* file = request.workspace.file_of(document);
  result.begin_array();
  for (const base::Diagnostic& finding : findings.diagnostics.list()) {
    const bool here = file != nullptr && finding.span.file == file->tree.source &&
                      finding.span.begin <= end && begin <= finding.span.end;
    if (!here) continue;
    for (const Fix& fix : fixes_of(finding, findings.library->sources()))
      write_fix(result, request, fix, base::error_info(finding.code).code);
  }
  result.end_array();
}

}  // namespace kiln::mappings
