#include "engine/base/json.h"

#define RAPIDJSON_ASSERT(x) ((void)0)
#ifdef __SSE2__
#define RAPIDJSON_SSE2
#endif
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "engine/base/text.h"

namespace kiln::base {
namespace {

/// Reads the text pool and decodes strings in their places there, so that nothing is copied once more. Inside
/// a string or number RapidJSON works on a copy of the stream: when it hands one over, Tell() is still where
/// the value begins.
using InputStream = rapidjson::InsituStringStream;

/// Builds the arena tree; refuses duplicate members and too much depth.
class TreeBuilder {
 public:
  /// `input` reads the pool of `tree` from `begin` on.
  TreeBuilder(std::shared_ptr<detail::JsonTree> tree, InputStream& input, std::size_t begin,
              std::size_t depth_max)
      : input_(input), begin_(begin), depth_max_(depth_max), tree_(std::move(tree)) {
    tree_->nodes.reserve(tree_->pool.size() / 12 + 8);
  }

  bool Null() { return leaf(JsonKind::null_, 4); }
  bool Bool(bool value) {
    const bool ok = leaf(JsonKind::boolean, value ? 4 : 5);
    tree_->nodes.back().boolean = value;
    return ok;
  }
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  bool RawNumber(const char*, unsigned size, bool) {
    return text_leaf(JsonKind::number, begin_ + input_.Tell(), size);
  }
  bool String(const char* text, unsigned size, bool) {
    if (has_surrogate({text, size})) return stop(ErrorCode::json_syntax);
    return text_leaf(JsonKind::string, place(text), size);
  }
  bool StartObject() { return open(JsonKind::object); }
  bool Key(const char* text, unsigned size, bool) {
    const std::string_view key(text, size);
    if (has_surrogate(key)) return stop(ErrorCode::json_syntax);
    if (is_duplicate(key)) return stop(ErrorCode::json_duplicate_key);
    key_begin_ = static_cast<std::uint32_t>(place(text));
    key_size_ = size;
    return true;
  }
  bool EndObject(unsigned) { return close(); }
  bool StartArray() { return open(JsonKind::array); }
  bool EndArray(unsigned) { return close(); }

  ErrorCode failure() const { return failure_; }
  /// Where the failure is, when that is not where the parser stopped.
  std::size_t failure_offset(std::size_t stopped) const {
    return failure_offset_ == kNowhere ? stopped : failure_offset_;
  }
  std::shared_ptr<const detail::JsonTree> take() { return std::move(tree_); }

 private:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  static constexpr std::uint32_t kWideObject = 64;  ///< members

  struct Level {
    std::uint32_t node;
    std::uint32_t last_child;
  };

  bool stop(ErrorCode code) {
    failure_ = code;
    return false;
  }

  /// An escaped low surrogate without a high one passes RapidJSON; raw text was validated, so this catches
  /// only those.
  static bool has_surrogate(std::string_view text) {
    for (auto at = text.find('\xED'); at != std::string_view::npos; at = text.find('\xED', at + 1))
      if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xA0) return true;
    return false;
  }

  std::size_t place(const char* text) const { return static_cast<std::size_t>(text - tree_->pool.data()); }

  std::string_view key_of(const detail::JsonNode& node) const {
    return std::string_view(tree_->pool).substr(node.key_begin, node.key_size);
  }

  /// In small objects, as those of resources are, a look at each earlier key is cheapest. Wide ones are
  /// checked when they end (first_duplicate), so that a huge object in a bad order costs no quadratic time.
  bool is_duplicate(std::string_view key) {
    const auto& parent = tree_->nodes[levels_.back().node];
    if (parent.children >= kWideObject) return false;
    for (std::uint32_t child = parent.first_child; child != 0; child = tree_->nodes[child].next_sibling)
      if (key_of(tree_->nodes[child]) == key) return true;
    return false;
  }

  /// The first member, in source order, whose name an earlier member has; 0 when there is none.
  std::uint32_t first_duplicate(const detail::JsonNode& object) const {
    std::vector<std::uint32_t> members;
    members.reserve(object.children);
    for (std::uint32_t child = object.first_child; child != 0; child = tree_->nodes[child].next_sibling)
      members.push_back(child);
    std::sort(members.begin(), members.end(), [this](std::uint32_t a, std::uint32_t b) {
      const int order = key_of(tree_->nodes[a]).compare(key_of(tree_->nodes[b]));
      return order != 0 ? order < 0 : a < b;
    });
    std::uint32_t first = 0;
    for (std::size_t i = 1; i < members.size(); ++i) {
      if (key_of(tree_->nodes[members[i - 1]]) != key_of(tree_->nodes[members[i]])) continue;
      if (first == 0 || members[i] < first) first = members[i];
    }
    return first;
  }

