#pragma once
// Runs `test "…" { given … fault … run … expect … }` blocks (hmap.md §16, §20): maps directly, channels
// through a RunTarget that the engine supplies. Deterministic: the clock of a test stands still.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"
#include "mappings/compiler.h"
#include "mappings/lookup.h"
#include "mappings/package.h"
#include "mappings/program.h"
#include "mappings/tables.h"

namespace kiln::mappings {

/// `run.received` of every map that a test runs: 2025-08-18T10:00:00Z.
inline constexpr std::int64_t kTestReceivedMicros = 1'755'511'200'000'000;

struct TestInput {
  std::string kind;  ///< "hl7" (segments end in CR), "fhir", "csv"
  std::string bytes;
};

/// The next `times` deliveries to the destination fail.
struct TestFault {
  std::string destination;
  std::string reason;
  int times = 1;
};

struct ChannelTestRequest {
  std::string channel;            ///< qualified name
  std::vector<TestInput> inputs;  ///< received one after the other
  std::vector<TestFault> faults;
  std::shared_ptr<LookupService> lookups;  ///< answers of `given NAME` tables; never null
};

/// What a destination saw once everything has come to rest.
struct DestinationOutcome {
  std::string name;
  /// What arrived, in order. `output`, `output_kind`, `output_type`, for csv `csv_columns` and
  /// `csv_row_offsets`, and for resources `created` as the map left them; a message that was sent on
  /// unchanged has only the first three.
  std::vector<RunResult> sent;
  std::uint64_t queued = 0;  ///< still waiting
  std::uint64_t quarantined = 0;
  std::uint64_t attempts = 0;  ///< failed ones included
};

struct ChannelTestOutcome {
  std::string ack_code;  ///< MSA-1 of the last answer; empty when the source gives none
  int ack_error = 0;     ///< ERR-3.1 (table 0357), 0 when there is none
  std::vector<DestinationOutcome> destinations;
  std::uint64_t quarantined = 0;  ///< messages and detached rows, at any step
  std::vector<RunDiagnostic> diagnostics;
};

/// Told of every result that a test looks at, right after the run that made it.
using ResultObserver = std::function<void(const RunResult&, const Runner&)>;

/// Files that `expect golden("name")` compares with.
class GoldenFiles {
 public:
  virtual ~GoldenFiles() = default;
  /// The text of a file; nothing when there is none. `test_file` is the name of the file that holds the test,
  /// which `name` is relative to.
  virtual base::Result<std::optional<std::string>> read(const std::string& test_file,
                                                        const std::string& name) = 0;
  virtual base::Status write(const std::string& test_file, const std::string& name,
                             const std::string& text) = 0;
  /// Differences are written instead of reported (`kiln test --update`).
  virtual bool update() const = 0;
};

/// Runs a channel on memory: no sockets, no files, a virtual clock.
class RunTarget {
 public:
  virtual ~RunTarget() = default;
  /// Errors: not_found for an unknown channel, else what keeps it from being started.
  virtual base::Result<ChannelTestOutcome> run(const ChannelTestRequest& request) = 0;
  /// Called by run() for each result in `sent`; it stays set until the next call.
  virtual void observe(ResultObserver observer) { static_cast<void>(observer); }
};

struct TestFailure {
  std::string place;       ///< "maps/adt.hmap:135:3"
  std::string expression;  ///< as written; empty when the run itself failed
  std::string expected;    ///< may be empty
  std::string actual;
};

struct TestResult {
  std::string name;
  std::string place;  ///< of the test
  std::vector<TestFailure> failures;
  std::string not_run;  ///< why, when it was not run
  bool passed() const { return failures.empty() && not_run.empty(); }
};

struct TestReport {
  std::vector<TestResult> tests;  ///< in order of file and place
  std::size_t passed() const;
  std::size_t failed() const;
  std::size_t not_run() const;
};

/// Runs the tests of the site's own files (shipped ones only with `shipped`) whose name contains `filter`.
/// Tests of channels need `channels`, without it they are listed as not run. The library must compile without
/// errors.
TestReport run_tests(const Library& library, const CompiledLibrary& compiled, RunTarget* channels,
                     std::string_view filter = {}, bool shipped = false);

struct TestOptions {
  std::string filter;             ///< part of the test's name
  std::string file;               ///< only tests of the file with that name; empty: of all
  bool shipped = false;           ///< those of shipped files too
  GoldenFiles* golden = nullptr;  ///< without it `golden` in a test fails
  ResultObserver observer;        ///< coverage; may be empty
};
TestReport run_tests(const Library& library, const CompiledLibrary& compiled, RunTarget* channels,
                     const TestOptions& options);

/// One line a test, and for a failure the place, the expression, what was expected and what came; ends with
/// the count.
std::string render(const TestReport& report);

}  // namespace kiln::mappings
