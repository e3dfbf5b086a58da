#include "fhir/model/detail/xml_scanner.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/limits.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using namespace std::string_view_literals;

constexpr std::uint8_t kSpace = 1, kNameStart = 2, kName = 4, kStop = 8, kValueStop = 16;

/// Classes of bytes. Bytes of longer UTF-8 sequences count as name characters: which letters a name may have
/// is settled by the definitions, not here.
constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    std::uint8_t bits = 0;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') bits |= kSpace;
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || c >= 0x80;
    if (letter) bits |= kNameStart | kName;
    if ((c >= '0' && c <= '9') || c == '-' || c == '.') bits |= kName;
    const bool control = c < 0x20 && !(bits & kSpace);
    if (control || c == '<' || c == '&' || c == ']' || c == 0xEF) bits |= kStop;
    if (control || c == '<' || c == '&' || c == '"' || c == '\'' || c == 0xEF) bits |= kValueStop;
    if (c == '\t' || c == '\n' || c == '\r') bits |= kValueStop;
    table[static_cast<std::size_t>(c)] = bits;
  }
  return table;
}
constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

bool is(char c, std::uint8_t classes) {
  return kClasses[static_cast<unsigned char>(c)] & classes;
}

/// XML 1.0 §2.2: U+FFFE and U+FFFF are no characters (EF BF BE, EF BF BF).
bool is_noncharacter(std::string_view text) {
  return text.size() >= 3 && text[0] == '\xEF' && text[1] == '\xBF' &&
         (text[2] == '\xBE' || text[2] == '\xBF');
}

bool is_xml_character(std::uint32_t code) {
  return code == 9 || code == 10 || code == 13 || (code >= 0x20 && code <= 0xD7FF) ||
         (code >= 0xE000 && code <= 0xFFFD) || (code >= 0x10000 && code <= 0x10FFFF);
}

/// The character of "#x41" or "#65"; 0 when there is none.
std::uint32_t character_of(std::string_view body) {
  body.remove_prefix(1);
  const bool hex = body.starts_with('x');
  if (hex) body.remove_prefix(1);
  std::uint32_t code = 0;
  for (const char c : body) {
    const std::uint32_t digit = c >= '0' && c <= '9'          ? static_cast<std::uint32_t>(c - '0')
                                : hex && c >= 'a' && c <= 'f' ? static_cast<std::uint32_t>(c - 'a' + 10)
                                : hex && c >= 'A' && c <= 'F' ? static_cast<std::uint32_t>(c - 'A' + 10)
                                                              : 99;
    if (digit == 99) return 0;
    code = code * (hex ? 16 : 10) + digit;
    if (code > 0x10FFFF) return 0;
  }
  return !body.empty() && is_xml_character(code) ? code : 0;
}

char predefined(std::string_view name) {
  if (name == "lt") return '<';
  if (name == "gt") return '>';
  if (name == "amp") return '&';
  if (name == "apos") return '\'';
  if (name == "quot") return '"';
  return 0;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

constexpr std::string_view kXmlNamespace = "http://www.w3.org/XML/1998/namespace";
constexpr const char* kBadName = "a colon that stands behind no prefix";

}  // namespace

