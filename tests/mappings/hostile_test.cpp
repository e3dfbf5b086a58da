// Maps and inputs that want to hang or exhaust the engine: every run ends, soon, with a result that says why
// (hmap.md §15, §20).

#include <catch2/catch.hpp>
#include <chrono>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "tests/mappings/runtime_support.h"

namespace kiln::mappings::test {

namespace {

struct Ran {
  Runner runner;
  RunResult result;
  double seconds = 0;
};

std::unique_ptr<Ran> run(const std::string& text, const std::string& message) {
  const Maps maps("module t\n" + text);
  const Program program = maps.program("m");
  REQUIRE(program);
  const OwnedInput input(".hl7", message, program);
  auto ran = std::make_unique<Ran>();
  const auto begin = std::chrono::steady_clock::now();
  ran->result = ran->runner.run(program, input.get(), test_context());
  ran->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return ran;
}

std::string message(const std::string& rest) {
  return "MSH|^~\\&|A|GHH|B|C|20250818112603+0100||ADT^A01^ADT_A01|M1|P|2.5.1\r" + rest;
}

std::string repeated(const std::string& one, std::size_t count, const std::string& separator) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "" : separator) + one;
  return out;
}

/// Generous, because the machine that tests may be busy; without budgets these runs take minutes to for ever.
constexpr double kSecondsMax = 60;

}  // namespace

/// What the compiler says of it; with the facts of a run when it says nothing.
std::string loaded(const std::string& text) {
  Library library;
  base::Diagnostics diagnostics;
  library.add_text("t.hmap", text, diagnostics);
  library.link(diagnostics);
  const CompiledLibrary compiled = compile(library, diagnostics);
  if (diagnostics.ok()) CHECK(compiled.program("m"));
  return base::render(diagnostics, library.sources());
}

TEST_CASE("hostile: fragments that include each other many times are refused", "[hostile]") {
  std::string text = "module t\nfragment F0(PID: hl7 PID) -> Patient { name += { text = PID-3[1].1 } }\n";
  for (int level = 1; level <= 30; ++level) {
    text += "fragment F" + std::to_string(level) + "(PID: hl7 PID) -> Patient {" +
            repeated(" include F" + std::to_string(level - 1), 8, "") + " }\n";
  }
  text += "map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction { create p: Patient { include F30 } }\n";
  const std::string said = loaded(text);
  CHECK(said.find("error[E0008]: the fragments of this map come to more than 10000 statements") != std::string::npos);
  CHECK(said.find("t.hmap:2:") != std::string::npos);
  CHECK(said.find("help: ") != std::string::npos);
}

TEST_CASE("hostile: constants that double are refused", "[hostile]") {
  std::string text = "module t\nconst c0 = \"0123456789\"\n";
  for (int level = 1; level <= 30; ++level) {
    text += "const c" + std::to_string(level) + " = \"" +
            repeated("${c" + std::to_string(level - 1) + "}", 10, "") + "\"\n";
  }
  text += "map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction { create p: Patient { name += { text = c30 } } }\n";
  const std::string said = loaded(text);
  CHECK(said.find("error[E0008]: constant c4 comes to ") != std::string::npos);
  CHECK(said.find("a constant may have 4096 parts and 65536 bytes") != std::string::npos);
  CHECK(said.find("c5") == std::string::npos);  // said once, at its cause
}

TEST_CASE("hostile: fns that call each other many times are loaded at once", "[hostile]") {
  std::string text = "module t\nfn f0(a: string?) -> string? = \"${a}\"\n";
  for (int level = 1; level <= 60; ++level) {
    text += "fn f" + std::to_string(level) + "(a: string?) -> string? = \"" +
            repeated("${f" + std::to_string(level - 1) + "(a)}", 8, "") + "\"\n";
  }
  text += "fn g0(a: string?) -> string? = a\n";
  for (int level = 1; level <= 60; ++level) {
    const std::string call = "g" + std::to_string(level - 1) + "(a)";
    text += "fn g" + std::to_string(level) + "(a: string?) -> string? = if a == \"x\" then " + call + " else " + call + "\n";
  }
  text += R"(map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create p: Patient { name += { text = g60(PID-3[1].1) }  name += { text = f60(PID-3[1].1) }  name += { text = PID-3[1].1 if f60(PID-3[1].1) is valued } }
})";
  CHECK(loaded(text) == "");
}

