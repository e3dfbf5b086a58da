#include <algorithm>
#include <vector>

#include "fhir/model/detail/xml_scanner.h"
#include "fhir/model/xml.h"
#include "fhir/primitives.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::Status;

std::string_view reference_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\n':
      return "&#10;";
    case '\r':
      return "&#13;";
    case '\t':
      return "&#9;";
    default:
      return {};
  }
}

bool is_written_as_is(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != '&' && c != '<' && c != '>' && c != '"' && c != '\xEF';
}

/// Behind the markup that starts at `at` ('<'); `returns` becomes true when it has a carriage return that no
/// reference can stand for: references are for texts and values of attributes only (XML 1.0 §4.1).
std::size_t skip_markup(std::string_view div, std::size_t at, bool& returns) {
  constexpr std::pair<std::string_view, std::string_view> kWhole[] = {
      {"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}};
  for (const auto& [opening, closing] : kWhole) {
    if (!div.substr(at).starts_with(opening)) continue;
    const std::size_t end = std::min(div.find(closing, at + opening.size()), div.size());
    returns |= div.substr(at, end - at).find('\r') != div.npos;
    return end;
  }
  char quote = 0;
  for (; at < div.size() && (quote || div[at] != '>'); ++at) {
    const char c = div[at];
    if (quote ? c == quote : c == '"' || c == '\'') quote = quote ? '\0' : c;
    returns |= !quote && c == '\r';
  }
  return at;
}

bool has_return_in_markup(std::string_view div) {
  bool returns = false;
  if (div.find('\r') == div.npos) return false;
  for (std::size_t at = 0; (at = div.find('<', at)) < div.size() && !returns;)
    at = skip_markup(div, at, returns);
  return returns;
}

class XmlWriter {
 public:
  explicit XmlWriter(bool pretty) : pretty_(pretty) {}

  base::Result<std::string> run(Node root) {
    if (!root.type()) return base::fail(ErrorCode::fhir_not_xml, "the document has no FHIR type");
    std::string tag(root.is_resource() || root.json_name().empty() ? root.type()->name() : root.json_name());
    TRY_VOID(write_element(root, tag, true));
    if (pretty_) out_ += '\n';
    return std::move(out_);
  }

 private:
  Status write_element(Node node, std::string_view tag, bool is_root) {
    new_line();
    out_ += '<';
    out_ += tag;
    if (is_root) {
      out_ += " xmlns=\"";
      out_ += kFhirNamespace;
      out_ += '"';
    }
    const std::vector<Node> children = ordered_children(node);
    std::size_t attributes = 0;
    for (; attributes < children.size() && is_attribute(children[attributes]); ++attributes)
      TRY_VOID(write_attribute(children[attributes].name(), children[attributes]));
    if (node.has_value()) TRY_VOID(write_attribute("value", node));
    if (attributes == children.size()) {
      out_ += "/>";
      return {};
    }
    out_ += '>';
    ++depth_;
    for (std::size_t i = attributes; i < children.size(); ++i) TRY_VOID(write_child(children[i]));
    --depth_;
    new_line();
    end_tag(tag);
    return {};
  }

  Status write_child(Node child) {
    const TypeDef* type = child.type();
    if (type && type->is_primitive() && primitive_of(*type) == Primitive::xhtml) return write_div(child);
    const std::string_view tag = child.json_name();
    if (!is_tag(tag)) return not_xml(child, "the name of an element cannot be a tag");
    if (child.kind() == NodeKind::array || child.kind() == NodeKind::null_)
      return not_xml(child, "an array or null of an unknown element");
    if (!child.is_resource()) return write_element(child, tag, false);
    new_line();
    out_ += '<';
    out_ += tag;
    out_ += '>';
    ++depth_;
    TRY_VOID(write_element(child, type->name(), false));
    --depth_;
    new_line();
    end_tag(tag);
    return {};
  }

  Status write_div(Node div) {
    if (std::string wrong = check_xhtml_form(div.text()); !wrong.empty())
      return not_xml(div, std::move(wrong));
    if (has_return_in_markup(div.text()))
      return not_xml(div, "a carriage return within the narrative's markup");
    new_line();
    std::string_view text = div.text();
    for (std::size_t at; (at = text.find_first_of("\r&<")) != text.npos; text.remove_prefix(at + 1)) {
      out_ += text.substr(0, at);
      if (text[at] == '<') {
        const std::size_t size = std::max<std::size_t>(detail::verbatim_size(text.substr(at)), 1);
        out_ += text.substr(at, size);
        at += size - 1;
        continue;
      }
      const std::size_t reference = detail::return_reference(text.substr(at));
      if (reference >= detail::kReferenceMax)
        return not_xml(div, "a character reference with too many zeros");
      if (text[at] == '\r') {
        out_ += "&#13;";
      } else {
        out_ += reference ? "&#0" : "&";
        if (reference) ++at;
      }
    }
    out_ += text;
    return {};
  }

  Status write_attribute(std::string_view name, Node value) {
    out_ += ' ';
    out_ += name;
    out_ += "=\"";
    std::string_view text = value.text();
    while (!text.empty()) {
      std::size_t plain = 0;
      while (plain < text.size() && is_written_as_is(text[plain])) ++plain;
      out_ += text.substr(0, plain);
      text.remove_prefix(plain);
      if (text.empty()) break;
      const std::string_view reference = reference_of(text[0]);
      if (reference.empty()) {
        const std::string_view three = text.substr(0, 3);
        if (text[0] != '\xEF' || three == "\xEF\xBF\xBE" || three == "\xEF\xBF\xBF")
          return not_xml(value, "a character that XML does not allow");
        out_ += text[0];
      }
      out_ += reference;
      text.remove_prefix(1);
    }
    out_ += '"';
    return {};
  }

  static Status not_xml(Node node, std::string text) {
    return base::fail(ErrorCode::fhir_not_xml, std::move(text), node.path());
  }

  static bool is_attribute(Node child) { return child.element() && child.element()->is_xml_attribute(); }

  /// Attributes first, then in the order of the definitions; unknown elements stay behind the one before
  /// them.
  static std::vector<Node> ordered_children(Node node) {
    std::vector<Node> children;
    std::vector<std::size_t> orders;
    bool sorted = true;
    std::size_t last = 0;
    for (const Node child : node) {
      const std::size_t order = is_attribute(child) ? 0
                                : child.element()   ? child.element()->order() + 1
                                                    : last;
      sorted = sorted && order >= last;
      last = order;
      children.push_back(child);
      orders.push_back(order);
    }
    if (sorted) return children;
    std::vector<std::size_t> positions(children.size());
    for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = i;
    std::stable_sort(positions.begin(), positions.end(),
                     [&](std::size_t a, std::size_t b) { return orders[a] < orders[b]; });
    std::vector<Node> result;
    result.reserve(children.size());
    for (const std::size_t i : positions) result.push_back(children[i]);
    return result;
  }

  static bool is_tag(std::string_view name) {
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
  }

  void end_tag(std::string_view tag) {
    out_ += "</";
    out_ += tag;
    out_ += '>';
  }

  void new_line() {
    if (!pretty_ || out_.empty()) return;
    out_ += '\n';
    out_.append(depth_ * 2, ' ');
  }

  bool pretty_;
  std::size_t depth_ = 0;
  std::string out_;
};

}  // namespace

base::Result<std::string> write_xml(Node node, bool pretty) {
  return XmlWriter(pretty).run(node);
}

std::string check_xhtml_form(std::string_view div) {
  // The scanner passes over a byte order mark, comments and instructions around the element; a reader loses
  // them.
  if (!div.starts_with('<') || div.starts_with("<!") || div.starts_with("<?") || !div.ends_with('>') ||
      div.ends_with("-->") || div.ends_with("?>"))
    return "the narrative is no div, or has something beside it";
  detail::XmlScanner scanner(div, base::limits::kXhtmlDepthMax);
  for (bool first = true;; first = false) {
    switch (scanner.next()) {
      case detail::XmlEvent::start:
        if (first && scanner.name() != "div") return "the narrative is no div";
        if (scanner.namespace_uri() != kXhtmlNamespace) return "the narrative is not in the XHTML namespace";
        break;
      case detail::XmlEvent::error:
        return "the narrative is not well-formed: " + scanner.error().text;
      case detail::XmlEvent::finished:
        return {};
      default:
        break;
    }
  }
}

}  // namespace kiln::fhir