XmlScanner::XmlScanner(std::string_view source, std::size_t depth_max)
    : source_(source), depth_max_(depth_max) {
  if (source_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  if (source_.starts_with("\xFE\xFF"sv) || source_.starts_with("\xFF\xFE"sv)) {
    fail(ErrorCode::xml_encoding, "the document is in UTF-16", 0);
  } else if (source_.substr(at_).starts_with("<?xml") && source_.size() > at_ + 5 &&
             is(source_[at_ + 5], kSpace)) {
    const std::size_t end = source_.find("?>", at_);
    if (end == source_.npos) {
      fail("the XML declaration does not end");
    } else if (check_declaration(source_.substr(at_ + 5, end - at_ - 5))) {
      at_ = end + 2;
    }
  }
}

XmlEvent XmlScanner::fail(ErrorCode code, const char* text, std::size_t offset) {
  if (!failed_) error_ = {code, text, line_and_column(source_, offset), {}};
  failed_ = true;
  return XmlEvent::error;
}

/// Only what matters: another encoding than UTF-8 is refused, the rest is let be.
bool XmlScanner::check_declaration(std::string_view declaration) {
  const std::size_t at = declaration.find("encoding");
  if (at == declaration.npos) return true;
  const std::size_t open = declaration.find_first_of("\"'", at);
  const std::size_t close = open == declaration.npos ? open : declaration.find(declaration[open], open + 1);
  if (close == declaration.npos) return fail("the encoding of the XML declaration has no value"), false;
  std::string encoding(declaration.substr(open + 1, close - open - 1));
  for (char& c : encoding) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  if (encoding == "UTF-8" || encoding == "US-ASCII" || encoding == "ASCII") return true;
  return fail(ErrorCode::xml_encoding, "the XML declaration names another encoding than UTF-8", at_), false;
}

XmlEvent XmlScanner::next() {
  if (failed_) return XmlEvent::error;
  if (pending_end_) {
    pending_end_ = false;
    bindings_.resize(open_.back().bindings);
    open_.pop_back();
    return XmlEvent::end;
  }
  while (!done_) {
    begin_ = at_;
    if (at_ >= source_.size()) return finish();
    if (source_[at_] != '<') {
      const XmlEvent event = read_text();
      if (event == XmlEvent::text && !keep_space_ && is_space()) continue;
      return event;
    }
    const std::string_view rest = source_.substr(at_);
    if (rest.size() > 1 && is(rest[1], kNameStart)) return read_start();
    if (rest.starts_with("</")) return read_end();
    if (rest.starts_with("<!--")) {
      if (!skip_comment()) return XmlEvent::error;
    } else if (rest.starts_with("<?")) {
      if (!skip_instruction()) return XmlEvent::error;
    } else if (rest.starts_with("<![CDATA[")) {
      return read_cdata();
    } else if (rest.starts_with("<!DOCTYPE") || rest.starts_with("<!ENTITY")) {
      return fail(ErrorCode::xml_doctype, "a document type declaration is not allowed", at_);
    } else {
      return fail("'<' starts no tag");
    }
  }
  return XmlEvent::finished;
}

XmlEvent XmlScanner::finish() {
  if (!open_.empty()) return fail("the document ends inside an element");
  if (!seen_root_) return fail("the document has no element");
  done_ = true;
  return XmlEvent::finished;
}

void XmlScanner::skip_space() {
  while (at_ < source_.size() && is(source_[at_], kSpace)) ++at_;
}

bool XmlScanner::is_space() const {
  return !is_cdata_ && std::all_of(raw_.begin(), raw_.end(), [](char c) { return is(c, kSpace); });
}

XmlEvent XmlScanner::read_text() {
  std::size_t at = at_;
  for (;;) {
    while (at < source_.size() && !is(source_[at], kStop)) ++at;
    if (at >= source_.size() || source_[at] == '<') break;
    const std::string_view rest = source_.substr(at);
    if (rest[0] == '&') {
      if (!check_reference(at)) return XmlEvent::error;
    } else if (rest.starts_with("]]>")) {
      return fail(ErrorCode::xml_syntax, "']]>' in a text", at);
    } else if (rest[0] == ']' || (rest[0] == '\xEF' && !is_noncharacter(rest))) {
      ++at;
    } else {
      return fail(ErrorCode::xml_syntax, "a control character", at);
    }
  }
  raw_ = source_.substr(at_, at - at_);
  at_ = at;
  is_cdata_ = false;
  if (open_.empty() && !is_space())
    return fail(ErrorCode::xml_syntax, "text outside the root element", begin_);
  return XmlEvent::text;
}

XmlEvent XmlScanner::read_cdata() {
  const std::size_t begin = at_ + 9, end = source_.find("]]>", begin);
  if (end == source_.npos) return fail("a CDATA section does not end");
  if (open_.empty()) return fail("text outside the root element");
  raw_ = source_.substr(begin, end - begin);
  for (std::size_t i = 0; i < raw_.size(); ++i) {
    const bool bad = static_cast<unsigned char>(raw_[i]) < 0x20 && !is(raw_[i], kSpace);
    if (bad || is_noncharacter(raw_.substr(i)))
      return fail(ErrorCode::xml_syntax, "a control character", begin + i);
  }
  at_ = end + 3;
  is_cdata_ = true;
  return XmlEvent::text;
}

/// `at` is at the '&' and behind the ';' afterwards.
bool XmlScanner::check_reference(std::size_t& at) {
  const std::string_view body = source_.substr(at + 1, kReferenceMax - 1);
  const std::size_t end = body.find(';');
  const std::string_view name = body.substr(0, end);
  const bool good =
      end != body.npos && !name.empty() && (name[0] == '#' ? character_of(name) != 0 : predefined(name) != 0);
  if (!good)
    return fail(ErrorCode::xml_entity, "an entity or character reference that is not known", at), false;
  at += end + 2;
  return true;
}

bool XmlScanner::skip_comment() {
  const std::size_t end = source_.find("--", at_ + 4);
  if (end == source_.npos) return fail("a comment does not end"), false;
  if (source_.substr(end, 3) != "-->")
    return fail(ErrorCode::xml_syntax, "'--' inside a comment", end), false;
  at_ = end + 3;
  return true;
}

bool XmlScanner::skip_instruction() {
  const std::size_t end = source_.find("?>", at_ + 2);
  if (end == source_.npos) return fail("a processing instruction does not end"), false;
  std::size_t name_end = at_ + 2;
  while (name_end < end && is(source_[name_end], kName)) ++name_end;
  const std::string_view target = source_.substr(at_ + 2, name_end - at_ - 2);
  if (target.empty() || !is(target[0], kNameStart)) return fail("'<?' without a name"), false;
  if (target.size() == 3 && (target == "xml" || target == "XML" || target == "Xml")) {
    return fail("an XML declaration that is not at the start"), false;
  }
  at_ = end + 2;
  return true;
}

std::string_view XmlScanner::read_name() {
  const std::size_t begin = at_;
  if (at_ >= source_.size() || !is(source_[at_], kNameStart)) return {};
  while (at_ < source_.size() && is(source_[at_], kName)) ++at_;
  return source_.substr(begin, at_ - begin);
}

bool XmlScanner::split(std::string_view qualified, std::string_view& prefix, std::string_view& name) const {
  const std::size_t colon = qualified.find(':');
  prefix = colon == qualified.npos ? std::string_view() : qualified.substr(0, colon);
  name = colon == qualified.npos ? qualified : qualified.substr(colon + 1);
  if (colon == qualified.npos) return true;
  return !prefix.empty() && !name.empty() && is(name[0], kNameStart) && name.find(':') == name.npos;
}

XmlEvent XmlScanner::read_start() {
  if (open_.empty() && seen_root_) return fail("a second root element");
  if (open_.size() >= depth_max_)
    return fail(ErrorCode::limit_exceeded, "the document is nested too deeply", at_);
  ++at_;
  const std::string_view qualified = read_name();
  if (!split(qualified, prefix_, name_)) return fail(ErrorCode::xml_syntax, kBadName, begin_);
  open_.push_back({prefix_, name_, bindings_.size()});
  seen_root_ = true;
  declares_default_ = false;
  attributes_.clear();
  if (!read_attributes() || !resolve_names()) return XmlEvent::error;
  return XmlEvent::start;
}

bool XmlScanner::read_attributes() {
  for (;;) {
    const std::size_t before = at_;
    skip_space();
    if (at_ >= source_.size()) return fail("a tag does not end"), false;
    if (source_[at_] == '>') {
      ++at_;
      return true;
    }
    if (source_[at_] == '/') {
      if (source_.substr(at_, 2) != "/>") return fail("'/' inside a tag"), false;
      at_ += 2;
      pending_end_ = true;
      return true;
    }
    if (before == at_) return fail("white space is missing before an attribute"), false;
    if (!read_attribute()) return false;
  }
}

bool XmlScanner::read_attribute() {
  XmlAttribute attribute{};
  attribute.offset = at_;
  const std::string_view qualified = read_name();
  if (qualified.empty()) return fail("a character that starts no attribute"), false;
  if (!split(qualified, attribute.prefix, attribute.name))
    return fail(ErrorCode::xml_syntax, kBadName, attribute.offset), false;
  skip_space();
  if (at_ >= source_.size() || source_[at_] != '=') return fail("an attribute has no value"), false;
  ++at_;
  skip_space();
  if (at_ >= source_.size() || (source_[at_] != '"' && source_[at_] != '\''))
    return fail("the value of an attribute is not quoted"), false;
  const char quote = source_[at_++];
  const std::size_t begin = at_;
  attribute.plain = true;
  for (;;) {
    while (at_ < source_.size() && !is(source_[at_], kValueStop)) ++at_;
    if (at_ >= source_.size()) return fail("the value of an attribute does not end"), false;
    const char c = source_[at_];
    if (c == quote) break;
    if (c == '&') {
      attribute.plain = false;
      if (!check_reference(at_)) return false;
      continue;
    }
    if (c == '<') return fail("'<' in the value of an attribute"), false;
    if (is(c, kSpace)) {
      attribute.plain = false;
    } else if ((c != '"' && c != '\'' && c != '\xEF') || is_noncharacter(source_.substr(at_))) {
      return fail("a control character"), false;
    }
    ++at_;
  }
  attribute.raw = source_.substr(begin, at_ - begin);
  ++at_;
  if (attributes_.size() >= base::limits::kXmlAttributesMax)
    return fail(ErrorCode::limit_exceeded, "an element has too many attributes", attribute.offset), false;
  const bool binds = attribute.prefix.empty() ? attribute.name == "xmlns" : attribute.prefix == "xmlns";
  if (binds) return take_binding(attribute);
  attributes_.push_back(attribute);
  return true;
}

bool XmlScanner::take_binding(const XmlAttribute& attribute) {
  const bool is_default = attribute.prefix.empty();
  const std::string_view prefix = is_default ? std::string_view() : attribute.name;
  const std::size_t first = open_.back().bindings;
  if (bindings_.size() - first >= base::limits::kXmlAttributesMax)
    return fail(ErrorCode::limit_exceeded, "an element has too many attributes", attribute.offset), false;
  for (std::size_t i = first; i < bindings_.size(); ++i) {
    if (bindings_[i].prefix == prefix)
      return fail(ErrorCode::xml_syntax, "an attribute is given twice", attribute.offset), false;
  }
  if (!is_default && attribute.raw.empty())
    return fail(ErrorCode::xml_syntax, "a namespace prefix stands for nothing", attribute.offset), false;
  if (is_default) declares_default_ = true;
  bindings_.push_back({prefix, attribute.raw});
  return true;
}

std::string_view XmlScanner::uri_of(std::string_view prefix) const {
  for (std::size_t i = bindings_.size(); i-- > 0;) {
    if (bindings_[i].prefix == prefix) return bindings_[i].uri;
  }
  return prefix == "xml" ? kXmlNamespace : std::string_view();
}

bool XmlScanner::is_declared_since(std::size_t depth, std::string_view prefix) const {
  for (std::size_t i = bindings_.size(); i-- > open_[depth - 1].bindings;) {
    if (bindings_[i].prefix == prefix) return true;
  }
  return prefix == "xml";
}

bool XmlScanner::resolve_names() {
  uri_ = uri_of(prefix_);
  if (!prefix_.empty() && uri_.empty())
    return fail(ErrorCode::xml_syntax, "a namespace prefix is not declared", begin_), false;
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    const XmlAttribute& attribute = attributes_[i];
    if (!attribute.prefix.empty() && uri_of(attribute.prefix).empty())
      return fail(ErrorCode::xml_syntax, "a namespace prefix is not declared", attribute.offset), false;
    for (std::size_t k = 0; k < i; ++k) {
      if (attributes_[k].name == attribute.name &&
          uri_of(attributes_[k].prefix) == uri_of(attribute.prefix) &&
          attributes_[k].prefix.empty() == attribute.prefix.empty())
        return fail(ErrorCode::xml_syntax, "an attribute is given twice", attribute.offset), false;
    }
  }
  return true;
}

