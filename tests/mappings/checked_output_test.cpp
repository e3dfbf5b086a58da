// What the compiler cannot know is looked at by the run: codes of required bindings, segments that a structure demands,
// references to what is created later.

#include <catch2/catch.hpp>

#include "tests/mappings/runtime_support.h"

namespace kiln::mappings::test {

namespace {

struct Ran {
  RunResult result;
  std::string notes;
};

Ran run(const std::string& text, const std::string& message_text) {
  const Maps maps("module t\n" + text);
  const Program program = maps.program("t.m");
  REQUIRE(program);
  const OwnedInput input(".hl7", message_text, program);
  Runner runner;
  Ran ran{runner.run(program, input.get(), test_context()), {}};
  for (const RunDiagnostic& note : ran.result.diagnostics)
    ran.notes += std::string(note.code) + " | " + note.text + " | " + note.source + "\n";
  return ran;
}

std::string message(const std::string& rest) {
  return "MSH|^~\\&|A|GHH|B|C|20250818112603+0100||ADT^A01^ADT_A01|M1|P|2.5.1\r" + rest;
}

Ran patient(const std::string& rules, const std::string& sex, const std::string& declarations = {}) {
  return run(declarations + "map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\n  create p: Patient { name += { text = "
                            "PID-3[1].1 }\n" + rules + " }\n}",
             message("PID|1||4711||E|||" + sex + "\r"));
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The errors of a map; empty when there is none.
std::string errors(const std::string& rules) {
  Library library;
  base::Diagnostics diagnostics;
  library.add_text("t.hmap", "module t\nmap m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\n" + rules + "\n}\n",
                   diagnostics);
  library.link(diagnostics);
  compile(library, diagnostics);
  return base::render(diagnostics, library.sources());
}

}  // namespace

TEST_CASE("required binding: a code that is not proven is asked for when it is written") {
  const std::string said = "bad-value | not a code of required value set administrative-gender";
  const std::string sex = "table S { \"M\" => \"male\" }\n";
  for (const std::string rule :
       {"gender = PID-8.1 as code", "gender = \"${PID-8.1}\"", "gender = lower(PID-8.1)", "gender = PID-8.1 via S else keep"}) {
    INFO(rule);
    const Ran wrong = patient(rule, "X", sex);
    CHECK_FALSE(has(wrong.result.output, "gender"));
    CHECK(has(wrong.notes, said));
    CHECK(has(wrong.notes, "PID-8"));
    // What is in the set passes without a word.
    const Ran right = patient(rule, "female", sex);
    CHECK(has(right.result.output, "\"gender\":\"female\""));
    CHECK_FALSE(has(right.notes, "bad-value"));
  }
  CHECK_FALSE(has(patient("let x = \"mann\"\n gender = x", "M").result.output, "mann"));
  CHECK_FALSE(has(patient("gender = g(PID-8.1)", "M", "fn g(a: string?) -> code? = a ?? \"none\"\n").result.output, "gender"));
}

TEST_CASE("required binding: the policy of the rule decides") {
  const Ran rejected = patient("on bad reject AE 103 \"sex\"\n gender = PID-8.1 as code", "X");
  CHECK(rejected.result.outcome == Outcome::rejected);
  const Ran instead = patient("gender = PID-8.1 as code on bad \"unknown\"", "X");
  CHECK(has(instead.result.output, "\"gender\":\"unknown\""));
}

TEST_CASE("constants that cannot be right are errors") {
  CHECK(has(errors("create p: Patient { id = \"a b\" }"), "error[E0204]: \"a b\" is no id"));
  CHECK(has(errors("create p: Patient { language = \" de \" }"), "error[E0204]: \" de \" is no code"));
  CHECK(has(errors("create p: Patient { birthDate = \"1961-13-45\" as date }"), "error[E0204]: \"1961-13-45\" is no date"));
  CHECK(errors("create p: Patient { id = \"a-1\"  language = \"de\"  birthDate = \"1961-06\" as date }") == "");
}

TEST_CASE("references: the order of the creates does not matter") {
  const std::string first = "create p: Patient { name += { text = PID-3[1].1 }  managingOrganization = ref q }\n";
  const std::string second = "create q: Organization { name = PID-3[1].4.1 }\n";
  const std::string head = "map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\n";
  const std::string with = message("PID|1||4711^^^HOSP||E\r"), without = message("PID|1||4711||E\r");
  const Ran forward = run(head + first + second + "}", with);
  const Ran backward = run(head + second + first + "}", with);
  const auto reference = [](const std::string& output) {
    const std::size_t at = output.find("\"managingOrganization\":{\"reference\":\"");
    return at == std::string::npos ? std::string() : output.substr(at, output.find('}', at) - at);
  };
  CHECK(reference(forward.result.output) == reference(backward.result.output));
  CHECK(reference(forward.result.output) != "");
  const Ran elided = run(head + first + second + "}", without);
  CHECK(reference(elided.result.output) == "");
  CHECK(has(elided.notes, "elided-reference | the resource `q` was not created"));
}

TEST_CASE("references: in a loop each iteration means its own, also when one is not created") {
  const std::string text = R"(map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  for each c in PID-3[*] {
    create p: Patient { name += { text = c.1 }  managingOrganization = ref q }
    create q: Organization if c.4.1 is valued { name = c.4.1 }
  }
})";
  const Ran ran = run(text, message("PID|1||1^^^A~2~3^^^C||E\r"));
  const std::string& out = ran.result.output;
  REQUIRE(ran.result.created.size() == 5);
  CHECK(has(ran.notes, "elided-reference | the resource `q` was not created"));
  std::vector<std::string> references;
  for (std::size_t at = 0; (at = out.find("\"managingOrganization\":{\"reference\":\"", at)) != std::string::npos; ++at)
    references.push_back(out.substr(at + 37, out.find('"', at + 37) - at - 37));
  REQUIRE(references.size() == 2);
  CHECK(references[0] != references[1]);
  for (const std::string& target : references) CHECK(has(out, "\"fullUrl\":\"" + target + "\""));
}

TEST_CASE("v2 target: a required segment whose rules gave nothing is told") {
  const std::string rules = R"(
  EVN-2 = PID-29
  PID-3 += PID-3[where .5 == "NO"]
  PV1-2 = PV1-2
})";
  const std::string head = "map m(msg: hl7 ADT_A01 2.5.1) -> hl7 ADT_A08 2.5.1 {\n";
  const std::string input = message("PID|1||4711||E\rPV1|1|I\r");
  const Ran told = run(head + rules, input);
  INFO(told.notes << told.result.output);
  CHECK(told.result.outcome == Outcome::ok_with_warnings);
  CHECK(has(told.notes, "missing-segment | the message has no PID, which ADT_A01 requires: its rules gave nothing"));
  CHECK_FALSE(has(told.notes, "no PV1"));
  const Ran aside = run(head + "on missing quarantine" + rules, input);
  CHECK(aside.result.outcome == Outcome::quarantined);
  CHECK(aside.result.output.empty());
}

}  // namespace kiln::mappings::test
