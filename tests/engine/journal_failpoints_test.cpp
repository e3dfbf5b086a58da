// The process ends at every named place of the journal, one after the other; what the journal says after the next start is
// what was answered (reliability.md R1, R16, T1).
#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "engine/journal/sqlite_journal.h"
#include "tests/support/failpoints.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kStart = 1'795'400'300'000'000;
constexpr MessageId kOldMessages = 7;  ///< of the file of format 2

/// What the child was told, in a file that outlives it; each line is one positive answer.
struct Answers {
  std::string path;
  void add(const std::string& line) const {
    static std::ofstream out(path, std::ios::app);  // of the child
    out << line << std::endl;
  }
  std::set<std::string> read() const {
    std::ifstream in(path);
    std::set<std::string> out;
    for (std::string line; std::getline(in, line);) out.insert(line);
    return out;
  }
};

base::Result<std::unique_ptr<SqliteJournal>> open(const std::string& folder, base::Clock& clock, base::Executor& committer) {
  JournalOptions options;
  options.folder = folder;
  // Encrypted, with large parts apart: so that their places are among those at which the process ends.
  options.files.master = *MasterKey::parse(std::string(64, 'e'), "test");
  options.files.attachment_min = 10'000;
  return SqliteJournal::open(base::system_env(), clock, committer, options, [] { ::_exit(74); });
}