XmlEvent XmlScanner::read_end() {
  at_ += 2;
  const std::string_view qualified = read_name();
  if (open_.empty()) return fail(ErrorCode::xml_syntax, "an end tag without a start tag", begin_);
  split(qualified, prefix_, name_);
  if (open_.back().name != name_ || open_.back().prefix != prefix_)
    return fail(ErrorCode::xml_syntax, "an end tag that is not the one of the open element", begin_);
  skip_space();
  if (at_ >= source_.size() || source_[at_] != '>') return fail("an end tag does not end");
  ++at_;
  bindings_.resize(open_.back().bindings);
  open_.pop_back();
  return XmlEvent::end;
}

void append_xml_value(std::string& out, std::string_view raw, bool is_attribute) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (c == '&') {
      const std::size_t end = raw.find(';', i);
      const std::string_view name = raw.substr(i + 1, end - i - 1);
      if (name[0] == '#') {
        append_utf8(out, character_of(name));
      } else {
        out += predefined(name);
      }
      i = end;
    } else if (c == '\r') {
      if (i + 1 < raw.size() && raw[i + 1] == '\n') ++i;
      out += is_attribute ? ' ' : '\n';
    } else {
      out += is_attribute && (c == '\n' || c == '\t') ? ' ' : c;
    }
  }
}

