// fhir/definitions: the counts of fhir.md D3 from the committed tables, and the look-ups the rest of Kiln
// relies on.

#include "fhir/definitions/definitions.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

using namespace kiln::fhir;

namespace {

std::size_t count_types(TypeKind kind) {
  return static_cast<std::size_t>(std::count_if(all_types().begin(), all_types().end(),
                                                [&](const TypeDef& type) { return type.kind() == kind; }));
}

std::string target_names(const ElementType& type) {
  std::string names;
  for (const TypeDef& target : type.targets())
    names += (names.empty() ? "" : " ") + std::string(target.name());
  return names;
}

}  // namespace

TEST_CASE("definitions: counts of types and elements", "[definitions]") {
  CHECK(count_types(TypeKind::resource) == 148);
  CHECK(count_types(TypeKind::complex) == 41);
  CHECK(count_types(TypeKind::primitive) == 20);
  std::size_t concrete = 0, elements = 0;
  for (const TypeDef& type : all_types()) {
    concrete += type.is_resource() && !type.is_abstract();
    elements += type.elements().size();
  }
  CHECK(concrete == 146);
  // A snapshot also counts its root element.
  CHECK(elements + 148 + 41 + 20 == 7675);
  CHECK(definition_counts().snapshot_elements == 7675);
}

TEST_CASE("definitions: counts of bindings, invariants and value sets", "[definitions]") {
  std::map<BindingStrength, int> bindings;
  std::set<std::string_view> required;
  for (const TypeDef& type : all_types()) {
    for (const ElementDef& element : type.elements()) {
      ++bindings[element.binding()];
      if (element.binding() == BindingStrength::required) required.insert(element.value_set()->url());
      // An example binding may be told in prose only.
      if (element.binding() == BindingStrength::none) CHECK(element.value_set() == nullptr);
      if (element.binding() > BindingStrength::example) CHECK(element.value_set() != nullptr);
    }
  }
  CHECK(bindings[BindingStrength::required] == 366);
  // Three more stand on the root of Age, Distance and Duration (their units), which is no element.
  CHECK(bindings[BindingStrength::extensible] + 3 == 151);
  CHECK(bindings[BindingStrength::preferred] == 208);
  CHECK(bindings[BindingStrength::example] == 455);
  CHECK(required.size() == 224);
  CHECK(definition_counts().required_value_sets == 224);
  std::set<std::string_view> keys;
  for (const Invariant& invariant : all_invariants()) keys.insert(invariant.key());
  CHECK(keys.size() == 237);
}

TEST_CASE("definitions: counts of search parameters, operations and compartments", "[definitions]") {
  std::map<std::string_view, int> types;
  std::size_t with_expression = 0, pairs = 0, without_base = 0;
  for (const SearchParameter& parameter : all_search_parameters()) {
    ++types[name_of(parameter.type())];
    with_expression += !parameter.expression().empty();
    pairs += parameter.bases().size();
    without_base += parameter.bases().empty();
  }
  CHECK(all_search_parameters().size() == 1400);
  CHECK(types == std::map<std::string_view, int>{{"token", 542},
                                                 {"reference", 476},
                                                 {"string", 142},
                                                 {"date", 113},
                                                 {"composite", 46},
                                                 {"uri", 45},
                                                 {"quantity", 27},
                                                 {"number", 7},
                                                 {"special", 2}});
  CHECK(with_expression == 1384);
  CHECK(pairs == 1721);
  CHECK(without_base == 10);
  CHECK(definition_counts().search_parameters == 1400);
  CHECK(definition_counts().structure_definitions == 655);
  CHECK(definition_counts().value_sets == 1316);
  CHECK(definition_counts().code_systems == 1062);
  CHECK(definition_counts().concept_maps == 80);
  CHECK(definition_counts().operation_definitions == 47);
  CHECK(definition_counts().compartment_definitions == 5);
  CHECK(definition_counts().instance_examples == 741);
  CHECK(all_operations().size() == 46);  // one of the 47 is an example
  CHECK(all_compartments().size() == 5);
}