TEST_CASE("hostile: nested loops end with the instruction budget", "[hostile]") {
  const auto ran = run(R"(
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  for each a in PID-3[*] { for each b in PID-3[*] { for each c in PID-3[*] {
    warn "never" if a.1 == b.2
  } } }
})",
                       message("PID|1||" + repeated("X", 1000, "~") + "\r"));
  CHECK(ran->result.outcome == Outcome::failed);
  CHECK(ran->result.error == base::ErrorCode::limit_exceeded);
  CHECK(ran->result.reason == "the map took too many steps");
  CHECK(ran->seconds < kSecondsMax);
}

TEST_CASE("hostile: a run ends with its time, by the clock it is given", "[hostile]") {
  /// Every look costs a millisecond.
  struct SlowClock final : base::Clock {
    mutable std::int64_t looks = 0;
    base::WallTime wall() const override { return {}; }
    base::MonoTime mono() const override { return std::chrono::milliseconds(looks++); }
  };
  const Maps maps(R"(module t
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  for each a in PID-3[*] { for each b in PID-3[*] {
    warn "never" if a.1 != b.1
  } }
})");
  const Program program = maps.program("m");
  const OwnedInput input(".hl7", message("PID|1||" + repeated("X", 300, "~") + "\r"), program);
  Runner runner;
  RunContext context = test_context();
  const RunResult free = runner.run(program, input.get(), context);
  CHECK(free.ok());
  REQUIRE(free.steps > 100'000);
  // Enough time: the same result, and the clock was looked at once in thousands of steps.
  SlowClock clock;
  context.clock = &clock;
  const RunResult timed = runner.run(program, input.get(), context);
  CHECK(timed.ok());
  CHECK(timed.steps == free.steps);
  CHECK(clock.looks > 10);
  CHECK(clock.looks < 200);
  // Too little: it ends at the look behind the limit, with a result that says so, and the runner goes on.
  clock.looks = 0;
  context.milliseconds_max = 5;
  const RunResult late = runner.run(program, input.get(), context);
  CHECK(late.outcome == Outcome::failed);
  CHECK(late.error == base::ErrorCode::limit_exceeded);
  CHECK(late.reason == "the map took too long");
  CHECK(late.output.empty());
  CHECK(late.steps < 100'000);
  context.clock = nullptr;
  CHECK(runner.run(program, input.get(), context).output == free.output);
}

TEST_CASE("hostile: texts that double end with the memory or work budget", "[hostile]") {
  std::string text = "map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\n  let t0 = PID-5.1.1\n";
  for (int i = 1; i <= 60; ++i) {
    const std::string before = "t" + std::to_string(i - 1);
    text += "  let t" + std::to_string(i) + " = \"${" + before + "}${" + before + "}\"\n";
  }
  text += "  create patient: Patient { name += { text = t60 } }\n}";
  const auto ran = run(text, message("PID|1||X||EVERYMAN\r"));
  CHECK(ran->result.outcome == Outcome::failed);
  CHECK(ran->result.error == base::ErrorCode::limit_exceeded);
  CHECK(ran->seconds < kSecondsMax);
}

TEST_CASE("hostile: functions that blow texts up are bounded", "[hostile]") {
  const std::string five_mb(5u << 20, 'a');
  const std::string text = R"(
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  on bad warn
  create patient: Patient { name += { text = FUNCTION } }
})";
  for (const char* function :
       {R"(replace(PID-5.1.1, "a", PID-5.1.1))", R"(join(PID-5.1.1, split(PID-5.1.1, "a")))",
        R"(join(PID-5.1.1, PID-5.1.1, PID-5.1.1, PID-5.1.1, PID-5.1.1, PID-5.1.1, PID-5.1.1, PID-5.1.1))"}) {
    INFO(function);
    std::string map = text;
    map.replace(map.find("FUNCTION"), 8, function);
    const auto ran = run(map, message("PID|1||X||" + five_mb + "\r"));
    CHECK((ran->result.outcome == Outcome::ok_with_warnings || ran->result.outcome == Outcome::failed ||
           ran->result.outcome == Outcome::ok));
    CHECK(ran->result.output.size() < base::limits::kMapOutputBytesMax + 1024);
    CHECK(ran->seconds < kSecondsMax);
  }
}

