// kiln accept: records the base rules that a site overrides, as they are now (hmap.lock).

#include <algorithm>

#include "channels/definition.h"
#include "engine/base/env.h"
#include "engine/command.h"
#include "mappings/compiler.h"
#include "mappings/lock.h"
#include "mappings/package.h"
#include "mappings/tables.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using mappings::Lock;
using mappings::OverriddenRule;

/// What the lock holds, what it will hold, and whether anything else is wrong with the site.
struct Overrides {
  Lock before, now;
};

Result<Overrides> read_overrides(const std::string& folder) {
  base::Diagnostics diagnostics;
  mappings::Library library;
  TRY_VOID(library.add_site(base::system_env(), folder, diagnostics));
  library.link(diagnostics);
  library.set_tables(mappings::load_tables(library, base::system_env(), diagnostics));
  mappings::CompiledLibrary compiled = mappings::compile(library, diagnostics);
  const auto& findings = diagnostics.list();
  const bool others =
      diagnostics.dropped() > 0 || std::any_of(findings.begin(), findings.end(), [](const auto& finding) {
        return finding.severity == base::Severity::error && finding.code != ErrorCode::E0702;
      });
  if (others)
    return base::fail(ErrorCode::site_invalid, "the site has errors beside changed base rules", folder,
                      "`kiln check " + folder + "` shows them");
  Overrides out;
  if (library.lock() != nullptr) out.before = *library.lock();
  out.now = Lock::of(std::move(compiled.overridden));
  return out;
}

struct Change {
  const char* what;  ///< "new", "changed", "gone"
  const OverriddenRule* rule;
  const OverriddenRule* was;
};

std::vector<Change> changes(const Overrides& overrides) {
  std::vector<Change> out;
  for (const OverriddenRule& rule : overrides.now.rules()) {
    const OverriddenRule* was = overrides.before.find(rule.map, rule.rule);
    if (was == nullptr)
      out.push_back({"new", &rule, nullptr});
    else if (was->hash != rule.hash)
      out.push_back({"changed", &rule, was});
  }
  for (const OverriddenRule& rule : overrides.before.rules()) {
    if (overrides.now.find(rule.map, rule.rule) == nullptr) out.push_back({"gone", &rule, nullptr});
  }
  return out;
}

std::string text_of(const std::vector<Change>& list) {
  std::string out;
  for (const Change& change : list) {
    out += std::string(change.what) + "  " + change.rule->map + "  " + change.rule->rule + "\n";
    if (change.was != nullptr) out += "  - " + change.was->text + "\n  + " + change.rule->text + "\n";
  }
  return out;
}

std::string json_of(const std::vector<Change>& list, std::size_t rules, bool written) {
  base::JsonWriter json;
  json.begin_object().key("rules").integer(static_cast<std::int64_t>(rules));
  json.key("written").boolean(written).key("changes").begin_array();
  for (const Change& change : list) {
    json.begin_object()
        .member("what", change.what)
        .member("map", change.rule->map)
        .member("rule", change.rule->rule);
    if (change.was != nullptr) json.member("was", change.was->text);
    json.member("text", change.rule->text).end_object();
  }
  return json.end_array().end_object().str() + "\n";
}

int run(const Arguments& arguments) {
  const std::string folder = arguments.text("SITE", ".");
  const auto overrides = read_overrides(folder);
  if (!overrides) return report(overrides.error(), arguments);
  const std::vector<Change> list = changes(*overrides);
  const bool dry = arguments.has("--dry-run");
  const std::string path = base::join_path(folder, mappings::kLockFileName);
  const bool write = !dry && !list.empty();
  if (write) {
    const base::Status status = base::system_env().write_file_atomic(path, overrides->now.print());
    if (!status) return report(status.error(), arguments);
  }
  const std::size_t rules = overrides->now.rules().size();
  if (arguments.json()) {
    print(json_of(list, rules, write));
  } else {
    print(text_of(list) + path + ": " + std::to_string(rules) + (rules == 1 ? " rule" : " rules") +
          (list.empty() ? ", nothing to accept\n" : dry ? ", not written\n" : ", written\n"));
  }
  return dry && !list.empty() ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"SITE", "the site (default: the current folder)", false, false}};
constexpr OptionSpec kOptions[] = {
    {"--dry-run", nullptr, "only list what would be recorded; exit 1 when there is something"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln accept examples/site", "after an upgrade: the changed base rules are as wanted"},
    {"kiln accept --dry-run", "what `kiln check` complains about, with both texts"}};

}  // namespace

const CommandSpec& accept_spec() {
  static const CommandSpec spec{
      "accept",
      "Config",
      "confirm the base rules that `extend map` overrides",
      "Writes hmap.lock beside kiln.conf: the text and hash of every base rule that the site removes or "
      "replaces.\n`kiln check` reports E0702 when one of them changes, until it is accepted again.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
