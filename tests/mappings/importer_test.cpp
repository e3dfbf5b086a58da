// The shipped library against the guide it is made from.

#include <catch2/catch.hpp>
#include <iostream>
#include <set>

#include "engine/base/env.h"
#include "engine/base/text.h"
#include "mappings/importer/code_tables.h"
#include "mappings/importer/status.h"
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
       "module m\nfragment PID_Patient(PID: hl7 PID) -> Patient {\n  gender = PID-8.1\n}\n"}};
  const GuideSheet sheets[] = {{"segments",
                                "PID[Patient]",
                                {{3, "PID-8", "gender", ""}, {4, "PID-80", "name", ""}, {5, "PID-9", "", ""}},
                                {}}};
  const std::string status = status_csv(sheets, library, "kind,map,row,status,where,reason\n");
  CHECK(status.find("segments,PID[Patient],3,PID-8,gender,overlaid,overlay/x.hmap fragment PID_Patient,") !=
        std::string::npos);
  CHECK(status.find("segments,PID[Patient],4,PID-80,name,deferred,,no rule reads it") != std::string::npos);
  CHECK(status.find("segments,PID[Patient],5,PID-9,,no-target,,") != std::string::npos);
  CHECK(status_sum(status).starts_with("implements 1 of 2 rows"));
  const std::string rejected =
      status_csv(sheets, library, "segments,PID[Patient],4,rejected-as-defect,,there is no PID-80\n");
  CHECK(rejected.find("rejected-as-defect,,there is no PID-80") != std::string::npos);
}

TEST_CASE("importer: every generated row of STATUS.csv stands in gen", "[importer]") {
  const std::string_view tables = shipped("std/v2fhir/gen/tables.hmap");
  std::size_t generated = 0;
  for (const std::string& line : lines_of(shipped_status())) {
    if (line.find(",generated,") == std::string::npos) continue;
    ++generated;
    const auto cells = base::split(line, ',');
    if (cells[1].front() == '"') continue;
    INFO(line);
    const std::string head = "table " + table_name(cells[1]);
    std::size_t at = tables.find(head + " ");
    REQUIRE(at != std::string_view::npos);
    const std::string_view body = tables.substr(at, tables.find("\n}", at) - at);
    CHECK(body.find("// row " + std::string(cells[2])) != std::string_view::npos);
  }
  CHECK(generated > 2000);
}

TEST_CASE("importer: the shipped files are what the guide gives", "[importer]") {
  const std::string folder = std::string(KILN_SOURCE_DIR) + "/../shared/facts/v2-to-fhir-1.0.0";
  const auto sheets = read_guide(base::system_env(), folder);
  if (!sheets) {
    std::cout << "skipped: the guide's tables are not beside this checkout\n";
    return;
  }
  CHECK(code_tables(*sheets) == shipped("std/v2fhir/gen/tables.hmap"));
  const std::string status =
      status_csv(*sheets, library_files(), shipped("std/v2fhir/overlay/decisions.csv"));
  CHECK(status == shipped_status());
  std::size_t rows = 1;
  for (const GuideSheet& sheet : *sheets) rows += sheet.rows.size() + sheet.codes.size();
  CHECK(lines_of(status).size() == rows);
}

}  // namespace kiln::mappings::test
