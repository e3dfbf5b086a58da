#include "engine/base/diagnostic.h"

#include <algorithm>
#include <array>

#include "engine/base/json.h"
#include "engine/base/limits.h"

namespace kiln::base {
namespace {

const char* word(Severity severity) {
  switch (severity) {
    case Severity::note: return "note";
    case Severity::warning: return "warning";
    case Severity::error: return "error";
  }
  return "error";
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// The line that holds `offset`, without its line end.
std::string_view line_at(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const auto before = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  auto line = text.substr(begin, text.find('\n', begin) - begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

struct Paint {
  bool on;
  std::string operator()(const char* colour, std::string_view text) const {
    if (!on) return std::string(text);
    return "\x1b[" + std::string(colour) + "m" + std::string(text) + "\x1b[0m";
  }
};

/// The excerpt with its caret line; the caret never runs past the end of the first line.
void render_excerpt(std::string& out, const Diagnostic& diagnostic, const SourceMap& sources, const Paint& paint) {
  const Span span = diagnostic.span;
  const std::string& text = sources.file(span.file).text;
  const auto start = sources.position(span.file, span.begin);
  const std::string_view line = line_at(text, span.begin);
  const std::string number = std::to_string(start.line);
  out += std::string(number.size() > 2 ? number.size() - 2 : 0, ' ') + "  --> " + sources.place(span) + "\n";
  out += number + " | " + std::string(line) + "\n";
  const std::size_t rest = characters(line) + 1 - std::min<std::size_t>(characters(line) + 1, start.column);
  const std::size_t wanted = characters(sources.text(span));
  const std::size_t width = std::max<std::size_t>(1, std::min(wanted, rest));
  std::string caret = std::string(width, '^');
  if (!diagnostic.label.empty()) caret += " " + diagnostic.label;
  out += std::string(number.size(), ' ') + " | " + std::string(start.column - 1, ' ') + paint("1;31", caret) + "\n";
}

}  // namespace

std::uint32_t SourceMap::add(std::string name, std::string text) {
  files_.push_back(std::make_shared<const SourceFile>(SourceFile{std::move(name), std::move(text)}));
  return static_cast<std::uint32_t>(files_.size() - 1);
}

SourceMap::Position SourceMap::position(std::uint32_t file, std::uint32_t offset) const {
  const std::string_view text = files_[file]->text;
  const std::string_view before = text.substr(0, std::min<std::size_t>(offset, text.size()));
  const auto lines = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n'));
  const auto last = before.rfind('\n');
  const std::string_view head = last == std::string_view::npos ? before : before.substr(last + 1);
  return {lines + 1, static_cast<std::uint32_t>(characters(head)) + 1};
}

std::string_view SourceMap::text(Span span) const {
  const std::string_view all = files_[span.file]->text;
  if (span.begin >= all.size() || span.end <= span.begin) return {};
  return all.substr(span.begin, span.end - span.begin);
}

std::string SourceMap::place(Span span) const {
  if (span.file >= files_.size()) return {};
  const Position at = position(span.file, span.begin);
  return files_[span.file]->name + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

Diagnostic& Diagnostics::add(Diagnostic diagnostic) {
  if (diagnostic.severity == Severity::error) ++errors_;
  if (diagnostic.severity == Severity::warning) ++warnings_;
  if (list_.size() >= limits::kDiagnosticsMax) {
    ++dropped_;
    overflow_ = std::move(diagnostic);
    return overflow_;
  }
  list_.push_back(std::move(diagnostic));
  return list_.back();
}

void Diagnostics::sort_from(std::size_t first) {
  const auto begin = list_.begin() + static_cast<std::ptrdiff_t>(std::min(first, list_.size()));
  std::stable_sort(begin, list_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return a.span.file != b.span.file ? a.span.file < b.span.file : a.span.begin < b.span.begin;
  });
}

std::string render(const Diagnostic& diagnostic, const SourceMap& sources, bool colour) {
  const Paint paint{colour};
  const std::string head = std::string(word(diagnostic.severity)) + "[" + error_info(diagnostic.code).code + "]";
  std::string out = paint(diagnostic.severity == Severity::error ? "1;31" : "1;33", head) + ": " + diagnostic.message + "\n";
  std::string margin = "  ";
  if (diagnostic.span.file < sources.size()) {
    render_excerpt(out, diagnostic, sources, paint);
    margin = std::string(std::to_string(sources.position(diagnostic.span.file, diagnostic.span.begin).line).size(), ' ');
  }
  for (const auto& note : diagnostic.notes) out += margin + " = note: " + note + "\n";
  for (const auto& help : diagnostic.helps) out += margin + " = help: " + help + "\n";
  return out;
}

std::string render(const Diagnostics& diagnostics, const SourceMap& sources, bool colour) {
  std::string out;
  for (const auto& diagnostic : diagnostics.list()) out += render(diagnostic, sources, colour) + "\n";
  if (diagnostics.dropped() != 0)
    out += std::to_string(diagnostics.dropped()) + " more diagnostics are not shown\n";
  return out;
}

std::string render_json(const Diagnostics& diagnostics, const SourceMap& sources) {
  JsonWriter json;
  json.begin_array();
  for (const auto& diagnostic : diagnostics.list()) {
    json.begin_object();
    json.member("code", error_info(diagnostic.code).code).member("severity", word(diagnostic.severity));
    json.member("message", diagnostic.message);
    if (diagnostic.span.file < sources.size()) {
      const auto at = sources.position(diagnostic.span.file, diagnostic.span.begin);
      const auto end = sources.position(diagnostic.span.file, diagnostic.span.end);
      json.member("file", sources.file(diagnostic.span.file).name);
      json.key("line").integer(at.line).key("column").integer(at.column);
      json.key("end_line").integer(end.line).key("end_column").integer(end.column);
    }
    json.member("label", diagnostic.label);
    json.key("notes").begin_array();
    for (const auto& note : diagnostic.notes) json.string(note);
    json.end_array().key("helps").begin_array();
    for (const auto& help : diagnostic.helps) json.string(help);
    json.end_array().end_object();
  }
  json.end_array();
  return json.take();
}

namespace {

char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// Edit distance with neighbour swaps; case differences cost nothing but break ties.
std::size_t distance(std::string_view a, std::string_view b, std::size_t limit) {
  if (a.size() > 64 || b.size() > 64) return limit + 1;
  if ((a.size() > b.size() ? a.size() - b.size() : b.size() - a.size()) > limit) return limit + 1;
  std::array<std::array<std::size_t, 66>, 3> rows{};
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i - 1) % 3];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = fold(a[i - 1]) == fold(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0u : 1u)});
      if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
        row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
    }
  }
  return rows[a.size() % 3][b.size()];
}

}  // namespace

std::string_view nearest(std::string_view wrong, const std::vector<std::string_view>& candidates) {
  const std::size_t limit = std::max<std::size_t>(1, wrong.size() / 3);
  std::string_view best;
  std::size_t best_distance = limit + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t d = distance(wrong, candidate, limit);
    if (d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  return best;
}

}  // namespace kiln::base
