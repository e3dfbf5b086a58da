// What a path of an `expect` leads to: lineage, counts, single values.

#include <algorithm>

#include "mappings/detail/test_expect.h"

namespace kiln::mappings::detail {

TestValue ExpectEvaluator::lineage(const ast::Expr& argument) {
  if (results_.runner == nullptr || results_.map == nullptr) {
    return trouble("`lineage` is known where a test runs a map");
  }
  const TestValue value = evaluate(argument);
  const auto* path = std::get_if<TestPath>(&value);
  TestTexts sources;
  if (path == nullptr && !std::holds_alternative<TestAbsent>(value))
    return trouble("`lineage` takes a path of the result: lineage(patient.birthDate)");
  if (path == nullptr) return sources;
  for (const ReadItem& item : items(*path)) {
    for (const LineageRecord& record : path->reader->lineage(item)) {
      for (std::string& source : results_.runner->source_paths(record.source)) {
        if (std::find(sources.texts.begin(), sources.texts.end(), source) == sources.texts.end()) {
          sources.texts.push_back(std::move(source));
        }
      }
    }
  }
  return sources;
}

std::vector<ReadItem> ExpectEvaluator::items(const TestPath& path) {
  auto found = path.reader->read(path.root, path.steps);
  if (!found.empty()) return found;
  if (std::string wrong = wrong_name(path); !wrong.empty()) trouble(std::move(wrong));
  return found;
}

std::optional<std::uint64_t> ExpectEvaluator::count_of(const TestValue& value) {
  if (const auto* texts = std::get_if<TestTexts>(&value)) return texts->texts.size();
  if (const auto* path = std::get_if<TestPath>(&value)) return items(*path).size();
  const auto* list = std::get_if<TestResultsList>(&value);
  if (list == nullptr) return std::nullopt;
  if (!list->rows) return list->results.size();
  std::uint64_t rows = 0;
  for (const RunResult* result : list->results) rows += result->csv_row_offsets.size();
  return rows;
}

/// One value of a path or of a list of texts; trouble when there are several.
TestValue ExpectEvaluator::scalar(const TestValue& value) {
  if (const auto* texts = std::get_if<TestTexts>(&value)) {
    if (texts->texts.size() > 1)
      return trouble("there are " + std::to_string(texts->texts.size()) +
                     " values, use `contains`: " + show(value));
    return texts->texts.empty() ? TestValue(TestAbsent{}) : TestValue(texts->texts[0]);
  }
  const auto* path = std::get_if<TestPath>(&value);
  if (path == nullptr) return value;
  const auto found = items(*path);
  if (found.empty()) return TestAbsent{};
  if (found.size() > 1)
    return trouble("there are " + std::to_string(found.size()) + " values, use an index: " + show(value));
  if (found[0].is_null) return TestNull{};
  if (found[0].is_object) return trouble("this is a whole " + found[0].type + ", not one value");
  const bool is_number = found[0].type == "decimal" || found[0].type == "integer" ||
                         found[0].type == "positiveInt" || found[0].type == "unsignedInt";
  if (is_number) return TestNumber{found[0].text};
  return found[0].text;
}

}  // namespace kiln::mappings::detail
