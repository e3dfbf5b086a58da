#pragma once
// A parsed HL7 v2 message: the bytes as received plus small indexes into them (std 2.5, 2.6).
// Stage 1 (parse) finds segments and fields; everything below a field is split when it is asked for, without
// allocation. Reading never needs the dictionary.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/result.h"
#include "hl7/charset.h"
#include "hl7/delimiters.h"
#include "hl7/detail/leaf_stream.h"
#include "hl7/detail/message_data.h"
#include "hl7/escape.h"
#include "hl7/parse_diagnostic.h"
#include "hl7/segment_id.h"

namespace kiln::hl7 {

/// Absent: not valued (`||`) or beyond the end. Null: `""`, the sender deletes the value. Valued: anything
/// else.
enum class Presence : std::uint8_t { absent, null_, valued };

class LeafView;
class ComponentView;
class RepetitionView;
class FieldView;
class SegmentView;

/// Any part of a message from field down to subcomponent: a range of its bytes. Borrowed: valid while the
/// Message lives (moving the Message is fine). Copyable, 24 bytes, any thread may read.
class Piece {
 public:
  enum class Level : std::uint8_t { field, repetition, component, leaf };

  Piece() = default;  ///< absent, of no message
  /// The position exists in the bytes, although it may be empty. False beyond the end.
  bool located() const { return data_ != nullptr; }
  /// A part that holds nothing but delimiters of lower levels (`^^`) is absent.
  Presence presence() const;
  bool absent() const { return presence() == Presence::absent; }
  bool is_null() const { return presence() == Presence::null_; }
  bool valued() const { return presence() == Presence::valued; }

  /// The bytes as received, whole part with its inner delimiters. Empty when not located.
  std::string_view raw() const {
    return data_ == nullptr ? std::string_view()
                            : std::string_view(data_->bytes.data() + begin_, end_ - begin_);
  }
  /// Byte offsets in Message::bytes(). 0 when not located.
  std::uint32_t offset() const { return begin_; }
  std::uint32_t end_offset() const { return end_; }
  Level level() const { return level_; }
  /// MSH-1, MSH-2 and the same of FHS and BHS: never split or decoded.
  bool verbatim() const { return verbatim_; }

  /// The first leaf of this part: the value of a shallower level, std 2.11 promotion.
  LeafView leaf() const;

  /// Decoded UTF-8 text of leaf(); empty when absent or null. Escape sequences are decoded once, formatting
  /// commands and sequences of unknown meaning stay as written (escape.h). Points into the message when
  /// nothing had to be decoded, else into memory of the arena or into `buffer` (whose content is then
  /// replaced).
  std::string_view text(std::pmr::memory_resource& arena) const;
  std::string_view text(std::string& buffer) const;
  std::string to_text() const;

 protected:
  friend class Message;
  friend class SegmentView;
  using Content = detail::Content;
  Piece(const detail::MessageData* data, std::uint32_t begin, std::uint32_t end, Level level, bool verbatim,
        Content content = Content::unknown)
      : data_(data), begin_(begin), end_(end), level_(level), verbatim_(verbatim), content_(content) {}
  /// Part number n (from 1) of this range cut at `separator`.
  Piece nth(char separator, std::uint32_t n, Level level) const;
  std::uint32_t count(char separator) const;
  /// Offset of the first `separator` from `from` on, or the end.
  std::uint32_t cut(std::uint32_t from, char separator) const {
    return detail::find_byte(data_->bytes.data(), from, end_, separator);
  }
  Delimiters delimiters() const { return data_ == nullptr ? Delimiters{} : data_->delimiters; }
  /// Decoded text of a leaf. By value: a view whose address goes elsewhere cannot stay in registers.
  static std::string_view text_of(const detail::MessageData* data, std::string_view raw, bool verbatim,
                                  std::string& buffer);

  const detail::MessageData* data_ = nullptr;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  Level level_ = Level::field;
  bool verbatim_ = false;
  Content content_ = Content::unknown;

  template <class View>
  friend class PieceRange;
};

/// The parts of a piece in order. An empty piece has no parts; `A~~B` has three.
template <class View>
class PieceRange {
 public:
  PieceRange(const Piece& whole, char separator, Piece::Level level)
      : whole_(whole), separator_(whole.verbatim_ ? '\0' : separator), level_(level) {}

