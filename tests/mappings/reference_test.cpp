// mappings/REFERENCE.md: its grammar has the words of the compiler, its lists are printed from the compiler.

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "engine/base/text.h"
#include "mappings/function.h"
#include "mappings/language/keywords.h"
#include "tests/mappings/golden.h"

namespace kiln::mappings::test {
namespace {

const std::string kMark = "<!-- generated -->\n";

/// A cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string words_section() {
  static constexpr const char* kTitles[] = {"begin a declaration", "begin a statement", "in expressions",
                                            "in clauses",          "policies",          "in channels"};
  std::string out = "\n## Words\n";
  int place = -1;
  for (const LanguageWord& word : language_words()) {
    if (static_cast<int>(word.place) != place) {
      place = static_cast<int>(word.place);
      out += "\n| " + std::string(kTitles[place]) + " | | |\n|---|---|---|\n";
    }
    out +=
        "| `" + std::string(word.text) + "` | " + cell(word.summary) + " | `" + cell(word.example) + "` |\n";
  }
  return out;
}

std::string functions_section() {
  std::string out =
      "\n## Functions\nAn absent argument gives an absent result unless the text says otherwise. A value "
      "that a function cannot use "
      "goes by `on bad`.\nEvery example is a test.\n";
  for (const FunctionSpec* spec : all_functions()) {
    out += "\n### " + std::string(spec->name) + "(";
    for (std::size_t i = 0; i < spec->parameters.size(); ++i)
      out += (i == 0 ? "" : ", ") + std::string(spec->parameters[i].name) +
             (spec->parameters[i].optional ? "?" : "");
    out += std::string(spec->variadic ? ", …" : "") + ") -> " + std::string(name_of(spec->result)) + "\n";
    out += std::string(spec->summary) + (spec->takes_absent ? "; takes absent arguments" : "") + ".\n\n";
    for (const FunctionParameter& parameter : spec->parameters)
      out += "- `" + std::string(parameter.name) + "` (" + std::string(name_of(parameter.type)) +
             (parameter.optional ? ", optional" : "") + "): " + std::string(parameter.summary) + "\n";
    out += "\n```\n";
    for (const FunctionExample& example : spec->examples)
      out += std::string(example.call) + " => " + std::string(example.result) + "\n";
    out += "```\n";
  }
  return out;
}

/// Words in quotes of the grammar: lower-case ones.
std::set<std::string> terminals(const std::string& page) {
  std::set<std::string> out;
  for (std::size_t at = page.find("```ebnf\n"); at != std::string::npos;
       at = page.find("```ebnf\n", at + 1)) {
    const std::string block = page.substr(at, page.find("```\n", at + 3) - at);
    for (const std::string_view line : base::split(block, '\n')) {
      if (line.find(" = /") != line.npos || line.find("\"\"\"") != line.npos)
        continue;  // patterns, not words
      const auto parts = base::split(line, '"');
      for (std::size_t i = 1; i + 1 < parts.size(); i += 2) {
        const bool word =
            parts[i].find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string_view::npos;
        if (word && !parts[i].empty()) out.emplace(parts[i]);
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("reference: the lists are those of the compiler") {
  const std::string path = test_path("../mappings/REFERENCE.md");
  const std::string page = read_text(path);
  const std::size_t mark = page.find(kMark);
  REQUIRE(mark != std::string::npos);
  check_golden(path, page.substr(0, mark + kMark.size()) + words_section() + functions_section());
}

TEST_CASE("reference: the grammar has the words of the compiler, and no other") {
  const std::set<std::string> grammar = terminals(read_text(test_path("../mappings/REFERENCE.md")));
  std::set<std::string> known;
  for (const LanguageWord& word : language_words()) {
    INFO(word.text);
    CHECK(grammar.contains(std::string(word.text)));
    known.emplace(word.text);
  }
  for (const std::string& word : grammar) {
    INFO(word);
    CHECK(known.contains(word));
  }
}

}  // namespace kiln::mappings::test
