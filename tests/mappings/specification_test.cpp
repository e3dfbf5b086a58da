// The mapping specification of a small map, as CSV and as a page.

#include "mappings/specification.h"

#include <catch2/catch.hpp>

#include "tests/mappings/golden.h"

namespace kiln::mappings::test {
namespace {

const char* const kMap = R"(module acme
use std.v2fhir.datatypes

// How sex is told.
table Sex { "M" => "male"  "F" => "female"  _ => warn "unknown" }

fragment Person(PID: hl7 PID) -> Patient {
  name   += PID-5[*]
  gender  = PID-8.1 via Sex else "other"  // <asked> & answered
}

// Admissions of the "north" house.
map adt(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  on bad warn
  require PID-3[1].1 is valued else reject AE 101 "no identifier"
  create patient: Patient identity PID-3[1] request upsert {
    include Person
    identifier += { system = "urn:x"  value = PID-19 } if PV1-2 == "I" @ssn
    deceased = PID-29 as dateTime on bad omit
  }
  for each OBX {
    create obs: Observation {
      status = "final"
      code = OBX-3
      value = match OBX-2 {
        "NM" => OBX-5 as integer
        _    => OBX-5.1 as string
      }
    }
  }
  patient.active = true
}

datatype ZZ -> Identifier {
  value = .1
}
)";

Library library() {
  Library out;
  base::Diagnostics diagnostics;
  out.add_text("maps/acme.hmap", kMap, diagnostics);
  out.link(diagnostics);
  INFO(base::render(diagnostics, out.sources()));
  CHECK(diagnostics.ok());
  return out;
}

}  // namespace

TEST_CASE("specification: one line a rule", "[specification]") {
  const Library maps = library();
  const Specification all = make_specification(maps);
  REQUIRE(all.sections.size() == 2);
  REQUIRE(all.tables.size() == 1);
  CHECK(all.tables[0].rows.size() == 2);
  CHECK(all.sections[0].description == "Admissions of the \"north\" house.");
  check_golden(test_path("golden/specification/acme.csv"), specification_csv(all));
  check_golden(test_path("golden/specification/acme.html"), specification_html(all, "Acme"));
  check_golden(test_path("golden/specification/acme.conceptmaps.json"), specification_concept_maps(all));
  CHECK(make_specification(maps, "acme.adt").sections.size() == 1);
  CHECK(make_specification(maps, "acme").sections.size() == 2);
  CHECK(make_specification(maps, "nobody").sections.empty());
}

TEST_CASE("specification: every rule of the shipped maps has a target, and the page escapes what it shows",
          "[specification]") {
  Library maps;
  base::Diagnostics diagnostics;
  maps.require_all_shipped();
  maps.link(diagnostics);
  const Specification all = make_specification(maps, "std");
  CHECK(all.sections.size() > 20);
  std::size_t rows = 0, known = 0;
  for (const auto& section : all.sections)
    for (const auto& part : section.parts)
      for (const auto& row : part.rows) {
        INFO(row.place);
        CHECK_FALSE(row.target.empty());
        CHECK_FALSE(row.source.empty());
        ++rows;
        known += row.type.empty() ? 0 : 1;
      }
  CHECK(rows > 300);
  CHECK(known * 10 > rows * 7);
  const std::string page = specification_html(make_specification(library()), "<A & B>");
  CHECK(page.find("<title>&lt;A &amp; B&gt;</title>") != std::string::npos);
  CHECK(page.find("&lt;asked&gt; &amp; answered") != std::string::npos);
}

}  // namespace kiln::mappings::test
