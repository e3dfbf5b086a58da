// kiln fhir reindex: how far the search parameters are that were added to a running server.

#include <unistd.h>

#include <algorithm>

#include "engine/base/json.h"
#include "engine/command.h"
#include "engine/detail/site_data.h"

namespace kiln::engine {
namespace {

base::Result<std::string> ask(const std::string& data) {
  base::HttpRequest request;
  request.method = "GET";
  request.target = "/api/v1/reindex";
  TRY(auto response, detail::control_request(data, request));
  TRY_VOID(detail::control_status(response));
  return std::move(response.body);
}

std::uint64_t number_of(base::JsonView value) {
  return std::strtoull(std::string(value.text()).c_str(), nullptr, 10);
}

void show(base::JsonView list) {
  if (list.size() == 0) return print("no search parameter was added to this server\n");
  for (const base::JsonView one : list) {
    const std::uint64_t done = number_of(one["done"]),
                        last = std::max<std::uint64_t>(number_of(one["last"]), 1);
    const std::string state = one["ready"].boolean()
                                  ? "ready"
                                  : "indexing, " + std::to_string(std::min(done, last) * 100 / last) + " %";
    print(std::string(one["type"].text()) + "?" + std::string(one["code"].text()) + "=\t" + state + "\n");
  }
}

/// Parts of all parameters that are not ready.
bool step_of(base::JsonView list, std::uint64_t& done, std::uint64_t& total) {
  bool pending = false;
  done = total = 0;
  for (const base::JsonView one : list) {
    if (one["ready"].boolean()) continue;
    pending = true;
    done += number_of(one["done"]);
    total += number_of(one["last"]);
  }
  return pending;
}

int run(const Arguments& arguments) {
  const auto data = detail::data_folder(arguments);
  if (!data) return report(data.error(), arguments);
  auto told = ask(*data);
  if (arguments.has("--wait") && told) {
    Progress progress("indexed");
    std::uint64_t total_at_first = 0;
    for (;;) {
      const auto document = base::parse_json(*told);
      if (!document) return report(document.error(), arguments);
      std::uint64_t done = 0, total = 0;
      if (!step_of(document->root(), done, total)) break;
      total_at_first = std::max(total_at_first, total);
      // A parameter that has become ready counts as a whole.
      progress.step(static_cast<std::size_t>(done + total_at_first - total),
                    static_cast<std::size_t>(total_at_first));
      ::usleep(200'000);
      told = ask(*data);
      if (!told) break;
    }
  }
  if (!told) return report(told.error(), arguments);
  if (arguments.json()) {
    print(*told + "\n");
    return kExitOk;
  }
  const auto document = base::parse_json(*told);
  if (!document) return report(document.error(), arguments);
  show(document->root());
  return kExitOk;
}

constexpr OptionSpec kOptions[] = {
    {"--wait", nullptr, "until all of them can be searched by, with a progress bar"},
    detail::kSiteOption,
    detail::kDataOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln fhir reindex --site examples/quickstart", "which were added, and how far their index is"},
    {"kiln fhir reindex --wait --site examples/quickstart", "waits for the index"}};

}  // namespace

const CommandSpec& fhir_reindex_spec() {
  static const CommandSpec spec{"fhir reindex",
                                "Run",
                                "show how far the index of added search parameters is",
                                "An active SearchParameter that is written to the server can be searched by "
                                "as soon as all resources of its type\n"
                                "are indexed, which the server does in the background, also after a restart. "
                                "Exit 69 when no engine runs.",
                                {},
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
