#include "fhir/definitions/definitions.h"

#include <algorithm>

#include "fhir/definitions/code_forms.h"
#include "fhir/definitions/detail/hash.h"
#include "fhir/definitions/detail/tables.h"

namespace kiln::fhir {
namespace {

using detail::kNone;
using detail::Slice;
using detail::Text;

std::string_view text(Text where) {
  return {detail::kStrings + where.begin, where.size};
}

TypeList types_of(Slice slice) {
  return {detail::kTypes, detail::kTypeLists + slice.begin, slice.count};
}
InvariantList invariants_of(Slice slice) {
  return {detail::kInvariants, detail::kInvariantLists + slice.begin, slice.count};
}

std::string_view system_text(std::uint16_t system) {
  return system == kNone ? std::string_view() : text(detail::kSystems[system]);
}

/// The type with exactly this name.
const TypeDef* find_exact(std::string_view name) {
  const std::size_t mask = detail::kTypeSlotCount - 1;
  for (std::size_t slot = detail::name_hash(kNone, name) & mask;; slot = (slot + 1) & mask) {
    const std::uint16_t entry = detail::kTypeSlots[slot];
    if (entry == 0) return nullptr;
    const TypeDef& type = detail::kTypes[entry - 1];
    if (type.name() == name) return &type;
  }
}

struct Member {
  const ElementDef* element = nullptr;
  std::uint8_t variant = 0;
};

/// Looks up a member name of a type: an element's name, a choice's base name or a choice's JSON name.
Member find_member(std::size_t owner, std::string_view name) {
  const std::size_t mask = detail::kMemberSlotCount - 1;
  for (std::size_t slot = detail::name_hash(static_cast<std::uint32_t>(owner), name) & mask;;
       slot = (slot + 1) & mask) {
    const std::uint16_t entry = detail::kMemberSlots[slot];
    if (entry == 0) return {};
    const detail::MemberRow member = detail::kMembers[entry - 1];
    const ElementDef& element = detail::kElements[member.element];
    if (element.row.owner != owner) continue;
    const bool plain = !element.is_choice() || member.variant == detail::kBaseName;
    const std::string_view found =
        plain ? element.name() : text(element.types()[member.variant].row.json_name);
    if (found == name) return {&element, member.variant};
  }
}

/// RFC 6838 name characters, in outline: no space, no separator.
bool is_mime_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c <= '~' && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
  });
}