TEST_CASE("definitions: every name of every table finds its row again", "[definitions]") {
  for (const TypeDef& type : all_types()) {
    REQUIRE(find_type(type.name()) == &type);
    CHECK((type.base() != nullptr) == (type.name() != "Element" && type.name() != "Resource"));
    std::size_t order = 0;
    for (const ElementDef& element : type.elements()) {
      CHECK(element.order() == order++);
      CHECK(&element.owner() == &type);
      REQUIRE(type.element(element.name()) == &element);
      if (element.is_choice()) CHECK_FALSE(type.element_by_json_name(element.name()));
      for (const ElementType& variant : element.types()) {
        const JsonMember found = type.element_by_json_name(element.json_name(variant));
        REQUIRE(found.element == &element);
        CHECK(found.type == &variant);
        CHECK(element.find_type(variant.name()) == &variant);
      }
      if (element.backbone())
        CHECK(type.element_by_json_name(element.name()).content() == element.backbone());
      const bool has_content = element.backbone() || !element.types().empty();
      CHECK(has_content == !(type.is_primitive() && element.name() == "value"));
    }
  }
  for (const ValueSet& set : all_value_sets()) {
    REQUIRE(value_set(set.url()) == &set);
    for (const CodeDef& code : set.codes()) {
      CHECK(set.contains(code.code()));
      CHECK(set.contains(code.system(), code.code()));
    }
  }
  for (const TypeDef& type : all_types()) {
    for (const SearchParameter& parameter : search_parameters(type)) {
      CHECK(search_parameter(type.name(), parameter.code()) == &parameter);
    }
  }
}

TEST_CASE("definitions: names that do not exist", "[definitions]") {
  CHECK(find_type("patient") == nullptr);
  CHECK(find_type("") == nullptr);
  CHECK(find_type("Patient.name") == nullptr);
  CHECK(find_type("Patient.contact.nothing") == nullptr);
  CHECK(find_type("Nothing.contact") == nullptr);
  CHECK(find_resource_type("DomainResource") == nullptr);
  CHECK(find_resource_type("HumanName") == nullptr);
  CHECK(find_resource_type("Patient") != nullptr);
  const TypeDef& patient = *find_type("Patient");
  CHECK(patient.element("Name") == nullptr);
  CHECK(patient.element("deceasedBoolean") == nullptr);
  CHECK_FALSE(patient.element_by_json_name("deceased"));
  CHECK_FALSE(patient.element_by_json_name("deceasedString"));
  CHECK_FALSE(patient.element_by_json_name("_birthDate"));
  CHECK(value_set("http://example.org/none") == nullptr);
  CHECK(search_parameter("Patient", "nothing") == nullptr);
  CHECK(search_parameter("Nothing", "_id") == nullptr);
}

TEST_CASE("definitions: elements of Patient in definition order with the inherited ones", "[definitions]") {
  const TypeDef& patient = *find_type("Patient");
  std::string names;
  for (const ElementDef& element : patient.elements()) names += std::string(element.name()) + " ";
  CHECK(names ==
        "id meta implicitRules language text contained extension modifierExtension identifier active name "
        "telecom "
        "gender birthDate deceased address maritalStatus multipleBirth photo contact communication "
        "generalPractitioner managingOrganization link ");
  CHECK(patient.is_a("DomainResource"));
  CHECK(patient.is_a("Resource"));
  CHECK_FALSE(patient.is_a("Element"));
  CHECK(patient.element("id")->only_type()->name() == "id");
  CHECK(patient.element("name")->is_list());
  CHECK_FALSE(patient.element("birthDate")->is_list());
  CHECK(patient.element("active")->is_modifier());
  CHECK(patient.element("active")->is_summary());
  CHECK_FALSE(patient.element("photo")->is_summary());
  CHECK(patient.element("contained")->only_type()->name() == "Resource");
  CHECK(target_names(patient.element("generalPractitioner")->types()[0]) ==
        "Organization Practitioner PractitionerRole");
  CHECK(patient.element("generalPractitioner")->types()[0].allows_target("Practitioner"));
  CHECK_FALSE(patient.element("generalPractitioner")->types()[0].allows_target("Patient"));
}

