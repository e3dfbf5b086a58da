#include "mappings/tester.h"

#include <algorithm>

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "hl7/message.h"
#include "mappings/csv.h"
#include "mappings/detail/test_expect.h"

namespace kiln::mappings {

namespace {

/// Text blocks have line feeds; segments end in CR.
std::string hl7_bytes(std::string_view text) {
  std::string out;
  for (const std::string_view line : base::split(text, '\n')) {
    const std::string_view segment = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
    if (!segment.empty()) out.append(segment).append("\r");
  }
  return out;
}

TestInput input_of(const ast::GivenStep& given) {
  return {given.kind.text, given.kind.text == "hl7" ? hl7_bytes(given.text.text) : given.text.text};
}

/// One test block: runs its steps and collects what fails.
class TestRun {
 public:
  TestRun(const Library& library, const CompiledLibrary& compiled, RunTarget* channels,
          const LibraryFile& file, const TestOptions& options)
      : library_(library), compiled_(compiled), channels_(channels), file_(file), options_(options) {}

  TestResult run(const ast::Decl& decl, const ast::TestDecl& test) {
    result_.name = test.title.text;
    result_.place = library_.sources().place(decl.span);
    for (const ast::TestStep& step : test.steps) {
      if (const auto* given = std::get_if<ast::GivenStep>(&step.node)) {
        if (!give(*given)) break;
      } else if (const auto* fault = std::get_if<ast::FaultStep>(&step.node)) {
        faults_.push_back({fault->destination.text, fault->reason.text, std::max(fault->times, 1)});
      } else if (const auto* run = std::get_if<ast::RunStep>(&step.node)) {
        if (!run_step(*run)) break;
      } else {
        expect(*std::get<ast::ExpectStep>(step.node).condition, step.span);
      }
    }
    const bool complete = result_.failures.empty() && result_.not_run.empty();
    if (complete && !has<ast::RunStep>(test)) fail(test.title.span, "the test runs nothing: it needs `run MAP`");
    if (complete && !has<ast::ExpectStep>(test)) fail(test.title.span, "the test expects nothing: it needs `expect …`");
    return std::move(result_);
  }

 private:
  template <typename Step>
  static bool has(const ast::TestDecl& test) {
    return std::any_of(test.steps.begin(), test.steps.end(),
                       [](const ast::TestStep& step) { return std::holds_alternative<Step>(step.node); });
  }

  bool fail(base::Span span, std::string actual) {
    result_.failures.push_back({library_.sources().place(span), {}, {}, std::move(actual)});
    return false;
  }

  /// An input, or the rows of a lookup.
  bool give(const ast::GivenStep& given) {
    const Resolution lookup = library_.resolve(file_, given.kind.text, DeclKind::lookup);
    if (lookup.found == nullptr) {
      inputs_.push_back(input_of(given));
      return true;
    }
    const base::Status added = lookups_->add(*compiled_.unit, lookup.found->qualified(), given.text.text);
    return added ? true : fail(given.kind.span, added.error().message());
  }

  RunResult& run_now(const Program& program, const RunInput& input, const RunContext& context) {
    LookupRecord record;
    return run_with_lookups(runner_, program, input, context, lookups_.get(), record);
  }

  bool run_step(const ast::RunStep& step) {
    const Resolution target = library_.resolve(file_, step.name, DeclKind::map | DeclKind::channel);
    const std::string written = step.name.text();
    results_ = {};
    results_.golden = options_.golden;
    results_.test_file = &file_.name;
    if (target.found != nullptr && target.parts == step.name.parts.size()) {
      if (target.found->kind == DeclKind::channel) return run_channel(step, target.found->qualified());
      return run_map(step, compiled_.program(target.found->qualified()));
    }
    return run_map(step, compiled_.program(written));
  }

  bool run_channel(const ast::RunStep& step, const std::string& name) {
    if (channels_ == nullptr) {
      result_.not_run = "it runs channel " + name + ", which needs the engine";
      return false;
    }
    auto outcome =
        channels_->run({name, std::exchange(inputs_, {}), std::exchange(faults_, {}), lookups_});
    if (!outcome) return fail(step.name.span, outcome.error().message());
    channel_ = std::move(*outcome);
    results_.channel = &channel_;
    return true;
  }

  bool run_map(const ast::RunStep& step, const Program& program) {
    if (!program) return fail(step.name.span, "there is no map or channel `" + step.name.text() + "`");
    if (inputs_.size() != 1) {
      return fail(step.name.span, "a map takes one `given`, here are " + std::to_string(inputs_.size()));
    }
    if (!faults_.empty()) return fail(step.name.span, "`fault` is for tests that run a channel");
    const TestInput input = std::exchange(inputs_, {}).front();
    RunContext context;
    context.received = base::WallTime{kTestReceivedMicros};
    context.channel = "test";
    context.tables = library_.tables();
    const base::Status status = run_input(program, input, context);
    if (!status) return fail(step.name.span, status.error().message());
    if (run_.outcome == Outcome::failed) return fail(step.name.span, "the map failed: " + run_.reason);
    results_.map = &run_;
    results_.unit = &program.unit();
    if (options_.observer) options_.observer(run_, runner_);
    results_.runner = &runner_;
    return true;
  }

