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

}  // namespace
}  // namespace kiln::mappings::test