  detail::JsonNode& append(JsonKind kind, std::size_t back) {
    const auto index = static_cast<std::uint32_t>(tree_->nodes.size());
    detail::JsonNode node;
    node.kind = kind;
    node.offset = static_cast<std::uint32_t>(begin_ + input_.Tell() - back);
    if (!levels_.empty()) {
      auto& level = levels_.back();
      auto& parent = tree_->nodes[level.node];
      if (parent.kind == JsonKind::object) {
        node.key_begin = key_begin_;
        node.key_size = key_size_;
      }
      if (level.last_child == 0)
        parent.first_child = index;
      else
        tree_->nodes[level.last_child].next_sibling = index;
      ++parent.children;
      level.last_child = index;
    }
    tree_->nodes.push_back(node);
    return tree_->nodes.back();
  }

  bool leaf(JsonKind kind, std::size_t back) {
    append(kind, back);
    return true;
  }
  bool text_leaf(JsonKind kind, std::size_t begin, std::size_t size) {
    auto& node = append(kind, 0);
    node.text_begin = static_cast<std::uint32_t>(begin);
    node.text_size = static_cast<std::uint32_t>(size);
    return true;
  }
  bool open(JsonKind kind) {
    if (levels_.size() >= depth_max_) return stop(ErrorCode::limit_exceeded);
    append(kind, 0);  // the iterative parser tells before it takes the bracket
    levels_.push_back({static_cast<std::uint32_t>(tree_->nodes.size() - 1), 0});
    return true;
  }
  bool close() {
    const auto& node = tree_->nodes[levels_.back().node];
    levels_.pop_back();
    if (node.kind != JsonKind::object || node.children <= kWideObject) return true;
    const std::uint32_t duplicate = first_duplicate(node);
    if (duplicate == 0) return true;
    failure_offset_ = tree_->nodes[duplicate].offset;
    return stop(ErrorCode::json_duplicate_key);
  }

  InputStream& input_;
  std::size_t begin_;
  std::size_t depth_max_;
  std::shared_ptr<detail::JsonTree> tree_;
  std::vector<Level> levels_;
  std::uint32_t key_begin_ = 0, key_size_ = 0;
  ErrorCode failure_ = ErrorCode::json_syntax;
  std::size_t failure_offset_ = kNowhere;
};

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string place_of(std::string_view text, std::size_t offset) {
  std::string_view before = text.substr(0, std::min(offset, text.size()));
  if (before.starts_with(kByteOrderMark)) before.remove_prefix(kByteOrderMark.size());
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const auto last = before.rfind('\n');
  const std::size_t column = before.size() - (last == std::string_view::npos ? 0 : last + 1) + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

/// Position of the first byte that is not UTF-8, in a text that has one.
std::size_t first_invalid(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t size = 1;
    while (size <= 4 && !is_valid_utf8(text.substr(at, size))) ++size;
    if (size > 4) return at;
    at += size;
  }
  return text.size();
}

constexpr unsigned kFlags =
    rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag | rapidjson::kParseInsituFlag;

/// RapidJSON reads whole aligned blocks of this size, so also behind the end.
constexpr std::size_t kBlock = 16;

}  // namespace

Result<JsonDocument> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes)
    return fail(ErrorCode::limit_exceeded,
                "the JSON text has more than " + std::to_string(limits.bytes) + " bytes");
  const std::size_t begin = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  // A NUL is where RapidJSON takes a stream to end, so one inside the text must be refused first.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    return fail(ErrorCode::json_syntax, "a NUL byte is not allowed in JSON", place_of(text, nul));
  if (!is_valid_utf8(text)) return fail(ErrorCode::invalid_utf8, {}, place_of(text, first_invalid(text)));
  auto tree = std::make_shared<detail::JsonTree>();
  tree->pool.reserve(text.size() + kBlock);
  tree->pool.append(text).append(kBlock, '\0');
  InputStream input(tree->pool.data() + begin);
  TreeBuilder builder(tree, input, begin, limits.depth);
  rapidjson::Reader reader;
  const auto result = reader.Parse<kFlags>(input, builder);
  if (!result) {
    const std::string place = place_of(text, builder.failure_offset(begin + result.Offset()));
    if (result.Code() == rapidjson::kParseErrorTermination) {
      if (builder.failure() == ErrorCode::limit_exceeded)
        return fail(ErrorCode::limit_exceeded, "JSON is nested deeper than " + std::to_string(limits.depth),
                    place);
      return fail(builder.failure(), {}, place);
    }
    return fail(ErrorCode::json_syntax, rapidjson::GetParseError_En(result.Code()), place);
  }
  return JsonDocument(builder.take());
}

