// v2.xml to ER7.

#include <algorithm>
#include <cstring>
#include <optional>
#include <pugixml.hpp>

#include "engine/base/text.h"
#include "hl7/escape.h"
#include "hl7/segment_id.h"
#include "hl7/xml.h"

namespace kiln::hl7 {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;

/// Groups of the standards nest 6 deep.
constexpr std::size_t kGroupDepthMax = 32;

std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const auto colon = name.rfind(':');
  return colon == name.npos ? name : name.substr(colon + 1);
}

tl::unexpected<base::Error> bad(std::string text, const pugi::xml_node& node) {
  return base::fail(ErrorCode::bad_v2xml, std::move(text),
                    "element at byte " + std::to_string(std::max<std::ptrdiff_t>(node.offset_debug(), 0)));
}

/// The number behind the last point of a name; 0 when there is none.
std::uint32_t part_number(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == name.npos || dot + 1 == name.size()) return 0;
  std::uint32_t number = 0;
  for (const char c : name.substr(dot + 1)) {
    if (c < '0' || c > '9' || number > base::limits::kRepetitionsMax) return 0;
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return number <= base::limits::kRepetitionsMax ? number : 0;
}

bool is_part(const pugi::xml_node& node) {
  return node.type() == pugi::node_element && local_name(node) != "escape";
}

class Reader {
 public:
  explicit Reader(const XmlReadOptions& options) : options_(options) {}

  /// One message element.
  Result<std::string> read(const pugi::xml_node& root) {
    const pugi::xml_node msh = find_header(root, 0);
    if (!msh) return bad("there is no MSH", root);
    read_delimiters_of(msh);
    out_.clear();
    charset_.reset();
    TRY_VOID(walk(root, 0));
    if (!charset_ || charset_->is_utf8()) return std::move(out_);
    return from_utf8(out_, *charset_, options_.unencodable);
  }

 private:
  static pugi::xml_node find_header(const pugi::xml_node& parent, std::size_t depth) {
    if (depth > kGroupDepthMax) return {};
    for (const pugi::xml_node& node : parent.children()) {
      if (node.type() != pugi::node_element) continue;
      if (local_name(node) == "MSH") return node;
      if (segment_id(local_name(node)) != 0) return {};
      if (const pugi::xml_node below = find_header(node, depth + 1)) return below;
    }
    return {};
  }

  void read_delimiters_of(const pugi::xml_node& msh) {
    delimiters_ = options_.delimiters;
    std::string_view field, encoding;
    for (const pugi::xml_node& node : msh.children()) {
      if (local_name(node) == "MSH.1") field = node.text().get();
      if (local_name(node) == "MSH.2") encoding = node.text().get();
    }
    encoding_ = delimiters_.encoding_characters();
    const auto read = field.size() == 1 ? hl7::read_delimiters(field[0], encoding) : std::nullopt;
    if (!read || encoding.empty()) return;
    const bool one_line = std::none_of(encoding.begin(), encoding.end(), [&](char c) {
      return static_cast<unsigned char>(c) < ' ' || c == field[0];
    });
    if (!one_line) return;
    // As a reader of the delimited form takes it, also when it is odd.
    delimiters_ = read->delimiters;
    encoding_ = encoding;
  }

