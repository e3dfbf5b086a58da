// A run depends on nothing but its input (hmap.md §1, principle 4): generated messages give the same bytes,
// findings and lineage on every thread, in every order, on new Runners and on used ones.

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <random>
#include <thread>
#include <vector>

#include "golden.h"
#include "runtime_support.h"
#include "tests/support/files_in.h"

namespace kiln::mappings::test {
namespace {

/// What may be wrong with a message: parts missing, doubled, null, with delimiters, escapes and foreign bytes
/// in them.
std::string mutant(std::string message, std::mt19937& random) {
  static const char* const kPieces[] = {"|\"\"|",   "||", "~",   "^",  "&",    "\\T\\", "\\.br\\",
                                        "\xC3\xA9", "\"", "|X|", "^^", "2026", "\n"};
  const auto below = [&](std::size_t bound) { return random() % bound; };
  for (std::size_t i = below(4) + 1; i > 0; --i) {
    const std::size_t at = 9 + below(message.size() - 9);
    const char bound = below(2) == 0 ? '|' : '\n';  // a field or a segment is doubled
    const std::size_t begin = message.rfind(bound, at), end = message.find(bound, at);
    if (below(3) == 0) {
      message.erase(at, 1 + below(3));
    } else if (below(2) == 0 || begin == message.npos || end == message.npos) {
      message.insert(at, kPieces[below(std::size(kPieces))]);
    } else {
      message.insert(end, (bound == '|' ? "~" : "\n") + message.substr(begin + 1, end - begin - 1));
    }
  }
  return message;
}

struct Input {
  Program program;
  hl7::Message message;
};

std::vector<Input> inputs() {
  static const Maps maps(read_text(test_path("golden/maps/maps.hmap")));
  std::vector<Input> made;
  std::mt19937 random(471);
  for (const std::string& file : files_of(test_path("golden/maps"), ".hl7")) {
    const std::string stem = std::filesystem::path(file).stem().string();
    const Program program = maps.program(stem.substr(0, stem.find("__")));
    const std::string original = read_text(file);
    for (int i = 0; i < 40; ++i) {
      std::string text = i == 0 ? original : mutant(original, random);
      std::replace(text.begin(), text.end(), '\n', '\r');
      if (auto message = hl7::Message::parse(std::move(text))) made.push_back({program, std::move(*message)});
    }
  }
  // The shipped maps: much of what they do is remembered from message to message.
  const Program shipped = maps.program("std.v2fhir");
  for (const std::string& file : kiln::test::files_in(test_path("golden/v2fhir"), ".hl7")) {
    std::string text = read_text(file);
    std::replace(text.begin(), text.end(), '\n', '\r');
    for (int i = 0; i < 4; ++i) {
      auto message = hl7::Message::parse(i == 0 ? text : mutant(text, random));
      if (message) made.push_back({shipped, std::move(*message)});
    }
  }
  return made;
}

/// Everything that a run says.
std::string run(Runner& runner, const Input& input) {
  const RunResult& result = runner.run(input.program, &input.message, test_context());
  std::string all = std::string(name_of(result.outcome)) + "\n" + result.reason + "\n" + result.location +
                    "\n" + result.output + "\n" + std::to_string(result.steps) + "\n";
  for (const RunDiagnostic& found : result.diagnostics) {
    all.append(found.code).append(" ").append(found.text).append(" ").append(found.rule);
    all.append(" ").append(found.source).append(" ").append(found.value).append("\n");
  }
  for (const LineageRecord& record : result.lineage) {
    all += std::to_string(record.rule) + " " + std::to_string(record.output);
    for (const std::string& path : runner.source_paths(record.source)) all += " " + path;
    all += "\n";
  }
  for (const std::string& path : runner.unread()) all += path + "\n";
  return all;
}

std::vector<std::string> run_all(const std::vector<Input>& inputs, bool backwards) {
  std::vector<std::string> results(inputs.size());
  Runner runner;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::size_t at = backwards ? inputs.size() - 1 - i : i;
    results[at] = run(runner, inputs[at]);
  }
  return results;
}

TEST_CASE("a run depends on its input alone", "[runtime][property]") {
  const std::vector<Input> all = inputs();
  REQUIRE(all.size() > 200);
  std::vector<std::string> forwards, backwards;
  std::thread one([&] { forwards = run_all(all, false); });
  std::thread other([&] { backwards = run_all(all, true); });
  one.join();
  other.join();
  std::size_t written = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO(all[i].message.bytes());
    Runner fresh;
    const std::string expected = run(fresh, all[i]);
    REQUIRE(forwards[i] == expected);
    REQUIRE(backwards[i] == expected);
    if (!expected.starts_with("failed") && !expected.starts_with("rejected")) ++written;
  }
  CHECK(written > 100);
}

