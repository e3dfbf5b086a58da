#pragma once
// The FHIR R4 (4.0.1) definitions: types, elements, value sets, search parameters, invariants, compartments
// and operations (fhir.md §2). Generated from the official packages into fhir/definitions/generated/ (see
// README.md there), compiled in, read-only. Nothing here allocates, parses at start, locks or fails;
// everything returned lives as long as the process and may be read by any thread.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>

#include "fhir/definitions/detail/rows.h"

namespace kiln::fhir {

class ElementDef;
class TypeDef;
class ValueSet;

enum class TypeKind : std::uint8_t { primitive, complex, resource, backbone };
enum class BindingStrength : std::uint8_t { none, example, preferred, extensible, required };
enum class SearchType : std::uint8_t {
  number,
  date,
  string,
  token,
  reference,
  composite,
  quantity,
  uri,
  special
};

/// A read-only list of Row-like things that are reached by an index list. Iterates as `const Item&`.
template <class Item>
class IndexList {
 public:
  IndexList() = default;
  IndexList(const Item* items, const std::uint16_t* indexes, std::size_t count)
      : items_(items), indexes_(indexes), count_(count) {}
  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  const Item& operator[](std::size_t position) const { return items_[indexes_[position]]; }

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    using pointer = const Item*;
    using reference = const Item&;
    Iterator() = default;
    Iterator(const Item* items, const std::uint16_t* at) : items_(items), at_(at) {}
    const Item& operator*() const { return items_[*at_]; }
    const Item* operator->() const { return &items_[*at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++at_;
      return before;
    }
    bool operator==(const Iterator& other) const = default;

   private:
    const Item* items_ = nullptr;
    const std::uint16_t* at_ = nullptr;
  };
  Iterator begin() const { return {items_, indexes_}; }
  Iterator end() const { return {items_, indexes_ + count_}; }

 private:
  const Item* items_ = nullptr;
  const std::uint16_t* indexes_ = nullptr;
  std::size_t count_ = 0;
};

using TypeList = IndexList<TypeDef>;

/// One invariant (constraint). Its key is not unique over all types ("inv-1" has three expressions).
class Invariant {
 public:
  detail::InvariantRow row;
  std::string_view key() const;                   ///< "ele-1"
  std::string_view expression() const;            ///< FHIRPath; may be empty (a rule only told in prose)
  bool is_error() const { return row.is_error; }  ///< severity error; otherwise warning
};

using InvariantList = IndexList<Invariant>;

/// One type that an element may have.
class ElementType {
 public:
  detail::ElementTypeRow row;
  const TypeDef& type() const;
  std::string_view name() const;  ///< of the type: "Reference", "code"
  /// Of a Reference or canonical: the resource types it may point at. Empty means any.
  TypeList targets() const;
  bool allows_target(std::string_view resource_type) const;
};

/// One element of a type. Elements of a type are in definition order, which is the XML order; inherited ones
/// (id, meta, extension, …) are included. A choice is one element under its base name ("value" for value[x]).
class ElementDef {
 public:
  detail::ElementRow row;
  std::string_view name() const;                   ///< "birthDate"; of a choice the base name: "deceased"
  const TypeDef& owner() const;                    ///< the type this element belongs to
  std::size_t order() const { return row.order; }  ///< position in owner().elements(), from 0
  unsigned min() const { return row.min; }
  unsigned max() const { return row.max; }       ///< 0 = * (unbounded)
  bool is_list() const { return row.max != 1; }  ///< an array in JSON
  bool is_required() const { return row.min > 0; }
  bool is_choice() const { return row.flags & detail::kChoice; }
  bool is_summary() const { return row.flags & detail::kSummary; }
  bool is_modifier() const { return row.flags & detail::kModifier; }
  bool is_xml_attribute() const {
    return row.flags & detail::kXmlAttribute;
  }  ///< id, Extension.url, value of a primitive
  /// The content is that of another element: Bundle.entry.link has the content of Bundle.link.
  bool is_content_reference() const { return row.flags & detail::kContentReference; }

