// A rule that is left out because its components or fields are empty (detail/guards.h) must not be missed:
// the same map with conditions that no guard can see through gives the same output, notes and unread fields.

#include "mappings/detail/guards.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "runtime_support.h"

namespace kiln::mappings::test {
namespace {

/// `@` stands for nothing or a condition, `%` for nothing or one more condition.
constexpr std::string_view kMap = R"(module test.guards
fn authority(hd: hl7 HD) -> uri? = match hd.3 { "ISO" => "urn:oid:${hd.2}"  "X" => hd.2  _ => hd.1 }
datatype CX -> Identifier {
  value = .1 @
  system = authority(.4) @
  type = { coding += { system = "urn:test" @  code = .5 @ } @  text = .5 ?? .9.1 @ } @
  period = { start = .7 @  end = .8 @ } @
  assigner.display = .4.1 if system is not valued %
  assigner.display ?= .3 if .2 == "x" %
}
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Patient { identifier += PID-3[*]  active = true }
)";

/// Rules of a map, guarded by fields.
constexpr std::string_view kFieldMap = R"(module test.guards
fn shout(t: string) -> string = match t { "a" => "A"  _ => upper(t) }
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create p: Patient {
    birthDate = PID-7 @
    active = true if PID-30 == "N" %
    gender = match PID-8.1 { "F" => "female"  "M" => "male" } @
    name += { family = shout(PID-5.1.1) @  text = "${PID-5.2} of ${PID-9.1}" @ } @
    multipleBirth = PID-25 as integer @
    multipleBirth ?= PID-24 as boolean @
    maritalStatus.text = PID-16.2 ?? PID-16.1 if PID-16 is valued and PID-8.1 in ["F", "M"] %
    deceased = true if PID-30 == "Y" or PID-29 is valued %
    for each v in PID-13[*] { telecom += { value = v.1 @  use = "home" if v.2 == "PRN" % } }
    address += { city = PID-11[1].3 @  use = "old" if PID-11[1].7 matches "^(H|L)$" % } @
  }
  for each NK1 { create k: RelatedPerson { patient = ref p  gender = NK1-15 via Sex else warn "unknown" @ } }
}
table Sex { "F" => "female" "M" => "male" }
)";

std::string map_text(std::string_view map, bool guarded) {
  std::string text;
  for (const char c : map) {
    if (c == '@') {
      text += guarded ? "" : "if run.channel == \"test\"";
    } else if (c == '%') {
      text += guarded ? "" : "and run.channel == \"test\"";
    } else {
      text += c;
    }
  }
  return text;
}

std::size_t guards_in(const Program& program) {
  const std::vector<detail::StatementGuard> guards = detail::statement_guards(program.unit());
  return static_cast<std::size_t>(std::count_if(guards.begin(), guards.end(), [](const auto& guard) {
    return guard.of != detail::StatementGuard::kNothing;
  }));
}

std::string run(const Program& program, const std::string& fields) {
  const OwnedInput input(
      ".hl7", "MSH|^~\\&|A|B|C|D|20260302||ADT^A01^ADT_A01|1|P|2.5.1\nPID|1||" + fields + "\n", program);
  Runner runner;
  const RunContext context = test_context();
  const RunResult& result = runner.run(program, input.get(), context);
  std::string seen = std::string(name_of(result.outcome)) + " " + result.output;
  for (const RunDiagnostic& diagnostic : result.diagnostics) {
    seen += "\n" + std::string(diagnostic.code) + " " + diagnostic.source + " " + diagnostic.text;
  }
  for (const std::string& path : runner.unread()) seen += "\nunread " + path;
  return seen;
}

}  // namespace

TEST_CASE("a rule left out by its guard would have done nothing") {
  const Maps with(map_text(kMap, true)), without(map_text(kMap, false));
  const Program guarded = with.program("test.guards.m"), plain = without.program("test.guards.m");
  REQUIRE(guarded);
  REQUIRE(plain);
  REQUIRE(guards_in(guarded) >= guards_in(plain) + 8);
  constexpr const char* kAuthorities[] = {"", "A&1.2.3&ISO", "A", "&", "&9&X", "\"\""};
  constexpr const char* kParts[][2] = {{"1", "7"},    {"2", "x"},    {"3", "M10"}, {"5", "MR"},
                                       {"7", "2020"}, {"8", "soon"}, {"9", "C&D"}, {"10", "E&F"}};
  for (unsigned subset = 0; subset < 256; ++subset) {
    for (const char* authority : kAuthorities) {
      std::string parts[10];
      parts[3] = authority;
      for (unsigned i = 0; i < 8; ++i) {
        if ((subset >> i & 1) != 0) parts[std::stoul(kParts[i][0]) - 1] = kParts[i][1];
      }
      std::string field;
      for (const std::string& part : parts) field += part + "^";
      INFO(field);
      const std::string seen = run(guarded, field);
      REQUIRE(seen == run(plain, field));
      REQUIRE(run(guarded, "1~" + field + "~\"\"") == run(plain, "1~" + field + "~\"\""));
    }
  }
}

TEST_CASE("a rule of a map left out by its guard would have done nothing") {
  const Maps with(map_text(kFieldMap, true)), without(map_text(kFieldMap, false));
  const Program guarded = with.program("test.guards.m"), plain = without.program("test.guards.m");
  REQUIRE(guarded);
  REQUIRE(plain);
  REQUIRE(guards_in(guarded) >= guards_in(plain) + 4);
  constexpr std::pair<int, const char*> kFields[] = {{5, "a^b~c"},
                                                     {7, "1980"},
                                                     {8, "F"},
                                                     {9, "x^y"},
                                                     {11, "s^^Aarhus^^^^L"},
                                                     {13, "1^PRN~\"\"~&^2"},
                                                     {16, "M"},
                                                     {24, "\"\""},
                                                     {25, "second"},
                                                     {29, "2020"},
                                                     {30, "N"},
                                                     {30, "Y"}};
  for (unsigned subset = 0; subset < 1u << std::size(kFields); ++subset) {
    std::string fields[31];
    for (std::size_t i = 0; i < std::size(kFields); ++i) {
      if ((subset >> i & 1) != 0) fields[kFields[i].first] = kFields[i].second;
    }
    std::string text;
    for (int i = 3; i <= 30; ++i) text += fields[i] + "|";
    for (const char* more : {"", "\nNK1|1|a^b|||||||||||||F", "\nNK1|1||SPO\nNK1|2|||||||||||||X"}) {
      INFO(text + more);
      REQUIRE(run(guarded, text + more) == run(plain, text + more));
    }
  }
}

}  // namespace kiln::mappings::test
