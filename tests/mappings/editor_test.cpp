// The extension for Visual Studio Code: its files are JSON, and its word lists are those of the compiler.

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "mappings/function.h"
#include "mappings/language/keywords.h"
#include "tests/mappings/golden.h"

namespace kiln::mappings {
namespace {

std::string repository_text(const std::string& path) {
  return test::read_text(test::test_path("../" + path));
}

base::JsonDocument json_of(const std::string& path) {
  auto document = base::parse_json(repository_text(path));
  INFO(path);
  REQUIRE(document);
  return std::move(*document);
}

/// The alternatives of "…(?:a|b|c)…".
std::set<std::string> words_of(base::JsonView rule) {
  const std::string match(rule["match"].text());
  std::set<std::string> out;
  for (std::size_t at = match.find("(?:"); at != std::string::npos; at = match.find("(?:", at + 1)) {
    const std::size_t end = match.find(')', at);
    const std::string_view list = std::string_view(match).substr(at + 3, end - at - 3);
    for (const std::string_view word : base::split(list, '|')) out.emplace(word);
    break;
  }
  return out;
}

/// Words between quotes behind one of the parser's questions.
std::set<std::string> words_asked_for() {
  std::set<std::string> out;
  std::vector<std::string> files = test::files_of(test::test_path("../mappings/detail"), ".cpp");
  files.push_back(test::test_path("../mappings/parser.cpp"));
  for (const std::string& path : files) {
    if (path.find("/parser") == std::string::npos) continue;
    const std::string text = test::read_text(path);
    for (const std::string_view question :
         {"take_word(\"", "is_word(\"", "is_keyword(\"", "is_operator(\"", "expect_word(\""}) {
      for (std::size_t at = text.find(question); at != std::string::npos; at = text.find(question, at + 1)) {
        const std::size_t begin = at + question.size();
        out.insert(text.substr(begin, text.find('"', begin) - begin));
      }
    }
  }
  for (const char* word : {"_", "AE", "AR"}) out.erase(word);  // a pattern, and codes of acknowledgements
  return out;
}

}  // namespace

TEST_CASE("editor: the files are JSON and name each other rightly") {
  const auto package = json_of("mappings/editor/package.json");
  const auto lock = json_of("mappings/editor/package-lock.json");
  json_of("mappings/editor/language-configuration.json");
  const auto grammar = json_of("mappings/editor/syntaxes/hmap.tmLanguage.json");
  const auto snippets = json_of("mappings/editor/snippets/hmap.json");
  const auto contributes = package.root()["contributes"];
  CHECK(contributes["grammars"].at(0)["scopeName"].text() == grammar.root()["scopeName"].text());
  for (const base::JsonView snippet : snippets.root()) {
    CHECK_FALSE(snippet["prefix"].text().empty());
    CHECK(snippet["body"].is_array());
  }
  // Pinned: the lock holds exactly what the package asks for, with its hash.
  for (const char* kind : {"dependencies", "devDependencies"}) {
    for (const base::JsonView wanted : package.root()[kind]) {
      const auto locked = lock.root()["packages"]["node_modules/" + std::string(wanted.key())];
      CHECK(locked["version"].text() == wanted.text());
      CHECK(locked["integrity"].text().starts_with("sha512-"));
    }
  }
}

TEST_CASE("editor: the grammar knows every word and function of the compiler, and no other") {
  const auto grammar = json_of("mappings/editor/syntaxes/hmap.tmLanguage.json");
  const auto repository = grammar.root()["repository"];
  std::map<std::string, std::set<std::string>> wanted;
  const std::map<std::string, std::string> scopes = {
      {"declaration", "keyword.declaration.hmap"},  {"statement", "keyword.control.hmap"},
      {"expression", "keyword.operator.word.hmap"}, {"clause", "keyword.other.clause.hmap"},
      {"policy", "keyword.other.policy.hmap"},      {"channel", "keyword.other.channel.hmap"}};
  for (const LanguageWord& word : language_words())
    wanted[scopes.at(std::string(name_of(word.place)))].emplace(word.text);
  CHECK(repository["keyword"]["patterns"].size() == wanted.size());
  for (const base::JsonView rule : repository["keyword"]["patterns"]) {
    INFO(rule["name"].text());
    CHECK(words_of(rule) == wanted[std::string(rule["name"].text())]);
  }
  std::set<std::string> functions;
  for (const FunctionSpec* spec : all_functions()) functions.emplace(spec->name);
  CHECK(words_of(repository["function"]) == functions);
}

TEST_CASE("editor: the word list is what the parser asks for") {
  std::set<std::string> known;
  for (const LanguageWord& word : language_words()) {
    INFO(word.text);
    CHECK(known.emplace(word.text).second);
    CHECK_FALSE(word.summary.empty());
    CHECK(word.example.find(word.text) != std::string_view::npos);
  }
  for (const std::string& word : words_asked_for()) {
    INFO("the parser asks for `" << word << "`; mappings/language/keywords.cpp does not have it");
    CHECK(known.contains(word));
  }
}

}  // namespace kiln::mappings
