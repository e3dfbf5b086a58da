// PackedTables -> C++ sources.

#include <string>

#include "fhir/definitions/generate/detail/packed_tables.h"
#include "fhir/definitions/generate/detail/print_resources.h"
#include "fhir/definitions/generate/generate.h"

namespace kiln::fhir {
namespace {

using namespace detail;

constexpr std::size_t kLineWidth = 118;

/// One C++ file with arrays of aggregates.
class SourceFile {
 public:
  SourceFile() {
    text_ =
        "// Generated from the FHIR R4 packages; see fhir/definitions/README.md. Do not edit.\n"
        "// clang-format off\n\n"
        "#include \"fhir/definitions/detail/tables.h\"\n\n"
        "namespace kiln::fhir::detail {\n\n";
  }

  void count(std::string_view name, std::size_t value) {
    text_ += "const std::size_t " + std::string(name) + " = " + std::to_string(value) + ";\n";
  }

  template <class Rows, class Print>
  void array(std::string_view declaration, const Rows& rows, Print print) {
    text_ += "\nconst ";
    text_ += declaration;
    text_ += "[] = {\n";
    std::string line;
    for (const auto& row : rows) {
      const std::string item = print(row) + ",";
      if (line.size() + item.size() > kLineWidth) flush(line);
      line += item;
    }
    // An empty array does not exist in C++.
    if (rows.empty()) line += "{}";
    flush(line);
    text_ += "};\n";
  }

  void raw(std::string_view text) { text_ += text; }

  std::string finish() {
    text_ += "\n}  // namespace kiln::fhir::detail\n";
    return std::move(text_);
  }

