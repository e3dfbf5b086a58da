#include "fhir/reference.h"

#include "fhir/definitions/definitions.h"
#include "fhir/primitives.h"

namespace kiln::fhir {
namespace {

bool starts_with_scheme(std::string_view text, std::string_view scheme) {
  return text.substr(0, scheme.size()) == scheme;
}

/// "Type/id" or "Type/id/_history/vid" at the end of `text`; what stands before it goes to `base`.
bool take_identity(std::string_view text, ReferenceParts& parts) {
  const std::size_t history = text.find("/_history/");
  if (history != std::string_view::npos) {
    parts.version = text.substr(history + 10);
    if (!is_valid_id(parts.version)) return false;
    text = text.substr(0, history);
  }
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return false;
  parts.id = text.substr(slash + 1);
  std::string_view rest = text.substr(0, slash);
  const std::size_t before = rest.rfind('/');
  parts.type = before == std::string_view::npos ? rest : rest.substr(before + 1);
  parts.base = before == std::string_view::npos ? std::string_view() : rest.substr(0, before);
  return is_valid_id(parts.id) && find_resource_type(parts.type) != nullptr;
}

}  // namespace

ReferenceParts parse_reference(std::string_view text, std::string_view own_base) {
  ReferenceParts parts;
  using Form = ReferenceParts::Form;
  if (text.empty()) return parts;
  if (text.front() == '#') {
    parts.form = Form::fragment;
    return parts;
  }
  if (starts_with_scheme(text, "urn:")) {
    parts.form = Form::urn;
    return parts;
  }
  const bool absolute = starts_with_scheme(text, "http://") || starts_with_scheme(text, "https://");
  if (!absolute) {
    const std::size_t question = text.find('?');
    if (question != std::string_view::npos && find_resource_type(text.substr(0, question))) {
      parts.form = Form::conditional;
      parts.type = text.substr(0, question);
      parts.query = text.substr(question + 1);
      return parts;
    }
  }
  ReferenceParts taken;
  if (take_identity(text.substr(0, text.find('#')), taken)) {
    taken.form = absolute ? Form::absolute : Form::relative;
    if (!absolute && !taken.base.empty()) return parts;
    if (absolute && !own_base.empty() && taken.base == own_base) {
      taken.form = Form::relative;
      taken.base = {};
    }
    return taken;
  }
  return parts;
}

std::optional<std::string> ReferenceRewrite::reference(std::string_view text) const {
  if (!map || map->empty()) return std::nullopt;
  if (const auto to = map->find(text); !to.empty()) return std::string(to);
  // bundle#references: a version or a fragment belongs to the reference, not to the identity.
  const std::size_t suffix = std::min(text.find("/_history/"), text.find('#'));
  const std::string_view plain = text.substr(0, suffix),
                         tail = plain.size() < text.size() ? text.substr(plain.size()) : "";
  if (!tail.empty() && !plain.empty()) {
    if (const auto to = map->find(plain); !to.empty()) return std::string(to) + std::string(tail);
  }
  if (entry_base.empty() || plain.find(':') != std::string_view::npos || plain.empty()) return std::nullopt;
  const std::string whole = std::string(entry_base) + "/" + std::string(plain);
  if (const auto to = map->find(whole); !to.empty()) return std::string(to) + std::string(tail);
  return std::nullopt;
}

}  // namespace kiln::fhir