void append_one_line_ends(std::string& out, std::string_view raw) {
  for (;;) {
    const std::size_t at = raw.find('\r');
    out += raw.substr(0, at);
    if (at == raw.npos) return;
    out += '\n';
    raw.remove_prefix(at + (raw.substr(at, 2) == "\r\n" ? 2 : 1));
  }
}

std::size_t return_reference(std::string_view text) {
  if (!text.starts_with("&#")) return 0;
  const std::size_t at = text.find_first_not_of('0', 2);
  return at != text.npos && text.substr(at).starts_with("13;") ? at + 3 : 0;
}

std::size_t verbatim_size(std::string_view text) {
  const auto until = [&](std::string_view begin, std::string_view end) {
    const std::size_t at = text.starts_with(begin) ? text.find(end, begin.size()) : text.npos;
    return at == text.npos ? 0 : at + end.size();
  };
  if (const std::size_t comment = until("<!--", "-->")) return comment;
  if (const std::size_t section = until("<![CDATA[", "]]>")) return section;
  return until("<?", "?>");
}

std::string line_and_column(std::string_view source, std::size_t offset) {
  offset = std::min(offset, source.size());
  const std::string_view before = source.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t begin = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
  const auto column = std::count_if(before.begin() + static_cast<std::ptrdiff_t>(begin), before.end(),
                                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }) +
                      1;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace kiln::fhir::detail
