#include <cstring>

#define RAPIDJSON_ASSERT(x) ((void)0)
#ifdef __SSE2__
#define RAPIDJSON_SSE2
#endif
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include "engine/base/text.h"
#include "fhir/model/detail/json_handler.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;

/// Decodes strings in their place. RapidJSON hands a string or number over while Tell() is still where it
/// begins.
using InputStream = rapidjson::InsituStringStream;

/// Translates RapidJSON's events.
class Events {
 public:
  /// `input` reads `text` from `begin` on.
  Events(detail::JsonHandler& handler, InputStream& input, const std::string& text, std::size_t begin)
      : handler_(handler), input_(input), text_(text), begin_(begin) {}

  bool Null() { return handler_.null(here() - 4); }
  bool Bool(bool value) {
    const std::size_t size = value ? 4 : 5;
    return handler_.scalar(NodeKind::boolean, here() - size, slice(here() - size, size));
  }
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  bool RawNumber(const char*, unsigned size, bool) {
    return handler_.scalar(NodeKind::number, here(), slice(here(), size));
  }
  bool String(const char* text, unsigned size, bool) {
    const std::string_view value(text, size);
    return has_surrogate(value) ? surrogate() : handler_.scalar(NodeKind::string, here(), value);
  }
  bool Key(const char* text, unsigned size, bool) {
    const std::string_view name(text, size);
    return has_surrogate(name) ? surrogate() : handler_.key(here(), name);
  }
  // The iterative parser tells before it takes the opening bracket.
  bool StartObject() {
    return handler_.open_object(here(),
                                std::string_view(text_).substr(here(), text_.size() - here() - kBlock));
  }
  bool EndObject(unsigned) { return handler_.close_object(); }
  bool StartArray() { return handler_.open_array(here()); }
  bool EndArray(unsigned) { return handler_.close_array(); }

  bool lone_surrogate() const { return lone_surrogate_; }

  /// RapidJSON reads whole aligned blocks of this size, so also behind the end.
  static constexpr std::size_t kBlock = 16;

 private:
  std::size_t here() const { return begin_ + input_.Tell(); }
  std::string_view slice(std::size_t at, std::size_t size) const {
    return std::string_view(text_).substr(at, size);
  }
  bool surrogate() {
    lone_surrogate_ = true;
    return false;
  }
  /// An escaped low surrogate without a high one passes RapidJSON; raw text was validated.
  static bool has_surrogate(std::string_view text) {
    for (auto at = text.find('\xED'); at != std::string_view::npos; at = text.find('\xED', at + 1))
      if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xA0) return true;
    return false;
  }

  detail::JsonHandler& handler_;
  InputStream& input_;
  const std::string& text_;
  std::size_t begin_;
  bool lone_surrogate_ = false;
};

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr unsigned kFlags =
    rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag | rapidjson::kParseInsituFlag;

std::string place_of(std::string_view text, std::size_t offset, const std::string& path) {
  std::string place = place_in(text, offset).print();
  if (!path.empty()) place += ", " + path;
  return place;
}

/// Position of the first byte that is not UTF-8, in a text that has one. By halves: linear.
std::size_t first_invalid(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t size = 1;
    while (size <= 4 && !base::is_valid_utf8(text.substr(at, size))) ++size;
    if (size > 4) return at;
    at += size;
  }
  return text.size();
}

}  // namespace

base::Result<Tree> read_json(std::string_view text, const ReadOptions& options) {
  if (text.size() > options.bytes_max)
    return fail(ErrorCode::limit_exceeded,
                "the document has more than " + std::to_string(options.bytes_max) + " bytes");
  // A NUL is where RapidJSON takes a stream to end, so one inside the text must be refused first.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    return fail(ErrorCode::json_syntax, "a NUL byte is not allowed in JSON", place_of(text, nul, {}));
  if (!base::is_valid_utf8(text))
    return fail(ErrorCode::invalid_utf8, {}, place_of(text, first_invalid(text), {}));
  const std::size_t begin = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  auto data = std::make_shared<detail::TreeData>();
  data->text.reserve(text.size() + Events::kBlock);
  data->text.append(text).append(Events::kBlock, '\0');
  InputStream input(data->text.data() + begin);
  detail::JsonHandler handler(data, options);
  Events events(handler, input, data->text, begin);
  rapidjson::Reader reader;
  const auto result = reader.Parse<kFlags>(input, events);
  if (result) return Tree(std::move(data));
  const std::size_t stopped = begin + result.Offset();
  if (result.Code() == rapidjson::kParseErrorNumberTooBig)
    return fail(ErrorCode::json_syntax, "a number with too large an exponent",
                place_of(text, stopped, handler.path()));
  if (result.Code() != rapidjson::kParseErrorTermination)
    return fail(ErrorCode::json_syntax, rapidjson::GetParseError_En(result.Code()),
                place_of(text, stopped, handler.path()));
  if (events.lone_surrogate())
    return fail(ErrorCode::json_syntax, "half of a surrogate pair", place_of(text, stopped, handler.path()));
  const ReadIssue& failure = handler.failure();
  return fail(failure.code, failure.text, place_of(text, failure.offset, failure.path));
}

}  // namespace kiln::fhir