 private:
  void flush(std::string& line) {
    if (!line.empty()) text_ += line + "\n";
    line.clear();
  }
  std::string text_;
};

std::string number(std::size_t value) {
  return std::to_string(value);
}
std::string of(Text text) {
  return "{" + number(text.begin) + "," + number(text.size) + "}";
}
std::string of(Slice slice) {
  return "{" + number(slice.begin) + "," + number(slice.count) + "}";
}
std::string of(bool value) {
  return value ? "1" : "0";
}

/// The row structs printed with one brace for the row and one for the class that wraps it.
template <class... Fields>
std::string row(const Fields&... fields) {
  std::string text;
  const auto add = [&text](const std::string& field) { text += (text.empty() ? "" : ",") + field; };
  (add(fields), ...);
  return "{{" + text + "}}";
}

void append_escaped(std::string& line, unsigned char c) {
  static constexpr char kDigits[] = "01234567";
  if (c == '"' || c == '\\') {
    line += '\\';
    line += static_cast<char>(c);
  } else if (c < 0x20 || c == 0x7f) {
    line += '\\';
    line += kDigits[c >> 6];
    line += kDigits[(c >> 3) & 7];
    line += kDigits[c & 7];
  } else {
    line += static_cast<char>(c);
  }
}

std::string print_strings(const PackedTables& tables) {
  SourceFile file;
  file.raw("const char kStrings[] =\n");
  std::string line;
  for (const char c : tables.strings.bytes()) {
    const auto byte = static_cast<unsigned char>(c);
    const bool inside_character = (byte & 0xC0) == 0x80;
    if (line.size() >= kLineWidth - 4 && !inside_character) {
      file.raw("\"" + line + "\"\n");
      line.clear();
    }
    append_escaped(line, byte);
  }
  file.raw("\"" + line + "\";\n");
  return file.finish();
}

std::string print_types(const PackedTables& tables) {
  SourceFile file;
  file.count("kTypeCount", tables.types.size());
  file.count("kTypeSlotCount", tables.type_slots.size());
  file.array("TypeDef kTypes", tables.types, [](const TypeRow& type) {
    return row(of(type.name), number(type.kind), of(type.is_abstract), number(type.base), of(type.elements),
               of(type.invariants), of(type.parameters));
  });
  file.array("std::uint16_t kTypeSlots", tables.type_slots, number);
  file.array("std::uint16_t kTypeLists", tables.type_lists.numbers(), number);
  file.count("kInvariantCount", tables.invariants.size());
  file.array("Invariant kInvariants", tables.invariants, [](const InvariantRow& invariant) {
    return row(of(invariant.key), of(invariant.expression), of(invariant.is_error));
  });
  file.array("std::uint16_t kInvariantLists", tables.invariant_lists.numbers(), number);
  return file.finish();
}

std::string print_elements(const PackedTables& tables) {
  SourceFile file;
  file.count("kElementCount", tables.elements.size());
  file.count("kElementTypeCount", tables.element_types.size());
  file.array("ElementDef kElements", tables.elements, [](const ElementRow& element) {
    return row(of(element.name), number(element.owner), number(element.order), number(element.max),
               number(element.min), number(element.flags), of(element.types), number(element.backbone),
               number(element.value_set), number(element.strength), of(element.invariants));
  });
  file.array("ElementType kElementTypes", tables.element_types, [](const ElementTypeRow& type) {
    return row(number(type.type), of(type.targets), of(type.json_name));
  });
  return file.finish();
}

std::string print_members(const PackedTables& tables) {
  SourceFile file;
  file.count("kMemberCount", tables.members.size());
  file.count("kMemberSlotCount", tables.member_slots.size());
  file.array("MemberRow kMembers", tables.members, [](const MemberRow& member) {
    return "{" + number(member.element) + "," + number(member.variant) + "}";
  });
  file.array("std::uint16_t kMemberSlots", tables.member_slots, number);
  return file.finish();
}

std::string print_value_sets(const PackedTables& tables) {
  SourceFile file;
  file.count("kValueSetCount", tables.value_sets.size());
  file.count("kCodeCount", tables.codes.size());
  file.array("ValueSet kValueSets", tables.value_sets, [](const ValueSetRow& set) {
    return row(of(set.url), number(set.rule), number(set.codes_begin), number(set.codes_count),
               number(set.system));
  });
  file.array("CodeDef kCodes", tables.codes,
             [](const CodeRow& code) { return row(of(code.code), of(code.display), number(code.system)); });
  file.array("Text kSystems", tables.systems, [](Text system) { return of(system); });
  return file.finish();
}

std::string print_search(const PackedTables& tables) {
  SourceFile file;
  file.count("kSearchParameterCount", tables.search_parameters.size());
  file.array(
      "SearchParameter kSearchParameters", tables.search_parameters, [](const SearchParameterRow& parameter) {
        return row(of(parameter.code), of(parameter.url), of(parameter.expression), number(parameter.type),
                   of(parameter.bases), of(parameter.targets), of(parameter.components));
      });
  file.array("ComponentRow kComponents", tables.components, [](const ComponentRow& component) {
    return "{" + number(component.parameter) + "," + of(component.expression) + "}";
  });
  file.array("std::uint16_t kParameterLists", tables.parameter_lists.numbers(), number);
  return file.finish();
}

std::string print_rest(const PackedTables& tables) {
  SourceFile file;
  file.count("kCompartmentCount", tables.compartments.size());
  file.count("kOperationCount", tables.operations.size());
  file.array("Compartment kCompartments", tables.compartments, [](const CompartmentRow& compartment) {
    return row(of(compartment.code), of(compartment.members));
  });
  file.array(
      "CompartmentMember kCompartmentMembers", tables.compartment_members,
      [](const CompartmentMemberRow& member) { return row(number(member.type), of(member.parameters)); });
  file.array("Text kCompartmentParameters", tables.compartment_parameters,
             [](Text code) { return of(code); });
  file.array("Operation kOperations", tables.operations, [](const OperationRow& operation) {
    return row(of(operation.code), of(operation.url), number(operation.levels), of(operation.affects_state),
               of(operation.types));
  });
  const DefinitionCounts& counts = tables.counts;
  file.raw("\nconst DefinitionCounts kCounts = {");
  for (const unsigned value :
       {counts.structure_definitions, counts.code_systems, counts.value_sets, counts.concept_maps,
        counts.operation_definitions, counts.search_parameters, counts.compartment_definitions,
        counts.snapshot_elements, counts.required_value_sets}) {
    file.raw(number(value) + ", ");
  }
  file.raw(number(counts.instance_examples) + "};\n");
  return file.finish();
}

}  // namespace

base::Result<std::vector<GeneratedFile>> print_definitions(const DefinitionModel& model) {
  TRY(const PackedTables tables, pack_tables(model));
  return std::vector<GeneratedFile>{
      {"compartments.cpp", print_rest(tables)},     {"elements.cpp", print_elements(tables)},
      {"members.cpp", print_members(tables)},
      {"packed/resources.zst", detail::print_resources(model)},
      {"search_parameters.cpp", print_search(tables)},
      {"strings.cpp", print_strings(tables)},       {"types.cpp", print_types(tables)},
      {"value_sets.cpp", print_value_sets(tables)},
  };
}

}  // namespace kiln::fhir
