// Maps a message again and again: parse alone, ADT^A01 with the shipped and with the example map, ORU^R01
// with 20 and 100 OBX.
//   bench_map [--seconds S] | --callgrind-iterations N CASE      (CASE: parse, adt, example, oru, oru100)
// The second form runs one case N times and nothing else, for instruction counts under valgrind; a few runs
// before them, in which the runner learns what it remembers from message to message, are not counted.
// `people` is a case whose messages are each of another person, visit and time: only codes, places and staff
// come again. The first also says what the lineage costs, and how long the check of a site of 2,000 lines
// takes.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/env.h"
#include "hl7/message.h"
#include "mappings/compiler.h"
#include "mappings/package.h"
#include "mappings/program.h"

namespace {

using namespace kiln;  // NOLINT(google-build-using-namespace): a program, not a header

std::string join(const std::vector<std::string>& segments) {
  std::string message;
  for (const std::string& segment : segments) message += segment + "\r";
  return message;
}

/// 1.2 KB; 11 entries.
std::string adt() {
  return join({
      "MSH|^~\\&|HIS|NORTH|KILN|NORTH|20260302081500+0100||ADT^A01^ADT_A01|N0000471|P|2.5.1|||AL|NE|||||",
      "EVN|A01|20260302081000|||OPER7^Clerk^Ada||20260302080500",
      "PID|1||70044^^^NORTH&1.2.36.77&ISO^MR~H-99812^^^KASSE&1.2.36.78&ISO^HC||Lindqvist^Marja^Tove^^Dr.^^L||"
      "19790411063000|F|"
      "Holm^Marja^^^^^M||Havnegade 4^2. th.^Aarhus^^8000^DK^H~Postboks 12^^Aarhus^^8001^DK^M||"
      "+45 5550 1234^PRN^PH~^NET^Internet^marja@example.org|+45 5550 "
      "9999^WPN^PH|da^Danish^ISO639|M^Married^HL70002|LUT|"
      "ACC7781^^^NORTH&1.2.36.82&ISO|||||||||N",
      "PD1||||0815^Okafor^Ben",
      "NK1|1|Lindqvist^Per^^^^^L|SPO^Spouse^HL70063|Havnegade 4^2. th.^Aarhus^^8000^DK|+45 5550 "
      "1235^PRN^PH||N",
      "NK1|2|Holm^Ingrid^^^^^L|MTH^Mother^HL70063|Skovvej 19^^Odense^^5000^DK|+45 5550 4321^PRN^PH||E",
      "PV1|1|I|M3^04^B^NORTH^^^^^Medical ward "
      "3|E|||0815^Okafor^Ben^^^Dr.^^^NORTH&1.2.36.79&ISO|0921^Meyer^Lis^^^Dr.^^^NORTH&1.2.36.79&"
      "ISO||MED||||7|||0815^Okafor^Ben|IN|V77123^^^NORTH&1.2.36.80&ISO|||||||||||||||||||||||||"
      "20260302080000",
      "AL1|1|DA|70618^Penicillin^SCT|SV|Rash~Itching|20150301",
      "AL1|2|FA|762952008^Peanut^SCT|MO|Swelling|2001",
      "DG1|1||J18.9^Pneumonia, unspecified^I10|Pneumonia|20260301|A",
      "DG1|2||I10^Essential hypertension^I10|Hypertension|2019|W",
      "OBX|1|NM|8302-2^Body height^LN||171|cm^^UCUM|||||F",
  });
}

std::string oru(int results) {
  std::vector<std::string> segments = {
      "MSH|^~\\&|LAB|NORTH|KILN|NORTH|20260302081500+0100||ORU^R01^ORU_R01|L0001|P|2.5.1",
      "PID|1||70044^^^NORTH&1.2.36.77&ISO^MR||Lindqvist^Marja^Tove||19790411|F", "ORC|RE|P100^HIS|F200^LAB",
      "OBR|1|P100^HIS|F200^LAB|24323-8^Metabolic "
      "panel^LN|||20260302070000|||||||||||||||20260302080000+0100|||F"};
  for (int i = 1; i <= results; ++i) {
    const std::string n = std::to_string(i);
    segments.push_back("OBX|" + n + "|NM|" + std::to_string(2000 + i) + "-7^Analyte " + n + "^LN||" + n +
                       ".50|mmol/L^^UCUM|1.0-9.9|N|||F|||20260302070000");
  }
  return join(segments);
}

/// The message of person `n`: numbers, names, addresses, telephones and results are others.
std::string of_person(std::string message, int n) {
  for (const std::string_view own :
       {"N0000471", "L0001", "70044", "99812", "Lindqvist", "Marja", "Holm", "Per^", "Ingrid", "Havnegade 4",
        "Postboks 12", "Skovvej 19", "5550 ", "ACC7781", "V77123", "P100", "F200"}) {
    const std::string number = std::to_string(n);
    for (std::size_t at = 0; (at = message.find(own, at)) != message.npos; at += own.size() + number.size())
      message.insert(at + (own.back() == '^' ? own.size() - 1 : own.size()), number);
  }
  const std::string_view result = ".50|";
  for (std::size_t at = 0; (at = message.find(result, at)) != message.npos; ++at)
    message.replace(at, result.size(), "." + std::to_string(10 + n % 90) + "|");
  return message;
}

std::vector<std::string> people(const std::string& message) {
  constexpr int kPeople = 1000;
  std::vector<std::string> messages;
  for (int n = 1; n <= kPeople; ++n) messages.push_back(of_person(message, n));
  return messages;
}

struct Bench {
  mappings::Program program;
  std::vector<std::string> messages;  ///< in turn
  bool lineage = true;
  mappings::Runner runner{};
  std::size_t next = 0;