/// type/subtype, then anything as parameters; or one of the short names that CapabilityStatement.format
/// defines.
bool is_mime_type(std::string_view code) {
  if (code == "json" || code == "xml" || code == "ttl") return true;
  code = code.substr(0, code.find(';'));
  while (code.ends_with(' ')) code.remove_suffix(1);
  const std::size_t slash = code.find('/');
  return slash != std::string_view::npos && is_mime_name(code.substr(0, slash)) &&
         is_mime_name(code.substr(slash + 1));
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// BCP 47 well-formedness in outline: subtags of 1–8 letters and digits; the first one has letters only.
bool is_language(std::string_view code) {
  std::size_t length = 0;
  bool first = true;
  for (const char c : code) {
    if (c == '-') {
      if (length == 0) return false;
      length = 0;
      first = false;
    } else if (!(is_letter(c) || (!first && c >= '0' && c <= '9')) || ++length > 8) {
      return false;
    }
  }
  return length > 0;
}

/// UCUM in outline: printable ASCII without white space, brackets balanced.
bool is_ucum(std::string_view code) {
  int open = 0;
  for (const char c : code) {
    if (c < '!' || c > '~') return false;
    if (c == '[' || c == '{' || c == '(') ++open;
    if ((c == ']' || c == '}' || c == ')') && --open < 0) return false;
  }
  return !code.empty() && open == 0;
}

bool is_currency(std::string_view code) {
  return code.size() == 3 &&
         std::all_of(code.begin(), code.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

std::string_view Invariant::key() const {
  return text(row.key);
}
std::string_view Invariant::expression() const {
  return text(row.expression);
}

const TypeDef& ElementType::type() const {
  return detail::kTypes[row.type];
}
std::string_view ElementType::name() const {
  return type().name();
}
TypeList ElementType::targets() const {
  return types_of(row.targets);
}
bool ElementType::allows_target(std::string_view resource_type) const {
  const TypeList list = targets();
  return list.empty() || std::any_of(list.begin(), list.end(),
                                     [&](const TypeDef& target) { return target.name() == resource_type; });
}

std::string_view ElementDef::name() const {
  return text(row.name);
}
const TypeDef& ElementDef::owner() const {
  return detail::kTypes[row.owner];
}
std::span<const ElementType> ElementDef::types() const {
  return {detail::kElementTypes + row.types.begin, row.types.count};
}
const ElementType* ElementDef::find_type(std::string_view type) const {
  for (const ElementType& candidate : types()) {
    if (candidate.name() == type) return &candidate;
  }
  return nullptr;
}
const TypeDef* ElementDef::backbone() const {
  return row.backbone == kNone ? nullptr : &detail::kTypes[row.backbone];
}
const TypeDef* ElementDef::only_type() const {
  if (const TypeDef* inline_content = backbone()) return inline_content;
  return row.types.count == 1 && !is_choice() ? &types()[0].type() : nullptr;
}
std::string_view ElementDef::json_name(const ElementType& type) const {
  return is_choice() ? text(type.row.json_name) : name();
}
const ValueSet* ElementDef::value_set() const {
  return row.value_set == kNone ? nullptr : &detail::kValueSets[row.value_set];
}
InvariantList ElementDef::invariants() const {
  return invariants_of(row.invariants);
}

std::string_view TypeDef::name() const {
  return text(row.name);
}
const TypeDef* TypeDef::base() const {
  return row.base == kNone ? nullptr : &detail::kTypes[row.base];
}
bool TypeDef::is_a(std::string_view type) const {
  for (const TypeDef* at = this; at != nullptr; at = at->base()) {
    if (at->name() == type) return true;
  }
  return false;
}
std::span<const ElementDef> TypeDef::elements() const {
  return {detail::kElements + row.elements.begin, row.elements.count};
}
const ElementDef* TypeDef::element(std::string_view name) const {
  const Member found = find_member(index(), name);
  if (!found.element || (found.element->is_choice() && found.variant != detail::kBaseName)) return nullptr;
  return found.element;
}
JsonMember TypeDef::element_by_json_name(std::string_view json_name) const {
  const Member found = find_member(index(), json_name);
  if (!found.element || found.variant == detail::kBaseName) return {};
  const auto types = found.element->types();
  return {found.element, types.empty() ? nullptr : &types[found.variant]};
}
InvariantList TypeDef::invariants() const {
  return invariants_of(row.invariants);
}
std::size_t TypeDef::index() const {
  return static_cast<std::size_t>(this - detail::kTypes);
}

const TypeDef* find_type(std::string_view name) {
  if (const TypeDef* exact = find_exact(name)) return exact;
  // A path through a content reference: the parent is a type, its element says where the content is defined.
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return nullptr;
  const TypeDef* parent = find_type(name.substr(0, dot));
  const ElementDef* element = parent ? parent->element(name.substr(dot + 1)) : nullptr;
  return element ? element->backbone() : nullptr;
}
std::span<const TypeDef> all_types() {
  return {detail::kTypes, detail::kTypeCount};
}
std::span<const ElementDef> all_elements() {
  return {detail::kElements, detail::kElementCount};
}
const TypeDef* find_resource_type(std::string_view name) {
  const TypeDef* type = find_exact(name);
  return type && type->is_resource() && !type->is_abstract() ? type : nullptr;
}

std::string_view CodeDef::system() const {
  return system_text(row.system);
}
std::string_view CodeDef::code() const {
  return text(row.code);
}
std::string_view CodeDef::display() const {
  return text(row.display);
}

std::string_view ValueSet::url() const {
  return text(row.url);
}
std::span<const CodeDef> ValueSet::codes() const {
  return {detail::kCodes + row.codes_begin, row.codes_count};
}
const CodeDef* ValueSet::find(std::string_view code) const {
  const auto list = codes();
  const auto at =
      std::lower_bound(list.begin(), list.end(), code,
                       [](const CodeDef& entry, std::string_view wanted) { return entry.code() < wanted; });
  return at != list.end() && at->code() == code ? &*at : nullptr;
}
bool ValueSet::contains(std::string_view code) const {
  if (rule() == ValueSetRule::unknown) return true;
  return rule() == ValueSetRule::list ? find(code) != nullptr : has_code_form(rule(), code);
}
bool has_code_form(ValueSetRule rule, std::string_view code) {
  switch (rule) {
    case ValueSetRule::mime_type:
      return is_mime_type(code);
    case ValueSetRule::language:
      return is_language(code);
    case ValueSetRule::ucum:
      return is_ucum(code);
    case ValueSetRule::currency:
      return is_currency(code);
    case ValueSetRule::list:
    case ValueSetRule::unknown:
      break;
  }
  return false;
}
bool ValueSet::contains(std::string_view system, std::string_view code) const {
  if (rule() != ValueSetRule::list)
    return (row.system == kNone || system == single_system()) && contains(code);
  const auto list = codes();
  for (const CodeDef* at = find(code); at && at != list.data() + list.size() && at->code() == code; ++at) {
    if (at->system() == system) return true;
  }
  return false;
}
std::string_view ValueSet::single_system() const {
  return system_text(row.system);
}
std::string_view ValueSet::system_of(std::string_view code) const {
  if (rule() != ValueSetRule::list) return contains(code) ? single_system() : std::string_view();
  const CodeDef* found = find(code);
  if (!found) return {};
  const auto list = codes();
  const bool again = found + 1 != list.data() + list.size() && (found + 1)->code() == code;
  return again ? std::string_view() : found->system();
}

const ValueSet* value_set(std::string_view url) {
  url = url.substr(0, url.find('|'));
  const auto list = all_value_sets();
  const auto at =
      std::lower_bound(list.begin(), list.end(), url,
                       [](const ValueSet& entry, std::string_view wanted) { return entry.url() < wanted; });
  return at != list.end() && at->url() == url ? &*at : nullptr;
}
std::span<const ValueSet> all_value_sets() {
  return {detail::kValueSets, detail::kValueSetCount};
}

std::string_view SearchParameter::code() const {
  return text(row.code);
}
std::string_view SearchParameter::url() const {
  return text(row.url);
}
std::string_view SearchParameter::expression() const {
  return text(row.expression);
}
TypeList SearchParameter::bases() const {
  return types_of(row.bases);
}
TypeList SearchParameter::targets() const {
  return types_of(row.targets);
}
SearchComponent SearchParameter::component(std::size_t position) const {
  const detail::ComponentRow& component = detail::kComponents[row.components.begin + position];
  return {&detail::kSearchParameters[component.parameter], text(component.expression)};
}
std::size_t SearchParameter::index() const {
  return static_cast<std::size_t>(this - detail::kSearchParameters);
}

IndexList<SearchParameter> search_parameters(const TypeDef& resource_type) {
  const Slice slice = resource_type.row.parameters;
  return {detail::kSearchParameters, detail::kParameterLists + slice.begin, slice.count};
}
const SearchParameter* search_parameter(std::string_view resource_type, std::string_view code) {
  for (const TypeDef* type = find_exact(resource_type); type != nullptr; type = type->base()) {
    const std::uint16_t* begin = detail::kParameterLists + type->row.parameters.begin;
    const std::uint16_t* end = begin + type->row.parameters.count;
    const auto* at = std::lower_bound(begin, end, code, [](std::uint16_t entry, std::string_view wanted) {
      return detail::kSearchParameters[entry].code() < wanted;
    });
    if (at != end && detail::kSearchParameters[*at].code() == code) return &detail::kSearchParameters[*at];
  }
  return nullptr;
}
std::span<const SearchParameter> all_search_parameters() {
  return {detail::kSearchParameters, detail::kSearchParameterCount};
}

const TypeDef& CompartmentMember::type() const {
  return detail::kTypes[row.type];
}
std::string_view CompartmentMember::parameter(std::size_t position) const {
  return text(detail::kCompartmentParameters[row.parameters.begin + position]);
}
std::string_view Compartment::code() const {
  return text(row.code);
}
std::span<const CompartmentMember> Compartment::members() const {
  return {detail::kCompartmentMembers + row.members.begin, row.members.count};
}
std::span<const Compartment> all_compartments() {
  return {detail::kCompartments, detail::kCompartmentCount};
}
const Compartment* compartment(std::string_view code) {
  for (const Compartment& candidate : all_compartments()) {
    if (candidate.code() == code) return &candidate;
  }
  return nullptr;
}

std::string_view Operation::code() const {
  return text(row.code);
}
std::string_view Operation::url() const {
  return text(row.url);
}
TypeList Operation::types() const {
  return types_of(row.types);
}
std::span<const Operation> all_operations() {
  return {detail::kOperations, detail::kOperationCount};
}
std::span<const Invariant> all_invariants() {
  return {detail::kInvariants, detail::kInvariantCount};
}
const DefinitionCounts& definition_counts() {
  return detail::kCounts;
}

}  // namespace kiln::fhir