  Status walk(const pugi::xml_node& parent, std::size_t depth) {
    if (depth > kGroupDepthMax) return bad("groups are nested too deeply", parent);
    for (const pugi::xml_node& node : parent.children()) {
      if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata) {
        if (!base::trim(node.value()).empty()) return bad("text between elements", node);
        continue;
      }
      if (node.type() != pugi::node_element) continue;
      const std::string_view name = local_name(node);
      if (name == "line") {
        TRY_VOID(read_line(node));
      } else if (name.size() == 3 && segment_id(name) != 0) {
        TRY_VOID(read_segment(node, name));
      } else {
        TRY_VOID(walk(node, depth + 1));
      }
    }
    return {};
  }

  /// A number costs a few bytes of XML and that many delimiters of ER7: together they are bounded.
  Status spend(std::size_t positions) {
    positions_ += positions;
    if (positions_ <= base::limits::kMessageBytesMax) return {};
    return base::fail(ErrorCode::limit_exceeded,
                      "the numbers of the elements add up to more than a message holds");
  }

  Status read_line(const pugi::xml_node& node) {
    std::string bytes;
    if (!base::base64_decode(node.attribute("V").value(), bytes)) return bad("V is not base64", node);
    if (bytes.find_first_of("\r\n") != bytes.npos) return bad("a line with a line end", node);
    if (segment_id(std::string_view(bytes).substr(0, 3)) != 0 &&
        (bytes.size() == 3 || bytes[3] == delimiters_.field))
      return bad("a segment is not a line", node);
    out_ += valid(bytes) + "\r";
    return {};
  }

  static std::string valid(std::string_view bytes) {
    std::string out(bytes.size() * 3, '\0');
    out.resize(Charset::utf8().to_utf8(bytes, out.data()));
    return out;
  }

  Status read_segment(const pugi::xml_node& segment, std::string_view name) {
    const bool header = name == "MSH" || name == "FHS" || name == "BHS";
    std::vector<std::string> fields;
    std::vector<std::uint32_t> repetitions;
    for (const pugi::xml_node& node : segment.children()) {
      if (node.type() != pugi::node_element) {
        if (!base::trim(node.value()).empty()) return bad("text between fields", node);
        continue;
      }
      const std::string_view field = local_name(node);
      const std::uint32_t n = part_number(field);
      if (!field.starts_with(name) || field.find('.') != name.size() || n == 0 ||
          n > base::limits::kFieldsMax)
        return bad("a field of " + std::string(name) + " is expected", node);
      if (header && n <= 2) continue;
      if (fields.size() < n) {
        TRY_VOID(spend(n - fields.size()));
        fields.resize(n);
        repetitions.resize(n);
      }
      std::string& text = fields[n - 1];
      if (repetitions[n - 1]++ != 0) {
        if (delimiters_.repetition == '\0') return bad("the delimiters have no repetition", node);
        if (repetitions[n - 1] > base::limits::kRepetitionsMax) return base::fail(ErrorCode::limit_exceeded);
        text += delimiters_.repetition;
      }
      TRY_VOID(read_parts(node, 0, text));
    }
    if (name == "MSH" && fields.size() >= 18 && !charset_) note_charset(fields[17]);
    out_ += name;
    if (header) out_ += std::string(1, delimiters_.field) + encoding_;
    for (std::size_t n = header ? 2 : 0; n < fields.size(); ++n) {
      out_ += delimiters_.field;
      out_ += fields[n];
    }
    while (!header && out_.ends_with(delimiters_.field)) out_.pop_back();
    out_ += '\r';
    return {};
  }

  void note_charset(std::string_view field) {
    const std::string_view first = field.substr(0, field.find(delimiters_.repetition));
    const auto charset = Charset::find(first);
    charset_ = charset && charset->supported() && !first.empty() ? *charset : Charset::utf8();
  }

  /// Components (level 0) or subcomponents (level 1) of an element, or its text.
  Status read_parts(const pugi::xml_node& parent, int level, std::string& out) {
    const auto children = parent.children();
    if (std::none_of(children.begin(), children.end(), is_part)) return read_leaf(parent, out);
    if (level == 2) return bad("an element below a subcomponent", parent);
    const char separator = level == 0 ? delimiters_.component : delimiters_.subcomponent;
    std::vector<std::string> parts;
    std::vector<bool> seen;
    for (const pugi::xml_node& node : children) {
      if (!is_part(node)) {
        if (node.type() == pugi::node_element || !base::trim(node.value()).empty())
          return bad("text beside elements", node);
        continue;
      }
      const std::uint32_t n = part_number(local_name(node));
      if (n == 0) return bad("the element's name does not end with a number", node);
      if (n > 1 && separator == '\0') return bad("the delimiters have no such level", node);
      if (parts.size() < n) {
        TRY_VOID(spend(n - parts.size()));
        parts.resize(n);
        seen.resize(n);
      }
      if (seen[n - 1]) return bad("a part stands twice", node);
      seen[n - 1] = true;
      TRY_VOID(read_parts(node, level + 1, parts[n - 1]));
    }
    while (!parts.empty() && parts.back().empty()) parts.pop_back();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i != 0) out += separator;
      out += parts[i];
    }
    return {};
  }

  Status read_leaf(const pugi::xml_node& parent, std::string& out) {
    if (std::strcmp(parent.text().get(), "\"\"") == 0 && parent.first_child() == parent.last_child()) {
      out += "\"\"";
      return {};
    }
    // A truncation character at the end is what the sender wrote, not text to protect.
    Delimiters delimiters = delimiters_;
    delimiters.truncation = '\0';
    for (const pugi::xml_node& node : parent.children()) {
      if (node.type() == pugi::node_element) {
        TRY_VOID(read_escape(node, out));
      } else if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata) {
        TRY_VOID(encode(node.value(), delimiters, TextKind::plain, out));
      }
    }
    return {};
  }

  Status read_escape(const pugi::xml_node& node, std::string& out) {
    const std::string_view body = node.attribute("V").value();
    const bool clean =
        !body.empty() && body.size() <= 4096 && std::none_of(body.begin(), body.end(), [&](char c) {
          return static_cast<unsigned char>(c) < ' ' || delimiters_.separates(c);
        });
    if (!clean) return bad("the escape cannot be written", node);
    if (delimiters_.escape == '\0') return base::fail(ErrorCode::no_escape_character);
    out += delimiters_.escape;
    out += body;
    out += delimiters_.escape;
    return {};
  }

  const XmlReadOptions& options_;
  Delimiters delimiters_;
  std::string encoding_;  ///< MSH-2
  std::optional<Charset> charset_;
  std::size_t positions_ = 0;
  std::string out_;
};

}  // namespace

Result<std::vector<std::string>> from_xml_all(std::string_view xml, const XmlReadOptions& options) {
  if (xml.size() > options.bytes_max)
    return base::fail(ErrorCode::limit_exceeded,
                      "the XML is larger than " + std::to_string(options.bytes_max) + " bytes");
  pugi::xml_document document;
  const auto parsed = document.load_buffer(
      xml.data(), xml.size(), pugi::parse_default | pugi::parse_ws_pcdata | pugi::parse_fragment);
  if (!parsed)
    return base::fail(ErrorCode::xml_syntax, parsed.description(), "byte " + std::to_string(parsed.offset));
  std::vector<std::string> out;
  Reader reader(options);
  for (const pugi::xml_node& node : document.children()) {
    if (node.type() == pugi::node_element) {
      TRY(out.emplace_back(), reader.read(node));
    } else if (node.type() == pugi::node_pcdata && !base::trim(node.value()).empty()) {
      return base::fail(ErrorCode::xml_syntax, "text outside of an element");
    }
  }
  return out;
}

Result<std::string> from_xml(std::string_view xml, const XmlReadOptions& options) {
  TRY(auto all, from_xml_all(xml, options));
  if (all.size() != 1)
    return base::fail(ErrorCode::bad_v2xml,
                      all.empty() ? "there is no message" : "there is more than one message");
  return std::move(all.front());
}

}  // namespace kiln::hl7
