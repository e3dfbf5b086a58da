#pragma once
// Diagnostics of the hmap compiler and of site files: code, place, excerpt with carets, notes, help (hmap.md §18).

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace kiln::base {

enum class Severity : std::uint8_t { note, warning, error };

/// A source text with its name; shared because spans outlive the parse that made them. Immutable.
struct SourceFile {
  std::string name;  ///< as shown to the user: relative to the site, or "std/v2fhir/adt.hmap" for the shipped library
  std::string text;
};
using SourceFilePtr = std::shared_ptr<const SourceFile>;

/// Half-open byte range of one file. `file` indexes the SourceMap that the compile owns.
struct Span {
  std::uint32_t file = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

/// The files of one compile, in order of loading; owns them.
class SourceMap {
 public:
  std::uint32_t add(std::string name, std::string text);
  const SourceFile& file(std::uint32_t index) const { return *files_[index]; }
  std::size_t size() const { return files_.size(); }
  /// 1-based line and column (in characters, UTF-8) of a byte offset.
  struct Position { std::uint32_t line, column; };
  Position position(std::uint32_t file, std::uint32_t offset) const;
  std::string_view text(Span span) const;
  /// "acme/adt.hmap:14:14"
  std::string place(Span span) const;

 private:
  std::vector<SourceFilePtr> files_;
};

struct Diagnostic {
  ErrorCode code = ErrorCode::internal;
  Severity severity = Severity::error;
  std::string message;              ///< one line
  Span span;                        ///< what the caret underlines
  std::string label;                ///< text beside the caret, may be empty
  std::vector<std::string> notes;   ///< "= note: …"
  std::vector<std::string> helps;   ///< "= help: …"
};

/// Collects diagnostics up to limits::kDiagnosticsMax; later ones are only counted.
class Diagnostics {
 public:
  Diagnostic& add(Diagnostic diagnostic);
  /// Puts what was added from index `first` on into the order of files and places; references become invalid.
  void sort_from(std::size_t first);
  const std::vector<Diagnostic>& list() const { return list_; }
  std::size_t errors() const { return errors_; }
  std::size_t warnings() const { return warnings_; }
  bool ok() const { return errors_ == 0; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  std::vector<Diagnostic> list_;
  Diagnostic overflow_;
  std::size_t errors_ = 0, warnings_ = 0;
  std::uint64_t dropped_ = 0;
};

/// The text form of hmap.md §18, newline-terminated. `colour` writes ANSI colours.
std::string render(const Diagnostic& diagnostic, const SourceMap& sources, bool colour = false);
std::string render(const Diagnostics& diagnostics, const SourceMap& sources, bool colour = false);
/// One JSON object per diagnostic, in an array: code, severity, message, file, line, column, end, label, notes, helps.
std::string render_json(const Diagnostics& diagnostics, const SourceMap& sources);

/// The nearest candidate within a small edit distance, for "did you mean"; empty when none is near enough.
std::string_view nearest(std::string_view wrong, const std::vector<std::string_view>& candidates);

}  // namespace kiln::base
