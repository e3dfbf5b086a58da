// Lookups of a site: SQLite and csv sources, what is recorded with a message, tables that are reloaded.

#include <catch2/catch.hpp>

#include "engine/base/env.h"
#include "engine/base/sql/sqlite.h"
#include "engine/base/virtual_executor.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/lookups.h"
#include "engine/process.h"
#include "engine/table_watch.h"
#include "mappings/tables.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;
using mappings::LookupAnswer;
using State = LookupAnswer::State;

namespace {

constexpr const char* kConf = R"(server {
  query mpi_by_mrn { file "mpi.db"; sql "select eid, ward from mpi where mrn = :mrn" }
  query no_column { file "mpi.db"; sql "select ward from mpi where mrn = :mrn" }
  query other_parameter { file "mpi.db"; sql "select eid, ward from mpi where mrn = :id" }
}
)";

constexpr const char* kMaps = R"(module t
row    MpiRow { eid : string  ward : string? }
lookup Mpi(mrn: string) -> MpiRow via sql "mpi_by_mrn" cache 10m on miss omit on error quarantine "no index"
lookup Now(mrn: string) -> MpiRow via sql "mpi_by_mrn" on miss omit on error omit
lookup NoColumn(mrn: string) -> MpiRow via sql "no_column" on error omit
lookup Other(mrn: string) -> MpiRow via sql "other_parameter" on error omit
row    WardRow { building : string }
lookup Ward(ward: string, floor: string) -> WardRow via csv "tables/wards.csv"
table  Codes = csv "tables/codes.csv" key local reload 1s else omit
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient {
    identifier += { value = Mpi(PID-3[1].1).eid }
    name += { text = PID-5.1.1  family = Codes[PID-8].code }
  }
}
)";

constexpr const char* kChannel = R"(module t
channel c {
  source mllp { port 0 }
  accept hl7 ADT_A01 2.5.1
  ack original on mapped
  map bundle = m
  to d: drop from bundle { }
}
)";

constexpr const char* kMessage =
    "MSH|^~\\&|A|B|C|D|20260101||ADT^A01^ADT_A01|M1|P|2.5.1\rEVN||20260101\rPID|1||4711||EVERYMAN|||M\rPV1|1|I\r";

struct Fixture {
  test::TempFolder folder;
  base::Env& env = base::system_env();
  base::ManualClock clock{{1'795'000'000'000'000}};
  std::shared_ptr<channels::Site> site;

  Fixture() {
    for (const char* name : {"maps", "channels", "tables"}) REQUIRE(env.make_folders(folder.path(name)));
    write("kiln.conf", kConf);
    write("maps/t.hmap", kMaps);
    write("channels/c.channel", kChannel);
    write("tables/wards.csv", "ward,floor,building\nW1,1,North\nW1,2,South\n");
    write("tables/codes.csv", "local,code\nM,male\n");
    auto loaded = channels::load_site(env, folder.path());
    REQUIRE(loaded);
    INFO(base::render(loaded->diagnostics, loaded->library->sources()));
    REQUIRE(loaded->site);
    site = loaded->site;
  }
  void write(const std::string& name, const std::string& text) {
    REQUIRE(env.write_file_atomic(folder.path(name), text));
  }
  /// A new database with one row.
  void index(const std::string& eid) {
    if (env.exists(folder.path("mpi.db"))) REQUIRE(env.remove(folder.path("mpi.db")));
    base::DatabaseOptions options;
    options.path = folder.path("new.db");
    {
      auto database = base::Database::open(options);
      REQUIRE(database);
      REQUIRE(database->exec("create table mpi(mrn text, eid text, ward text)"));
      REQUIRE(database->exec(("insert into mpi values('4711', '" + eid + "', null)").c_str()));
      REQUIRE(database->exec("pragma journal_mode=delete"));
    }
    REQUIRE(env.rename(folder.path("new.db"), folder.path("mpi.db"), true));
  }
  SiteLookups service() { return SiteLookups(lookup_queries(site->server, folder.path()), folder.path(), env, clock); }
  LookupAnswer ask(SiteLookups& service, const std::string& lookup, std::vector<std::string> arguments) {
    const mappings::LookupKey key{lookup, std::move(arguments)};
    const auto answers = service.fetch(*site->compiled->unit, {&key, 1});
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].key == key);
    return answers[0];
  }
  mappings::LookupShape shape(const std::string& name) const {
    for (auto& shape : mappings::lookups_of(*site->compiled->unit))
      if (shape.name == name) return shape;
    FAIL("no lookup " << name);
    return {};
  }
};

