#include "mappings/lookup.h"

#include <algorithm>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "mappings/csv.h"
#include "mappings/detail/ir.h"

namespace kiln::mappings {

using base::ErrorCode;

namespace {

using State = LookupAnswer::State;

RunResult& give_up(RunResult& result, const char* why) {
  result.outcome = Outcome::failed;
  result.error = ErrorCode::limit_exceeded;
  result.reason = why;
  result.missing_lookups.clear();
  return result;
}

std::vector<LookupAnswer> no_answers(std::span<const LookupKey> keys) {
  std::vector<LookupAnswer> answers;
  for (const LookupKey& key : keys) answers.push_back({key, State::failed, {}});
  return answers;
}

std::vector<std::string> names_of(const ir::Unit& unit, ir::Range columns) {
  std::vector<std::string> names;
  for (ir::Index i = 0; i < columns.count; ++i)
    names.emplace_back(unit.text(unit.lookup_columns[columns.first + i].name));
  return names;
}

}  // namespace

RunResult& run_with_lookups(Runner& runner, const Program& program, const RunInput& input,
                            const RunContext& context, LookupService* service, LookupRecord& record) {
  RunContext round = context;
  for (std::size_t rounds = 0;; ++rounds) {
    round.lookups = record.answers;
    RunResult& result = runner.run(program, input, round);
    if (result.missing_lookups.empty()) return result;
    if (rounds == base::limits::kLookupRoundsMax)
      return give_up(result, "the lookups of the map depend on each other too deeply");
    const std::vector<LookupKey> keys = std::move(result.missing_lookups);
    if (record.answers.size() + keys.size() > base::limits::kLookupKeysMax)
      return give_up(result, "the map asks for too many rows");
    std::vector<LookupAnswer> fetched =
        service == nullptr ? no_answers(keys) : service->fetch(program.unit(), keys);
    // A service that forgets an answer must not send the run round in circles.
    if (fetched.size() != keys.size()) fetched = no_answers(keys);
    record.asked += fetched.size();
    for (LookupAnswer& answer : fetched) record.answers.push_back(std::move(answer));
  }
}

std::vector<LookupShape> lookups_of(const ir::Unit& unit) {
  std::vector<LookupShape> shapes;
  for (const ir::LookupSource& source : unit.lookup_sources) {
    shapes.push_back({std::string(unit.text(source.name)), std::string(unit.text(source.via)),
                      std::string(unit.text(source.query)), names_of(unit, source.parameters),
                      names_of(unit, source.columns), source.cache_ms});
  }
  return shapes;
}

base::Status GivenLookups::add(const ir::Unit& unit, const std::string& name, std::string_view table) {
  const auto shapes = lookups_of(unit);
  const auto shape =
      std::find_if(shapes.begin(), shapes.end(), [&](const LookupShape& one) { return one.name == name; });
  if (shape == shapes.end()) return base::fail(ErrorCode::bad_value, "there is no lookup " + name);
  TRY(const CsvFile file, CsvFile::read_any(table, delimiter_of(table), CsvEncoding::utf8));
  std::vector<std::size_t> at;
  for (const auto* names : {&shape->parameters, &shape->columns}) {
    for (const std::string& wanted : *names) {
      const auto& has = file.column_names();
      const auto found = std::find(has.begin(), has.end(), wanted);
      if (found == has.end())
        return base::fail(ErrorCode::bad_value,
                          "the rows given for " + name + " have no column `" + wanted + "`");
      at.push_back(static_cast<std::size_t>(found - has.begin()));
    }
  }
  for (std::size_t row = 0; row < file.rows(); ++row) {
    LookupAnswer answer;
    answer.key.lookup = name;
    answer.state = State::found;
    for (std::size_t i = 0; i < at.size(); ++i) {
      const std::string_view cell = file.cell(row, at[i]);
      if (i < shape->parameters.size())
        answer.key.arguments.emplace_back(cell);
      else if (cell.data() == nullptr)
        answer.columns.emplace_back();
      else
        answer.columns.emplace_back(std::string(cell));
    }
    rows_.push_back(std::move(answer));
  }
  return {};
}

std::vector<LookupAnswer> GivenLookups::fetch(const ir::Unit&, std::span<const LookupKey> keys) {
  std::vector<LookupAnswer> answers;
  for (const LookupKey& key : keys) {
    const auto row = std::find_if(rows_.begin(), rows_.end(),
                                  [&](const LookupAnswer& candidate) { return candidate.key == key; });
    answers.push_back(row == rows_.end() ? LookupAnswer{key, State::missing, {}} : *row);
  }
  return answers;
}

std::string print_answers(std::span<const LookupAnswer> answers) {
  base::JsonWriter json;
  json.begin_array();
  for (const LookupAnswer& answer : answers) {
    json.begin_object().member("lookup", answer.key.lookup).key("arguments").begin_array();
    for (const std::string& argument : answer.key.arguments) json.string(argument);
    json.end_array().key("state").integer(static_cast<std::int64_t>(answer.state));
    json.key("row").begin_array();
    for (const auto& cell : answer.columns) {
      if (cell)
        json.string(*cell);
      else
        json.null();
    }
    json.end_array().end_object();
  }
  return json.end_array().take();
}

base::Result<std::vector<LookupAnswer>> parse_answers(std::string_view text) {
  TRY(const base::JsonDocument document, base::parse_json(text));
  std::vector<LookupAnswer> answers;
  for (const base::JsonView entry : document.root()) {
    LookupAnswer answer;
    answer.key.lookup = entry["lookup"].text();
    for (const base::JsonView argument : entry["arguments"])
      answer.key.arguments.emplace_back(argument.text());
    const std::string_view state = entry["state"].text();
    if (answer.key.lookup.empty() || state.size() != 1 || state[0] < '0' || state[0] > '2')
      return base::fail(ErrorCode::bad_value, "recorded lookups are not understood");
    answer.state = static_cast<State>(state[0] - '0');
    for (const base::JsonView cell : entry["row"]) {
      if (cell.kind() == base::JsonKind::string)
        answer.columns.emplace_back(cell.text());
      else
        answer.columns.emplace_back();
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

std::vector<LookupAnswer> recorded_answers(std::string_view text) {
  if (text.empty()) return {};
  auto answers = parse_answers(text);
  if (!answers) return {};
  std::erase_if(*answers, [](const auto& answer) { return answer.state == LookupAnswer::State::failed; });
  return std::move(*answers);
}

}  // namespace kiln::mappings
