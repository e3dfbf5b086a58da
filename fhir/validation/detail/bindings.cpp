// Layers 4 and 9: codes and value sets.

#include <string>

#include "fhir/definitions/definitions.h"
#include "fhir/validation/detail/session.h"

namespace kiln::fhir::detail {
namespace {

constexpr std::size_t kCodesShownMax = 12;

/// One value set, by the table of the definitions when it has the codes, else by the resources at hand.
class Set {
 public:
  Set(const Session& session, std::string_view url) : url_(split_canonical(url).url), session_(session) {
    table_ = value_set(url_);
    // A loaded value set of that url takes the place of the compiled-in one.
    if (session.library && session.library->loaded() != 0 && is_loaded()) table_ = nullptr;
  }

  Membership contains(std::string_view system, std::string_view code) const {
    if (table_ && table_->is_known()) {
      const bool in = system.empty() ? table_->contains(code) : table_->contains(system, code);
      return in ? Membership::yes : Membership::no;
    }
    return session_.terminology ? session_.terminology->in_value_set(url_, system, code) : Membership::unknown;
  }

  std::string codes_text() const {
    if (!table_ || table_->codes().empty() || table_->codes().size() > kCodesShownMax) return {};
    std::string text = "; allowed: ";
    bool first = true;
    for (const CodeDef& code : table_->codes()) {
      if (!first) text += ", ";
      first = false;
      text += code.code();
    }
    return text;
  }

  std::string_view url() const { return url_; }

 private:
  bool is_loaded() const { return session_.library->is_loaded("ValueSet", url_); }

  std::string_view url_;
  const Session& session_;
  const ValueSet* table_;
};

struct Coded {
  Membership in = Membership::no;
  bool any = false;  ///< there is a code at all
};

Coded look_up(const Set& set, Node coding) {
  const Node code = coding["code"];
  if (!code.has_value()) return {};
  return {set.contains(coding["system"].text(), code.text()), true};
}

Coded look_up_concept(const Set& set, Node concept_) {
  Coded result;
  for (const Node coding : concept_) {
    if (coding.name() != "coding") continue;
    const Coded one = look_up(set, coding);
    if (!one.any) continue;
    result.any = true;
    if (one.in == Membership::yes) result.in = Membership::yes;
    if (one.in == Membership::unknown && result.in == Membership::no) result.in = Membership::unknown;
  }
  return result;
}

/// The code of a Coding is one of its system, as far as the system is at hand.
void check_system(Session& session, Node coding) {
  if (!session.terminology || !session.checks_invariants()) return;
  const Node system = coding["system"], code = coding["code"];
  if (!system.has_value() || !code.has_value()) return;
  if (session.terminology->in_code_system(system.text(), code.text()) == Membership::no)
    session.warning("code-invalid", code, "the code is not one of its code system");
}

const char* strength_name(BindingStrength strength) {
  return strength == BindingStrength::required     ? "required"
         : strength == BindingStrength::extensible ? "extensible"
                                                   : "preferred";
}

void report(Session& session, Node node, BindingStrength strength, const Set& set, const Coded& coded) {
  const bool is_required = strength == BindingStrength::required;
  const std::string name = std::string(set.url()) + " (" + strength_name(strength) + " binding)";
  if (coded.in == Membership::unknown) {
    if (session.checks_invariants())
      session.note("not-supported", node, "not checked offline: the code against the value set " + name);
    return;
  }
  if (coded.in == Membership::yes) return;
  const std::string text = "not a code of the value set " + name;
  if (is_required)
    session.error("code-invalid", node, text + set.codes_text());
  else if (strength == BindingStrength::extensible)
    session.warning("code-invalid", node, text);
  else
    session.note("code-invalid", node, text);
}

}  // namespace

std::optional<bool> is_member(Session& session, Node coded, std::string_view value_set_url) {
  const Set set(session, value_set_url);
  const TypeDef* type = coded.type();
  Membership in = Membership::no;
  if (type && type->name() == "CodeableConcept") {
    in = look_up_concept(set, coded).in;
  } else if (coded.has_value()) {
    in = set.contains({}, coded.text());
  } else {
    in = look_up(set, coded).in;
  }
  if (in == Membership::unknown) return std::nullopt;
  return in == Membership::yes;
}

void check_binding(Session& session, Node node, BindingStrength strength, std::string_view value_set_url) {
  const TypeDef* type = node.type();
  if (!type) return;
  const bool is_primitive = type->is_primitive();
  const bool is_concept = type->name() == "CodeableConcept";
  const bool is_coding = type->name() == "Coding" || type->is_a("Quantity");
  if (type->name() == "Coding") check_system(session, node);
  if (is_concept) {
    for (const Node coding : node) {
      if (coding.name() == "coding") check_system(session, coding);
    }
  }
  const bool is_required = strength == BindingStrength::required;
  const bool is_checked = is_required || strength == BindingStrength::extensible || strength == BindingStrength::preferred;
  if (value_set_url.empty() || !is_checked) return;
  if (!is_required && !session.checks_invariants()) return;
  const Set set(session, value_set_url);
  if (is_primitive) {
    if (node.kind() == NodeKind::string && !node.text().empty())
      report(session, node, strength, set, {set.contains({}, node.text()), true});
    return;
  }
  if (!is_concept && !is_coding) return;
  const Coded coded = is_concept ? look_up_concept(set, node) : look_up(set, node);
  // Text only, or an extension that says why there is no code, is let through where a concept may have other codings.
  if (!coded.any) {
    if (is_concept && is_required && !node["extension"]) report(session, node, strength, set, coded);
    return;
  }
  report(session, node, strength, set, coded);
}

}  // namespace kiln::fhir::detail
