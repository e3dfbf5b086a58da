// Lineage as people ask for it: by output path, by source, unread fields, and between two versions of a map.

#include "mappings/explain.h"

#include <catch2/catch.hpp>

#include "hl7/message.h"
#include "mappings/compiler.h"

namespace kiln::mappings::test {
namespace {

const char* const kMap = R"(module acme
use std.v2fhir.datatypes

map adt(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  on bad omit
  create patient: Patient identity PID-3[1] request upsert {
    name     += PID-5[*]
    gender    = PID-8.1 via AdministrativeSex else warn "unknown"
    birthDate = PID-7 on bad warn
    deceased  = PID-29 as dateTime
    active    = true
  }
}
)";

const char* const kMessage =
    "MSH|^~\\&|ADT|GHH|EHR|GHH|20250818112603+0100||ADT^A01^ADT_A01|M1|P|2.5.1\r"
    "PID|1||PATID1^^^GHH&1.2.840&ISO^MR||EVERYMAN^ADAM~SMITH^A||196106|X|||||||||||||||||||||20250101\r"
    "PV1|1|I\r";

/// A compiled text and one run of it; parts refer to each other.
struct Case {
  Library library;
  CompiledLibrary compiled;
  Program program;
  hl7::Message message;
  Runner runner;
  RunResult* result = nullptr;
  Explanation explanation;

