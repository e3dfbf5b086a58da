#include "fhir/model/xhtml.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "fhir/model/detail/xml_scanner.h"
#include "fhir/model/xml.h"

namespace kiln::fhir {
namespace {

/// Chapters 7–11 (except 9.4) and 15 of HTML 4.0, <a>, <img> and style attributes. Sorted.
constexpr std::string_view kElements[] = {
    "a",   "abbr", "acronym", "address", "b",    "bdo",  "big",   "blockquote", "br",   "caption", "center", "cite",
    "code", "col",  "colgroup", "dd",   "del",  "dfn",  "div",   "dl",         "dt",   "em",      "font",   "h1",
    "h2",  "h3",   "h4",      "h5",      "h6",   "hr",   "i",     "img",        "ins",  "kbd",     "li",     "map",
    "area", "ol",  "p",       "pre",     "q",    "s",    "samp",  "small",      "span", "strike",  "strong", "sub",
    "sup", "table", "tbody",  "td",      "tfoot", "th",  "thead", "tr",         "tt",   "u",       "ul",     "var"};

constexpr std::string_view kAttributes[] = {
    "title",  "style",  "class",   "id",      "lang",        "dir",         "accesskey", "tabindex", "name",    "href",
    "rel",    "rev",    "src",     "alt",     "longdesc",    "height",      "width",     "usemap",   "ismap",   "shape",
    "coords", "nohref", "border",  "frame",   "rules",       "cellspacing", "cellpadding", "summary", "align",  "valign",
    "char",   "charoff", "abbr",   "axis",    "headers",     "scope",       "rowspan",   "colspan",  "span",    "nowrap",
    "bgcolor", "cite",  "datetime", "start",  "type",        "value",       "compact",   "noshade",  "size",    "color",
    "face",   "clear",  "hspace",  "vspace",  "charset",     "hreflang",    "target"};

template <std::size_t size>
bool is_in(std::string_view name, const std::string_view (&list)[size]) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool is_safe_link(std::string_view raw) {
  std::string text;
  for (const char c : raw) {
    if (c > ' ') text += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return !text.starts_with("javascript:") && !text.starts_with("vbscript:") && text.find("&#") == text.npos;
}

const char* check_tag(const detail::XmlScanner& scanner, bool& has_content) {
  if (scanner.namespace_uri() != kXhtmlNamespace) return "an element that is not in the XHTML namespace";
  if (!is_in(scanner.name(), kElements)) return "an element that a narrative must not have";
  if (scanner.name() == "img") has_content = true;
  for (const detail::XmlAttribute& attribute : scanner.attributes()) {
    if (attribute.prefix == "xml") continue;  // xml:lang, xml:space
    if (!attribute.prefix.empty() || !is_in(attribute.name, kAttributes))
      return "an attribute that a narrative must not have";
    if ((attribute.name == "href" || attribute.name == "src") && !is_safe_link(attribute.raw))
      return "a link that would run a script";
  }
  return nullptr;
}

}  // namespace

std::string check_xhtml_content(std::string_view div) {
  detail::XmlScanner scanner(div, base::limits::kXhtmlDepthMax);
  bool has_content = false;
  for (bool first = true;; first = false) {
    switch (scanner.next()) {
      case detail::XmlEvent::start:
        if (first && scanner.name() != "div") return "the narrative is no div";
        if (const char* wrong = check_tag(scanner, has_content)) return "the narrative has " + std::string(wrong);
        break;
      case detail::XmlEvent::text:
        has_content = true;
        break;
      case detail::XmlEvent::error:
        return "the narrative is not well-formed: " + scanner.error().text;
      case detail::XmlEvent::finished:
        return has_content ? std::string() : "the narrative is empty";
      case detail::XmlEvent::end:
        break;
    }
  }
}

}  // namespace kiln::fhir