  /// Not inlined: instruction counts are taken from its begin to its end.
  [[gnu::noinline]] std::size_t once() { return run(); }

  [[gnu::always_inline]] inline std::size_t run() {
    const std::string& message = messages[next++ % messages.size()];
    const auto parsed = hl7::Message::parse(message);
    if (!parsed) std::abort();
    if (!program) return parsed->segment_count();
    mappings::RunContext context;
    context.lineage = lineage;
    const mappings::RunResult& result = runner.run(program, &*parsed, context);
    if (!result.ok()) {
      std::fprintf(stderr, "%s\n", result.reason.c_str());
      std::abort();
    }
    return result.output.size();
  }
};

double processor_seconds(std::clock_t since) {
  return static_cast<double>(std::clock() - since) / CLOCKS_PER_SEC;
}

/// The best of several windows, by processor time of this thread: the figure is per core also on a busy
/// machine.
constexpr int kWindows = 7;

double window(Bench& bench, double seconds) {
  constexpr int kBatch = 100;
  const std::clock_t begin = std::clock();
  std::uint64_t runs = 0;
  double used = 0;
  do {
    for (int i = 0; i < kBatch; ++i) bench.once();
    runs += kBatch;
    used = processor_seconds(begin);
  } while (used < seconds);
  return static_cast<double>(runs) / used;
}

double rate(Bench& bench, double seconds) {
  double best = 0;
  for (int i = 0; i < kWindows; ++i) best = std::max(best, window(bench, seconds / kWindows));
  return best;
}

/// With and without lineage in turns, so that both see the same machine.
void print_lineage_cost(const char* name, const mappings::Program& program, const std::string& message,
                        double seconds) {
  Bench with{program, {message}}, without{program, {message}, false};
  double best_with = 0, best_without = 0;
  for (int i = 0; i < kWindows; ++i) {
    best_with = std::max(best_with, window(with, seconds / kWindows));
    best_without = std::max(best_without, window(without, seconds / kWindows));
  }
  std::printf("lineage  %9.1f %% of a run of %s (%.0f /s/core without, %.0f with)\n",
              100 * (1 - best_with / best_without), name, best_without, best_with);
}

/// A site of packages with one map each; all maps differ in name only.
std::vector<std::string> site_files(int lines, int& written) {
  std::vector<std::string> files;
  for (written = 0; written < lines;) {
    const std::string n = std::to_string(files.size() + 1);
    std::string text =
        "module bench.site" + n + "\nuse std.v2fhir.datatypes\nuse std.v2fhir.segments.{PID_Patient}\n\n" +
        "map admission" + n + "(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\n" +
        "  require PID-3[1].1 is valued else reject AE 101 \"PID-3 needs at least one identifier\"\n" +
        "  create patient: Patient identity PID-3[1] request upsert {\n    include PID_Patient\n  }\n" +
        "  create visit: Encounter identity PV1-19[1] request upsert if PV1-2 is valued {\n" +
        "    identifier += PV1-19[*]\n    status = \"finished\" if PV1-45 is valued\n" +
        "    status ?= \"in-progress\" @open\n    class = PV1-2.1 via PatientClassEncounterClass else "
        "omit\n" +
        "    subject = ref patient\n    period = { start = PV1-44  end = PV1-45[1] }\n  }\n" +
        "  for each AL1 {\n    create allergy: AllergyIntolerance {\n      patient = ref patient\n" +
        "      code = AL1-3\n      onset = AL1-6 as dateTime\n" +
        "      reaction += { manifestation += AL1-5[*] each { text = . } }\n    }\n  }\n}\n\n" +
        "test \"an admission\" {\n  given hl7 \"\"\"\n" +
        "MSH|^~\\&|HIS|NORTH|KILN|NORTH|20260302081500||ADT^A01^ADT_A01|N1|P|2.5.1\n" +
        "PID|1||70044^^^NORTH&1.2.36.77&ISO^MR||Lindqvist^Marja\n\"\"\"\n  run admission" + n +
        "\n  expect patient.name[1].family == \"Lindqvist\"\n}\n";
    written += static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    files.push_back(std::move(text));
  }
  return files;
}

/// Everything `kiln check` does but reading the files: the best of several.
void print_check_time() {
  constexpr int kLines = 2000, kTimes = 5;
  int written = 0;
  const std::vector<std::string> files = site_files(kLines, written);
  double best = 1e9;
  for (int i = 0; i < kTimes; ++i) {
    const std::clock_t begin = std::clock();
    mappings::Library library;
    base::Diagnostics diagnostics;
    for (std::size_t f = 0; f < files.size(); ++f)
      library.add_text("site" + std::to_string(f) + ".hmap", files[f], diagnostics);
    library.link(diagnostics);
    const mappings::CompiledLibrary compiled = mappings::compile(library, diagnostics);
    best = std::min(best, processor_seconds(begin));
    if (!diagnostics.ok() || compiled.maps.size() < files.size()) {
      std::fputs(base::render(diagnostics, library.sources()).c_str(), stderr);
      std::abort();
    }
  }
  std::printf("check    %9.1f ms for a site of %d lines in %zu files, with the shipped packages it uses\n",
              best * 1e3, written, files.size());
}

/// The ADT map of the design's examples, in a package of its own; "" where they are not beside the checkout.
std::string example_map() {
  const std::string path = KILN_SOURCE_DIR "/../shared/design/hmap-examples/adt_a01.hmap";
  const auto text = base::system_env().read_file(path, 1 << 20);
  if (!text) return {};
  std::string map = *text;
  const std::string_view module = "module std.v2fhir.adt";
  if (const std::size_t at = map.find(module); at != std::string::npos)
    map.replace(at, module.size(), "module example.adt");
  return map;
}

}  // namespace

