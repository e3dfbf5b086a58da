#pragma once
// An open document of an editor: its text, and positions as the protocol counts them (lines from 0, UTF-16
// code units from 0).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"

namespace kiln::mappings {

struct TextPosition {
  std::uint32_t line = 0;
  std::uint32_t character = 0;  ///< UTF-16 code units
};

/// Line starts of a text, for positions in it. Keeps no reference to the text.
class LineIndex {
 public:
  LineIndex() = default;
  explicit LineIndex(std::string_view text);
  /// A byte offset; beyond the end: the end.
  TextPosition position(std::string_view text, std::size_t offset) const;
  /// A line or character beyond its end is that end; a character inside a surrogate pair is its begin.
  std::size_t offset(std::string_view text, TextPosition position) const;
  std::size_t lines() const { return starts_.size(); }

 private:
  std::vector<std::uint32_t> starts_ = {0};
};

/// A document of the client. Not thread-safe.
class TextDocument {
 public:
  TextDocument(std::string uri, std::string text);
  const std::string& uri() const { return uri_; }
  /// Of a file: its path; of other URIs ("untitled:Untitled-1") the URI itself.
  const std::string& path() const { return path_; }
  const std::string& text() const { return text_; }
  std::uint64_t revision() const { return revision_; }  ///< grows with every change
  TextPosition position(std::size_t offset) const { return index_.position(text_, offset); }
  std::size_t offset(TextPosition position) const { return index_.offset(text_, position); }

  /// One element of `contentChanges`: a range and its new text, or the whole text. Invalid UTF-8 and texts
  /// beyond limits::kHmapFileBytesMax are refused: false, and the document stays as it was.
  bool change(base::JsonView change);

 private:
  bool replace(std::string text);
  std::string uri_, path_, text_;
  LineIndex index_;
  std::uint64_t revision_ = 0;
};

TextPosition read_position(base::JsonView position);
/// {"line": …, "character": …}
void write_position(base::JsonWriter& json, TextPosition position);
/// {"start": …, "end": …} of two byte offsets of `text`.
void write_range(base::JsonWriter& json, std::string_view text, std::size_t begin, std::size_t end);

/// "file:///a%20b" -> "/a b"; other schemes as they are.
std::string path_of_uri(std::string_view uri);
/// "/a b" -> "file:///a%20b"; a path with a scheme ("kiln:/std/…") as it is.
std::string uri_of_path(std::string_view path);

}  // namespace kiln::mappings