  explicit Case(const std::string& map, const std::string& text = kMessage)
      : message(*hl7::Message::parse(text)) {
    base::Diagnostics diagnostics;
    library.add_text("maps/acme.hmap", map, diagnostics);
    library.link(diagnostics);
    compiled = compile(library, diagnostics);
    INFO(base::render(diagnostics, library.sources()));
    REQUIRE(diagnostics.ok());
    program = compiled.program("acme.adt");
    RunContext context;
    context.channel = "test";
    const RunInput input = static_cast<const hl7::Message*>(&message);
    result = &runner.run(program, input, context);
    INFO(result->reason);
    REQUIRE(result->ok());
    auto made = Explanation::of(library, program, input, runner, *result);
    REQUIRE(made);
    explanation = std::move(*made);
  }
};

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

std::vector<std::string> paths(const std::vector<const ExplainedValue*>& values) {
  std::vector<std::string> out;
  for (const ExplainedValue* value : values) out.push_back(value->path + " = " + value->value);
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("explain: a value names its rule, place, source, conversion and policy", "[explain]") {
  const Case run(kMap);
  const auto found = run.explanation.at("Patient.birthDate");
  REQUIRE(found.size() == 1);
  CHECK(render(*found[0]) ==
        "Bundle.entry[0].resource.birthDate = \"1961-06\"\n"
        "  rule   acme:adt/patient.birthDate                 maps/acme.hmap:9\n"
        "  from   PID-7 = \"196106\"  (line 2, col 60)         TS -> date, precision month\n"
        "  policy on bad warn (this rule)\n");
}

TEST_CASE("explain: paths by type, handle, Bundle entry and choice; a shorter one finds what is below",
          "[explain]") {
  const Case run(kMap);
  const Texts birth = {"Bundle.entry[0].resource.birthDate = \"1961-06\""};
  CHECK(paths(run.explanation.at("patient.birthDate")) == birth);
  CHECK(paths(run.explanation.at("Bundle.entry[0].resource.birthDate")) == birth);
  CHECK(paths(run.explanation.at("Patient.deceased")) ==
        Texts{"Bundle.entry[0].resource.deceasedDateTime = \"2025-01-01\""});
  CHECK(run.explanation.at("Patient.name").size() == 4);
  CHECK(paths(run.explanation.at("Patient.name[1].family")) ==
        Texts{"Bundle.entry[0].resource.name[1].family = \"SMITH\""});
  CHECK(run.explanation.at("Patient.nam").empty());
  CHECK(run.explanation.at("Encounter").empty());
  const auto constant = run.explanation.at("Patient.active");
  REQUIRE(constant.size() == 1);
  CHECK(constant[0]->sources.empty());
  CHECK(render(*constant[0]).find("from   the map itself: true") != std::string::npos);
  CHECK(constant[0]->policy == "on bad omit (map adt, line 5)");
}

TEST_CASE("explain: from a source to what it gave", "[explain]") {
  const Case run(kMap);
  CHECK(paths(run.explanation.from("PID-5[2]")) ==
        Texts{"Bundle.entry[0].resource.name[1].family = \"SMITH\"",
              "Bundle.entry[0].resource.name[1].given[0] = \"A\""});
  CHECK(paths(run.explanation.from("PID-8")) == Texts{"Bundle.entry[0].resource.gender = \"unknown\""});
  const auto notes = run.explanation.notes_from("PID-8");
  REQUIRE(notes.size() == 1);
  CHECK(notes[0]->code == "unmapped-code");
  CHECK(run.explanation.from("PID-1").empty());
}

TEST_CASE("explain: fields that no rule read come with name and value", "[explain]") {
  const Case run(kMap);
  const auto unread = run.explanation.unread();
  const auto is = [](const char* path) {
    return [path](const ExplainedSource& one) { return one.path == path; };
  };
  const auto set_id = std::find_if(unread.begin(), unread.end(), is("PID-1"));
  REQUIRE(set_id != unread.end());
  CHECK(set_id->value == "1");
  CHECK(set_id->line == 2);
  CHECK_FALSE(set_id->name.empty());
  CHECK(std::none_of(unread.begin(), unread.end(), is("PID-7")));
}

TEST_CASE("explain: every valued leaf of an input with whether it was read", "[explain]") {
  const Case run(kMap);
  std::string listed;
  for (const InputValue& value : run.runner.input_values())
    if (value.path.starts_with("PID")) listed += value.path + (value.read ? " read\n" : " unread\n");
  // PID-5[2] counts under the same path as PID-5[1]; PID-3.4 has subcomponents.
  CHECK(listed ==
        "PID-1 unread\n"
        "PID-3.1 read\nPID-3.4.1 read\nPID-3.4.2 read\nPID-3.4.3 read\nPID-3.5 read\n"
        "PID-5.1 read\nPID-5.2 read\nPID-5.1 read\nPID-5.2 read\n"
        "PID-7 read\nPID-8 read\nPID-29 read\n");
}

TEST_CASE("explain: two versions of a map differ by rule", "[explain]") {
  const Case before(kMap);
  CHECK(difference(before.explanation, before.explanation).empty());
  const Case after(replaced(replaced(kMap, "warn \"unknown\"", "\"other\""), "    active    = true\n", ""));
  const auto changes = difference(before.explanation, after.explanation);
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].after == nullptr);
  CHECK(changes[0].before->rule == "acme:adt/patient.active");
  CHECK(changes[1].before->value == "\"unknown\"");
  CHECK(changes[1].after->value == "\"other\"");
  CHECK(changes[1].after->place == "maps/acme.hmap:8");
}

TEST_CASE("explain: source paths meet when one lies in the other", "[explain]") {
  CHECK(source_paths_meet("PID-3", "PID-3[2].4.1"));
  CHECK(source_paths_meet("NK1[2]-5[1]", "NK1-5"));
  CHECK(source_paths_meet("PID-3[*].1", "PID-3[7].1"));
  CHECK_FALSE(source_paths_meet("PID-3[1]", "PID-3[2]"));
  CHECK_FALSE(source_paths_meet("PID-3.1", "PID-3.2"));
  CHECK_FALSE(source_paths_meet("PID-3", "PID-30"));
  CHECK(source_paths_meet("Patient.name[0].family", "Patient.name"));
  CHECK_FALSE(source_paths_meet("Patient.name", "Patient.names"));
  CHECK(source_paths_meet("row 3 column taken", "taken"));
  CHECK_FALSE(source_paths_meet("", "PID-3"));
}

}  // namespace kiln::mappings::test
