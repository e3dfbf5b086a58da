#pragma once
// Where a place of a text is, told from its tokens alone, so that it also works while the text does not
// parse: the blocks around it, what assignments there write to, and what names and paths mean.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fhir/definitions/definitions.h"
#include "hl7/dictionary/dictionary.h"
#include "mappings/detail/lexer.h"
#include "mappings/package.h"

namespace kiln::mappings {

/// What is known about the type of a value or of a target. Unset members: nothing is known.
struct PlaceType {
  const fhir::TypeDef* fhir = nullptr;
  const fhir::ElementDef* element = nullptr;  ///< the element it was reached by; of a choice `fhir` is unset
  std::string_view segment;                   ///< v2: a segment ("PID")
  std::string_view datatype;                  ///< v2: a datatype ("XPN")
  std::string_view csv;                       ///< name of a csv declaration
  bool message = false;                       ///< a v2 message as a whole
  explicit operator bool() const {
    return fhir || element || !segment.empty() || !datatype.empty() || !csv.empty() || message;
  }
};

/// `name: hl7 ADT_A01 2.5.1`
struct WrittenType {
  std::string_view model, name, version;
};

/// One open bracket around a place.
struct Frame {
  enum class Kind : std::uint8_t {
    declaration,  ///< body of a map, fragment, datatype, extend
    create,
    object,  ///< `{ … }` as a value
    scope,   ///< when, else, for each
    add,     ///< segment or group of a v2 target
    emit,
    arms,     ///< of `match`
    options,  ///< of channel, server, csv, a connector or another option
    rows,     ///< of table, row, segment, test
    list,     ///< [ ]
    paren     ///< ( )
  };
  Kind kind = Kind::scope;
  std::size_t open = 0;       ///< token of the bracket
  std::size_t head = 0;       ///< first token of what stands before it
  std::size_t statement = 0;  ///< first token of the statement that the place is in
  PlaceType target;           ///< what assignments inside write to
};

/// The declaration around a place.
struct Enclosing {
  std::size_t first = 0, last = 0;  ///< its tokens
  std::string_view keyword, name;   ///< "map", "adt_a01"; empty between declarations
  std::vector<std::pair<std::string_view, WrittenType>> parameters;
  WrittenType target;
  hl7::Version version = hl7::Version::v2_9;  ///< of the source; the newest where none is declared
  bool any_version = true;
  std::string_view structure;  ///< of the source, when it is a whole message
};

class Cursor {
 public:
  /// `text` outlives the object. `library` and `file` may be null: then names of other files mean nothing.
  Cursor(std::string_view text, std::size_t offset, const Library* library = nullptr,
         const LibraryFile* file = nullptr);

  using Token = detail::Token;
  std::string_view text() const { return text_; }
  std::size_t offset() const { return offset_; }
  std::string_view word(std::size_t token) const;  ///< text of a token; "" beyond the end
  const std::vector<Token>& tokens() const { return lexed_.tokens; }
  /// The token that holds the offset, or ends there; nothing in blanks.
  std::optional<std::size_t> token() const;
  bool in_comment() const;
  /// Inside `re"…"`, a string or a text.
  bool in_string() const;
  /// Tokens that end before the word that is being written: index of the first that does not.
  std::size_t before() const { return before_; }
  /// The part of a word or path in front of the offset: "Pat", "PID-5.", "".
  std::string_view prefix() const { return text_.substr(prefix_, offset_ - prefix_); }

  const std::vector<Frame>& frames() const { return frames_; }
  /// The innermost frame with braces; null outside declarations.
  const Frame* block() const;
  const Enclosing& enclosing() const { return enclosing_; }
  PlaceType target() const;
  /// First token of the statement the offset is in.
  std::size_t statement() const;
  /// The tokens from statement() to the offset hold `=`, `+=` or `?=` outside of brackets: that token.
  std::optional<std::size_t> assignment() const;

  /// The type of the element that the steps [first, last) of a left side name.
  PlaceType target_type(std::size_t first, std::size_t last) const;
  /// The type of the postfix expression whose last token is `last`.
  PlaceType value_type(std::size_t last) const;
  /// First token of that expression.
  std::size_t chain_begin(std::size_t last) const;
  /// Resource type of `create name: T`, with the token of the name.
  std::optional<std::pair<std::string_view, std::size_t>> handle(std::string_view name) const;
  /// Handles of the declaration with their types.
  std::vector<std::pair<std::string_view, std::string_view>> handles() const;
  hl7::Dictionary dictionary() const { return hl7::Dictionary(enclosing_.version); }
  const Library* library() const { return library_; }
  const LibraryFile* file() const { return file_; }

 private:
  bool is(std::size_t token, detail::TokenKind kind) const;
  void scan();
  void open_frame(std::size_t token);
  void close_frame();
  void set_statement(std::size_t token);
  bool starts_statement(std::size_t token) const;
  std::size_t target_begin(std::size_t operation) const;
  void enter_declaration(std::size_t first);
  std::size_t read_type(std::size_t at, WrittenType& out) const;
  void read_header(std::size_t open);
  Frame classify(std::size_t open) const;
  PlaceType header_target(std::size_t head, std::size_t open, bool& arms) const;
  PlaceType type_named(std::string_view name) const;
  PlaceType step(const PlaceType& base, std::size_t token, bool writes) const;
  PlaceType name_type(std::size_t token, std::size_t depth) const;
  PlaceType value_type(std::size_t last, std::size_t depth) const;
  PlaceType this_type(std::size_t token, std::size_t depth) const;

  std::string_view text_;
  std::size_t offset_;
  const Library* library_;
  const LibraryFile* file_;
  detail::Lexed lexed_;
  std::size_t before_ = 0;
  std::size_t prefix_ = 0;
  std::vector<Frame> frames_;
  std::size_t statement_ = 0;         ///< outside of frames
  std::size_t closed_by_ = SIZE_MAX;  ///< the `}` that closed a frame last
  Enclosing enclosing_;
};

/// The type of field `number` of a segment, newest definition where the version has none.
std::optional<hl7::FieldDef> find_field(hl7::Version version, std::string_view segment, std::size_t number);
/// `hl7 X`: a structure, else the structure of an event.
std::optional<hl7::StructureDef> find_message(hl7::Version version, std::string_view name);
/// "PID", 5, {1, 2} of "PID-5.1.2"; nothing for other texts.
struct FieldPath {
  std::string_view segment;
  std::vector<std::size_t> numbers;
};
std::optional<FieldPath> parse_field_path(std::string_view text);

}  // namespace kiln::mappings
