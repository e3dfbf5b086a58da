#include "fhir/validate.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "fhir/definitions/definitions.h"
#include "fhir/detail/bindings.h"
#include "fhir/detail/issue_list.h"
#include "fhir/primitives.h"
#include "fhir/reference.h"

namespace kiln::fhir {
namespace {

using base::JsonKind;
using base::JsonView;
using detail::Place;
using detail::shape_of;

/// A type has at most 54 elements; a test holds the tables to this.
constexpr std::size_t kElementsMax = 64;

/// Types the walk treats by itself.
struct KnownTypes {
  const TypeDef* element = find_type("Element");
  const TypeDef* reference = find_type("Reference");
};
const KnownTypes& known_types() {
  static const KnownTypes known;
  return known;
}

/// A member name as it may be shown: what is no plausible element name could be data.
std::string_view shown_name(std::string_view key) {
  const bool plain = !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  return plain ? key : std::string_view();
}

/// "a string (date)", "a boolean".
std::string expected_form(JsonKind kind, std::string_view type) {
  const std::string_view form = kind == JsonKind::boolean  ? "boolean"
                                : kind == JsonKind::number ? "number"
                                                           : "string";
  return "a " + std::string(form) + (form == type ? "" : " (" + std::string(type) + ")");
}

/// One primitive or complex member of an object: what the definitions say about it.
struct Member {
  JsonMember definition;
  JsonView object;  ///< the object it is in
  JsonView value;
  std::string_view key;  ///< with the '_' of a twin
};

class Validator {
 public:
  explicit Validator(const ValidateOptions& options) : issues_(options.source, options.issues_max) {}

  void check_resource(JsonView value, const Place& place, std::string_view expected) {
    if (!value.is_object()) return structure(place, value, "expects a resource, found " + shape_of(value));
    const JsonView name = value["resourceType"];
    if (!name) return structure(place, value, "resourceType is missing");
    const TypeDef* type = name.is_string() ? find_resource_type(name.text()) : nullptr;
    if (!type) return structure(place, name, "resourceType does not name a resource type of FHIR R4");
    if (!expected.empty() && type->name() != expected) {
      structure(place, name, "expects the resource type " + std::string(expected));
    }
    // The root is named after its type; a resource inside another one after the element that holds it.
    const Place root{nullptr, type->name()};
    check_object(value, *type, place.name.empty() ? root : place);
  }

  std::vector<Issue> take() { return issues_.take(); }

 private:
  /// Which elements of an object were met, and in which variant.
  struct Seen {
    std::uint64_t elements = 0;
    std::array<std::uint8_t, kElementsMax> variants;
  };

  void structure(const Place& place, JsonView value, std::string text) {
    issues_.add("structure", place, value, std::move(text));
  }

  void check_object(JsonView object, const TypeDef& type, const Place& place) {
    if (object.size() == 0) return structure(place, object, "an object must not be empty");
    Seen seen;
    for (const JsonView value : object) {
      if (issues_.full()) return;
      const std::string_view key = value.key();
      if (key == "resourceType" && type.is_resource()) continue;
      const bool twin = key.starts_with('_');
      const JsonMember definition = type.element_by_json_name(twin ? key.substr(1) : key);
      if (!definition || (twin && !may_have_twin(definition))) {
        const Place unknown{&place, shown_name(key)};
        structure(unknown, value, "unknown element of " + std::string(type.name()));
        continue;
      }
      if (!note(seen, type, definition)) {
        const Place choice{&place, definition.element->name()};
        structure(choice, value, "a choice element is given in two types");
      }
      const Member member{definition, object, value, key};
      twin ? check_twin(member, place) : check_member(member, place);
    }
    check_required(object, type, seen, place);
  }

  static bool may_have_twin(const JsonMember& member) {
    const TypeDef* content = member.content();
    // The id of an element and an Extension's url are attributes in XML; xhtml has no extensions.
    return content && content->is_primitive() && !member.element->is_xml_attribute() &&
           primitive_of(*content) != Primitive::xhtml;
  }

  /// False when a choice was met before in another type.
  static bool note(Seen& seen, const TypeDef& type, const JsonMember& member) {
    const std::size_t order = member.element->order();
    if (order >= kElementsMax) return true;
    const std::uint64_t bit = std::uint64_t{1} << order;
    const auto variant =
        static_cast<std::uint8_t>(member.type ? member.type - member.element->types().data() : 0);
    const bool again = (seen.elements & bit) && type.elements()[order].is_choice();
    const bool same = !again || seen.variants[order] == variant;
    seen.elements |= bit;
    seen.variants[order] = variant;
    return same;
  }

  void check_required(JsonView object, const TypeDef& type, const Seen& seen, const Place& place) {
    for (const ElementDef& element : type.elements()) {
      if (!element.is_required() || element.order() >= kElementsMax) continue;
      if (seen.elements & (std::uint64_t{1} << element.order())) continue;
      const Place missing{&place, element.name()};
      issues_.add("required", missing, object,
                  "a mandatory element is missing: " + std::string(element.name()) +
                      (element.is_choice() ? "[x]" : ""));
    }
  }

  void check_member(const Member& member, const Place& parent) {
    const ElementDef& element = *member.definition.element;
    if (!element.is_list()) {
      const Place place{&parent, element.name()};
      if (member.value.is_array()) {
        return structure(place, member.value, "holds a single value, found " + shape_of(member.value));
      }
      return check_value(member, member.value, place);
    }
    if (!member.value.is_array()) {
      const Place place{&parent, element.name()};
      return structure(place, member.value,
                       "holds a list: expects an array, found " + shape_of(member.value));
    }
    if (member.value.size() == 0) {
      const Place place{&parent, element.name()};
      return structure(place, member.value, "an array must not be empty");
    }
    check_items(member, parent);
  }