  /// The input outlives the run: lineage and unread fields read it again.
  base::Status run_input(const Program& program, const TestInput& input, const RunContext& context) {
    if (input.kind == "hl7") {
      TRY(hl7::Message message, hl7::Message::parse(input.bytes));
      message_ = std::make_unique<hl7::Message>(std::move(message));
      run_ = std::move(run_now(program, message_.get(), context));
    } else if (input.kind == "fhir") {
      TRY(document_, base::parse_json(input.bytes));
      run_ = std::move(run_now(program, document_.root(), context));
    } else if (input.kind == "csv") {
      const ast::CsvDecl* declaration = csv_declaration(program.input().name);
      if (declaration == nullptr) {
        return base::fail(base::ErrorCode::bad_value, program.name() + " does not take csv");
      }
      base::Diagnostics ignored;  // the compile has reported them
      TRY(csv_, CsvFile::read(input.bytes, csv_format(*declaration, ignored)));
      run_ = std::move(run_now(program, csv_.input(), context));
    } else {
      return base::fail(base::ErrorCode::bad_value, "`given " + input.kind + "` is not known", {},
                        "hl7, fhir, csv or the name of a lookup");
    }
    return {};
  }

  /// By qualified name; else the one of that name that the test's file sees.
  const ast::CsvDecl* csv_declaration(const std::string& name) const {
    for (const auto& declaration : library_.declarations()) {
      if (declaration->kind == DeclKind::csv && declaration->qualified() == name) {
        return declaration->decl->get_if<ast::CsvDecl>();
      }
    }
    const Resolution found = library_.resolve(file_, name, DeclKind::csv);
    return found.found == nullptr ? nullptr : found.found->decl->get_if<ast::CsvDecl>();
  }

  void expect(const ast::Expr& condition, base::Span span) {
    // Readers are kept by the evaluator; the results they view live until the next run step.
    detail::ExpectEvaluator evaluator(results_);
    const auto outcome = evaluator.check(condition, library_.sources());
    if (outcome.holds) return;
    result_.failures.push_back({library_.sources().place(span),
                                std::string(library_.sources().text(condition.span)), outcome.expected,
                                outcome.actual});
  }

  const Library& library_;
  const CompiledLibrary& compiled_;
  RunTarget* channels_;
  const LibraryFile& file_;
  const TestOptions& options_;
  TestResult result_;
  std::vector<TestInput> inputs_;
  std::vector<TestFault> faults_;
  std::shared_ptr<GivenLookups> lookups_ = std::make_shared<GivenLookups>();

  Runner runner_;
  RunResult run_;
  ChannelTestOutcome channel_;
  detail::TestResults results_;
  std::unique_ptr<hl7::Message> message_;
  base::JsonDocument document_;
  CsvFile csv_;
};

}  // namespace

std::size_t TestReport::passed() const {
  return static_cast<std::size_t>(
      std::count_if(tests.begin(), tests.end(), [](const TestResult& test) { return test.passed(); }));
}

std::size_t TestReport::not_run() const {
  return static_cast<std::size_t>(std::count_if(
      tests.begin(), tests.end(), [](const TestResult& test) { return !test.not_run.empty(); }));
}

std::size_t TestReport::failed() const {
  return tests.size() - passed() - not_run();
}

TestReport run_tests(const Library& library, const CompiledLibrary& compiled, RunTarget* channels,
                     std::string_view filter, bool shipped) {
  TestOptions options;
  options.filter = filter;
  options.shipped = shipped;
  return run_tests(library, compiled, channels, options);
}

TestReport run_tests(const Library& library, const CompiledLibrary& compiled, RunTarget* channels,
                     const TestOptions& options) {
  TestReport report;
  if (channels != nullptr) channels->observe(options.observer);
  for (const auto& file : library.files()) {
    if (file->shipped && !options.shipped) continue;
    if (!options.file.empty() && file->name != options.file) continue;
    for (const ast::Decl& decl : file->tree.decls) {
      const auto* test = decl.get_if<ast::TestDecl>();
      if (test == nullptr || test->title.text.find(options.filter) == std::string::npos) continue;
      report.tests.push_back(TestRun(library, compiled, channels, *file, options).run(decl, *test));
    }
  }
  if (channels != nullptr) channels->observe({});
  return report;
}

std::string render(const TestReport& report) {
  std::string out;
  for (const TestResult& test : report.tests) {
    const std::string_view verdict = test.passed() ? "ok     " : test.not_run.empty() ? "FAILED " : "not run";
    out += std::string(verdict) + "  " + test.name + "  (" + test.place + ")\n";
    if (!test.not_run.empty()) out += "         " + test.not_run + "\n";
    for (const TestFailure& failure : test.failures) {
      out +=
          "  " + failure.place + (failure.expression.empty() ? "" : ": expect " + failure.expression) + "\n";
      if (!failure.expected.empty()) out += "    expected  " + failure.expected + "\n";
      out += "    actual    " + failure.actual + "\n";
    }
  }
  out += std::to_string(report.passed()) + " passed, " + std::to_string(report.failed()) + " failed";
  if (report.not_run() != 0) out += ", " + std::to_string(report.not_run()) + " not run";
  return out + "\n";
}

}  // namespace kiln::mappings