int main(int argc, char** argv) {
  mappings::Library library;
  base::Diagnostics diagnostics;
  library.require_all_shipped();
  const std::string example = example_map();
  if (!example.empty()) library.add_text("adt_a01.hmap", example, diagnostics);
  library.link(diagnostics);
  const mappings::CompiledLibrary compiled = mappings::compile(library, diagnostics);
  if (!diagnostics.ok()) {
    std::fputs(base::render(diagnostics, library.sources()).c_str(), stderr);
    return 1;
  }
  struct Case {
    const char* name;
    Bench bench;
  };
  const mappings::Program admission = compiled.program("std.v2fhir.adt.adt_a01"),
                          shown = compiled.program("example.adt.adt_a01"),
                          result = compiled.program("std.v2fhir.oru.oru_r01");
  Case cases[] = {{"parse", {{}, {adt()}}},
                  {"adt", {admission, {adt()}}},
                  {"example", {shown, {adt()}}},
                  {"oru", {result, {oru(20)}}},
                  {"oru100", {result, {oru(100)}}},
                  {"adt people", {admission, people(adt())}},
                  {"example people", {shown, people(adt())}},
                  {"oru people", {result, people(oru(20))}}};
  const bool count = argc == 4 && std::string(argv[1]) == "--callgrind-iterations";
  const double seconds = argc == 3 && std::string(argv[1]) == "--seconds" ? std::atof(argv[2]) : 2.0;
  for (auto& [name, bench] : cases) {
    const bool maps = std::string(name) != "parse";
    if (maps && !bench.program) {
      if (!count)
        std::printf("%-8s skipped: ../shared/design/hmap-examples is not beside this checkout\n", name);
      continue;
    }
    if (count) {
      if (std::string(argv[3]) != name) continue;
      constexpr int kLearning = 4;
      for (int i = 0; i < kLearning; ++i) bench.run();
      for (int i = std::atoi(argv[2]); i > 0; --i) bench.once();
      return 0;
    }
    const std::size_t size = bench.once();
    std::printf("%-14s %9.0f /s/core   %zu bytes in, %zu %s out\n", name, rate(bench, seconds),
                bench.messages[0].size(), size, maps ? "bytes" : "segments");
  }
  if (!count) {
    print_lineage_cost("adt", cases[1].bench.program, adt(), seconds);
    print_check_time();
  }
  return count ? 4 : 0;  // 4: no such case here
}
