// kiln restore: puts a backup in the place of a site's data.

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/json.h"
#include "engine/base/partial_date.h"
#include "engine/command.h"
#include "engine/detail/data_lock.h"
#include "engine/detail/site_data.h"
#include "engine/vault/backup.h"

namespace kiln::engine {
namespace {

void print_json(const Restored& restored) {
  base::JsonWriter json;
  json.begin_object().key("last").integer(static_cast<std::int64_t>(restored.manifest.last));
  json.key("pending").integer(static_cast<std::int64_t>(restored.pending)).member("moved_to", restored.moved_to);
  json.key("held").begin_array();
  for (const std::string& name : restored.held) json.string(name);
  print(json.end_array().end_object().take() + "\n");
}

int run(const Arguments& arguments) {
  base::Env& env = base::system_env();
  const auto data = detail::data_folder(arguments);
  if (!data) return report(data.error(), arguments);
  detail::DataLock lock;
  if (env.exists(*data)) {
    auto taken = detail::DataLock::take(*data);
    if (!taken) return report(taken.error(), arguments);
    lock = std::move(*taken);
  }
  const auto key = detail::master_key(arguments);
  if (!key) return report(key.error(), arguments);
  const auto restored =
      restore_backup(env, arguments.text("FOLDER"), *data, arguments.has("--replace"), base::SystemClock().wall(), *key);
  if (!restored) return report(restored.error(), arguments);
  if (arguments.json()) {
    print_json(*restored);
    return kExitOk;
  }
  const std::string made = base::PartialDate::from_wall(restored->manifest.made, base::DatePrecision::second).print_fhir();
  print("restored the backup of " + made + ", up to message " + std::to_string(restored->manifest.last) + "\n");
  if (!restored->moved_to.empty()) print("what was there before is in " + restored->moved_to + "\n");
  print("Messages behind that number are not in it: what senders sent after " + made + " is missing here.\n" +
        std::to_string(restored->pending) +
        " outputs wait. Each may have been sent after the backup was made: all are marked in doubt, and nothing is sent\n"
        "before you let it go:\n");
  for (const std::string& name : restored->held)
    print((name.find('/') == std::string::npos ? "  kiln channel resume " : "  kiln destination resume ") + name + "\n");
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"FOLDER", "the backup"}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption,
                                   {"--replace", nullptr, "move the data that are there aside"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln restore /backup/2026-11-23 --site examples/quickstart", "into a site without data"},
    {"kiln restore /backup/2026-11-23 --replace", "what is there stays beside it, as data.before-…"}};

}  // namespace

const CommandSpec& restore_spec() {
  static const CommandSpec spec{
      "restore",
      "Storage",
      "put a backup in the place of a site's data",
      "No engine may run. The backup is proven first, as `kiln backup verify` does. Afterwards every destination is\n"
      "paused, and each channel with messages that were not yet mapped; everything that waits is in doubt: look, then let each\n"
      "go (`kiln destination resume`, `kiln channel resume`).",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
