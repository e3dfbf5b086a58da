#include "mappings/language/text_document.h"

#include <algorithm>
#include <charconv>

#include "engine/base/http_message.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"

namespace kiln::mappings {

namespace {

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}
/// UTF-16 code units of the character that begins with this byte of valid UTF-8.
std::uint32_t units(char first) {
  return static_cast<unsigned char>(first) >= 0xF0 ? 2 : 1;
}

std::uint32_t number(base::JsonView view) {
  std::uint32_t value = 0;
  const std::string_view text = view.text();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return UINT32_MAX;
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

}  // namespace

LineIndex::LineIndex(std::string_view text) {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    starts_.push_back(static_cast<std::uint32_t>(at + 1));
}

TextPosition LineIndex::position(std::string_view text, std::size_t offset) const {
  offset = std::min(offset, text.size());
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
  TextPosition out;
  out.line = static_cast<std::uint32_t>(next - starts_.begin()) - 1;
  for (std::size_t at = starts_[out.line]; at < offset; ++at)
    if (!continues(text[at])) out.character += units(text[at]);
  return out;
}

std::size_t LineIndex::offset(std::string_view text, TextPosition position) const {
  if (position.line >= starts_.size()) return text.size();
  std::size_t at = starts_[position.line], end = text.find('\n', at);
  if (end == std::string_view::npos) end = text.size();
  if (end > at && text[end - 1] == '\r') --end;
  for (std::uint32_t seen = 0; at < end;) {
    seen += units(text[at]);
    if (seen > position.character) break;
    for (++at; at < end && continues(text[at]);) ++at;
  }
  return at;
}

TextDocument::TextDocument(std::string uri, std::string text)
    : uri_(std::move(uri)), path_(path_of_uri(uri_)), text_(std::move(text)), index_(text_) {}

bool TextDocument::replace(std::string text) {
  if (text.size() > base::limits::kHmapFileBytesMax || !base::is_valid_utf8(text)) return false;
  text_ = std::move(text);
  index_ = LineIndex(text_);
  ++revision_;
  return true;
}

bool TextDocument::change(base::JsonView change) {
  const std::string_view text = change["text"].text();
  const base::JsonView range = change["range"];
  if (!range.is_object()) return change["text"].is_string() && replace(std::string(text));
  const std::size_t begin = offset(read_position(range["start"]));
  const std::size_t end = std::max(begin, offset(read_position(range["end"])));
  if (!change["text"].is_string() ||
      text_.size() - (end - begin) + text.size() > base::limits::kHmapFileBytesMax)
    return false;
  std::string whole = text_.substr(0, begin);
  whole.append(text).append(text_, end);
  return replace(std::move(whole));
}

TextPosition read_position(base::JsonView position) {
  return {number(position["line"]), number(position["character"])};
}

void write_position(base::JsonWriter& json, TextPosition position) {
  json.begin_object().key("line").integer(position.line);
  json.key("character").integer(position.character).end_object();
}

void write_range(base::JsonWriter& json, std::string_view text, std::size_t begin, std::size_t end) {
  const LineIndex index(text);
  json.begin_object().key("start");
  write_position(json, index.position(text, begin));
  json.key("end");
  write_position(json, index.position(text, std::max(begin, end)));
  json.end_object();
}

std::string path_of_uri(std::string_view uri) {
  constexpr std::string_view kFile = "file://";
  if (!uri.starts_with(kFile)) return std::string(uri);
  uri.remove_prefix(kFile.size());
  if (!uri.starts_with('/')) uri.remove_prefix(std::min(uri.find('/'), uri.size()));  // a host
  return base::percent_decode(uri, false);
}

std::string uri_of_path(std::string_view path) {
  if (!path.starts_with('/')) return std::string(path);
  std::string out = "file://";
  for (const std::string_view part : base::split(path.substr(1), '/'))
    out += "/" + base::percent_encode(part);
  return out;
}

}  // namespace kiln::mappings