/// Everything a journal does, once around.
void use(SqliteJournal& journal, const Answers& answers) {
  journal.keep_config("c1", "the site");
  journal.set_hold({"channel:lab", HoldState::paused, "ada", "", {}}, [&](base::Status s) {
    if (s) answers.add("hold");
  });
  JobId job = 0;
  journal.keep_job({}, [&](base::Result<JobId> id) { job = id.value_or(0); });
  for (std::uint64_t i = 1; i <= 1100; ++i) {
    NewMessage m;
    m.channel = "adt_in";
    m.config_hash = "c1";
    m.control_id = "N" + std::to_string(i);
    m.body = std::string(i % 50 == 0 ? 20'000 : 200, 'x');
    m.job = i == 3 ? job : 0;
    std::memcpy(m.dedupe.data(), &i, sizeof i);
    const auto stored = [&journal, &answers, m, i](base::Result<MessageId> id) {
      if (!id) return;
      answers.add(m.control_id);
      Processed p;
      p.id = *id;
      p.channel = "adt_in";
      p.outputs.resize(1);
      p.outputs[0].destination = "pas";
      p.outputs[0].body = "out " + m.control_id;
      journal.store(p, [](base::Status) {});
      Ending e;
      e.destination = "pas";
      e.state = i % 5 == 0 ? DeliveryState::quarantined : DeliveryState::sent;
      if (i % 7 != 0) {
        journal.end(*id, "adt_in", e, [&answers, n = m.control_id](base::Status s) {
          if (s) answers.add("ended " + n);
        });
      } else {
        journal.note_sending(*id, "adt_in", "pas", [](base::Result<std::uint32_t>) {});
        Attempt attempt;
        attempt.number = 1;
        attempt.code = "timeout";
        journal.note_attempt(*id, "adt_in", "pas", attempt, nullptr);
      }
      if (i == 5) journal.note_quarantine(*id, "adt_in/pas", {}, nullptr);
      if (i == 9) journal.note_processing(*id, [](base::Result<std::uint32_t>) {});
    };
    if (i % 40 == 0)
      journal.append(m, stored);
    else
      journal.append_with_next(m, stored);
  }
  journal.flush();
}

/// The child: opens what is there (perhaps a file of format 2), works, stops in order.
[[noreturn]] void work(const std::string& folder, const std::string& spec, const Answers& answers, const std::string& hits) {
  if (!test::arm_failpoints(spec, hits)) ::_exit(1);
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  auto journal = open(folder, clock, committer);
  if (!journal) ::_exit(2);
  use(**journal, answers);
  ::_exit((*journal)->close() ? 0 : 3);
}

void restore_old_file(const std::string& folder) {
  std::ifstream in(std::string(KILN_SOURCE_DIR) + "/tests/golden/journal/2/000001-20261123.sql");
  std::stringstream text;
  text << in.rdbuf();
  REQUIRE(base::system_env().make_folders(folder).has_value());
  base::DatabaseOptions options;
  options.path = folder + "/000001-20261123.db";
  auto database = base::Database::open(options);
  REQUIRE(database.has_value());
  REQUIRE(database->exec(text.str().c_str()).has_value());
}

int run_child(const std::string& folder, const std::string& spec, const Answers& answers, const std::string& hits) {
  const pid_t child = ::fork();
  if (child == 0) work(folder, spec, answers, hits);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

/// What was answered is there, each message once, and the books balance.
void check(const std::string& folder, const Answers& answers) {
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  auto journal = open(folder, clock, committer);
  REQUIRE(journal.has_value());
  std::set<std::string> there;
  MessageId last = (*journal)->recovered().last_id, found = 0;
  for (MessageId id = kOldMessages + 1; id <= last; ++id) {
    (*journal)->read_message(id, [&](base::Result<StoredMessage> m) {
      if (!m) return;
      ++found;
      there.insert(m->message.control_id);
    });
  }
  CHECK(there.size() == found);
  std::set<std::string> waiting;
  (*journal)->read_pending("adt_in", "pas", kOldMessages, 5000, 1 << 30, [&](auto outputs) {
    for (const PendingOutput& output : outputs.value()) {
      CHECK(output.output.body.starts_with("out N"));
      waiting.insert(output.output.body.substr(4));
    }
  });
  for (const std::string& line : answers.read()) {
    if (line == "hold") {
      CHECK((*journal)->recovered().holds.size() == 1);
    } else if (line.starts_with("ended ")) {
      CHECK(waiting.count(line.substr(6)) == 0);
    } else {
      CHECK(there.count(line) == 1);
    }
  }
  std::uint64_t old = 0;
  (*journal)->read_pending("adt_in", "far", 0, 100, 1 << 20, [&](auto outputs) { old = outputs.value().size(); });
  CHECK(old == 6);
}

std::set<std::string> names_in(const std::string& path) {
  std::ifstream in(path);
  std::set<std::string> out;
  for (std::string line; std::getline(in, line);) out.insert(line);
  return out;
}

}  // namespace

TEST_CASE("kill at every failpoint of the journal: nothing that was answered is lost") {
  std::set<std::string> names;
  {
    test::TempFolder folder;
    restore_old_file(folder.path("journal"));
    const Answers answers{folder.path("answers")};
    REQUIRE(run_child(folder.path("journal"), "journal.rotate.now=torn@15", answers, folder.path("hits")) == 0);
    for (const std::string& name : names_in(folder.path("hits")))
      if (name != "journal.rotate.now") names.insert(name);
    check(folder.path("journal"), answers);
  }
  CAPTURE(names);
  CHECK(names.size() >= 30);
  for (const std::string& name : names) {
    INFO(name);
    test::TempFolder folder;
    restore_old_file(folder.path("journal"));
    const Answers answers{folder.path("answers")};
    const int status =
        run_child(folder.path("journal"), name + "=crash@1; journal.rotate.now=torn@15", answers, "");
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGKILL);
    check(folder.path("journal"), answers);
  }
}

TEST_CASE("an error at every failpoint of the journal: nothing that was answered is lost, nothing else is answered") {
  for (const char* name : {"journal.message.before", "journal.message.after", "journal.output.before", "journal.output.after",
                           "journal.commit.before", "journal.dedupe", "journal.settled", "journal.ending", "journal.taken_off",
                           "journal.attempt", "journal.rotate.before", "journal.rotate.made", "journal.rotate.after",
                           "journal.carry", "sql.checkpoint.before", "sql.checkpoint.after"}) {
    for (const char* error : {"disk_full", "fsync_failed"}) {
      INFO(name << " " << error);
      test::TempFolder folder;
      restore_old_file(folder.path("journal"));
      const Answers answers{folder.path("answers")};
      const int status = run_child(folder.path("journal"),
                                   std::string(name) + "=" + error + (name[0] == 's' ? "@1" : "@2") + "; journal.rotate.now=torn@15", answers, "");
      CHECK(WIFEXITED(status));
      // An error that comes twice at most is survived; one of the disk's confirmation ends the process.
      // The only checkpoint of a small load is that of the stop, which says so (3).
      if (std::string_view(error) != "fsync_failed") CHECK(WEXITSTATUS(status) == (name[0] == 's' ? 3 : 0));
      check(folder.path("journal"), answers);
    }
  }
}
