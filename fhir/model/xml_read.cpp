#include <algorithm>
#include <vector>

#include "engine/base/text.h"
#include "fhir/model/detail/xml_scanner.h"
#include "fhir/model/tree_builder.h"
#include "fhir/model/xml.h"
#include "fhir/primitives.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::Status;
using detail::XmlAttribute;
using detail::XmlEvent;
using detail::XmlScanner;

constexpr std::string_view kSchemaInstance = "http://www.w3.org/2001/XMLSchema-instance";

/// An open FHIR element.
struct Frame {
  const TypeDef* type;               ///< nullptr: unknown content
  bool holds_resource;               ///< its one child is a resource (contained, entry.resource)
  std::size_t levels = 1;            ///< objects and arrays around its children in JSON
  bool filled = false;               ///< has a value or a child
  int last_order = -1;               ///< of the child read last
  const TypeDef* variant = nullptr;  ///< its type
};

class XmlReader {
 public:
  XmlReader(std::string_view text, const ReadOptions& options)
      : scanner_(text, options.depth_max * 2 + 1), options_(options), builder_(text.size()) {}

  base::Result<Tree> run() {
    for (;;) {
      switch (scanner_.next()) {
        case XmlEvent::start:
          TRY_VOID(frames_.empty() ? open_root() : open_child());
          break;
        case XmlEvent::end:
          TRY_VOID(close());
          break;
        case XmlEvent::text:
          TRY_VOID(wrong(ErrorCode::fhir_wrong_type, "text where only elements may stand"));
          break;
        case XmlEvent::finished:
          return builder_.finish();
        case XmlEvent::error:
          return base::fail(placed(scanner_.error()));
      }
    }
  }

 private:
  base::Error placed(base::Error error) const {
    if (const std::string path = builder_.depth() ? builder_.path() : std::string(); !path.empty())
      error.place += ", " + path;
    return error;
  }

  /// What can be read over: an issue when they are collected, else the end.
  Status wrong(ErrorCode code, std::string text, std::string_view child = {}) {
    return wrong_at(scanner_.offset(), code, std::move(text), child);
  }
  Status wrong_at(std::size_t offset, ErrorCode code, std::string text, std::string_view child) {
    std::string path = builder_.depth() ? builder_.path() : std::string();
    if (!child.empty()) path += (path.empty() ? "" : ".") + std::string(child);
    if (options_.issues) {
      if (options_.issues->size() < base::limits::kValidationIssuesMax)
        options_.issues->push_back({code, std::move(text), std::move(path), offset});
      return {};
    }
    std::string place = detail::line_and_column(scanner_.source(), offset);
    if (!path.empty()) place += ", " + path;
    return base::fail(code, std::move(text), std::move(place));
  }

  Status open_root() {
    const bool is_fhir = scanner_.namespace_uri() == kFhirNamespace;
    if (!is_fhir) {
      return fatal(ErrorCode::fhir_unknown_element, "the root element is not in the namespace of FHIR");
    }
    const TypeDef* type = options_.type ? options_.type : find_resource_type(scanner_.name());
    if (!type)
      return fatal(ErrorCode::fhir_unknown_element,
                   "the root element does not name a resource type of FHIR R4");
    builder_.open_root(type, scanner_.offset());
    frames_.push_back({type, false});
    return read_attributes(*type);
  }

  Status fatal(ErrorCode code, const char* text) const {
    return base::fail(
        placed({code, text, detail::line_and_column(scanner_.source(), scanner_.offset()), {}}));
  }

  Status open_child() {
    Frame& parent = frames_.back();
    parent.filled = true;
    if (parent.holds_resource) return open_held_resource();
    const std::string_view name = scanner_.name();
    const JsonMember member = parent.type ? parent.type->element_by_json_name(name) : JsonMember();
    const bool xhtml = scanner_.namespace_uri() == kXhtmlNamespace;
    const TypeDef* content = member.content();
    const bool is_div = content && content->is_primitive() && primitive_of(*content) == Primitive::xhtml;
    if (!member || !content || member.element->is_xml_attribute() ||
        !(is_div ? xhtml : scanner_.namespace_uri() == kFhirNamespace))
      return open_unknown(parent);
    TRY_VOID(check_order(parent, *member.element, content, name));
    if (is_div) return read_div(*member.element, *content);
    const std::size_t around = parent.levels + (member.element->is_list() ? 1 : 0);
    if (content->is_resource()) {
      frames_.push_back({content, true, around});
      held_.push_back({member.element, scanner_.offset()});
      if (!scanner_.attributes().empty()) return unknown_attribute(scanner_.attributes().front());
      return {};
    }
    const bool is_object = !content->is_primitive() || has_id();
    if (around + (is_object ? 1 : 0) > options_.depth_max) return too_deep();
    builder_.open(*member.element, content, scanner_.offset());
    frames_.push_back({content, false, around + 1});
    return read_attributes(*content);
  }

