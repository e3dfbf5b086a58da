// kiln verify: proves that the books of the journal balance and that its records are intact.

#include "engine/base/env.h"
#include "engine/command.h"
#include "engine/detail/site_data.h"
#include "engine/vault/keeper.h"
#include "engine/vault/verify.h"

namespace kiln::engine {
namespace {

int run(const Arguments& arguments) {
  const auto data = detail::data_folder(arguments);
  if (!data) return report(data.error(), arguments);
  VerifyOptions options;
  options.full = arguments.has("--full");
  const auto key = detail::master_key(arguments);
  if (!key) return report(key.error(), arguments);
  options.master = *key;
  Progress progress("messages checked");
  options.progress = [&progress](std::uint64_t done) { progress.step(static_cast<std::size_t>(done), 0); };
  const auto found = verify_journal(base::system_env(), base::join_path(*data, "journal"), options);
  if (!found) return report(found.error(), arguments);
  if (options.full && found->findings_total == 0)
    note_done(base::system_env(), *data, kVerifyMark, base::SystemClock().wall());
  print(arguments.json() ? print_report_json(*found) + "\n" : print_report(*found));
  if (options.master && found->locked > 0 && found->findings_total == 0)
    return report({base::ErrorCode::journal_key,
                   std::to_string(found->locked) + " records were encrypted with another master key than the one given, " +
                       options.master->id(),
                   *data, "give the key that the journal was written with"},
                  arguments);
  return found->findings_total == 0 ? kExitOk : kExitFound;
}

constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption,
                                   {"--full", nullptr, "also every checksum and the structure of the files"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln verify --site examples/quickstart", "the books: every message waits or has ended, once, at each destination"},
    {"kiln verify --full --json", "every record compared with its checksum, for a script"},
    {"kiln verify --data /srv/restored --full", "a folder that no site names"}};

}  // namespace

const CommandSpec& verify_spec() {
  static const CommandSpec spec{
      "verify",
      "Storage",
      "prove that the journal's books balance and its records are intact",
      "Reads only, also while an engine runs. Exit 1 when something is found:\n"
      "  sequence-gap     numbers that are missing, or were given twice\n"
      "  no-outcome       a message that neither waits nor has ended\n"
      "  two-states       one that waits and has ended at the same destination\n"
      "  orphan-output, orphan-outcome, orphan-record   a row without its message\n"
      "  wrong-count      a queue that is not as long as was counted\n"
      "  corrupt-record, sent-altered, database-damaged   (--full) bytes that are not those that were written\n"
      "--full compares each record with its checksums: the body, and the columns beside it but for how often an output\n"
      "was tried. What is encrypted is opened with the site's key; without it (--data) only its checksums are compared.\n",
      {},
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
