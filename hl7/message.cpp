// Stage 2: views. A view splits its range when it is asked; nothing is stored.

#include "hl7/message.h"

#include "hl7/detail/message_data.h"
#include "hl7/escape.h"

namespace kiln::hl7 {
namespace {

using detail::find_byte;
using detail::MessageData;
using detail::SegmentRow;

constexpr std::string_view kNull = "\"\"";

TextRules rules_of(const MessageData& data) {
  return {data.delimiters, data.charset, &data.alternates};
}

bool needs_decoding(const MessageData& data, std::string_view raw) {
  if (data.has_escape && raw.find(data.delimiters.escape) != raw.npos) return true;
  return data.recode_high && detail::has_high_byte(raw);
}

}  // namespace

std::string segment_name(std::uint32_t id) {
  if (id == 0) return {};
  return {static_cast<char>(id >> 16 & 0xFF), static_cast<char>(id >> 8 & 0xFF),
          static_cast<char>(id & 0xFF)};
}

// ---- pieces ----

const Delimiters& Piece::delimiters() const {
  static const Delimiters kNone{};
  return data_ == nullptr ? kNone : data_->delimiters;
}

std::string_view Piece::raw() const {
  return data_ == nullptr ? std::string_view() : std::string_view(data_->bytes).substr(begin_, end_ - begin_);
}

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

std::uint32_t Piece::cut(std::uint32_t from, char separator) const {
  return find_byte(data_->bytes.data(), from, end_, separator);
}

Piece Piece::nth(char separator, std::uint32_t n, Level level) const {
  if (data_ == nullptr || n == 0) return {};
  if (verbatim_) separator = '\0';
  std::uint32_t begin = begin_, end = cut(begin, separator);
  for (; n > 1; --n) {
    if (end >= end_) return {};
    begin = end + 1;
    end = cut(begin, separator);
  }
  return {data_, begin, end, level, verbatim_};
}

std::uint32_t Piece::count(char separator) const {
  if (data_ == nullptr || begin_ == end_) return 0;
  if (verbatim_ || separator == '\0') return 1;
  std::uint32_t parts = 1;
  for (std::uint32_t at = cut(begin_, separator); at < end_; at = cut(at + 1, separator)) ++parts;
  return parts;
}

LeafView Piece::leaf() const {
  if (data_ == nullptr) return {};
  std::uint32_t end = end_;
  if (!verbatim_ && level_ != Level::leaf) {
    const char* const bytes = data_->bytes.data();
    const Delimiters& d = data_->delimiters;
    if (level_ == Level::field) end = find_byte(bytes, begin_, end, d.repetition);
    if (level_ <= Level::repetition) end = find_byte(bytes, begin_, end, d.component);
    end = find_byte(bytes, begin_, end, d.subcomponent);
  }
  return LeafView(Piece(data_, begin_, end, Level::leaf, verbatim_));
}

std::string_view Piece::text(std::pmr::memory_resource& arena) const {
  const std::string_view raw = leaf().raw();
  if (verbatim_ || raw.empty()) return raw;
  if (raw == kNull) return {};
  if (!needs_decoding(*data_, raw)) return raw;
  char* const out = static_cast<char*>(arena.allocate(3 * raw.size(), 1));
  return {out, decode_to(raw, rules_of(*data_), out)};
}

std::string_view Piece::text(std::string& buffer) const {
  const std::string_view raw = leaf().raw();
  if (verbatim_ || raw.empty()) return raw;
  if (raw == kNull) return {};
  if (!needs_decoding(*data_, raw)) return raw;
  buffer.resize(3 * raw.size());
  buffer.resize(decode_to(raw, rules_of(*data_), buffer.data()));
  return buffer;
}

std::string Piece::to_text() const {
  std::string buffer;
  const std::string_view decoded = text(buffer);
  return decoded.data() == buffer.data() ? std::move(buffer) : std::string(decoded);
}

// ---- segments ----

std::uint32_t SegmentView::id() const {
  return data_ == nullptr ? 0 : data_->segments[index_].id;
}

std::string_view SegmentView::name() const {
  if (data_ == nullptr) return {};
  const SegmentRow& row = data_->segments[index_];
  return std::string_view(data_->bytes).substr(row.offset, data_->marks[row.first] - row.offset);
}

std::uint32_t SegmentView::occurrence() const {
  if (data_ == nullptr) return 0;
  std::uint32_t n = 0;
  for (std::uint32_t i = 0; i <= index_; ++i) n += data_->segments[i].id == data_->segments[index_].id;
  return n;
}

std::uint32_t SegmentView::offset() const {
  return data_ == nullptr ? 0 : data_->segments[index_].offset;
}

std::string_view SegmentView::raw() const {
  if (data_ == nullptr) return {};
  const SegmentRow& row = data_->segments[index_];
  return std::string_view(data_->bytes).substr(row.offset, row.end - row.offset);
}

std::uint32_t SegmentView::field_count() const {
  if (data_ == nullptr) return 0;
  const SegmentRow& row = data_->segments[index_];
  return row.separators + (data_->is_header(row) ? 1 : 0);
}

FieldView SegmentView::field(std::uint32_t n) const {
  if (data_ == nullptr || n == 0) return {};
  const SegmentRow& row = data_->segments[index_];
  bool verbatim = false;
  if (data_->is_header(row)) {
    // The separator itself is field 1, so the text behind it is field 2.
    const std::uint32_t separator = data_->marks[row.first];
    if (n == 1) return FieldView(Piece(data_, separator, separator + 1, Piece::Level::field, true));
    verbatim = n == 2;
    --n;
  }
  if (n > row.separators) return {};
  const std::uint32_t* const mark = data_->marks.get() + row.first + n;
  return FieldView(Piece(data_, mark[-1] + 1, mark[0], Piece::Level::field, verbatim));
}

std::span<const std::uint32_t> SegmentView::separators() const {
  if (data_ == nullptr) return {};
  const SegmentRow& row = data_->segments[index_];
  return {data_->marks.get() + row.first, row.separators + 1};
}

// ---- message ----

Message::Message(std::unique_ptr<detail::MessageData> data) : data_(std::move(data)) {}
Message::Message(Message&&) noexcept = default;
Message& Message::operator=(Message&&) noexcept = default;
Message::~Message() = default;

const std::string& Message::bytes() const& {
  return data_->bytes;
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
bool Message::text_is_plain() const { return !data_->has_escape && !data_->recode_high; }
std::uint32_t Message::segment_count() const {
  return static_cast<std::uint32_t>(data_->segments.size());
}
const std::vector<ParseDiagnostic>& Message::diagnostics() const& {
  return data_->diagnostics;
}
std::uint64_t Message::diagnostics_dropped() const {
  return data_->diagnostics_dropped;
}

SegmentView Message::segment(std::uint32_t index) const& {
  return index < data_->segments.size() ? SegmentView(data_.get(), index) : SegmentView();
}

SegmentView Message::find(std::uint32_t id, std::uint32_t occurrence) const& {
  if (id == 0 || occurrence == 0) return {};
  const auto& rows = data_->segments;
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    if (rows[i].id == id && --occurrence == 0) return {data_.get(), i};
  }
  return {};
}

SegmentView Message::find_from(std::uint32_t from, std::uint32_t id) const& {
  const auto& rows = data_->segments;
  for (std::uint32_t i = from; id != 0 && i < rows.size(); ++i) {
    if (rows[i].id == id) return {data_.get(), i};
  }
  return {};
}

SegmentView Message::header() const& {
  return data_->has_header ? segment(0) : SegmentView();
}

}  // namespace kiln::hl7
