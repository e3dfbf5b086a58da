#pragma once
// The narrative (narrative.html#xhtml): which XHTML a resource may hold. No scripts, no forms, no active content.

#include <string>
#include <string_view>

namespace kiln::fhir {

/// What is wrong with a div: not well-formed, another namespace, an element or attribute that is not allowed (the rule
/// txt-1), or no content at all (txt-2). Empty when it is good. Linear in the text.
std::string check_xhtml_content(std::string_view div);
/// As the FHIRPath function htmlChecks() needs it.
inline bool is_allowed_xhtml(std::string_view div) { return check_xhtml_content(div).empty(); }

}  // namespace kiln::fhir