struct OneService final : LookupProvider {
  mappings::LookupService* service = nullptr;
  mappings::LookupService* lookups(const channels::Site&) override { return service; }
};

NewMessage message() {
  NewMessage out;
  out.channel = "c";
  out.body = kMessage;
  return out;
}

}  // namespace

TEST_CASE("lookups: a database answers by parameter and column name", "[lookups]") {
  Fixture fixture;
  fixture.index("E-1");
  SiteLookups service = fixture.service();
  const LookupAnswer found = fixture.ask(service, "t.Mpi", {"4711"});
  CHECK(found.state == State::found);
  REQUIRE(found.columns.size() == 2);
  CHECK(found.columns[0] == "E-1");
  CHECK_FALSE(found.columns[1].has_value());
  CHECK(fixture.ask(service, "t.Mpi", {"' or 1=1 --"}).state == State::missing);
  CHECK(fixture.ask(service, "t.Unknown", {"x"}).state == State::failed);
}

TEST_CASE("lookups: a query that kiln.conf does not have is an error at load", "[lookups]") {
  auto loaded = channels::load_site_texts(
      {{"kiln.conf", "server { }\n"},
       {"maps/t.hmap", "module t\nrow R { a : string }\nlookup L(b: string) -> R via sql \"nothing\"\n"}});
  CHECK_FALSE(loaded.site);
  const std::string text = base::render(loaded.diagnostics, loaded.library->sources());
  CHECK(text.find("E0412") != std::string::npos);
}

TEST_CASE("lookups: a database that is missing, broken or of another form fails and heals", "[lookups]") {
  Fixture fixture;
  SiteLookups service = fixture.service();
  CHECK(fixture.ask(service, "t.Mpi", {"4711"}).state == State::failed);
  fixture.write("mpi.db", "this is no database");
  CHECK(fixture.ask(service, "t.Mpi", {"4711"}).state == State::failed);
  fixture.index("E-1");
  CHECK(fixture.ask(service, "t.Mpi", {"4711"}).state == State::found);
  CHECK(fixture.ask(service, "t.NoColumn", {"4711"}).state == State::failed);
  CHECK(service.check(fixture.shape("t.NoColumn")).error().code == base::ErrorCode::E0411);
  CHECK(service.check(fixture.shape("t.Other")).error().code == base::ErrorCode::E0411);
  mappings::LookupShape unknown = fixture.shape("t.Mpi");
  unknown.query = "nothing";
  CHECK(service.check(unknown).error().code == base::ErrorCode::E0412);
  CHECK(service.check(fixture.shape("t.Mpi")));
}

TEST_CASE("lookups: a cached answer lasts its time, a changed file ends it", "[lookups]") {
  Fixture fixture;
  fixture.index("E-1");
  SiteLookups service = fixture.service();
  CHECK(fixture.ask(service, "t.Mpi", {"4711"}).columns[0] == "E-1");
  REQUIRE(fixture.env.remove(fixture.folder.path("mpi.db")));
  CHECK(fixture.ask(service, "t.Mpi", {"4711"}).columns[0] == "E-1");
  CHECK(fixture.ask(service, "t.Now", {"4711"}).state == State::failed);
  fixture.clock.advance(std::chrono::minutes(11));
  CHECK(fixture.ask(service, "t.Mpi", {"4711"}).state == State::failed);
  fixture.index("E-2-longer");
  CHECK(fixture.ask(service, "t.Mpi", {"4711"}).columns[0] == "E-2-longer");
}

TEST_CASE("lookups: a csv file answers by all of its parameters", "[lookups]") {
  Fixture fixture;
  SiteLookups service = fixture.service();
  CHECK(fixture.ask(service, "t.Ward", {"W1", "2"}).columns[0] == "South");
  CHECK(fixture.ask(service, "t.Ward", {"W1", "3"}).state == State::missing);
  fixture.write("tables/wards.csv", "ward,floor,building\nW1,3,Annexe\n");
  CHECK(fixture.ask(service, "t.Ward", {"W1", "3"}).columns[0] == "Annexe");
  fixture.write("tables/wards.csv", "station,building\n");
  CHECK(fixture.ask(service, "t.Ward", {"W1", "3"}).state == State::failed);
}