TEST_CASE("definitions: choices", "[definitions]") {
  const TypeDef& patient = *find_type("Patient");
  const ElementDef& deceased = *patient.element("deceased");
  CHECK(deceased.is_choice());
  CHECK(deceased.types().size() == 2);
  CHECK(deceased.only_type() == nullptr);
  const JsonMember member = patient.element_by_json_name("deceasedDateTime");
  REQUIRE(member);
  CHECK(member.element == &deceased);
  CHECK(member.type->name() == "dateTime");
  CHECK(deceased.json_name(*deceased.find_type("boolean")) == "deceasedBoolean");
  CHECK(deceased.find_type("string") == nullptr);
  CHECK(find_type("Extension")->element("value")->types().size() == 50);
}

TEST_CASE("definitions: inline content and content references", "[definitions]") {
  const TypeDef& contact = *find_type("Patient.contact");
  CHECK(contact.kind() == TypeKind::backbone);
  CHECK(contact.base()->name() == "BackboneElement");
  CHECK(contact.element("gender")->value_set()->url() ==
        "http://hl7.org/fhir/ValueSet/administrative-gender");
  CHECK(find_type("Patient")->element("contact")->only_type() == &contact);
  CHECK(find_type("Timing.repeat")->base()->name() == "Element");
  CHECK(find_type("Bundle.entry.link") == find_type("Bundle.link"));
  CHECK(find_type("Bundle.entry")->element("link")->is_content_reference());
  CHECK(find_type("Questionnaire.item.item.item") == find_type("Questionnaire.item"));
  CHECK(find_type("Observation.component.referenceRange.low") == nullptr);  // a Quantity, not inline
}

TEST_CASE("definitions: primitives and attributes", "[definitions]") {
  CHECK(find_type("code")->is_a("string"));
  CHECK(find_type("oid")->base()->name() == "uri");
  CHECK(find_type("positiveInt")->base()->name() == "integer");
  CHECK(find_type("Extension")->element("url")->only_type()->name() == "uri");
  CHECK(find_type("Extension")->element("url")->is_xml_attribute());
  CHECK(find_type("HumanName")->element("id")->only_type()->name() == "string");
  CHECK(find_type("HumanName")->element("id")->is_xml_attribute());
  CHECK_FALSE(find_type("Patient")->element("id")->is_xml_attribute());
  CHECK(find_type("string")->element("value")->only_type() == nullptr);
}

TEST_CASE("definitions: value sets", "[definitions]") {
  const ValueSet& gender = *value_set("http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1");
  CHECK(gender.rule() == ValueSetRule::list);
  CHECK(gender.codes().size() == 4);
  CHECK(gender.contains("female"));
  CHECK_FALSE(gender.contains("F"));
  CHECK(gender.single_system() == "http://hl7.org/fhir/administrative-gender");
  CHECK(gender.find("other")->display() == "Other");
  CHECK(gender.system_of("male") == "http://hl7.org/fhir/administrative-gender");
  CHECK(gender.system_of("M").empty());

  const ValueSet& types = *value_set("http://hl7.org/fhir/ValueSet/all-types");
  CHECK(types.single_system().empty());
  CHECK(types.system_of("Patient") == "http://hl7.org/fhir/resource-types");
  CHECK(types.contains("http://hl7.org/fhir/data-types", "HumanName"));
  CHECK_FALSE(types.contains("http://hl7.org/fhir/data-types", "Patient"));

  CHECK(value_set("http://terminology.hl7.org/ValueSet/v3-ActEncounterCode")->system_of("IMP") ==
        "http://terminology.hl7.org/CodeSystem/v3-ActCode");
  CHECK(value_set("http://hl7.org/fhir/ValueSet/marital-status")->system_of("M") ==
        "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus");
}

