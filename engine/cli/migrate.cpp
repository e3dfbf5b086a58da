// kiln migrate: brings the journal to the format of this version before a start does.

#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/executor.h"
#include "engine/base/json.h"
#include "engine/command.h"
#include "engine/detail/data_lock.h"
#include "engine/detail/site_data.h"
#include "engine/journal/journal_files.h"
#include "engine/journal/sqlite_journal.h"

namespace kiln::engine {
namespace {

using base::Result;

struct Step {
  std::string file;
  std::int64_t format = 0;
};

Result<std::vector<Step>> formats(base::Env& env, const std::string& folder) {
  TRY(const auto files, open_journal_files(env, folder));
  std::vector<Step> out;
  for (const JournalFile& file : files) out.push_back({file.name.print(), file.format});
  return out;
}

Result<std::vector<Step>> migrate(const Arguments& arguments, const std::string& data, bool dry_run) {
  base::Env& env = base::system_env();
  detail::DataLock lock;
  if (!dry_run) {  // looking disturbs no engine
    TRY(lock, detail::DataLock::take(data));
  }
  JournalOptions options;
  options.folder = base::join_path(data, "journal");
  TRY(options.files.master, detail::master_key(arguments));
  TRY(auto steps, formats(env, options.folder));
  if (dry_run || steps.empty()) return steps;
  base::SystemClock clock;
  base::ThreadExecutor committer("kiln-journal");
  TRY(auto journal, SqliteJournal::open(env, clock, committer, options, [] { ::_exit(kExitIo); }));
  TRY_VOID(journal->close(journal->recovered().clean_stop));
  return steps;
}

int run(const Arguments& arguments) {
  const auto data = detail::data_folder(arguments);
  if (!data) return report(data.error(), arguments);
  const bool dry_run = arguments.has("--dry-run");
  const auto steps = migrate(arguments, *data, dry_run);
  if (!steps) return report(steps.error(), arguments);
  base::JsonWriter json;
  json.begin_object().key("format").integer(kJournalFormat).key("files").begin_array();
  for (const Step& step : *steps) {
    json.begin_object().member("file", step.file).key("had").integer(step.format).end_object();
    if (arguments.json()) continue;
    print(step.file + ": format " + std::to_string(step.format) +
          (step.format == kJournalFormat ? ", up to date\n"
           : dry_run                     ? ", the next start brings it to " + std::to_string(kJournalFormat) + "\n"
                                         : " -> " + std::to_string(kJournalFormat) + "\n"));
  }
  if (arguments.json()) print(json.end_array().end_object().take() + "\n");
  return kExitOk;
}

constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption,
                                   {"--dry-run", nullptr, "only say which files have which format"}};
constexpr ExampleSpec kExamples[] = {{"kiln migrate --dry-run --site examples/quickstart", "what an upgrade would change"},
                                     {"kiln migrate", "do it now, not with the next start"}};

}  // namespace

const CommandSpec& migrate_spec() {
  static const CommandSpec spec{
      "migrate",
      "Storage",
      "bring the journal to the format of this version",
      "A start does the same by itself, in milliseconds a file; this verb is for those who want to see it. Each file changes\n"
      "in one transaction: interrupted, it is as it was, and the next run goes on. An older version of Kiln refuses a file\n"
      "of a newer format, so make a backup before an upgrade.",
      {},
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
