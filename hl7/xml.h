#pragma once
// v2.xml (urn:hl7-org:v2xml), both ways (hl7v2.md §13).
//
// Element names follow the structure: root ADT_A01, groups ADT_A01.PROCEDURE, segments PID, fields PID.5,
// components by their datatype XPN.1. Where the version's dictionary has no composite type (Z segments,
// fields beyond the definition, a primitive that holds delimiters all the same) the parts are numbers behind
// the element's own name: ZAB.1, ZAB.1.2, ZAB.1.2.1. Segments that fit nowhere and Z segments stand where
// they stood. A line without segment name is <line xmlns="urn:kiln:hl7v2" V="…"/>, V in base64.
//
// Empty parts before a value are not written, their numbers tell; empty repetitions before a value are empty
// elements. Text is decoded; formatting commands, local and unknown sequences, and hexadecimal ones that XML
// cannot hold, are <escape V=".br"/>. The null is the text `""`.

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/result.h"
#include "hl7/charset.h"
#include "hl7/delimiters.h"
#include "hl7/message.h"

namespace kiln::hl7 {

struct XmlWriteOptions {
  bool pretty = false;      ///< a line per element; text is never changed
  bool declaration = true;  ///< <?xml version="1.0" encoding="UTF-8"?>
};
/// UTF-8; bytes that are no characters become U+FFFD. Without a known structure the root is named by MSH-9
/// and there are no groups.
std::string to_xml(const Message& message, const XmlWriteOptions& options = {});

struct XmlReadOptions {
  Delimiters delimiters;  ///< when the message has no usable MSH.1 and MSH.2
  std::size_t bytes_max = base::limits::kXmlBytesMax;
  Unencodable unencodable = Unencodable::reject;
};
/// The message as ER7: segments end with CR, no trailing delimiters, in the character set that MSH-18 names
/// (UTF-8 when it names none that Kiln knows). Group elements may be missing or have any name; a part's
/// number is what follows the last point of its element's name; without MSH.2 the options' delimiters are stated. to_xml() of a message and back gives the same
/// values at the same places. Document types and entities beyond the five of XML are never expanded. Errors:
/// xml_syntax, bad_v2xml, limit_exceeded, no_escape_character, unencodable_text; place is the element.
base::Result<std::string> from_xml(std::string_view xml, const XmlReadOptions& options = {});
/// The same for several documents or message elements one behind the other.
base::Result<std::vector<std::string>> from_xml_all(std::string_view xml, const XmlReadOptions& options = {});

}  // namespace kiln::hl7