  /// The allowed types; more than one only for a choice. Empty for inline content and the `value` of a
  /// primitive. "Resource" stands for any resource.
  std::span<const ElementType> types() const;
  /// By name ("dateTime"); nullptr when not allowed.
  const ElementType* find_type(std::string_view type) const;
  /// The inline content (a BackboneElement or an inline Element, content reference followed); nullptr
  /// otherwise.
  const TypeDef* backbone() const;
  /// The one type of the content: backbone(), or the only type. nullptr for a choice and the `value` of a
  /// primitive.
  const TypeDef* only_type() const;
  /// JSON member name: of a choice with the type's name ("deceasedDateTime"), else name(). `type` is one of
  /// types().
  std::string_view json_name(const ElementType& type) const;

  BindingStrength binding() const { return static_cast<BindingStrength>(row.strength); }
  /// nullptr when unbound. A value set that is not shipped is there too, with its url and `is_known() ==
  /// false`.
  const ValueSet* value_set() const;
  /// Those that the definition puts on this element, inherited ones included (ele-1 nearly everywhere).
  InvariantList invariants() const;
};

/// What a JSON member name means in a type. `type` is nullptr for inline content (see element->backbone()).
struct JsonMember {
  const ElementDef* element = nullptr;
  const ElementType* type = nullptr;
  explicit operator bool() const { return element != nullptr; }
  /// The definition of the content, inline or named; nullptr only for the `value` of a primitive.
  const TypeDef* content() const { return type ? &type->type() : element ? element->backbone() : nullptr; }
};

/// A primitive, complex or resource type, or the inline content of an element ("Patient.contact").
class TypeDef {
 public:
  detail::TypeRow row;
  std::string_view name() const;
  TypeKind kind() const { return static_cast<TypeKind>(row.kind); }
  bool is_primitive() const { return kind() == TypeKind::primitive; }
  bool is_resource() const { return kind() == TypeKind::resource; }
  /// Resource, DomainResource, Element, BackboneElement.
  bool is_abstract() const { return row.is_abstract; }
  /// nullptr for Element and Resource. Inline content has BackboneElement or Element.
  const TypeDef* base() const;
  /// This type or one of its bases has that name: is_a("DomainResource"), code.is_a("string").
  bool is_a(std::string_view type) const;

