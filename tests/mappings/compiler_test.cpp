// What the compiler makes of right scripts: the shipped library, the design examples, and properties of the
// unit.

#include "mappings/compiler.h"

#include <catch2/catch.hpp>
#include <string>

#include "mappings/detail/ir.h"
#include "mappings/package.h"
#include "tests/mappings/golden.h"

namespace kiln::mappings {
namespace {

struct Compiled {
  Library library;
  base::Diagnostics diagnostics;
  CompiledLibrary result;

  void finish(std::span<const ExpressionRequest> requests = {}) {
    library.link(diagnostics);
    result = compile(library, diagnostics, requests);
    std::string errors;
    for (const auto& diagnostic : diagnostics.list()) {
      if (diagnostic.severity == base::Severity::error) errors += base::render(diagnostic, library.sources());
    }
    CHECK(errors == "");
  }
};

const ir::Shape* shape(const ir::Unit& unit, std::string_view name) {
  for (const auto& candidate : unit.shapes) {
    if (unit.text(candidate.name) == name) return &candidate;
  }
  return nullptr;
}

TEST_CASE("maps and packages of the shipped library are found by name") {
  Compiled compiled;
  compiled.library.require_all_shipped();
  compiled.finish();
  CHECK(compiled.result.find_map("std.v2fhir.adt.adt_a01") != nullptr);
  CHECK(compiled.result.find_map("adt_a01") != nullptr);
  CHECK(compiled.result.find_package("std.v2fhir").size() >= 3);
  CHECK(compiled.result.find_package("std.v2fhi").empty());
}

TEST_CASE("members of a shape stand in the order of the definition, whatever the order of the rules") {
  Compiled compiled;
  compiled.library.add_text("a.hmap", R"(module t
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient {
    maritalStatus.text = PID-16.2
    birthDate = PID-7
    active = true
    gender = "other"
    deceased = PID-29 as dateTime
  }
  patient.language = PID-15.1 as code
}
)",
                            compiled.diagnostics);
  compiled.finish();
  const ir::Unit& unit = *compiled.result.unit;
  const ir::Shape* patient = shape(unit, "Patient");
  REQUIRE(patient != nullptr);
  CHECK(patient->resource);
  std::string names;
  for (ir::Index i = 0; i < patient->members.count; ++i) {
    names += std::string(unit.text(unit.members[patient->members.first + i].name)) + " ";
  }
  // `deceasedBoolean` is the first variant: a choice is registered with it.
  CHECK(names == "language active gender birthDate deceasedBoolean deceasedDateTime maritalStatus ");
  for (const auto& write : unit.writes) {
    const ir::Step& last = unit.steps[write.path.first + write.path.count - 1];
    CHECK((last.slot != ir::kNoSlot || last.choice != ir::kNone));
  }
  CHECK(unit.text(unit.rules[unit.writes.back().rule].address) == "t:m/patient.language");
}

TEST_CASE("a rule on fields that are all empty can be skipped with one mask") {
  Compiled compiled;
  compiled.library.add_text("a.hmap", R"(module t
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient { name += { family = PID-5[1].1.1 ?? PID-9[1].1.1  use = "usual" } }
}
)",
                            compiled.diagnostics);
  compiled.finish();
  const ir::Unit& unit = *compiled.result.unit;
  REQUIRE(!unit.writes.empty());
  CHECK(unit.writes.back().guard_mask == ((1u << 4) | (1u << 8)));
}

TEST_CASE("standalone expressions compile against a source type") {
  Compiled compiled;
  compiled.library.add_text("c.channel", R"(module t
channel c {
  source mllp { port 2575 }
  accept hl7 ADT_A01 2.5.1 where MSH-9.2 in ["A01", "A08"]
  accept fhir Patient where .active != false
}
)",
                            compiled.diagnostics);
  compiled.library.link(compiled.diagnostics);
  const LibraryFile* file = nullptr;
  for (const auto& candidate : compiled.library.files()) {
    if (candidate->name == "c.channel") file = candidate.get();
  }
  REQUIRE(file != nullptr);
  const auto& channel = *file->tree.decls.front().get_if<ast::ChannelDecl>();
  std::vector<ExpressionRequest> requests(3);
  requests[0] = {channel.accepts[0].where.get(),
                 &file->tree,
                 {DataKind::hl7, "ADT_A01", "2.5.1"},
                 ExpressionRequest::Want::condition};
  requests[1] = {channel.accepts[1].where.get(),
                 &file->tree,
                 {DataKind::fhir, "Patient", ""},
                 ExpressionRequest::Want::condition};
  requests[2] = {channel.accepts[1].where.get(),
                 &file->tree,
                 {DataKind::fhir, "Condition", ""},
                 ExpressionRequest::Want::condition};
  const CompiledLibrary result = compile(compiled.library, compiled.diagnostics, requests);
  REQUIRE(result.expressions.size() == 3);
  CHECK(result.expressions[0].has_value());
  CHECK(result.expressions[1].has_value());
  CHECK(!result.expressions[2].has_value());  // a Condition has no `active`
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// The lines without one that holds `word`.
std::string without_line(const std::string& text, const std::string& word) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string line = text.substr(at, end - at);
    if (line.find(word) == std::string::npos) out += line;
    at = end;
  }
  return out;
}

TEST_CASE("the design examples compile") {
  const std::string folder = test::example_folder();
  if (folder.empty()) return;
  Compiled compiled;
  for (const auto* name : {"adt_a01", "oru_r01", "vxu_v04", "lab_csv", "patient_to_a08", "obs_to_csv"}) {
    std::string text = test::read_text(folder + "/" + name + ".hmap");
    // They are the shipped package; here they stand beside it.
    text = replaced(text, "module std.v2fhir.", "module site.");
    text = replaced(text, "use std.v2fhir.adt", "use site.adt");
    text = without_line(without_line(text, "lookup Mpi"), "@mpi");
    text = without_line(text, "row    MpiRow");
    compiled.library.add_text(std::string(name) + ".hmap", text, compiled.diagnostics);
  }
  compiled.finish();
  for (const auto* name : {"site.adt.adt_a01", "site.oru.oru_r01", "site.vxu.vxu_v04", "acme.legacy.lab_csv",
                           "acme.outbound.patient_to_a08", "acme.extract.obs_to_csv"}) {
    INFO(name);
    CHECK(compiled.result.find_map(name) != nullptr);
  }
  CHECK(compiled.result.find_map("site.adt.adt_a01")->can_reject);
  CHECK(!compiled.result.find_map("acme.extract.obs_to_csv")->can_reject);
}

TEST_CASE("the datatype maps of the design examples compile") {
  const std::string folder = test::example_folder();
  if (folder.empty()) return;
  Compiled compiled;
  compiled.library.add_text(
      "datatypes.hmap",
      replaced(test::read_text(folder + "/datatypes.hmap"), "module std.v2fhir.", "module site."),
      compiled.diagnostics);
  compiled.finish();
}

}  // namespace
}  // namespace kiln::mappings