/// What is remembered of a call must not be told of another one that has the same texts from other places.
constexpr std::string_view kMemory = R"(module test.memory
use std.v2fhir.datatypes
use std.tables
table Letters { "M" => "male"  "F" => "female" }
fn same(x: string?) -> string? = if x == "zz" then omit else x
fn pair(a: string?, b: string?) -> string? = join("-", a, b)
fn both(a: hl7 CWE, b: hl7 CWE) -> string? = if a.1 is valued and b.2 is valued then "yes" else "no"
fn warned(x: string?) -> string? = x via Letters else warn "odd"
fn authority(hd: hl7 HD) -> string? = hd.2 ?? hd.1
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Patient {
  name += { text = same(PID-8.1 ?? "U")  family = warned(PID-22.1 ?? "Q") }
  name += { text = pair(PID-2.1, PID-4.1 ?? "X")  family = authority(MSH-3) }
  name += { text = both(PID-10, PID-22)  family = both(PID-10, PID-10) if PID-17 is valued }
  maritalStatus = PID-16 via MaritalStatus else keep
}
)";

TEST_CASE("what is remembered of a call is told of its own places and rules", "[runtime]") {
  const Maps maps((std::string(kMemory)));
  const Program program = maps.program("test.memory.m");
  std::vector<Input> made;
  for (const char* const pid :
       {"PID|1|P2|3", "PID|1|P2|3|X||||U||||||||||||||Q", "PID|1||3|||||||a^b||||||a^b|R",
        "PID|1||3|||||||a^b||||||||||||a^b", "PID|1||3|||||||||||||M^^^bad  code"}) {
    auto message = hl7::Message::parse("MSH|^~\\&|A|B|C|D|20260101120000||ADT^A01^ADT_A01|1|P|2.5.1\r" +
                                       std::string(pid) + "\rPV1|1|I\r");
    REQUIRE(message);
    made.push_back({program, std::move(*message)});
  }
  Runner used;
  for (int round = 0; round < 2; ++round) {
    for (const Input& input : made) {
      Runner fresh;
      CHECK(run(used, input) == run(fresh, input));
      for (std::uint64_t steps = 1; steps < 120; ++steps) {  // a run that ends early ends at the same place
        RunContext context = test_context();
        context.steps_max = steps;
        Runner other;
        const RunResult& a = used.run(program, &input.message, context);
        const RunResult& b = other.run(program, &input.message, context);
        REQUIRE(a.steps == b.steps);
        REQUIRE(a.diagnostics.size() == b.diagnostics.size());
        REQUIRE(used.unread() == other.unread());
      }
    }
  }
}

/// Objects that are kept are written into afterwards, merged, taken for identities and read by other rules.
constexpr std::string_view kObjects = R"(module test.objects
use std.v2fhir.datatypes
use std.tables
fn named(x: hl7 CX, house: string?) -> Identifier? = { value = x.1  system = authorityUri(x.4)  period = { start = x.7 } assigner.display = house } if x.1 is valued
fn twice(x: hl7 CWE) -> CodeableConcept? = x as CodeableConcept
map o(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create p: Patient identity PID-3[1] request upsert {
    identifier += PID-3[*]
    identifier += PID-3[*] each named(., MSH-4.1)
    name += PID-5[*]
    name[1].text = "also" if PID-17 is valued
    maritalStatus = PID-16 via MaritalStatus else keep
    maritalStatus.text ?= PID-16.5
    maritalStatus.text = "own" if PID-22 is valued @own override
    maritalStatus.coding += { code = "added" } if PID-26 is valued
    address += PID-11[*]
    telecom += PID-13[*]
  }
  create again: Patient identity PID-3[1] request upsert {
    name += PID-5[*]
    maritalStatus = PID-10
    gender = "other" if PID-8 == "M"
  }
  create codes: Observation {
    status = "final"
    code = twice(PID-10)
    code = PID-10 if PID-17 is valued @other override
    interpretation += PID-10
    interpretation += PID-16
    method = twice(PID-16)
    bodySite = PID-16 via MaritalStatus else keep
    value = PID-16 as CodeableConcept
    value = PID-10 as CodeableConcept if PID-10.2 is valued @better override
  }
}
)";