  /// What is read here can be read again as JSON, where arrays are levels too.
  Status too_deep() const { return fatal(ErrorCode::limit_exceeded, "the document is nested too deeply"); }

  bool has_id() const {
    for (const XmlAttribute& attribute : scanner_.attributes())
      if (attribute.name != "value") return true;
    return false;
  }

  Status check_order(Frame& parent, const ElementDef& element, const TypeDef* variant,
                     std::string_view name) {
    const int order = static_cast<int>(element.order());
    if (order < parent.last_order) {
      TRY_VOID(wrong(ErrorCode::fhir_wrong_type, "the element stands behind one that must follow it", name));
    } else if (order == parent.last_order && !element.is_list()) {
      TRY_VOID(wrong(ErrorCode::fhir_wrong_type,
                     parent.variant == variant ? "an element that may occur once is given twice"
                                               : "a choice element is given in two types",
                     element.name()));
    }
    parent.last_order = std::max(order, parent.last_order);
    parent.variant = variant;
    return {};
  }

  Status open_held_resource() {
    const TypeDef* type =
        scanner_.namespace_uri() == kFhirNamespace ? find_resource_type(scanner_.name()) : nullptr;
    if (!type)
      return fatal(ErrorCode::fhir_unknown_element, "the element does not name a resource type of FHIR R4");
    Frame& wrapper = frames_.back();
    if (wrapper.last_order >= 0)
      return fatal(ErrorCode::fhir_wrong_type, "more than one resource in an element that holds one");
    wrapper.last_order = 0;
    if (wrapper.levels + 1 > options_.depth_max) return too_deep();
    builder_.open(*held_.back().element, type, scanner_.offset());
    frames_.push_back({type, false, wrapper.levels + 1});
    return read_attributes(*type);
  }

  Status open_unknown(const Frame& parent) {
    if (parent.type || scanner_.namespace_uri() != kFhirNamespace) {
      const std::string in = parent.type ? " of " + std::string(parent.type->name()) : std::string();
      if (options_.unknown == UnknownElements::refuse || scanner_.namespace_uri() != kFhirNamespace) {
        TRY_VOID(wrong(ErrorCode::fhir_unknown_element,
                       scanner_.namespace_uri() == kFhirNamespace ? "unknown element" + in
                                                                  : "an element of a foreign namespace",
                       shown(scanner_.name())));
      }
    }
    Frame frame{nullptr, false, parent.levels + 2};
    if (parent.levels + (has_id() ? 2 : 1) > options_.depth_max) return too_deep();
    builder_.open_unknown(scanner_.name(), true, scanner_.offset());
    for (const XmlAttribute& attribute : scanner_.attributes()) {
      if (attribute.name == "value") {
        builder_.value(NodeKind::string, value_of(attribute));
      } else {
        builder_.open_unknown(attribute.name, false, attribute.offset);
        builder_.value(NodeKind::string, value_of(attribute));
        builder_.close();
      }
      frame.filled = true;
    }
    frames_.push_back(frame);
    return {};
  }

