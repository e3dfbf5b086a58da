// kiln test: runs the tests that stand in a site's files.

#include <cstdio>

#include "channels/definition.h"
#include "engine/base/env.h"
#include "engine/command.h"
#include "engine/detail/map_files.h"
#include "engine/test_target.h"
#include "mappings/tester.h"

namespace kiln::engine {
namespace {

using base::Result;
using mappings::TestReport;

Result<TestReport> test_site(const std::string& folder, const std::string& filter, bool& invalid) {
  TRY(auto load, channels::load_site(base::system_env(), folder));
  invalid = !load.site;
  if (invalid) {
    std::fputs(base::render(load.diagnostics, load.library->sources(), is_terminal(stderr)).c_str(), stderr);
    return TestReport{};
  }
  ChannelTestTarget target(load.site);
  return mappings::run_tests(*load.site->library, *load.site->compiled, &target, filter);
}

Result<TestReport> test_file(const std::string& path, const std::string& filter, bool& invalid) {
  TRY(const auto maps, detail::load_maps({path}, {}));
  invalid = !maps.diagnostics.ok();
  if (invalid) {
    std::fputs(base::render(maps.diagnostics, maps.library->sources(), is_terminal(stderr)).c_str(), stderr);
    return TestReport{};
  }
  return mappings::run_tests(*maps.library, maps.compiled, nullptr, filter);
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
  base::JsonWriter json;
  json.begin_array();
  bool failed = false, invalid = false;
  std::size_t count = 0;
  for (const std::string& path : arguments.all("PATH")) {
    const auto info = base::system_env().info(path);
    if (!info) return report(info.error(), arguments);
    const std::string filter = arguments.text("--filter");
    bool bad = false;
    const auto tests = info->is_directory ? test_site(path, filter, bad) : test_file(path, filter, bad);
    if (!tests) return report(tests.error(), arguments);
    invalid = invalid || bad;
    failed = failed || tests->failed() > 0 || tests->not_run() > 0;
    count += tests->tests.size();
    if (arguments.json())
      write_json(json, *tests);
    else if (!bad)
      print(mappings::render(*tests));
  }
  if (arguments.json()) print(json.end_array().str() + "\n");
  if (invalid) return kExitConfig;
  if (count == 0 && !arguments.json()) print("no test matches\n");
  return failed || count == 0 ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"PATH", "site folders, or single .hmap files", true, true}};
constexpr OptionSpec kOptions[] = {{"--filter", "TEXT", "only tests whose name contains it"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln test examples/quickstart", "every test of the site's maps and channels"},
    {"kiln test examples/quickstart --filter 'PAS down'", "one test"}};

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
