// The narrative: the rules txt-1 and txt-2.

#include <algorithm>

#include "engine/base/limits.h"
#include "fhir/model/detail/xml_scanner.h"
#include "fhir/model/xhtml.h"
#include "fhir/validation/detail/session.h"

namespace kiln::fhir::detail {

void check_xhtml(Session& session, Node div) {
  if (std::string wrong = check_xhtml_content(div.text()); !wrong.empty())
    session.error("invariant", div, std::move(wrong));
}

namespace {

/// Languages of the sections: `lang` of the elements directly inside the div.
std::vector<std::string> section_languages(std::string_view div) {
  std::vector<std::string> languages;
  XmlScanner scanner(div, base::limits::kXhtmlDepthMax);
  for (XmlEvent event = scanner.next(); event != XmlEvent::finished && event != XmlEvent::error;
       event = scanner.next()) {
    if (event != XmlEvent::start || scanner.depth() != 2) continue;
    for (const XmlAttribute& attribute : scanner.attributes()) {
      if (attribute.prefix.empty() && attribute.name == "lang") languages.emplace_back(attribute.raw);
    }
  }
  return languages;
}

}  // namespace

void check_narrative_language(Session& session, Node narrative, std::string_view control) {
  const auto languages = section_languages(narrative["div"].text());
  const auto has = [&](std::string_view language) {
    return std::find(languages.begin(), languages.end(), language) != languages.end();
  };
  if (control == "_no") {
    if (!languages.empty())
      session.error("business-rule", narrative, "the profile allows no sections by language");
  } else if (control == "_yes") {
    if (languages.empty())
      session.error("business-rule", narrative, "the profile needs sections by language");
  } else if (!has(control == "_resource" ? narrative.resource()["language"].text() : control)) {
    session.error("business-rule", narrative,
                  "the section in the language that the profile asks for is missing");
  }
}

void check_narrative_source(Session& session, Node narrative) {
  const auto says_source = [](const XmlScanner& scanner) {
    for (const XmlAttribute& attribute : scanner.attributes()) {
      if (!attribute.prefix.empty() || attribute.name != "class") continue;
      for (std::string_view rest = attribute.raw; !rest.empty();) {
        const std::string_view word = rest.substr(0, rest.find_first_of(" \t\r\n"));
        if (word == "boilerplate" || word == "generated" || word == "original") return true;
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
      }
    }
    return false;
  };
  const Node div = narrative["div"];
  XmlScanner scanner(div.text(), base::limits::kXhtmlDepthMax);
  for (XmlEvent event = scanner.next(); event != XmlEvent::finished && event != XmlEvent::error;
       event = scanner.next()) {
    if (event == XmlEvent::start && scanner.depth() == 1 && says_source(scanner)) return;
    if (event == XmlEvent::start && scanner.depth() == 2 && !says_source(scanner))
      session.error("business-rule", narrative,
                    "an element <" + std::string(scanner.name()) +
                        "> of the narrative does not say where it comes from");
    if (event == XmlEvent::text && scanner.depth() == 1)
      session.error("business-rule", narrative,
                    "a text of the narrative stands in no element that says where it comes from");
  }
}

}  // namespace kiln::fhir::detail
