#pragma once
// Evaluates the condition of `expect` over what a test run left behind. Dynamic: names are looked up in the
// results.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "mappings/ast.h"
#include "mappings/program.h"
#include "mappings/result_reader.h"
#include "mappings/tester.h"

namespace kiln::mappings::detail {

/// What `expect` can see. One of `map` and `channel` is set.
struct TestResults {
  const RunResult* map = nullptr;
  const ir::Unit* unit = nullptr;  ///< of the map: the handles there are
  const Runner* runner = nullptr;  ///< that ran the map, for lineage and unread
  const ChannelTestOutcome* channel = nullptr;
  GoldenFiles* golden = nullptr;
  const std::string* test_file = nullptr;  ///< name of the file that holds the test
};

/// A path into one result, not yet read.
struct TestPath {
  const ResultReader* reader = nullptr;
  std::string root;
  std::vector<ReadStep> steps;
};

/// A list of texts that no index goes into: warnings, unread, lineage. `contains` looks into each text when
/// `loose`.
struct TestTexts {
  std::vector<std::string> texts;
  bool loose = false;
};

/// Several results one after the other (`repo.sent`), or the rows of several (`file.rows`).
struct TestResultsList {
  std::vector<const RunResult*> results;
  bool rows = false;
};

struct TestAbsent {};
struct TestNull {};
/// A number as written or computed.
struct TestNumber {
  std::string text;
};

using TestValue =
    std::variant<TestAbsent, TestNull, bool, TestNumber, std::string, TestTexts, TestPath, TestResultsList>;

class ExpectEvaluator {
 public:
  explicit ExpectEvaluator(const TestResults& results) : results_(results) {}

  struct Outcome {
    bool holds = false;
    std::string expected;  ///< may be empty
    std::string actual;
  };
  /// `source` gives the text of a span, for messages. An expression that cannot be evaluated does not hold,
  /// and `actual` says why.
  Outcome check(const ast::Expr& condition, const base::SourceMap& source);

 private:
  TestValue evaluate(const ast::Expr& expr);
  bool truth(const ast::Expr& expr);
  TestValue path_or_name(const ast::Expr& expr);
  TestValue name(const std::string& name);
  TestValue channel_name(const std::string& name);
  TestValue channel_member(const std::string& owner, const std::string& property);
  TestValue member(TestValue base, const std::string& name);
  TestValue index(TestValue base, const ast::Selector& selector);
  TestValue select_where(TestPath path, const ast::Expr& condition);
  TestValue v2ref(const ast::V2Ref& path);
  TestValue add_step(TestValue base, ReadStep::Kind kind, std::string_view text, std::uint32_t number);
  TestValue call(const ast::Call& call);
  TestValue lineage(const ast::Expr& argument);
  TestValue golden(const ast::Call& call);
  TestValue enter(const RunResult& result, std::string root);
  std::optional<std::uint64_t> count_of(const TestValue& value);
  TestValue scalar(const TestValue& value);
  std::vector<ReadItem> items(const TestPath& path);
  /// Why the path cannot lead to anything; empty when it could.
  std::string wrong_name(const TestPath& path) const;
  bool compare(ast::BinaryOp op, const ast::Expr& left, const ast::Expr& right);
  bool contains(const TestValue& left, const TestValue& right);
  bool in_list(const ast::Expr& left, const ast::Expr& right);
  bool matches(const ast::Expr& left, const ast::Expr& right);
  bool is(const ast::Is& test);
  std::string show(const TestValue& value);
  TestValue trouble(std::string text);
  std::string_view keep(std::string_view text);

  const TestResults& results_;
  std::map<const RunResult*, ResultReader> readers_;
  std::vector<std::unique_ptr<std::string>> names_;  ///< own what ReadStep::name views
  std::vector<TestPath> this_;                       ///< `.` inside `[where …]`
  std::string trouble_;                              ///< the first thing that could not be evaluated
};

}  // namespace kiln::mappings::detail