TEST_CASE("lookups: what was asked is recorded, and counts when the message is processed again", "[lookups]") {
  Fixture fixture;
  fixture.index("E-1");
  SiteLookups service = fixture.service();
  OneService provider;
  provider.service = &service;
  Processor processor;
  processor.use_lookups(&provider);
  NewMessage incoming = message();
  const auto output = [&](const NewMessage& message) {
    // The output of a drop destination is not kept: the recorded answers stand for it.
    return processor.process(*fixture.site, fixture.site->channels[0], message);
  };
  const Plan first = output(incoming);
  CHECK(first.verdict == Plan::Verdict::accepted);
  CHECK(first.lookups.find("E-1") != std::string::npos);
  fixture.index("E-22");
  incoming.lookups = first.lookups;
  CHECK(output(incoming).lookups == first.lookups);
  CHECK(output(message()).lookups.find("E-22") != std::string::npos);
}

TEST_CASE("lookups: an index that is gone quarantines, the engine goes on; the next attempt asks again",
          "[lookups]") {
  Fixture fixture;
  SiteLookups service = fixture.service();
  OneService provider;
  provider.service = &service;
  Processor processor;
  processor.use_lookups(&provider);
  const auto& channel = fixture.site->channels[0];
  const Plan failed = processor.process(*fixture.site, channel, message());
  CHECK(failed.verdict == Plan::Verdict::quarantined);
  CHECK(failed.reason == "no index");
  REQUIRE_FALSE(failed.diagnostics.empty());
  CHECK(failed.diagnostics[0].code == "lookup-error");
  CHECK(failed.diagnostics[0].source == "PID-3.1");
  fixture.index("E-1");
  NewMessage again = message();
  again.lookups = failed.lookups;
  CHECK(processor.process(*fixture.site, channel, again).verdict == Plan::Verdict::accepted);
}

TEST_CASE("lookups: the journal keeps the answers beside the message", "[lookups]") {
  test::TempFolder folder;
  base::ManualClock clock{{1'795'000'000'000'000}};
  base::VirtualExecutor executor{clock};
  JournalOptions options;
  options.folder = folder.path("journal");
  auto journal = SqliteJournal::open(base::system_env(), clock, executor, options, [] {});
  REQUIRE(journal);
  (*journal)->keep_config("c1", "[]");
  NewMessage incoming = message();
  incoming.config_hash = "c1";
  MessageId id = 0;
  (*journal)->append(incoming, [&](base::Result<MessageId> appended) { id = *appended; });
  executor.run(std::chrono::seconds(1));
  Processed processed;
  processed.id = id;
  processed.channel = "c";
  processed.lookups = R"([{"lookup":"t.Mpi","arguments":["4711"],"state":0,"row":["E-1",null]}])";
  (*journal)->store(processed, [](base::Status status) { CHECK(status); });
  (*journal)->flush();
  executor.run(std::chrono::seconds(1));
  std::string read;
  (*journal)->read_message(id, [&](base::Result<StoredMessage> stored) { read = stored->message.lookups; });
  executor.run(std::chrono::seconds(1));
  CHECK(read == processed.lookups);
  CHECK(mappings::parse_answers(read)->front().columns[0] == "E-1");
}

TEST_CASE("tables: a changed file is a new version of the site, a broken one is not", "[lookups]") {
  Fixture fixture;
  TableWatch watch(fixture.site, fixture.env);
  CHECK(watch.interval_ms() == 1000);
  CHECK_FALSE(watch.look().site);
  fixture.write("tables/codes.csv", "local,code\nM,man\nW,woman\n");
  const TableWatch::Change change = watch.look();
  INFO(change.problem);
  REQUIRE(change.site);
  CHECK(change.site->hash != fixture.site->hash);
  CHECK(change.site->tables->content_hash() != fixture.site->tables->content_hash());
  const mappings::TableData* codes = change.site->tables->find("t.Codes");
  REQUIRE(codes);
  CHECK(codes->rows() == 2);
  CHECK(fixture.site->tables->find("t.Codes")->rows() == 1);  // who began with it ends with it
  CHECK_FALSE(watch.look().site);
  fixture.write("tables/codes.csv", "lokal,code\nM,x\n");
  const TableWatch::Change broken = watch.look();
  CHECK_FALSE(broken.site);
  CHECK(broken.problem.find("E0401") != std::string::npos);
  CHECK(watch.look().problem.empty());  // said once
  fixture.write("tables/codes.csv", "local,code\nM,x\nN,y\nO,z\n");
  CHECK(watch.look().site);
}