  class Iterator {
   public:
    View operator*() const {
      return View(Piece(range_->whole_.data_, begin_, end_, range_->level_, range_->whole_.verbatim_));
    }
    Iterator& operator++() {
      if (end_ >= range_->whole_.end_) {
        done_ = true;
      } else {
        begin_ = end_ + 1;
        end_ = range_->cut(begin_);
      }
      return *this;
    }
    bool operator!=(const Iterator& other) const { return done_ != other.done_; }
    bool operator==(const Iterator& other) const { return done_ == other.done_; }

   private:
    friend class PieceRange;
    Iterator(const PieceRange* range, std::uint32_t begin, bool done)
        : range_(range), begin_(begin), end_(done ? begin : range->cut(begin)), done_(done) {}
    const PieceRange* range_;
    std::uint32_t begin_, end_;
    bool done_;
  };
  Iterator begin() const { return Iterator(this, whole_.begin_, whole_.begin_ == whole_.end_); }
  Iterator end() const { return Iterator(this, whole_.end_, true); }

 private:
  std::uint32_t cut(std::uint32_t from) const { return whole_.cut(from, separator_); }
  Piece whole_;
  char separator_;
  Piece::Level level_;
};

/// One subcomponent: text without inner delimiters.
class LeafView : public Piece {
 public:
  LeafView() = default;
  explicit LeafView(const Piece& piece) : Piece(piece) {}
  using Piece::text;
  /// As Piece::text, without looking for inner delimiters.
  [[gnu::always_inline]] std::string_view text(std::string& buffer) const {
    const std::string_view raw = this->raw();
    return content_ == Content::plain ? raw : text_of(data_, raw, verbatim_, buffer);
  }
};

class ComponentView : public Piece {
 public:
  ComponentView() = default;
  explicit ComponentView(const Piece& piece) : Piece(piece) {}
  LeafView sub(std::uint32_t n) const { return LeafView(nth(delimiters().subcomponent, n, Level::leaf)); }
  std::uint32_t sub_count() const { return count(delimiters().subcomponent); }
  PieceRange<LeafView> subs() const { return {*this, delimiters().subcomponent, Level::leaf}; }
};

class RepetitionView : public Piece {
 public:
  RepetitionView() = default;
  explicit RepetitionView(const Piece& piece) : Piece(piece) {}
  ComponentView component(std::uint32_t n) const {
    return ComponentView(nth(delimiters().component, n, Level::component));
  }
  std::uint32_t component_count() const { return count(delimiters().component); }
  PieceRange<ComponentView> components() const { return {*this, delimiters().component, Level::component}; }
};

class FieldView : public Piece {
 public:
  FieldView() = default;
  explicit FieldView(const Piece& piece) : Piece(piece) {}
  RepetitionView repetition(std::uint32_t n) const {
    return RepetitionView(nth(delimiters().repetition, n, Level::repetition));
  }
  std::uint32_t repetition_count() const { return count(delimiters().repetition); }
  PieceRange<RepetitionView> repetitions() const {
    return {*this, delimiters().repetition, Level::repetition};
  }
  /// Of repetition 1.
  ComponentView component(std::uint32_t n) const { return repetition(1).component(n); }
};

/// One segment. Borrowed like Piece. A default-made one does not exist: no fields, id 0.
class SegmentView {
 public:
  SegmentView() = default;
  bool exists() const { return data_ != nullptr; }
  explicit operator bool() const { return exists(); }
  std::uint32_t id() const;                       ///< segment_id of the name; 0 for a name that is not one
  std::string_view name() const;                  ///< bytes before the first field separator, as received
  std::uint32_t index() const { return index_; }  ///< position in the message, from 0
  std::uint32_t occurrence() const;               ///< how many of this id up to and with this one, from 1
  std::uint32_t offset() const;
  std::string_view raw() const;  ///< without the line end
  /// Number of the last field that is there; for MSH, FHS and BHS the separator counts as field 1.
  std::uint32_t field_count() const;
  /// Field n from 1; absent beyond the end. Field 0 is absent.
  FieldView field(std::uint32_t n) const;
  /// Offsets in Message::bytes() of the field separators of this segment, then of its end. In MSH, FHS and
  /// BHS the first one is field 1 itself. Empty when the segment does not exist.
  std::span<const std::uint32_t> separators() const;