TEST_CASE("objects that were made before are as if they were made", "[runtime]") {
  const Maps maps((std::string(kObjects)));
  const Program program = maps.program("test.objects.o");
  std::vector<Input> made;
  for (const char* const pid : {"PID|1||7^^^A^MR^^20260101120000~7^^^A^MR||Li^Ma||19790411|M||a^b^c|H "
                                "4^^Aarhus~P 1||5550^PRN^PH||da|M^Married^HL70002|LUT",
                                "PID|1||7^^^A^MR^^20260101120000+0100~8||Li^Ma~Lo^Mu||19790411|F||a^b^c|H "
                                "4^^Aarhus||5550^PRN^PH||da|M^Married^HL70002",
                                "PID|1||7^^^A^MR^^2026||Li^Ma||19790411|M||a|H "
                                "4^^Aarhus||5550^PRN^PH||da|M^Married^HL70002^^^^^^so|LUT|||||x||||y",
                                "PID|1||7^^^^MR||Li^\"\"||19790411|M||\"\"||||||Q^odd^L||||||x||||y",
                                "PID|1|2|7^^^A^MR^^20260101120000~7^^^A^MR||Li^Ma||19790411|M||a^b^c~a^b^c|H "
                                "4^^Aarhus~P 1||5550^PRN^PH||da|M^Married^HL70002|LUT"}) {
    for (const char* const sent : {"20260101120000", "20260101120000-0500"}) {
      auto message = hl7::Message::parse("MSH|^~\\&|A|B|C|D|" + std::string(sent) +
                                         "||ADT^A01^ADT_A01|1|P|2.5.1\r" + std::string(pid) + "\rPV1|1|I\r");
      REQUIRE(message);
      made.push_back({program, std::move(*message)});
    }
  }
  Runner used;
  for (int round = 0; round < 4; ++round) {
    for (const Input& input : made) {
      Runner fresh;
      const std::string expected = run(fresh, input);
      REQUIRE(expected.starts_with("ok"));
      CHECK(run(used, input) == expected);
      CHECK(run(used, input) == expected);
      for (std::uint64_t steps = 1; steps < 400; steps += 3) {
        RunContext context = test_context();
        context.steps_max = steps;
        Runner other;
        const RunResult& a = used.run(program, &input.message, context);
        const RunResult& b = other.run(program, &input.message, context);
        REQUIRE(a.steps == b.steps);
        REQUIRE(used.unread() == other.unread());
      }
    }
  }
}

constexpr std::string_view kRows = R"(module test.rows
csv Row {
  delimiter ";"
  header true
  columns {
    a : dateTime "dd.MM.yyyy"
    b : string
  }
}
fn isDate(x: string?) -> string? = if (x as date) is valued then "date" else "none"
map rows(in: csv Row) -> fhir Bundle collection {
  on bad keep
  for each r in in {
    create p: Patient { name += { text = isDate(r.b)  family = isDate(r.a as string) } }
  }
}
)";

TEST_CASE("the text of a csv column is a date by its pattern, whatever another column held", "[runtime]") {
  const Maps maps((std::string(kRows)));
  const Program program = maps.program("test.rows.rows");
  const OwnedInput iso(".csv", "a;b\n01.03.2026;20260102\n", program),
      odd(".csv", "a;b\n20260102;7\n", program);
  Runner used;
  used.run(program, iso.get(), test_context());
  Runner fresh;
  const std::string expected = fresh.run(program, odd.get(), test_context()).output;
  CHECK(used.run(program, odd.get(), test_context()).output == expected);
}

}  // namespace
}  // namespace kiln::mappings::test