  /// A tag as it may be shown: what is no plausible element name could be data.
  static std::string_view shown(std::string_view name) {
    if (name.size() > 64) return {};
    for (const char c : name) {
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) return {};
    }
    return name;
  }

  std::string_view value_of(const XmlAttribute& attribute) {
    if (attribute.plain) return attribute.raw;
    value_.clear();
    detail::append_xml_value(value_, attribute.raw, true);
    return value_;
  }

  Status unknown_attribute(const XmlAttribute& attribute) {
    if (!attribute.prefix.empty() && scanner_.uri_of(attribute.prefix) == kSchemaInstance) return {};
    return wrong_at(attribute.offset, ErrorCode::fhir_unknown_element, "unknown attribute",
                    shown(attribute.name));
  }

  Status read_attributes(const TypeDef& type) {
    for (const XmlAttribute& attribute : scanner_.attributes()) {
      if (!attribute.prefix.empty()) {
        TRY_VOID(unknown_attribute(attribute));
        continue;
      }
      if (attribute.name == "value" && type.is_primitive()) {
        TRY_VOID(read_value(attribute, type));
        continue;
      }
      const ElementDef* element = type.is_resource() ? nullptr : type.element(attribute.name);
      if (!element || !element->is_xml_attribute()) {
        TRY_VOID(unknown_attribute(attribute));
        continue;
      }
      frames_.back().filled = true;
      if (attribute.raw.empty())
        TRY_VOID(wrong_at(attribute.offset, ErrorCode::fhir_empty, "an attribute must not be empty",
                          attribute.name));
      builder_.open(*element, element->only_type(), attribute.offset);
      builder_.value(NodeKind::string, value_of(attribute));
      builder_.close();
    }
    return {};
  }

  Status read_value(const XmlAttribute& attribute, const TypeDef& type) {
    const std::string_view text = value_of(attribute);
    frames_.back().filled = true;
    if (text.empty())
      return wrong_at(attribute.offset, ErrorCode::fhir_empty, "a value must not be empty", {});
    const base::JsonKind kind = json_kind_of(primitive_of(type));
    if (kind == base::JsonKind::string) {
      builder_.value(NodeKind::string, text);
      return {};
    }
    const Primitive form = kind == base::JsonKind::boolean ? Primitive::boolean : Primitive::decimal;
    const bool too_large =
        form == Primitive::decimal && is_valid_primitive(form, text) && is_number_too_large(text);
    if (too_large)
      TRY_VOID(
          wrong_at(attribute.offset, ErrorCode::fhir_wrong_type, "a number with too large an exponent", {}));
    if (too_large || is_valid_primitive(form, text)) {
      builder_.value(kind == base::JsonKind::boolean ? NodeKind::boolean : NodeKind::number, text);
      return {};
    }
    TRY_VOID(wrong_at(attribute.offset, ErrorCode::fhir_wrong_type, "not a valid " + std::string(type.name()),
                      {}));
    builder_.value(NodeKind::string, text);
    return {};
  }

  Status read_div(const ElementDef& element, const TypeDef& xhtml) {
    const std::size_t begin = scanner_.offset();
    const XmlScanner before = scanner_;
    std::string text;
    const bool own = scanner_.declares_default() && scanner_.prefix().empty();
    bool leans = !own || leans_outside(scanner_.depth());
    TRY_VOID(scan_div(own ? nullptr : &text, leans));
    if (own && leans) {
      // A name of it needs a declaration outside: a second time, written anew.
      scanner_ = before;
      TRY_VOID(scan_div(&text, leans));
    }
    if (!leans)
      detail::append_one_line_ends(text, scanner_.source().substr(begin, scanner_.end_offset() - begin));
    restore_returns(text);
    builder_.open(element, &xhtml, begin);
    builder_.value(NodeKind::string, text);
    builder_.close();
    return {};
  }

  /// From behind the start tag of a div to behind its end tag. Writes it to `text`, when given, without
  /// prefixes of elements. Sets `leans` when a name needs a declaration outside.
  Status scan_div(std::string* text, bool& leans) {
    const std::size_t depth = scanner_.depth();
    if (text) start_tag(*text, true);
    scanner_.keep_space(true);
    scanner_.set_depth_max(depth - 1 + base::limits::kXhtmlDepthMax);
    for (bool inside = true; inside;) {
      switch (scanner_.next()) {
        case XmlEvent::start:
          if (scanner_.namespace_uri() != kXhtmlNamespace)
            return fatal(ErrorCode::fhir_unknown_element,
                         "an element of the narrative is not in the XHTML namespace");
          leans = leans || leans_outside(depth);
          if (text) start_tag(*text, false);
          break;
        case XmlEvent::end:
          if (text) *text += "</" + std::string(scanner_.name()) + ">";
          inside = scanner_.depth() >= depth;
          break;
        case XmlEvent::text:
          if (text) append_text(*text);
          break;
        case XmlEvent::finished:
        case XmlEvent::error:
          return base::fail(placed(scanner_.error()));
      }
    }
    scanner_.keep_space(false);
    scanner_.set_depth_max(options_.depth_max * 2 + 1);
    return {};
  }

  /// A name of the start tag has a prefix that is not declared in the div, which is the element number
  /// `depth`.
  bool leans_outside(std::size_t depth) const {
    const auto outside = [&](std::string_view prefix) {
      return !prefix.empty() && !scanner_.is_declared_since(depth, prefix);
    };
    const auto& attributes = scanner_.attributes();
    return outside(scanner_.prefix()) ||
           std::any_of(attributes.begin(), attributes.end(),
                       [&](const auto& attribute) { return outside(attribute.prefix); });
  }

  void start_tag(std::string& out, bool is_root) const {
    out += "<" + std::string(scanner_.name());
    if (is_root) out += " xmlns=\"" + std::string(kXhtmlNamespace) + "\"";
    const auto& attributes = scanner_.attributes();
    for (auto at = attributes.begin(); at != attributes.end(); ++at) {
      const XmlAttribute& attribute = *at;
      const auto shares = [&](const XmlAttribute& other) { return other.prefix == attribute.prefix; };
      if (!attribute.prefix.empty() && attribute.prefix != "xml" &&
          std::none_of(attributes.begin(), at, shares))
        append_attribute(out, "xmlns", attribute.prefix, scanner_.uri_of(attribute.prefix));
      append_attribute(out, attribute.prefix, attribute.name, attribute.raw);
    }
    out += '>';
  }

  static void append_attribute(std::string& out, std::string_view prefix, std::string_view name,
                               std::string_view raw) {
    const char quote = raw.find('"') == raw.npos ? '"' : '\'';
    out += ' ';
    if (!prefix.empty()) out.append(prefix) += ':';
    out.append(name) += '=';
    out += quote;
    out.append(raw) += quote;
  }

  void append_text(std::string& out) const {
    if (scanner_.is_cdata()) out += "<![CDATA[";
    detail::append_one_line_ends(out, scanner_.raw());
    if (scanner_.is_cdata()) out += "]]>";
  }

  /// The writer writes a carriage return of a narrative as a reference, because XML would make it a line
  /// feed, and gives one that is there already another zero ("&#013;").
  static void restore_returns(std::string& text) {
    std::size_t from = text.find("&#");
    if (from == text.npos) return;
    std::size_t to = from;
    to = from = std::min(from, text.find_first_of("<"));
    while (from < text.size()) {
      const std::string_view rest = std::string_view(text).substr(from);
      const std::size_t size = detail::return_reference(rest);
      if (size == 0) {
        const std::size_t verbatim = rest[0] == '<' ? detail::verbatim_size(rest) : 0;
        for (const std::size_t end = from + std::max<std::size_t>(verbatim, 1); from < end;)
          text[to++] = text[from++];
      } else if (size == std::string_view("&#13;").size()) {
        text[to++] = '\r';
        from += size;
      } else {
        text[to++] = '&', text[to++] = '#';
        from += 3;
      }
    }
    text.resize(to);
  }

  Status close() {
    const Frame frame = frames_.back();
    if (!frame.filled && !frame.type) builder_.value(NodeKind::string, {});
    if (!frame.filled && frame.type && !frame.type->is_resource())
      TRY_VOID(wrong(ErrorCode::fhir_empty, "an element has neither a value nor children"));
    if (!frame.filled && frame.holds_resource)
      TRY_VOID(wrong(ErrorCode::fhir_empty, "the resource is missing", held_.back().element->name()));
    frames_.pop_back();
    if (frame.holds_resource) {
      held_.pop_back();
      return {};
    }
    builder_.close();
    return {};
  }

  struct Held {
    const ElementDef* element;
    std::size_t offset;
  };

  XmlScanner scanner_;
  const ReadOptions& options_;
  TreeBuilder builder_;
  std::vector<Frame> frames_;
  std::vector<Held> held_;
  std::string value_;
};

/// Where the first byte stands that is not UTF-8; called when there is one.
std::size_t first_invalid(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const std::size_t size = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    if (!base::is_valid_utf8(text.substr(at, size))) break;
    at += size;
  }
  return at;
}

}  // namespace

base::Result<Tree> read_xml(std::string_view text, const ReadOptions& options) {
  if (text.size() > options.bytes_max)
    return base::fail(ErrorCode::limit_exceeded, "the document is larger than allowed");
  const bool is_utf16 = text.starts_with("\xFE\xFF") || text.starts_with("\xFF\xFE");  // the scanner says so
  if (!is_utf16 && !base::is_valid_utf8(text))
    return base::fail(ErrorCode::invalid_utf8, {}, detail::line_and_column(text, first_invalid(text)));
  return XmlReader(text, options).run();
}

}  // namespace kiln::fhir
