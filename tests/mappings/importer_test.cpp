// The shipped library against the guide it is made from.

#include <catch2/catch.hpp>
#include <iostream>
#include <set>

#include "engine/base/env.h"
#include "engine/base/text.h"
#include "mappings/importer/code_tables.h"
#include "mappings/importer/condition.h"
#include "mappings/importer/decisions.h"
#include "mappings/importer/generated_maps.h"
#include "mappings/importer/status.h"
#include "mappings/importer/translate.h"
#include "mappings/package.h"

namespace kiln::mappings::test {
namespace {

std::string_view shipped(std::string_view path) {
  for (const base::EmbeddedFile& file : library_files())
    if (file.path == path) return file.text;
  return {};
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  for (const auto line : base::split(text, '\n'))
    if (!line.empty()) out.emplace_back(line);
  return out;
}

GuideSheet sheet_of(std::string name, std::vector<GuideCode> codes) {
  return {"codesystems", std::move(name), {}, std::move(codes)};
}

}  // namespace

TEST_CASE("importer: a code table becomes rows with their numbers", "[importer]") {
  const GuideSheet sheet = sheet_of("Kind[Use]", {{3, "A", "x", "An \"A\"", "urn:s"},
                                                  {4, "B", "y", "", "urn:s"},
                                                  {5, "C", "z", "", "urn:t"},
                                                  {6, "A", "w", "", "urn:s"},
                                                  {7, "D", "", "", ""}});
  const std::string text = code_tables({&sheet, 1});
  CHECK(text.find("table Kind_Use system \"urn:s\" {") != std::string::npos);
  CHECK(text.find("\"A\" => \"x\" display \"An \\\"A\\\"\"") != std::string::npos);
  CHECK(text.find("\"C\" => \"z\" system \"urn:t\"") != std::string::npos);
  CHECK(text.find("// row 5") != std::string::npos);
  CHECK(text.find("\"w\"") == std::string::npos);  // the second row of one code
  CHECK(code_tables({&sheet, 1}) == text);
}

TEST_CASE("importer: the status of a row is found, not promised", "[importer]") {
  const base::EmbeddedFile library[] = {
      {"std/v2fhir/overlay/x.hmap",
       "module m\nfragment PID_Patient(PID: hl7 PID) -> Patient {\n  gender = PID-8.1  // row 3\n  name += "
       "PID-5[*]\n}\n"}};
  const GuideSheet sheets[] = {{"segments",
                                "PID[Patient]",
                                {{3, "PID-8", "gender", ""}, {4, "PID-5", "name", ""}, {5, "PID-9", "", ""}},
                                {}}};
  const std::string status = status_csv(sheets, library, "kind,map,row,status,where,reason\n");
  CHECK(status.find("segments,PID[Patient],3,PID-8,gender,overlaid,overlay/x.hmap m:PID_Patient.gender,\n") !=
        std::string::npos);
  // a rule that reads the field is no proof
  CHECK(status.find("segments,PID[Patient],4,PID-5,name,deferred,,") != std::string::npos);
  CHECK(status.find("segments,PID[Patient],5,PID-9,,no-target,,") != std::string::npos);
  CHECK(status_sum(status).starts_with("implements 1 of 2 rows"));
  const std::string rejected =
      status_csv(sheets, library, "segments,PID[Patient],4,rejected-as-defect,,nobody has a name\n");
  CHECK(rejected.find("rejected-as-defect,,nobody has a name") != std::string::npos);
}

TEST_CASE("importer: a condition in pseudo-English is translated or left alone", "[importer]") {
  const ConditionSource source = [](std::string_view text) -> std::optional<std::string> {
    if (!text.starts_with("PID-")) return std::nullopt;
    return std::string(text);
  };
  const auto translated = [&](std::string_view text) {
    return translate_condition(text, source).value_or("by hand");
  };
  CHECK(translated("IF PID-29 NOT VALUED") == "PID-29 is not valued");
  CHECK(translated("IF PID-29 IS VALUED") == "PID-29 is valued");
  CHECK(translated("IF PID-8 EQUALS \"M\"") == "PID-8 == \"M\"");
  CHECK(translated("IF PID-8 IS \"M\" AND PID-9 NOT EQUALS \"x\"") == "PID-8 == \"M\" and PID-9 != \"x\"");
  CHECK(translated("IF PID-8 NOT IN (\"M\", \"F\") OR IF PID-7 VALUED") ==
        "not (PID-8 in [\"M\", \"F\"]) or PID-7 is valued");
  for (const char* const odd :
       {"", "IF", "IF PID-8", "PID-8 VALUED", "IF PV1-2 VALUED", "IF PID-7 LENGTH GREATER THAN 8",
        "IF PID-8 IN (\"M\"", "IF PID-8 IN \"M\"", "IF PID-8 EQUALS M", "IF PID-8 EQUALS \"$x\"",
        "IF PID-1 VALUED AND PID-2 VALUED OR PID-3 VALUED", "IF PID-8 VALUED AND", "IF PID-8 EQUALS \"M"})
    CHECK(translated(odd) == "by hand");
}

TEST_CASE("importer: rows that stand by themselves become rules, others say why not", "[importer]") {
  const auto row = [](int number, std::string source, std::string target) {
    GuideRow out;
    out.row = number;
    out.source = std::move(source);
    out.target = std::move(target);
    return out;
  };
  std::vector<GuideRow> rows{row(3, "PID-3", "identifier[1]"),
                             row(4, "PID-29", "deceasedDateTime"),
                             row(5, "PID-19", "identifier[2].value"),
                             row(6, "PID-19", "identifier[2].system"),
                             row(7, "PID-16", "maritalStatus"),
                             row(8, "PID-7", "birthdate"),
                             row(9, "PID-8", "gender"),
                             row(10, "PID-13", "telecom[1]"),
                             row(11, "PID-13", "telecom[1].use"),
                             row(12, "PID-40", "telecom[2]"),
                             row(13, "PID-23", "extension[1].url"),
                             row(14, "PID-23", "extension[1].valueAddress.text"),
                             row(15, "PID-4", "generalPractitioner(Practitioner)"),
                             row(16, "PID-15", "language")};
  rows[3].assignment = "\"urn:ssn\"";
  rows[4].vocabulary = "MaritalStatus";
  rows[6].vocabulary = "AdministrativeSex";
  rows[6].datatype = "CWE";
  rows[6].condition = "IF PID-8 VALUED";
  rows[10].assignment = "\"http://example.org/patient-birthPlace\"";
  rows[13].narrative = "if it is the language of the record";
  const GuideSheet sheet{"segments", "PID[Patient]", rows, {}};
  RuleNames names;
  names.tables = {"MaritalStatus", "AdministrativeSex"};
  names.conversions = {"CX -> Identifier", "XTN -> ContactPoint", "CWE -> CodeableConcept"};
  const Translation made = translate(sheet, names, [](int) { return false; });
  std::vector<std::string> texts;
  for (const GuideRule& rule : made.rules) texts.push_back(rule.text);
  CHECK(texts ==
        std::vector<std::string>{"identifier += PID-3[*]", "deceased = PID-29 as dateTime",
                                 "identifier += { value = PID-19  system = \"urn:ssn\" } @row5",
                                 "maritalStatus = PID-16 via MaritalStatus else keep",
                                 "gender = PID-8.1 via AdministrativeSex else omit if PID-8 is valued",
                                 "telecom += PID-40[*]", "ext(patientBirthPlace) = { text = PID-23 }"});
  CHECK(made.rules[2].rows == std::vector<int>{5, 6});
  CHECK(made.rules[5].since == "2.7");
  REQUIRE(made.extensions.size() == 1);
  CHECK(made.extensions[0].type == "Address");
  CHECK(made.by_hand.at(8) == "R4 has no such element");
  CHECK(made.by_hand.at(10) == "several rows write this value");
  CHECK(made.by_hand.at(11) == "several rows write this value");
  CHECK(made.by_hand.at(15) == "makes or points to another resource");
  CHECK(made.by_hand.at(16) == "a condition that people decide");

  const Translation without = translate(sheet, names, [](int number) { return number == 11; });
  CHECK(without.rules[5].text == "telecom += PID-13[*]");
}

TEST_CASE("importer: only what the overlay includes is generated, without the rows it takes over",
          "[importer]") {
  const base::EmbeddedFile library[] = {
      {"std/v2fhir/overlay/x.hmap",
       "module m\nfragment PID_Patient(PID: hl7 PID) -> Patient {\n  include guide.PID_Patient\n"
       "  gender = PID-8.1  // row 4\n}\n"
       "map adt_a01(msg: hl7 ADT_A01) -> fhir Bundle {\n  create patient: Patient { include "
       "guide.ADT_A01_Patient }\n}\n"}};
  GuideRow birth{3, "PID-7", "birthDate", ""}, sex{4, "PID-8", "gender", ""}, other{3, "PD1-3", "name", ""};
  GuideRow patient{5, "ADT_A01.PID", "Patient[1]", "PID[Patient]"},
      visit{6, "ADT_A01.PV1", "Encounter[1]", "PV1[Encounter]"};
  const GuideSheet sheets[] = {{"messages", "ADT_A01", {patient, visit}, {}},
                               {"segments", "PD1[Patient]", {other}, {}},
                               {"segments", "PID[Patient]", {birth, sex}, {}}};
  const GeneratedMaps made = generated_maps(
      sheets, library, Decisions("segments,PID[Patient],4-5 9,overlaid,,unknown is warned of\n"));
  const std::string& segments = made.files.at("gen/segments.hmap");
  CHECK(segments.find("fragment PID_Patient(PID: hl7 PID) -> Patient {\n  birthDate = PID-7  // row 3\n}") !=
        std::string::npos);
  CHECK(segments.find("gender") == std::string::npos);
  CHECK(segments.find("PD1") == std::string::npos);
  const std::string& messages = made.files.at("gen/messages.hmap");
  CHECK(messages.find(
            "fragment ADT_A01_Patient(PID: hl7 PID) -> Patient {\n  include PID_Patient  // row 5\n}") !=
        std::string::npos);
  CHECK(messages.find("Encounter") == std::string::npos);
  CHECK(made.by_hand.at("messages|ADT_A01|6") == "no segment map of that name");
  const std::string status =
      status_csv(sheets, library, "segments,PID[Patient],4-5 9,overlaid,,unknown is warned of\n");
  CHECK(status.find("PID[Patient],3,PID-7,birthDate,generated,gen/segments.hmap "
                    "std.v2fhir.guide.segments:PID_Patient.birthDate,\n") != std::string::npos);
  CHECK(status.find("PID[Patient],4,PID-8,gender,overlaid,overlay/x.hmap m:PID_Patient.gender,unknown is "
                    "warned of\n") != std::string::npos);
}

TEST_CASE("importer: every generated row of a code table stands in gen", "[importer]") {
  std::size_t codes = 0;
  for (const std::string& line : lines_of(shipped_status())) {
    const std::size_t at = line.find(",generated,gen/tables.hmap ");
    if (at == std::string::npos) continue;
    INFO(line);
    const auto cells = csv_cells(line);
    const std::string_view text = shipped("std/v2fhir/gen/tables.hmap");
    const std::size_t table = text.find("\ntable " + cells[6].substr(16) + " ");
    REQUIRE(table != std::string_view::npos);
    const std::string_view body = text.substr(table, text.find("\n}", table) - table);
    CHECK((body.find("  // row " + cells[2] + "\n") != std::string_view::npos ||
           body.ends_with("  // row " + cells[2])));
    ++codes;
  }
  CHECK(codes > 2000);
}

TEST_CASE("importer: the shipped files are what the guide gives", "[importer]") {
  const std::string folder = std::string(KILN_SOURCE_DIR) + "/../shared/facts/v2-to-fhir-1.0.0";
  const auto sheets = read_guide(base::system_env(), folder);
  if (!sheets) {
    std::cout << "skipped: the guide's tables are not beside this checkout\n";
    return;
  }
  CHECK(code_tables(*sheets) == shipped("std/v2fhir/gen/tables.hmap"));
  const GeneratedMaps maps =
      generated_maps(*sheets, library_files(), Decisions(shipped("std/v2fhir/overlay/decisions.csv")));
  CHECK(maps.files.size() == 3);
  for (const auto& [path, text] : maps.files) {
    INFO(path);
    CHECK(text == shipped("std/v2fhir/" + path));
  }
  const std::string status =
      status_csv(*sheets, library_files(), shipped("std/v2fhir/overlay/decisions.csv"));
  CHECK(status == shipped_status());
  std::size_t rows = 1;
  for (const GuideSheet& sheet : *sheets) rows += sheet.rows.size() + sheet.codes.size();
  CHECK(lines_of(status).size() == rows);
}

}  // namespace kiln::mappings::test