TEST_CASE("hostile: regular expressions run in linear time", "[hostile]") {
  std::string subject(1u << 20, 'a');
  subject += '!';
  const auto ran = run(R"(
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient {
    active = PID-5.1.1 matches re"^(a+)+$"
    name += { text = match PID-5.1.1 { re"^(a|aa)+$" => "x"  _ => "none" } }
  }
})",
                       message("PID|1||X||" + subject + "\r"));
  CHECK(ran->result.ok());
  CHECK(ran->result.output.find("\"active\":false") != std::string::npos);
  CHECK(ran->seconds < kSecondsMax);
}

TEST_CASE("hostile: the same long text read again and again counts as work", "[hostile]") {
  const std::string four_mb(4u << 20, 'a');
  const auto ran = run(R"(
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  for each a in PID-3[*] {
    warn "never" if PID-5.1.1 matches re"b$"
  }
})",
                       message("PID|1||" + repeated("X", 10000, "~") + "||" + four_mb + "\r"));
  CHECK(ran->result.outcome == Outcome::failed);
  CHECK(ran->seconds < kSecondsMax);
}

TEST_CASE("hostile: an output beyond its budget is none", "[hostile]") {
  const auto ran =
      run(R"(
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  for each a in PID-3[*] {
    create other: Patient { name += { text = PID-5.1.1 } }
  }
})",
          message("PID|1||" + repeated("X", 2000, "~") + "||" + std::string(100'000, 'x') + "\r"));
  CHECK(ran->result.outcome == Outcome::failed);
  CHECK(ran->result.error == base::ErrorCode::limit_exceeded);
  CHECK(ran->result.output.empty());
  CHECK(ran->seconds < kSecondsMax);
}

TEST_CASE("hostile: diagnostics are kept up to a number, the rest is counted", "[hostile]") {
  const auto ran = run(R"(
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  for each a in PID-3[*] {
    create other: Patient { birthDate = a.1 as date }
  }
})",
                       message("PID|1||" + repeated("nodate", 2000, "~") + "\r"));
  CHECK(ran->result.outcome == Outcome::ok_with_warnings);
  CHECK(ran->result.diagnostics.size() == 100);
  CHECK(ran->result.dropped_diagnostics >= 1900);  // beside each bad date: nothing was written
}

TEST_CASE("hostile: the runner is as good as new after a run beyond its limits", "[hostile]") {
  const Maps maps(R"(module t
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction { create patient: Patient { name += { text = PID-5.1.1 } } }
)");
  const Program program = maps.program("m");
  const OwnedInput input(".hl7", message("PID|1||X||EVERYMAN\r"), program);
  Runner runner;
  const std::string fine = runner.run(program, input.get(), test_context()).output;
  RunContext tight = test_context();
  tight.steps_max = 3;
  CHECK(runner.run(program, input.get(), tight).outcome == Outcome::failed);
  CHECK(runner.run(program, input.get(), test_context()).output == fine);
}

}  // namespace kiln::mappings::test