  void check_items(const Member& member, const Place& parent) {
    Place place{&parent, member.definition.element->name(), 0};
    bool looked_for_twin = false, has_twin = false;
    for (const JsonView item : member.value) {
      if (issues_.full()) return;
      if (item.is(JsonKind::null_) && may_have_twin(member.definition)) {
        // Where there is a twin, check_twin looks at both sides of each null.
        if (!looked_for_twin) has_twin = member.object["_" + std::string(member.key)].is_array();
        looked_for_twin = true;
        if (!has_twin) structure(place, item, "null needs an extension at its place in the `_` member");
      } else {
        check_value(member, item, place);
      }
      ++place.index;
    }
  }

  /// `_x`: ids and extensions of the primitive values in `x`.
  void check_twin(const Member& member, const Place& parent) {
    const ElementDef& element = *member.definition.element;
    Place place{&parent, element.name()};
    if (!element.is_list()) return check_twin_value(member.value, place);
    if (!member.value.is_array() || member.value.size() == 0) {
      return structure(place, member.value,
                       "the `_` member of a list: expects a filled array, found " + shape_of(member.value));
    }
    const JsonView values = member.object[member.key.substr(1)];
    if (values.is_array() && values.size() != member.value.size()) {
      return structure(place, member.value, "the array and its `_` member have different lengths");
    }
    auto value = values.begin();
    place.index = 0;
    for (const JsonView item : member.value) {
      if (issues_.full()) return;
      const bool has_value = values.is_array() && !(*value).is(JsonKind::null_);
      if (!item.is(JsonKind::null_))
        check_twin_value(item, place);
      else if (!has_value)
        structure(place, item, "null on both sides: neither a value nor an extension");
      if (values.is_array()) ++value;
      ++place.index;
    }
  }

  void check_twin_value(JsonView value, const Place& place) {
    if (!value.is_object()) {
      return structure(place, value,
                       "the `_` member expects an object with id or extension, found " + shape_of(value));
    }
    check_object(value, *known_types().element, place);
  }

  void check_value(const Member& member, JsonView value, const Place& place) {
    const TypeDef* content = member.definition.content();
    if (!content) return structure(place, value, "unknown element of a primitive");
    if (content->is_primitive()) return check_primitive(member, value, *content, place);
    if (content->is_resource()) return check_resource(value, place, {});
    if (!value.is_object()) {
      return structure(place, value,
                       "expects an object (" + std::string(content->name()) + "), found " + shape_of(value));
    }
    check_object(value, *content, place);
    if (content == known_types().reference) check_reference(member, value, place);
    const ElementDef& element = *member.definition.element;
    if (element.binding() == BindingStrength::required) {
      if (const std::string text = detail::check_bound_object(*element.value_set(), *content, value);
          !text.empty()) {
        issues_.add("code-invalid", place, value, text);
      }
    }
  }

  void check_primitive(const Member& member, JsonView value, const TypeDef& type, const Place& place) {
    const Primitive primitive = primitive_of(type);
    const JsonKind wanted = json_kind_of(primitive);
    if (!value.is(wanted)) {
      return structure(place, value,
                       "expects " + expected_form(wanted, type.name()) + ", found " + shape_of(value));
    }
    const std::string_view text = value.text();
    if (wanted == JsonKind::string && text.empty())
      return structure(place, value, "a string must not be empty");
    if (!is_valid_primitive(primitive, text)) {
      return issues_.add("value", place, value,
                         "not a valid " + std::string(type.name()) + ": found " + shape_of(value));
    }
    const ElementDef& element = *member.definition.element;
    if (element.binding() == BindingStrength::required && wanted == JsonKind::string &&
        !element.value_set()->contains(text)) {
      issues_.add("code-invalid", place, value, detail::not_in_value_set(*element.value_set()));
    }
  }

  void check_reference(const Member& member, JsonView value, const Place& parent) {
    const JsonView literal = value["reference"];
    if (literal.text().empty() || !literal.is_string() || !member.definition.type) return;
    const ReferenceParts parts = parse_reference(literal.text());
    const Place place{&parent, "reference"};
    if (parts.form == ReferenceParts::Form::other && literal.text().find(':') == std::string_view::npos) {
      return issues_.add("value", place, literal,
                         "the reference is neither Type/id of an R4 resource type, #id nor an absolute URL");
    }
    const TypeDef* target = find_resource_type(parts.type);
    if (!target) return;  // a urn, a contained resource, or something on another server
    if (member.definition.type->allows_target(target->name())) return;
    std::string allowed;
    for (const TypeDef& type : member.definition.type->targets()) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(type.name());
    }
    issues_.add(
        "value", place, literal,
        "a reference to " + std::string(target->name()) + " is not allowed here; allowed: " + allowed);
  }

  detail::IssueList issues_;
};

}  // namespace

std::vector<Issue> validate_resource(base::JsonView resource, const ValidateOptions& options) {
  Validator validator(options);
  validator.check_resource(resource, Place{}, options.expected_type);
  return validator.take();
}

bool is_valid(const std::vector<Issue>& issues) {
  return std::none_of(issues.begin(), issues.end(), [](const Issue& issue) {
    return issue.severity == IssueSeverity::error || issue.severity == IssueSeverity::fatal;
  });
}

}  // namespace kiln::fhir
