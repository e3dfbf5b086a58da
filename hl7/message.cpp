// Stage 2: views. A view splits its range when it is asked; nothing is stored.

#include "hl7/message.h"

#include <algorithm>

#include "hl7/detail/message_data.h"
#include "hl7/detail/multibyte.h"
#include "hl7/escape.h"

namespace kiln::hl7 {
namespace {

using detail::MessageData;
using detail::SegmentRow;

constexpr std::string_view kNull = "\"\"";

TextRules rules_of(const MessageData& data) {
  return {data.delimiters, data.charset, &data.alternates, !data.lines.empty() || !data.charset.byte_wise()};
}

bool needs_decoding(const MessageData& data, std::string_view raw) {
  if (data.has_escape && detail::find_byte(raw.data(), 0, static_cast<std::uint32_t>(raw.size()),
                                           data.delimiters.escape) < raw.size()) {
    return true;
  }
  return data.recode_high && detail::has_high_byte(raw);
}

}  // namespace

std::string segment_name(std::uint32_t id) {
  if (id == 0) return {};
  return {static_cast<char>(id >> 16 & 0xFF), static_cast<char>(id >> 8 & 0xFF),
          static_cast<char>(id & 0xFF)};
}

// ---- pieces ----

Presence Piece::presence() const {
  const std::string_view bytes = raw();
  if (bytes.empty()) return Presence::absent;
  if (bytes == kNull && !verbatim_) return Presence::null_;
  if (level_ == Level::leaf || verbatim_) return Presence::valued;
  const Delimiters& d = data_->delimiters;
  for (const char c : bytes) {
    const bool lower = (c == d.repetition && level_ == Level::field) ||
                       (c == d.component && level_ <= Level::repetition) || c == d.subcomponent;
    if (!lower || c == '\0') return Presence::valued;
  }
  return Presence::absent;
}

std::uint32_t Piece::count(char separator) const {
  if (data_ == nullptr || begin_ == end_) return 0;
  if (verbatim_ || separator == '\0') return 1;
  std::uint32_t parts = 1;
  for (std::uint32_t at = cut(begin_, separator); at < end_; at = cut(at + 1, separator)) ++parts;
  return parts;
}

std::string_view Piece::text(std::pmr::memory_resource& arena) const {
  const std::string_view raw = leaf().raw();
  if (verbatim_ || raw.empty()) return raw;
  if (raw == kNull) return {};
  if (content_ == Content::plain || !needs_decoding(*data_, raw)) return raw;
  char* const out = static_cast<char*>(arena.allocate(3 * raw.size(), 1));
  return {out, decode_to(raw, rules_of(*data_), out)};
}

std::string_view Piece::text_of(const MessageData* data, std::string_view raw, bool verbatim,
                                std::string& buffer) {
  if (verbatim || raw.empty()) return raw;
  if (raw == kNull) return {};
  if (!needs_decoding(*data, raw)) return raw;
  buffer.resize(3 * raw.size());
  buffer.resize(decode_to(raw, rules_of(*data), buffer.data()));
  return buffer;
}

std::string Piece::to_text() const {
  std::string buffer;
  const std::string_view decoded = text(buffer);
  return decoded.data() == buffer.data() ? std::move(buffer) : std::string(decoded);
}

// ---- segments ----

std::uint32_t SegmentView::id() const {
  return data_ == nullptr ? 0 : data_->rows[index_].id;
}

std::string_view SegmentView::name() const {
  if (data_ == nullptr) return {};
  const SegmentRow& row = data_->rows[index_];
  return std::string_view(data_->bytes).substr(row.offset, data_->marks()[row.first] - row.offset);
}

std::uint32_t SegmentView::occurrence() const {
  if (data_ == nullptr) return 0;
  std::uint32_t n = 0;
  for (std::uint32_t i = 0; i <= index_; ++i) n += data_->rows[i].id == data_->rows[index_].id;
  return n;
}

std::uint32_t SegmentView::offset() const {
  return data_ == nullptr ? 0 : data_->rows[index_].offset;
}

std::string_view SegmentView::raw() const {
  if (data_ == nullptr) return {};
  const SegmentRow& row = data_->rows[index_];
  return std::string_view(data_->bytes).substr(row.offset, data_->end(row) - row.offset);
}

std::uint32_t SegmentView::field_count() const {
  if (data_ == nullptr) return 0;
  const SegmentRow& row = data_->rows[index_];
  return data_->separators(row) + (data_->is_header(row) ? 1 : 0);
}

std::span<const std::uint32_t> SegmentView::separators() const {
  if (data_ == nullptr) return {};
  const SegmentRow& row = data_->rows[index_];
  return {data_->marks() + row.first, data_->separators(row) + 1};
}

// ---- message ----

Message::Message(std::unique_ptr<detail::MessageData> data) : data_(std::move(data)) {}
Message::Message(Message&&) noexcept = default;
Message& Message::operator=(Message&&) noexcept = default;
Message::~Message() = default;

const std::string& Message::bytes() const& {
  return data_->bytes;
}
const std::string& Message::original() const& {
  return converted() ? data_->original : data_->bytes;
}
bool Message::converted() const {
  return !data_->lines.empty();
}
std::string_view Message::original(std::uint32_t begin, std::uint32_t end) const& {
  if (!converted()) return std::string_view(data_->bytes).substr(begin, end - begin);
  const auto place = [&](std::uint32_t offset) -> std::size_t {
    const auto line = std::lower_bound(data_->lines.begin(), data_->lines.end(), offset,
                                       [](const auto& known, std::uint32_t at) { return known.text < at; });
    return line == data_->lines.end() ? data_->original.size() : line->original;
  };
  const std::size_t from = begin == 0 ? 0 : place(begin);
  return std::string_view(data_->original).substr(from, place(end) - from);
}
std::string Message::as_received(std::string_view text) const {
  if (data_->wide != nullptr) return detail::multibyte_from_utf8(data_->wide, text);
  if (!converted() || !detail::has_high_byte(text)) return std::string(text);
  const auto set = data_->charset.byte_wise()
                       ? std::find_if(data_->alternates.begin(), data_->alternates.end(),
                                      [](Charset c) { return !c.byte_wise(); })
                       : data_->alternates.end();
  auto encoded =
      from_utf8(text, set == data_->alternates.end() ? data_->charset : *set, Unencodable::replace);
  return encoded ? std::move(*encoded) : std::string(text);
}
std::string Message::take_bytes() && {
  return converted() ? std::move(data_->original) : std::move(data_->bytes);
}
std::size_t Message::memory_bytes() const {
  const MessageData& data = *data_;
  return sizeof data + data.bytes.capacity() + data.original.capacity() +
         data.index_words * sizeof(std::uint32_t) + data.lines.capacity() * sizeof(MessageData::LineStart) +
         data.alternates.capacity() * sizeof(Charset) + data.diagnostics.capacity() * sizeof(ParseDiagnostic);
}
const Delimiters& Message::delimiters() const {
  return data_->delimiters;
}
Charset Message::charset() const {
  return data_->charset;
}
const std::vector<Charset>& Message::alternate_charsets() const& {
  return data_->alternates;
}
TextRules Message::text_rules() const& {
  return rules_of(*data_);
}
bool Message::text_is_plain() const {
  return !data_->has_escape && !data_->recode_high;
}
std::uint32_t Message::segment_count() const {
  return data_->row_count;
}
const std::vector<ParseDiagnostic>& Message::diagnostics() const& {
  return data_->diagnostics;
}
std::uint64_t Message::diagnostics_dropped() const {
  return data_->diagnostics_dropped;
}

SegmentView Message::segment(std::uint32_t index) const& {
  return index < data_->row_count ? SegmentView(data_.get(), index) : SegmentView();
}

SegmentView Message::find(std::uint32_t id, std::uint32_t occurrence) const& {
  if (id == 0 || occurrence == 0) return {};
  const auto rows = data_->segments();
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    if (rows[i].id == id && --occurrence == 0) return {data_.get(), i};
  }
  return {};
}

SegmentView Message::find_from(std::uint32_t from, std::uint32_t id) const& {
  const auto rows = data_->segments();
  for (std::uint32_t i = from; id != 0 && i < rows.size(); ++i) {
    if (rows[i].id == id) return {data_.get(), i};
  }
  return {};
}

SegmentView Message::header() const& {
  return data_->has_header ? segment(0) : SegmentView();
}

}  // namespace kiln::hl7
