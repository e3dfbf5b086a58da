#pragma once
// An XML document as a tree that can be changed, and the paths of an XML Patch into it. Private to fhir/patch.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.h"

namespace kiln::fhir::detail {

/// An element, or a text. Comments and processing instructions are not kept.
struct XmlValue {
  bool is_text = false;
  std::string ns, name;                                           ///< of an element
  std::vector<std::pair<std::string, std::string>> attributes;  ///< names as written ("xml:lang"), without xmlns
  std::string text;
  std::vector<std::unique_ptr<XmlValue>> children;
  XmlValue* parent = nullptr;
  /// Of a narrative's div: as it stood in the source, until something in it is changed.
  std::string verbatim;

  void touch();  ///< a change: no text around it stands any more
  std::string string_value() const;
  std::size_t place() const;  ///< among the children of its parent
  void insert(std::size_t at, std::unique_ptr<XmlValue> child);
  void insert(std::size_t at, std::vector<std::unique_ptr<XmlValue>> content);
  std::unique_ptr<XmlValue> remove(std::size_t at);
};

/// A root without a name whose only child is the document element. Errors: as of read_xml().
base::Result<std::unique_ptr<XmlValue>> read_xml_value(std::string_view text);
/// The document element as text.
std::string print_xml_value(const XmlValue& root);
std::unique_ptr<XmlValue> copy_of(const XmlValue& value);

/// `[2]`, `[@a='x']`, `[b/@c='x']`, `[b='x']`, `[.='x']`.
struct XmlTest {
  std::size_t position = 0;  ///< from 1; 0: a comparison
  std::vector<std::pair<std::string, std::string>> path;  ///< of elements, as (namespace, name)
  std::string attribute;
  std::string value;
};
struct XmlStep {
  bool any = false;  ///< "*"
  std::string ns, name;
  std::vector<XmlTest> tests;
};
/// The part of XPath that RFC 5261 needs: steps to children, positions and comparisons; at the end an attribute or a text.
struct XmlPath {
  enum class Target : unsigned char { element, attribute, text };
  std::vector<XmlStep> steps;
  Target target = Target::element;
  std::string attribute;
  std::size_t text = 1;  ///< which text of the element, from 1
};

/// What the patch declares a prefix to mean, "" the default; empty when it declares nothing.
using NamespaceOf = std::function<std::string_view(std::string_view prefix)>;
/// Errors: fhir_patch, with what is not understood.
base::Result<XmlPath> parse_xml_path(std::string_view text, const NamespaceOf& namespace_of);
/// The elements that the steps lead to; every element looked at counts against `budget`. limit_exceeded when that ends.
base::Result<std::vector<XmlValue*>> find_elements(XmlValue& root, const XmlPath& path, std::size_t& budget);

}  // namespace kiln::fhir::detail
