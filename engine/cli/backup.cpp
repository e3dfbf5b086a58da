// kiln backup: copies a site's data as it is at one moment, and proves that a copy can be restored.

#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/json.h"
#include "engine/base/partial_date.h"
#include "engine/command.h"
#include "engine/detail/data_lock.h"
#include "engine/detail/site_data.h"
#include "engine/vault/backup.h"
#include "engine/vault/keeper.h"
#include "engine/version.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;

Result<std::string> whole_path(const std::string& path) {
  if (path.starts_with('/')) return path;
  char here[4096];
  if (::getcwd(here, sizeof here) == nullptr) return base::fail(ErrorCode::io_failed, "the current folder has no name");
  return base::join_path(here, path);
}

Result<std::string> at_rest(const std::string& data, const std::string& target) {
  base::Env& env = base::system_env();
  TRY(const detail::DataLock lock, detail::DataLock::take(data));
  TRY(SqliteJournal::Cut cut, cut_at_rest(env, data));
  BackupOptions options;
  options.data_folder = data;
  options.target = target;
  options.now = base::SystemClock().wall();
  options.version = kVersion;
  options.gentle = false;
  TRY(const BackupManifest manifest, make_backup(env, std::move(cut), options));
  note_done(env, data, kBackupMark, options.now);
  std::uint64_t bytes = 0;
  for (const BackupFile& file : manifest.files) bytes += file.bytes;
  base::JsonWriter json;
  json.begin_object().member("folder", target).key("last").integer(static_cast<std::int64_t>(manifest.last));
  json.key("files").integer(static_cast<std::int64_t>(manifest.files.size()));
  json.key("bytes").integer(static_cast<std::int64_t>(bytes));
  return json.end_object().take();
}

Result<std::string> make(const std::string& data, const std::string& target) {
  base::HttpRequest request;
  request.method = "POST";
  request.target = "/api/v1/storage/backup";
  request.headers.set("Content-Type", "application/json");
  base::JsonWriter json;
  json.begin_object().member("folder", target).end_object();
  request.body = json.take();
  auto response = detail::control_request(data, request);
  if (!response && response.error().code == ErrorCode::engine_unreachable) return at_rest(data, target);
  if (!response) return base::fail(response.error());
  TRY_VOID(detail::control_status(*response));
  return std::move(response->body);
}

/// `made`: what the backup said, for one document with --json; empty: there is only the proof.
int check(const std::string& folder, const Arguments& arguments, std::string made = {}) {
  // A backup of another place is proven without the key: its checksums cover what is encrypted.
  const auto key = detail::master_key(arguments);
  const auto found = verify_backup(base::system_env(), folder, key ? *key : MasterKeyPtr());
  if (!found) {
    report(found.error(), arguments);
    return found.error().code == ErrorCode::backup_damaged ? kExitFound : kExitIo;
  }
  if (arguments.json()) {
    if (!made.empty()) made.back() = ',';  // its closing brace
    print(made.empty() ? print_report_json(found->report) + "\n" : made + "\"proof\":" + print_report_json(found->report) + "}\n");
  } else {
    const std::string date = base::PartialDate::from_wall(found->manifest.made, base::DatePrecision::second).print_fhir();
    print(print_report(found->report) + "backup of " + date + " up to message " + std::to_string(found->manifest.last) +
          ", " + std::to_string(found->manifest.files.size()) + " files: every hash is right\n");
    if (key && *key)
      print("The journal in it is encrypted with master key " + (*key)->id() + ", which is not in it: keep a copy of the key elsewhere.\n");
  }
  return found->report.findings_total == 0 ? kExitOk : kExitFound;
}

int run(const Arguments& arguments) {
  const auto words = arguments.all("FOLDER");
  if (words.size() == 2 && words[0] == "verify") return check(words[1], arguments);
  if (words.size() != 1 || words[0] == "verify") return report({ErrorCode::usage, "`kiln backup FOLDER` or `kiln backup verify FOLDER`", {}, {}}, arguments);
  const auto data = detail::data_folder(arguments);
  if (!data) return report(data.error(), arguments);
  const auto target = whole_path(words[0]);
  if (!target) return report(target.error(), arguments);
  const auto done = make(*data, *target);
  if (!done) return report(done.error(), arguments);
  const bool proves = !arguments.has("--no-verify");
  if (arguments.json()) {
    if (!proves) print(*done + "\n");
  } else {
    const auto document = base::parse_json(*done);
    if (!document) return report(document.error(), arguments);
    const base::JsonView root = document->root();
    print("backup up to message " + std::string(root["last"].text()) + " in " + std::string(root["folder"].text()) + ": " +
          std::string(root["files"].text()) + " files, " + std::string(root["bytes"].text()) + " bytes\n");
  }
  return proves ? check(*target, arguments, *done) : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"FOLDER", "a new folder; or `verify FOLDER`: prove one that is there", true, true}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption,
                                   {"--no-verify", nullptr, "do not read the backup again"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln backup /backup/2026-11-23 --site examples/quickstart", "one picture of journal, store and accounts, then its proof"},
    {"kiln backup verify /backup/2026-11-23", "every hash, every record, the books; exit 1 when something is wrong"}};

}  // namespace

const CommandSpec& backup_spec() {
  static const CommandSpec spec{
      "backup",
      "Storage",
      "copy the data of a site at one moment, and prove the copy",
      "Messages are taken all the while: the backup holds every message up to a number it names, and none behind it.\n"
      "The master key is never in it: without that key an encrypted journal cannot be read. `kiln restore` puts it back.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