  std::span<const ElementDef> elements() const;
  /// By base name: element("deceased"). nullptr when there is none.
  const ElementDef* element(std::string_view name) const;
  /// By JSON name: "deceasedDateTime", "name". A choice is not found by its base name. The `_` of a twin is
  /// not understood here. One hash probe.
  JsonMember element_by_json_name(std::string_view json_name) const;
  /// Invariants of the type as a whole (those on its root element).
  InvariantList invariants() const;
  /// Position in all_types(): a small stable number for tables keyed by type.
  std::size_t index() const;
};

/// A resource, datatype or primitive by name, or inline content by path ("Patient.contact"; content
/// references are followed: "Bundle.entry.link", "Questionnaire.item.item"). Case-sensitive; nullptr when
/// there is none.
const TypeDef* find_type(std::string_view name);
/// All of them, sorted by name.
std::span<const TypeDef> all_types();
/// The elements of all types: a small number for tables keyed by element is a position in it.
std::span<const ElementDef> all_elements();
/// A concrete resource type (not Resource, DomainResource) by name; nullptr otherwise.
const TypeDef* find_resource_type(std::string_view name);

/// One code of a value set.
class CodeDef {
 public:
  detail::CodeRow row;
  std::string_view system() const;
  std::string_view code() const;
  std::string_view display() const;  ///< may be empty
};

/// How membership in a value set is decided.
enum class ValueSetRule : std::uint8_t {
  unknown,    ///< not shipped: nothing can be said
  list,       ///< the listed codes
  mime_type,  ///< BCP 13: syntax only
  language,   ///< BCP 47: syntax only
  ucum,       ///< UCUM: syntax only
  currency,   ///< ISO 4217: three upper-case letters
};

class ValueSet {
 public:
  detail::ValueSetRow row;
  std::string_view url() const;  ///< without version
  ValueSetRule rule() const { return static_cast<ValueSetRule>(row.rule); }
  bool is_known() const { return rule() != ValueSetRule::unknown; }
  /// Sorted by code, then system. Empty unless the rule is `list`.
  std::span<const CodeDef> codes() const;
  /// The code is in the set, in whatever system. Of an unknown set: true (nothing can be said against it).
  bool contains(std::string_view code) const;
  bool contains(std::string_view system, std::string_view code) const;
  /// The first entry with this code; nullptr when none, or when the set is not a list.
  const CodeDef* find(std::string_view code) const;
  /// The system all codes of the set share (also of a rule: "urn:ietf:bcp:13"); empty when there are several.
  std::string_view single_system() const;
  /// The system of one code; empty when the code is not in the set, or in it under several systems.
  std::string_view system_of(std::string_view code) const;
};

/// By canonical url, a "|version" is ignored. Holds each set that an element is bound to. nullptr when none.
const ValueSet* value_set(std::string_view url);
std::span<const ValueSet> all_value_sets();

class SearchParameter;

struct SearchComponent {
  const SearchParameter* parameter;
  std::string_view expression;  ///< FHIRPath relative to the composite's expression
};

/// One search parameter; it may serve many base types.
class SearchParameter {
 public:
  detail::SearchParameterRow row;
  std::string_view code() const;  ///< as in the URL: "birthdate"
  std::string_view url() const;
  std::string_view expression() const;  ///< FHIRPath for all bases, joined by " | "; empty for special ones
  SearchType type() const { return static_cast<SearchType>(row.type); }
  TypeList bases() const;
  TypeList targets() const;                                             ///< of a reference parameter
  std::size_t component_count() const { return row.components.count; }  ///< of a composite parameter
  SearchComponent component(std::size_t position) const;
  /// Position in all_search_parameters(): a small number for tables keyed by parameter (not stable over
  /// versions).
  std::size_t index() const;
};

/// The parameter of a resource type, those of DomainResource and Resource (`_id`, `_text`, …) included;
/// nullptr when none.
const SearchParameter* search_parameter(std::string_view resource_type, std::string_view code);
/// Own parameters of a type (bases not included), sorted by code.
IndexList<SearchParameter> search_parameters(const TypeDef& resource_type);
std::span<const SearchParameter> all_search_parameters();
std::string_view name_of(SearchType type);  ///< "token"

/// The search parameters by which a resource type belongs to a compartment ("{def}" = the resource itself).
class CompartmentMember {
 public:
  detail::CompartmentMemberRow row;
  const TypeDef& type() const;
  std::size_t parameter_count() const { return row.parameters.count; }
  std::string_view parameter(std::size_t position) const;
};

class Compartment {
 public:
  detail::CompartmentRow row;
  std::string_view code() const;                       ///< resource type: "Patient"
  std::span<const CompartmentMember> members() const;  ///< types that are in it, sorted by name
};
std::span<const Compartment> all_compartments();
const Compartment* compartment(std::string_view code);

/// One operation of the specification.
class Operation {
 public:
  detail::OperationRow row;
  std::string_view code() const;  ///< "validate"
  std::string_view url() const;
  bool on_system() const { return row.levels & 1; }
  bool on_type() const { return row.levels & 2; }
  bool on_instance() const { return row.levels & 4; }
  bool affects_state() const { return row.affects_state; }
  TypeList types() const;  ///< "Resource" = any
};
std::span<const Operation> all_operations();
std::span<const Invariant> all_invariants();

/// What the packages held when the tables were generated (fhir.md D3); figures the tables themselves no
/// longer show.
struct DefinitionCounts {
  unsigned structure_definitions, code_systems, value_sets, concept_maps, operation_definitions,
      search_parameters, compartment_definitions, snapshot_elements, required_value_sets, instance_examples;
};
const DefinitionCounts& definition_counts();

}  // namespace kiln::fhir