TEST_CASE("definitions: value sets that are a rule", "[definitions]") {
  const ValueSet& mime = *value_set("http://hl7.org/fhir/ValueSet/mimetypes");
  CHECK(mime.rule() == ValueSetRule::mime_type);
  CHECK(mime.single_system() == "urn:ietf:bcp:13");
  CHECK(mime.contains("text/plain"));
  CHECK(mime.contains("application/fhir+json;charset=utf-8"));
  CHECK(mime.contains("text/plain; charset=utf-8"));
  CHECK(mime.contains("json"));
  CHECK_FALSE(mime.contains("text plain/x"));
  CHECK_FALSE(mime.contains("text"));
  CHECK_FALSE(mime.contains("/plain"));
  const ValueSet& ucum = *value_set("http://hl7.org/fhir/ValueSet/ucum-units");
  CHECK(ucum.contains("mm[Hg]"));
  CHECK(ucum.contains("10*3/uL"));
  CHECK_FALSE(ucum.contains("mm[Hg"));
  CHECK_FALSE(ucum.contains("per day"));
  const ValueSet& currency = *value_set("http://hl7.org/fhir/ValueSet/currencies");
  CHECK(currency.contains("EUR"));
  CHECK_FALSE(currency.contains("eur"));
  // All required ones are known, but for one answer list that its owner does not publish in the packages.
  for (const TypeDef& type : all_types()) {
    for (const ElementDef& element : type.elements()) {
      if (element.binding() != BindingStrength::required || element.value_set()->is_known()) continue;
      CHECK(element.value_set()->url() == "http://loinc.org/vs/LL379-9");
      CHECK(element.value_set()->contains("anything"));
    }
  }
}

TEST_CASE("definitions: search parameters", "[definitions]") {
  const SearchParameter& identifier = *search_parameter("Patient", "identifier");
  CHECK(identifier.type() == SearchType::token);
  CHECK(identifier.expression() == "Patient.identifier");
  CHECK(search_parameter("Patient", "_id")->expression() == "Resource.id");
  CHECK(search_parameter("Patient", "_text") != nullptr);
  CHECK(search_parameter("Bundle", "_text") == nullptr);
  CHECK(search_parameter("Condition", "subject")->url() ==
        "http://hl7.org/fhir/SearchParameter/Condition-subject");
  const SearchParameter& patient = *search_parameter("Observation", "patient");
  CHECK(patient.url() == "http://hl7.org/fhir/SearchParameter/clinical-patient");
  CHECK(patient.bases().size() > 20);
  CHECK(patient.targets().size() > 0);
  const SearchParameter& composite = *search_parameter("Observation", "code-value-quantity");
  REQUIRE(composite.component_count() == 2);
  CHECK(composite.component(0).parameter->code() == "code");
  CHECK(composite.component(1).parameter->code() == "value-quantity");
  CHECK(composite.component(0).expression == "code");
}

TEST_CASE("definitions: invariants, compartments, operations", "[definitions]") {
  bool found = false;
  for (const Invariant& invariant : find_type("Patient")->element("contact")->invariants()) {
    if (invariant.key() != "pat-1") continue;
    found = true;
    CHECK(invariant.is_error());
    CHECK(invariant.expression() ==
          "name.exists() or telecom.exists() or address.exists() or organization.exists()");
  }
  CHECK(found);
  std::string keys;
  for (const Invariant& invariant : find_type("Patient")->invariants())
    keys += std::string(invariant.key()) + " ";
  CHECK(keys == "dom-2 dom-3 dom-4 dom-5 dom-6 ");

  const Compartment& compartment_of_patient = *compartment("Patient");
  const auto members = compartment_of_patient.members();
  CHECK(members.size() == 66);
  const auto observation = std::find_if(members.begin(), members.end(), [](const CompartmentMember& m) {
    return m.type().name() == "Observation";
  });
  REQUIRE(observation != members.end());
  REQUIRE(observation->parameter_count() == 2);
  CHECK(observation->parameter(0) == "performer");
  CHECK(observation->parameter(1) == "subject");

  const auto operations = all_operations();
  const auto everything = std::find_if(operations.begin(), operations.end(), [](const Operation& operation) {
    return operation.url() == "http://hl7.org/fhir/OperationDefinition/Patient-everything";
  });
  REQUIRE(everything != operations.end());
  CHECK(everything->code() == "everything");
  CHECK(everything->on_type());
  CHECK(everything->on_instance());
  CHECK_FALSE(everything->on_system());
  CHECK(everything->types()[0].name() == "Patient");
}