std::string_view JsonView::text() const {
  if (!exists()) return {};
  const auto& n = node();
  if (n.kind == JsonKind::boolean) return n.boolean ? "true" : "false";
  return std::string_view(tree_->pool).substr(n.text_begin, n.text_size);
}

std::string_view JsonView::key() const {
  if (!exists()) return {};
  return std::string_view(tree_->pool).substr(node().key_begin, node().key_size);
}

JsonView JsonView::operator[](std::string_view member) const {
  if (!is_object()) return {};
  for (std::uint32_t child = node().first_child; child != 0; child = tree_->nodes[child].next_sibling) {
    const auto& n = tree_->nodes[child];
    if (n.key_size == member.size() && tree_->pool.compare(n.key_begin, n.key_size, member) == 0)
      return JsonView(tree_, child);
  }
  return {};
}

JsonView JsonView::at(std::size_t index) const {
  if (!exists() || index >= node().children) return {};
  std::uint32_t child = node().first_child;
  for (; index != 0; --index) child = tree_->nodes[child].next_sibling;
  return JsonView(tree_, child);
}

namespace {

/// True when none of 8 bytes has to be escaped; now and then false when none has.
bool is_plain(const char* bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  const std::uint64_t quote = word ^ kOnes * '"', backslash = word ^ kOnes * '\\';
  return ((((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) |
           ((backslash - kOnes) & ~backslash)) &
          kHigh) == 0;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  std::size_t clean = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    while (i + 8 <= text.size() && is_plain(text.data() + i)) i += 8;
    if (i == text.size()) break;
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(clean, i - clean));
    clean = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text.substr(clean));
  out += '"';
}

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_items_.empty()) return;
  if (has_items_.back()) out_ += ',';
  has_items_.back() = true;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  out_ += '{';
  has_items_.push_back(false);
  return *this;
}
JsonWriter& JsonWriter::end_object() {
  assert(!has_items_.empty());
  has_items_.pop_back();
  out_ += '}';
  return *this;
}
JsonWriter& JsonWriter::begin_array() {
  separate();
  out_ += '[';
  has_items_.push_back(false);
  return *this;
}
JsonWriter& JsonWriter::end_array() {
  assert(!has_items_.empty());
  has_items_.pop_back();
  out_ += ']';
  return *this;
}
JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_json_string(out_, name);
  out_ += ':';
  after_key_ = true;
  return *this;
}
JsonWriter& JsonWriter::string(std::string_view value) {
  separate();
  append_json_string(out_, value);
  return *this;
}
JsonWriter& JsonWriter::number(std::string_view text) {
  return raw(text);
}
JsonWriter& JsonWriter::integer(std::int64_t value) {
  return raw(std::to_string(value));
}
JsonWriter& JsonWriter::boolean(bool value) {
  return raw(value ? "true" : "false");
}
JsonWriter& JsonWriter::null() {
  return raw("null");
}
JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

JsonWriter& JsonWriter::value(JsonView view) {
  if (!view) return null();
  switch (view.kind()) {
    case JsonKind::null_:
      return null();
    case JsonKind::boolean:
      return boolean(view.boolean());
    case JsonKind::number:
      return number(view.text());
    case JsonKind::string:
      return string(view.text());
    case JsonKind::array:
      begin_array();
      for (const JsonView item : view) value(item);
      return end_array();
    case JsonKind::object:
      begin_object();
      for (const JsonView member : view) key(member.key()).value(member);
      return end_object();
  }
  return *this;
}

namespace {

void print_pretty(std::string& out, JsonView view, std::size_t indent) {
  const bool object = view.is_object();
  if ((!object && !view.is_array()) || view.size() == 0) {
    JsonWriter leaf;
    out += leaf.value(view).str();
    return;
  }
  out += object ? "{\n" : "[\n";
  bool first = true;
  for (const JsonView child : view) {
    if (!first) out += ",\n";
    first = false;
    out.append(indent + 2, ' ');
    if (object) {
      append_json_string(out, child.key());
      out += ": ";
    }
    print_pretty(out, child, indent + 2);
  }
  out += '\n';
  out.append(indent, ' ');
  out += object ? '}' : ']';
}

}  // namespace

std::string print_json(JsonView view, bool pretty) {
  if (!pretty) return JsonWriter().value(view).take();
  std::string out;
  print_pretty(out, view, 0);
  return out += '\n';
}

}  // namespace kiln::base
