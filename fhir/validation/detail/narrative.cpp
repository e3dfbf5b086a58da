// The narrative: the rules txt-1 and txt-2.

#include "fhir/model/xhtml.h"
#include "fhir/validation/detail/session.h"

namespace kiln::fhir::detail {

void check_xhtml(Session& session, Node div) {
  if (std::string wrong = check_xhtml_content(div.text()); !wrong.empty())
    session.error("invariant", div, std::move(wrong));
}

}  // namespace kiln::fhir::detail
