#pragma once
// FHIR XML ⇄ Tree (fhir.md M5; xml.html). Strict: what is not valid FHIR XML is refused with line, column and
// FHIRPath. Comments and processing instructions are passed over; nothing else is dropped.

#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "fhir/model/json.h"
#include "fhir/model/tree.h"

namespace kiln::fhir {

inline constexpr std::string_view kFhirNamespace = "http://hl7.org/fhir";
inline constexpr std::string_view kXhtmlNamespace = "http://www.w3.org/1999/xhtml";

/// Reads one resource (or, with options.type, one element of that type; its tag may have any name). The narrative's
/// div becomes a text, byte for byte as it stands in the source (line ends made one; written again without prefixes
/// when it leans on namespaces declared outside). Attributes of the XML schema instance namespace are passed over.
/// Errors: xml_syntax, xml_doctype (any DTD), xml_entity (other than the five predefined and character references),
/// xml_encoding, invalid_utf8, limit_exceeded (bytes_max, depth_max), fhir_unknown_element (also a foreign
/// namespace), fhir_wrong_type (a value of the wrong form for JSON, text between elements, a single element twice,
/// elements out of order), fhir_empty. options.issues works as in read_json(); options.typed must be true.
base::Result<Tree> read_xml(std::string_view text, const ReadOptions& options = {});

/// Elements in the order of the definitions; values, narrative and decimals as they are in the tree. Compact: one
/// line, no XML declaration. Pretty: two spaces, a final newline. Errors: fhir_not_xml when the tree holds what XML
/// cannot carry (a control character; a narrative that is not well-formed; an untyped tree), with the FHIRPath.
base::Result<std::string> write_xml(Node node, bool pretty = false);

/// The div of a narrative by itself is well-formed and in the XHTML namespace: empty, else what is wrong.
std::string check_xhtml_form(std::string_view div);

}  // namespace kiln::fhir
