// kiln test: runs the tests that stand in a site's files.

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "channels/definition.h"
#include "engine/base/env.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/map_files.h"
#include "engine/test_target.h"
#include "mappings/coverage.h"
#include "mappings/tester.h"

namespace kiln::engine {
namespace {

using base::Result;
using mappings::TestReport;

/// Golden files lie beside the file of their test.
class Goldens final : public mappings::GoldenFiles {
 public:
  Goldens(std::string root, bool update) : root_(std::move(root)), update_(update) {}
  Result<std::optional<std::string>> read(const std::string& test_file, const std::string& name) override {
    TRY(const std::string path, place(test_file, name));
    if (!base::system_env().exists(path)) return std::optional<std::string>();
    TRY(std::string text, base::system_env().read_file(path, base::limits::kMapOutputBytesMax * 4));
    return std::optional<std::string>(std::move(text));
  }
  base::Status write(const std::string& test_file, const std::string& name,
                     const std::string& text) override {
    TRY(const std::string path, place(test_file, name));
    TRY_VOID(base::system_env().make_folders(std::string(base::folder_of(path))));
    return base::system_env().write_file_atomic(path, text);
  }
  bool update() const override { return update_; }

 private:
  /// A golden lies in the site: a test of a package that somebody sent writes nowhere else.
  Result<std::string> place(const std::string& test_file, const std::string& name) const {
    const std::string folder(base::folder_of(test_file));
    std::ptrdiff_t depth = name.starts_with('/') ? -1 : 0;
    const std::string_view inside =
        folder.starts_with(root_) ? std::string_view(folder).substr(root_.size()) : std::string_view(folder);
    for (const std::string_view part : base::split(inside, '/')) depth += part.empty() || part == "." ? 0 : 1;
    for (const std::string_view part : base::split(name, '/')) {
      depth += part == ".." ? -1 : part.empty() || part == "." ? 0 : 1;
      if (depth < 0 || name.starts_with('/'))
        return base::fail(base::ErrorCode::bad_value, "golden(\"" + name + "\") is outside of the site", {},
                          "write it relative to the file of the test");
    }
    return base::join_path(base::join_path(root_, folder), name);
  }
  std::string root_;
  bool update_;
};

struct Tested {
  TestReport report;
  std::vector<mappings::CoveredRule> rules;
  bool invalid = false;
};

Tested run_tests(const mappings::Library& library, const mappings::CompiledLibrary& compiled,
                 mappings::RunTarget* channels, mappings::TestOptions options, const Arguments& arguments,
                 const std::string& root) {
  Tested out;
  Goldens goldens(root, arguments.has("--update") || std::getenv("APPROVE") != nullptr);
  options.filter = arguments.text("--filter");
  options.golden = &goldens;
  std::optional<mappings::RuleCoverage> coverage;
  if (arguments.has("--coverage")) {
    coverage.emplace(library, compiled);
    options.observer = [&](const mappings::RunResult& result, const mappings::Runner& runner) {
      coverage->add(result, runner);
    };
  }
  out.report = mappings::run_tests(library, compiled, channels, options);
  if (coverage) out.rules = coverage->rules();
  return out;
}

Tested invalid(const base::Diagnostics& diagnostics, const mappings::Library& library) {
  std::fputs(base::render(diagnostics, library.sources(), is_terminal(stderr)).c_str(), stderr);
  Tested out;
  out.invalid = true;
  return out;
}

Result<Tested> test_site(const std::string& folder, mappings::TestOptions options,
                         const Arguments& arguments) {
  TRY(auto load, channels::load_site(base::system_env(), folder));
  if (!load.site) return invalid(load.diagnostics, *load.library);
  ChannelTestTarget target(load.site);
  return run_tests(*load.site->library, *load.site->compiled, &target, std::move(options), arguments, folder);
}

/// A test file is run with the maps beside it, in its site when it lies in one.
Result<Tested> test_file(const std::string& path, const Arguments& arguments) {
  mappings::TestOptions options;
  std::vector<std::string> files{path};
  if (path.ends_with(".test.hmap")) {
    const std::string folder(base::folder_of(path)), site(base::folder_of(folder));
    options.file = base::join_path(base::name_of(folder), base::name_of(path));
    if (folder != "." && base::system_env().exists(base::join_path(site, "kiln.conf")))
      return test_site(site, std::move(options), arguments);
    options.file = path;
    files.clear();
    TRY(const auto entries, base::system_env().list(folder));
    for (const base::FileInfo& entry : entries)
      if (entry.name.ends_with(".hmap") && entry.name != base::name_of(path))
        files.push_back(base::join_path(folder, entry.name));
    files.push_back(path);
  }
  TRY(const auto maps, detail::load_maps(files, {}));
  if (!maps.diagnostics.ok()) return invalid(maps.diagnostics, *maps.library);
  return run_tests(*maps.library, maps.compiled, nullptr, std::move(options), arguments, "");
}

void write_json(base::JsonWriter& json, const std::vector<mappings::CoveredRule>& rules) {
  json.begin_array();
  for (const auto& rule : rules)
    json.begin_object()
        .member("rule", rule.address)
        .member("place", rule.place)
        .key("values")
        .integer(static_cast<std::int64_t>(rule.values))
        .end_object();
  json.end_array();
}

void write_json(base::JsonWriter& json, const TestReport& report) {
  for (const auto& test : report.tests) {
    json.begin_object().member("name", test.name).member("place", test.place);
    json.member("result", test.passed() ? "passed" : !test.not_run.empty() ? "not run" : "failed");
    if (!test.not_run.empty()) json.member("reason", test.not_run);
    json.key("failures").begin_array();
    for (const auto& f : test.failures)
      json.begin_object()
          .member("place", f.place)
          .member("expression", f.expression)
          .member("expected", f.expected)
          .member("actual", f.actual)
          .end_object();
    json.end_array().end_object();
  }
}

int run(const Arguments& arguments) {
  base::JsonWriter tests, rules;
  tests.begin_array();
  std::vector<mappings::CoveredRule> covered;
  bool failed = false, invalid = false;
  std::size_t count = 0;
  for (const std::string& path : arguments.all("PATH")) {
    const auto info = base::system_env().info(path);
    if (!info) return report(info.error(), arguments);
    const auto tested = info->is_directory ? test_site(path, {}, arguments) : test_file(path, arguments);
    if (!tested) return report(tested.error(), arguments);
    const TestReport& report = tested->report;
    invalid = invalid || tested->invalid;
    failed = failed || report.failed() > 0 || report.not_run() > 0;
    count += report.tests.size();
    covered.insert(covered.end(), tested->rules.begin(), tested->rules.end());
    if (arguments.json())
      write_json(tests, report);
    else if (!tested->invalid)
      print(mappings::render(report));
  }
  tests.end_array();
  if (arguments.json() && arguments.has("--coverage")) {
    write_json(rules, covered);
    print("{\"tests\":" + tests.str() + ",\"rules\":" + rules.str() + "}\n");
  } else if (arguments.json()) {
    print(tests.str() + "\n");
  } else if (arguments.has("--coverage") && !invalid) {
    print(mappings::render(covered));
  }
  if (invalid) return kExitConfig;
  if (count == 0 && !arguments.json()) print("no test matches\n");
  return failed || count == 0 ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"PATH", "site folders, or single .hmap and .test.hmap files", true, true}};
constexpr OptionSpec kOptions[] = {
    {"--filter", "TEXT", "only tests whose name contains it"},
    {"--coverage", nullptr, "also say which rules ran and which never did"},
    {"--update", nullptr, "write golden files that differ instead of reporting them (also APPROVE=1)"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln test examples/quickstart", "every test of the site's maps and channels"},
    {"kiln test examples/quickstart --filter 'PAS down'", "one test"},
    {"kiln test examples/quickstart --coverage", "rules that no test runs"}};

}  // namespace

const CommandSpec& test_spec() {
  static const CommandSpec spec{"test",
                                "Config",
                                "run the tests written in maps and channels",
                                "Sources and destinations are replaced, the clock is virtual, faults are "
                                "those the test names. Exit 1 when a\n"
                                "test fails or nothing was tested, 78 when the site has errors.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