 private:
  friend class Message;
  SegmentView(const detail::MessageData* data, std::uint32_t index) : data_(data), index_(index) {}
  const detail::MessageData* data_ = nullptr;
  std::uint32_t index_ = 0;
};

enum class LineEnds : std::uint8_t {
  auto_,  ///< CR where the message holds one (a lone LF is data unless a segment name follows), else LF
  cr,     ///< CR or CR LF only
  any,    ///< CR, LF and CR LF
};

struct ParseOptions {
  LineEnds line_ends = LineEnds::auto_;
  Charset charset_default;                  ///< when MSH-18 is empty or unknown
  std::optional<Charset> charset_override;  ///< ignore MSH-18
  std::size_t bytes_max = base::limits::kMessageBytesMax;
  std::size_t segments_max = base::limits::kSegmentsMax;
  std::size_t fields_max = base::limits::kFieldsMax;            ///< per segment
  std::size_t repetitions_max = base::limits::kRepetitionsMax;  ///< per field
  /// Segments without a header (BTS, FTS, a lone line) are read with these; with a header they are not used.
  std::optional<Delimiters> headerless;
  ScanMode scan = ScanMode::best;
  /// Take UTF-16 and UTF-32, seen by their byte order mark or first letters. MLLP cannot carry them (their
  /// code units hold its frame bytes), so a listener leaves this off: error charset_not_framable.
  bool wide = false;
};

/// Owns one immutable buffer, as received. Moves keep views valid. Immutable, so any thread may read.
/// Memory: the bytes plus 4 per field separator and line end plus 12 per segment, and a few hundred; at most
/// limits::kIndexFactorMax times the bytes beside them, also while parsing.
class Message {
 public:
  /// Errors: no_header, limit_exceeded, charset_unsupported,
  /// charset_not_framable. `bytes` is one message: the segments of a batch
  /// belong to batch.h. A header is MSH, FHS or BHS; white space, NUL and a byte order mark may stand before
  /// it.
  static base::Result<Message> parse(std::string bytes, const ParseOptions& options = {});

  Message(Message&&) noexcept;
  Message& operator=(Message&&) noexcept;
  ~Message();

  /// Byte for byte what parse() got: the encoding of an unmodified message.
  const std::string& bytes() const&;
  const std::string& bytes() const&& = delete;
  /// As received. Differs from bytes() only where the character set cannot be split byte by byte: such a
  /// message is converted to UTF-8 on entry (converted() is true), and offsets are those in bytes().
  const std::string& original() const&;
  const std::string& original() const&& = delete;
  bool converted() const;
  /// The received bytes of [begin, end) of bytes(), both being the start of a segment or the end.
  std::string_view original(std::uint32_t begin, std::uint32_t end) const&;
  std::string_view original(std::uint32_t begin, std::uint32_t end) const&& = delete;
  /// Text in the form of bytes() in that of original(): the same text unless the message was converted. A
  /// character that the set lacks becomes '?'.
  std::string as_received(std::string_view text) const;
  /// Hands the buffer over, as received. The message and its views are gone then.
  std::string take_bytes() &&;

  /// Bytes of memory this message holds, with its own buffer.
  std::size_t memory_bytes() const;

  const Delimiters& delimiters() const;
  Charset charset() const;
  /// MSH-18 repetitions 2 and on that are known: what an escape may switch to.
  const std::vector<Charset>& alternate_charsets() const&;
  const std::vector<Charset>& alternate_charsets() const&& = delete;

  /// What decoding a raw leaf of this message depends on, for code with its own walk. Borrowed like a view.
  TextRules text_rules() const&;
  TextRules text_rules() const&& = delete;

  /// True when no part of this message has to be decoded: raw() of a leaf that is not null is its text.
  bool text_is_plain() const;

  std::uint32_t segment_count() const;
  /// Position from 0; does not exist beyond the end.
  SegmentView segment(std::uint32_t index) const&;
  SegmentView segment(std::uint32_t index) const&& = delete;
  /// Segment number `occurrence` (from 1) of that id.
  SegmentView find(std::uint32_t id, std::uint32_t occurrence = 1) const&;
  SegmentView find(std::uint32_t id, std::uint32_t occurrence = 1) const&& = delete;
  SegmentView find(std::string_view name, std::uint32_t occurrence = 1) const& {
    return find(segment_id(name), occurrence);
  }
  SegmentView find(std::string_view name, std::uint32_t occurrence = 1) const&& = delete;
  /// First segment of that id at position `from` or behind it.
  SegmentView find_from(std::uint32_t from, std::uint32_t id) const&;
  SegmentView find_from(std::uint32_t from, std::uint32_t id) const&& = delete;
  /// The header segment, normally MSH. Exists unless the message was read with `headerless`.
  SegmentView header() const&;
  SegmentView header() const&& = delete;
  FieldView field(std::string_view segment_name, std::uint32_t n) const& {
    return find(segment_name).field(n);
  }
  FieldView field(std::string_view segment_name, std::uint32_t n) const&& = delete;

