// `expect golden("file")`: a whole output against a file beside the test.

#include "mappings/detail/test_expect.h"

namespace kiln::mappings::detail {
namespace {

/// As people compare it: JSON indented, one v2 segment a line, csv with its header.
std::string readable(const RunResult& result) {
  if (result.output_kind == DataKind::csv) return result.csv_header + result.output;
  if (result.output_kind == DataKind::hl7) {
    std::string out = result.output;
    for (char& c : out)
      if (c == '\r') c = '\n';
    return out;
  }
  base::JsonLimits limits;
  limits.bytes = result.output.size() + 1;
  const auto document = base::parse_json(result.output, limits);
  return document ? base::print_json(document->root(), true) : result.output + "\n";
}

std::string line_at(std::string_view text, std::size_t offset) {
  const std::size_t begin = offset == 0 ? 0 : text.rfind('\n', offset - 1) + 1;
  return std::string(text.substr(begin, text.find('\n', offset) - begin));
}

std::string first_difference(std::string_view expected, std::string_view actual) {
  std::size_t at = 0, line = 1;
  while (at < expected.size() && at < actual.size() && expected[at] == actual[at])
    line += expected[at++] == '\n';
  const auto shown = [&](std::string_view text) {
    return at >= text.size() ? std::string("the end") : "`" + line_at(text, at) + "`";
  };
  return "line " + std::to_string(line) + " is " + shown(actual) + ", in the file " + shown(expected);
}

}  // namespace

TestValue ExpectEvaluator::golden(const ast::Call& call) {
  const auto* name = call.args.empty() ? nullptr : call.args[0].value->get_if<ast::Literal>();
  if (name == nullptr || name->kind != ast::Literal::Kind::string || call.args.size() > 2)
    return trouble("golden takes the name of a file and, in a test of a channel, what was sent");
  if (results_.golden == nullptr) return trouble("there are no files here for `golden` to compare with");
  const RunResult* result = results_.map;
  if (call.args.size() == 2) {
    const TestValue value = evaluate(*call.args[1].value);
    const auto* path = std::get_if<TestPath>(&value);
    for (const auto& [one, reader] : readers_)
      if (path != nullptr && path->reader == &reader && path->steps.empty()) result = one;
    if (path == nullptr) return trouble("`" + name->text + "`: nothing was sent there");
  }
  if (result == nullptr)
    return trouble("golden(\"" + name->text + "\", destination.sent[1]) says which output");
  const std::string actual = readable(*result);
  const auto expected = results_.golden->read(*results_.test_file, name->text);
  if (!expected) return trouble(expected.error().message());
  if (*expected && **expected == actual) return true;
  if (results_.golden->update()) {
    const base::Status written = results_.golden->write(*results_.test_file, name->text, actual);
    if (!written) return trouble(written.error().message());
    return true;
  }
  if (!*expected) return trouble("there is no file " + name->text + "; `kiln test --update` writes it");
  return trouble(name->text + ": " + first_difference(**expected, actual));
}

}  // namespace kiln::mappings::detail