  /// Every leaf of every field that is not empty, in order, in one pass: faster than nested loops for code
  /// that visits everything. `visit(const Location&, const LeafView&)`. Leaves between delimiters are visited
  /// although empty.
  template <class Visitor>
  void for_each_leaf(Visitor&& visit) const&;

  /// At most kParseDiagnosticsMax, in order of offset within each kind; more are only counted.
  const std::vector<ParseDiagnostic>& diagnostics() const&;
  const std::vector<ParseDiagnostic>& diagnostics() const&& = delete;
  std::uint64_t diagnostics_dropped() const;

  /// Where a byte offset lies, down to the subcomponent. Linear in the segment.
  Location locate(std::uint32_t offset) const;
  /// "PID-3[2].4.1", "OBX[2]-5[1]", or "segment 4" for an unnamed one: the one spelling of a place.
  std::string place(const Location& location) const;

 private:
  explicit Message(std::unique_ptr<detail::MessageData> data);
  std::unique_ptr<detail::MessageData> data_;
};

inline Piece Piece::nth(char separator, std::uint32_t n, Level level) const {
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

inline LeafView Piece::leaf() const {
  if (data_ == nullptr) return {};
  std::uint32_t end = end_;
  if (!verbatim_ && level_ != Level::leaf) {
    const char* const bytes = data_->bytes.data();
    const Delimiters& d = data_->delimiters;
    if (level_ == Level::field) end = detail::find_byte(bytes, begin_, end, d.repetition);
    if (level_ <= Level::repetition) end = detail::find_byte(bytes, begin_, end, d.component);
    end = detail::find_byte(bytes, begin_, end, d.subcomponent);
  }
  return LeafView(Piece(data_, begin_, end, Level::leaf, verbatim_, content_));
}

inline std::string_view Piece::text(std::string& buffer) const {
  return leaf().text(buffer);
}

inline FieldView SegmentView::field(std::uint32_t n) const {
  if (data_ == nullptr || n == 0) return {};
  const detail::SegmentRow& row = data_->rows[index_];
  bool verbatim = false;
  if (data_->is_header(row)) {
    // The separator itself is field 1, so the text behind it is field 2.
    const std::uint32_t separator = data_->marks()[row.first];
    if (n == 1) return FieldView(Piece(data_, separator, separator + 1, Piece::Level::field, true));
    verbatim = n == 2;
    --n;
  }
  if (n > data_->separators(row)) return {};
  const std::uint32_t* const mark = data_->marks() + row.first + n;
  return FieldView(Piece(data_, mark[-1] + 1, mark[0], Piece::Level::field, verbatim));
}

template <class Visitor>
[[gnu::always_inline]] inline void Message::for_each_leaf(Visitor&& visit) const& {
  const detail::MessageData* const data = data_.get();
  const bool plain = !data->has_escape && !data->has_quote && !data->recode_high;
  const detail::Content content = plain ? detail::Content::plain : detail::Content::unknown;
  detail::LeafStream leaves(*data);
  for (std::uint32_t s = 0; s < data->row_count; ++s) {
    const detail::SegmentRow& row = data->rows[s];
    std::uint32_t mark = 0, field = 1;
    const std::uint32_t separators = data->separators(row);
    if (separators == 0) continue;
    if (data->is_header(row)) {
      const SegmentView header(data, s);
      visit(Location{s, 1, 1, 1, 1}, LeafView(header.field(1).leaf()));
      if (!header.field(2).raw().empty()) visit(Location{s, 2, 1, 1, 1}, LeafView(header.field(2).leaf()));
      if (separators == 1) continue;
      mark = 1;
      field = 3;
    }
    leaves.read(row, mark, field, [&](const auto& at, std::uint32_t begin, std::uint32_t end) {
      visit(Location{s, at.field(), at.repetition(), at.component(), at.subcomponent()},
            LeafView(Piece(data, begin, end, Piece::Level::leaf, false, content)));
    });
  }
}

/// The odd escape sequences and undecodable bytes of every leaf: bad_escape, unknown_escape, stray_escape,
/// bad_charset_bytes. Walks the whole message; at most kParseDiagnosticsMax.
std::vector<ParseDiagnostic> check_text(const Message& message);

}  // namespace kiln::hl7
