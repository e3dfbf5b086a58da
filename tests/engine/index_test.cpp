#include <catch2/catch.hpp>

#include "engine/base/random.h"
#include "engine/index/index_plan.h"
#include "engine/index/indexer.h"
#include "engine/journal/day_file.h"
#include "engine/journal/query.h"
#include "engine/journal/query_sql.h"
#include "engine/journal/reader.h"
#include "engine/journal/sqlite_journal.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr std::int64_t kStart = 1'795'000'000'000'000;

std::string body(const std::string& control_id, const std::string& mrn, const std::string& name, const std::string& account,
                 const std::string& ward) {
  return "MSH|^~\\&|HIS|WARD|KILN|LAB|20261122083000||ADT^A08^ADT_A01|" + control_id + "|P|2.5.1\rPID|1||" + mrn +
         "^^^HIS^MR~X" + mrn + "^^^NAT^PI||" + name + "||19700101|F||||||||||" + account + "\rPV1|1|I|" + ward + "^101\r";
}

IndexRules rules(bool with_text = true) {
  IndexRules out;
  out.keys.push_back({"ward", std::move(*hl7::Path::compile("PV1-3.1")), ""});
  if (with_text) out.text_channels.insert("lab_in");
  return out;
}

struct Site {
  kiln::test::TempFolder folder;
  base::ManualClock clock{{kStart}};
  base::InlineExecutor committer;
  std::unique_ptr<SqliteJournal> journal;
  std::string journal_folder = folder.path("journal"), index_folder = folder.path("index");

  Site() {
    JournalOptions options;
    options.folder = journal_folder;
    auto opened = SqliteJournal::open(base::system_env(), clock, committer, options, [] {});
    REQUIRE(opened.has_value());
    journal = std::move(*opened);
    journal->keep_config("c1", "the site");
  }
  MessageId add(NewMessage message) {
    message.received = clock.wall();
    message.config_hash = "c1";
    MessageId id = 0;
    journal->append(std::move(message), [&](base::Result<MessageId> r) { id = *r; });
    clock.advance(std::chrono::seconds(1));
    return id;
  }
  MessageId add(const std::string& channel, const std::string& type, const std::string& control, const std::string& text) {
    NewMessage message;
    message.channel = channel;
    message.type = type;
    message.control_id = control;
    message.peer = "10.0.0.1:4000";
    message.body = text;
    return add(std::move(message));
  }
  void store(MessageId id, const std::string& channel) {
    Processed processed;
    processed.id = id;
    processed.channel = channel;
    processed.outputs.resize(1);
    processed.outputs[0].destination = "pas";
    processed.outputs[0].is_source = true;
    journal->store(std::move(processed), [](base::Status s) { REQUIRE(s.has_value()); });
    journal->flush();
  }
  void end(MessageId id, const std::string& channel, DeliveryState state, std::uint32_t attempts, const std::string& code) {
    Ending ending;
    ending.destination = "pas";
    ending.state = state;
    ending.attempts = attempts;
    ending.code = code;
    journal->end(id, channel, ending, [](base::Status s) { REQUIRE(s.has_value()); });
    journal->flush();
  }
  void index(const IndexRules& by) {
    Indexer indexer({&base::system_env(), journal_folder, index_folder, by, {}});
    REQUIRE(indexer.catch_up().has_value());
  }
  JournalReader reader(bool with_index, const IndexRules& by) {
    auto opened = JournalReader::open(base::system_env(), journal_folder);
    REQUIRE(opened.has_value());
    opened->use_index(base::system_env(), with_index ? index_folder : "", by);
    return std::move(*opened);
  }
};

std::string find(JournalReader& reader, const std::string& text, base::WallTime now, SearchOptions options = {}) {
  const auto query = parse_query_text(text, now);
  INFO(text);
  REQUIRE(query.has_value());
  const auto answer = reader.find(*query, options);
  REQUIRE(answer.has_value());
  CHECK(answer->complete);
  std::string out;
  for (const auto& summary : answer->found) out += std::to_string(summary.id) + " ";
  return out;
}

/// A journal of three days with everything in it that a query can ask for.
void fill(Site& site, std::uint64_t seed, int messages) {
  base::SeededRandom random(seed);
  const std::vector<std::string> names = {"Muster^Anna", "Muster^Hans^Karl", "O'Neil^Anna Maria", "Müller^Anna", ""};
  const std::vector<std::string> types = {"ADT^A01^ADT_A01", "ADT^A08^ADT_A01", "ORU^R01^ORU_R01", "ORUX"};
  auto pick = [&](const std::vector<std::string>& from) { return from[random.below(from.size())]; };
  for (int i = 0; i < messages; ++i) {
    if (i == messages / 3 || i == 2 * messages / 3) site.clock.advance(std::chrono::hours(24));
    const std::string channel = random.below(2) == 0 ? "adt_in" : "lab_in", type = pick(types);
    const std::string control = "M" + std::to_string(random.below(20));
    std::string text = body(control, std::to_string(100 + random.below(10)), pick(names), "A" + std::to_string(random.below(5)),
                            "W" + std::to_string(random.below(3)));
    if (random.below(20) == 0) text = "no message at all";
    const MessageId id = site.add(channel, type, control, text);
    if (random.below(10) == 0) continue;  // unprocessed
    site.store(id, channel);
    const auto fate = random.below(4);
    if (fate == 0) site.end(id, channel, DeliveryState::quarantined, static_cast<std::uint32_t>(random.below(6)), "AE");
    if (fate >= 2) site.end(id, channel, DeliveryState::sent, 1, "AA");
  }
}

const std::vector<std::string> kTerms = {
    "mrn:103",      "mrn:X104", "account:A2",     "name:muster",         "name:\"anna muster\"", "name:müller", "path:ward=W1",
    "path:PV1-3.1=w2", "path:PID-8=F", "text:hans",  "text:\"wards karl\"", "id:M7",          "type:ADT",    "type:ORU",
    "type:ORU^R01", "channel:lab_in", "channel:gone", "state:quarantined", "state:sent",     "state:pending", "state:unprocessed",
    "pending>30s",  "attempts>3",     "code:AE",      "dest:pas",          "peer:10.0.",     "since:2h",    "before:1h",
    "msg:20..60",   "mrn:nobody"};

std::string random_query(base::Random& random, int depth) {
  if (depth == 0 || random.below(3) == 0) {
    std::string term = kTerms[random.below(kTerms.size())];
    const auto how = random.below(4);
    return how == 0 ? "NOT " + term : how == 1 ? "-" + term : term;
  }
  const std::string joint = random.below(2) == 0 ? " OR " : random.below(2) == 0 ? " AND " : " ";
  std::string out = random_query(random, depth - 1) + joint + random_query(random, depth - 1);
  return (random.below(4) == 0 ? "NOT (" : "(") + out + ")";
}

}  // namespace

TEST_CASE("index: a query finds the same with and without it, whatever it is") {
  Site site;
  fill(site, 7, 240);
  site.index(rules());
  for (int i = 0; i < 15; ++i) site.add("lab_in", "ORU^R01", "late", body("late", "103", "Muster^Anna", "A2", "W1"));  // not indexed yet
  JournalReader with = site.reader(true, rules()), without = site.reader(false, rules());
  base::SeededRandom random(11);
  std::size_t found = 0;
  for (int i = 0; i < 300; ++i) {
    const std::string text = i < static_cast<int>(kTerms.size()) ? kTerms[static_cast<std::size_t>(i)] : random_query(random, 3);
    SearchOptions options;
    options.limit = i % 3 == 0 ? 5 : 1000;
    options.oldest_first = i % 2 == 0;
    if (i % 5 == 0) options.before = 100;
    if (i % 7 == 0) options.after = 50;
    options.ids_per_read = i % 4 == 0 ? 7 : 20'000;
    INFO(text << " limit " << options.limit);
    const std::string expected = find(without, text, site.clock.wall(), options);
    CHECK(find(with, text, site.clock.wall(), options) == expected);
    found += expected.empty() ? 0 : 1;
  }
  CHECK(found > 100);  // the queries are about something
}

TEST_CASE("index: it goes on where it stopped, and is made anew when it is damaged or the rules are others") {
  Site site;
  fill(site, 3, 60);
  site.index(rules());
  fill(site, 4, 60);
  JournalReader without = site.reader(false, rules());
  const std::string text = "name:anna (mrn:103 OR mrn:104 OR path:ward=W0) channel:lab_in";
  const std::string expected = find(without, text, site.clock.wall());
  REQUIRE(!expected.empty());
  auto check = [&](const IndexRules& by) {
    site.index(by);
    JournalReader with = site.reader(true, by);
    CHECK(find(with, text, site.clock.wall()) == expected);
  };
  check(rules());
  const std::string file = index_path(site.index_folder, 1);
  SECTION("thrown away") { REQUIRE(base::system_env().remove(file).has_value()); }
  SECTION("damaged") { REQUIRE(base::system_env().write_file_atomic(file, std::string(50'000, 'x')).has_value()); }
  SECTION("empty") { REQUIRE(base::system_env().write_file_atomic(file, "").has_value()); }
  check(rules());
  check(rules(false));
  // A reader with other rules does not believe it.
  JournalReader other = site.reader(true, rules());
  CHECK(find(other, text, site.clock.wall()) == expected);
}

TEST_CASE("index: of a journal file that is gone goes too") {
  Site site;
  fill(site, 5, 30);
  Indexer indexer({&base::system_env(), site.journal_folder, site.index_folder, rules(), {}});
  REQUIRE(indexer.catch_up().has_value());
  const auto files = base::system_env().list(site.journal_folder);
  const std::string gone = index_path(site.index_folder, 1);
  REQUIRE(base::system_env().exists(gone));
  for (const auto& file : *files)
    if (file.name.starts_with("000001-")) REQUIRE(base::system_env().remove(site.journal_folder + "/" + file.name).has_value());
  REQUIRE(indexer.catch_up().has_value());
  CHECK(!base::system_env().exists(gone));
  CHECK(base::system_env().exists(index_path(site.index_folder, 2)));
}

TEST_CASE("index: a key is asked of the index, what is rare of its own index, nothing looks at every message") {
  Site site;
  fill(site, 9, 120);
  site.index(rules());
  auto index = IndexReader::open(base::system_env(), site.index_folder, 1);
  REQUIRE(index.has_value());
  auto plan = [&](const char* text) {
    auto made = plan_index(*parse_query_text(text, site.clock.wall()), *index, rules());
    REQUIRE(made.has_value());
    return (made->keys.empty() ? std::string("journal") : "index") + (made->selective ? ", few" : "");
  };
  CHECK(plan("mrn:103") == "index, few");
  CHECK(plan("id:M1 state:sent") == "index, few");
  CHECK(plan("mrn:103 OR account:A1") == "index, few");
  CHECK(plan("mrn:103 OR state:sent") == "journal");
  CHECK(plan("NOT mrn:103") == "journal");
  CHECK(plan("channel:lab_in") == "index");
  CHECK(plan("type:ADT") == "index");
  CHECK(plan("path:ward=W1") == "index, few");
  CHECK(plan("path:PID-8=F") == "journal");
  CHECK(plan("text:hans") == "journal");  // adt_in has no words in the index
  CHECK(plan("text:hans channel:lab_in") == "index, few");
  CHECK(plan("") == "journal");
}

TEST_CASE("search: what is pending is not looked for among what is settled") {
  Site site;
  constexpr std::int64_t kMessages = 600;
  for (std::int64_t i = 0; i < kMessages; ++i) {
    const MessageId id = site.add("adt_in", "ADT^A01", "M" + std::to_string(i), body("M", "1", "A^B", "1", "W"));
    site.store(id, "adt_in");
    site.end(id, "adt_in", DeliveryState::sent, 1, "AA");
  }
  REQUIRE(site.journal->close());
  const auto files = base::system_env().list(site.journal_folder);
  REQUIRE(files);
  std::string path;
  for (const auto& file : *files)
    if (DayFileName::parse(file.name)) path = site.journal_folder + "/" + file.name;
  base::DatabaseOptions options;
  options.path = path;
  auto file = base::Database::open(options);
  REQUIRE(file);
  // As the writer notes it every 1,024 messages.
  REQUIRE(file->exec("UPDATE meta SET value='590' WHERE key='settled_to'"));
  std::uint64_t steps = 0;
  file->set_trace([&](const base::StatementCost& cost) { steps = cost.steps; });
  const Query query = *parse_query_text("state:pending", site.clock.wall());
  const QuerySql sql(query, {});
  {
    auto select = file->prepare(std::string(kQueryTables) + "SELECT m.id FROM msg m WHERE m.id BETWEEN ?1 AND ?2 AND " + sql.where());
    REQUIRE(select);
    sql.bind(*select);
    REQUIRE(select->bind(1, 1).bind(2, kMessages).run());
  }
  CHECK(steps > 0);
  CHECK(steps < 2 * kMessages);
}

TEST_CASE("index: no value of a message can be read in it") {
  Site site;
  site.add("lab_in", "ADT^A01", "CANARYID", body("CANARYID", "4711999", "Canaryname^Zoe", "ACCT777", "WARDX"));
  site.index(rules());
  const auto bytes = base::system_env().read_file(index_path(site.index_folder, 1), 10'000'000);
  const auto log = base::system_env().read_file(index_path(site.index_folder, 1) + "-wal", 10'000'000);
  const std::string all = (bytes ? *bytes : "") + (log ? *log : "");
  REQUIRE(all.find("lab_in") != std::string::npos);
  for (const char* value : {"CANARYID", "4711999", "anaryname", "canaryname", "ACCT777", "acct777", "WARDX", "wardx"})
    CHECK(all.find(value) == std::string::npos);
}

TEST_CASE("search: when the time is up it says how far it is, and goes on from there") {
  Site site;
  fill(site, 13, 90);
  JournalReader reader = site.reader(false, rules());
  /// Each look at the clock takes a second.
  struct SlowClock final : base::Clock {
    base::WallTime wall() const override { return {kStart}; }
    base::MonoTime mono() const override { return now += std::chrono::seconds(1); }
    mutable base::MonoTime now{0};
  } clock;
  const std::string all = find(reader, "name:anna", site.clock.wall(), {1000});
  const auto query = parse_query_text("name:anna", site.clock.wall());
  SearchOptions options;
  options.limit = 1000;
  options.ids_per_read = 10;
  options.clock = &clock;
  options.budget_ms = 1'500;
  std::string parts;
  int rounds = 0;
  for (bool complete = false; !complete; ++rounds) {
    const auto answer = reader.find(*query, options);
    REQUIRE(answer.has_value());
    for (const auto& summary : answer->found) {
      parts += std::to_string(summary.id) + " ";
      CHECK(summary.id >= answer->looked_to);
    }
    complete = answer->complete;
    options.before = answer->looked_to;
    REQUIRE(rounds < 50);
  }
  CHECK(rounds > 2);
  CHECK(parts == all);
}

TEST_CASE("query: the form of the language") {
  auto error = [](const char* text) {
    const auto query = parse_query_text(text, {kStart});
    return query ? std::string("taken") : query.error().text + " [" + query.error().place + "]";
  };
  CHECK(error("(mrn:1 OR mrn:2) AND NOT (state:sent OR -channel:x)") == "taken");
  CHECK(error("text:\"a (b) OR c\"") == "taken");
  CHECK(error("NOT NOT mrn:1") == "taken");
  CHECK(error("(mrn:1") == "the parenthesis is not closed [(]");
  CHECK(error("mrn:1)") == "there is no parenthesis to close [)]");
  CHECK(error("mrn:1 OR") == "a term is missing []");
  CHECK(error("OR mrn:1") == "a term is missing [OR]");
  CHECK(error("AND") == "a term is missing [AND]");
  CHECK(error("()") == "a term is missing [)]");
  CHECK(error("NOT") == "a term is missing [NOT]");
  CHECK(error("-(mrn:1)") == "a parenthesis is negated by NOT [-(]");
  CHECK(error("pending>soon") == "this is no duration [pending>soon]");
  CHECK(error("pending:10m") == "this field wants a `>` [pending:10m]");
  CHECK(error("mrn>1") == "this field wants a `:` [mrn>1]");
  CHECK(error("attempts>many") == "this is no number [attempts>many]");
  CHECK(error("path:PID-8") == "the path needs a value [path:PID-8]");
  CHECK(error("path:P!D=1") == "this is no path of a field [path:P!D=1]");
  CHECK(error("since:99999999999999999d") == "this is no time [since:99999999999999999d]");
  CHECK(error("text:\"open") == "the quote is not closed [text:open]");
  CHECK(error(std::string(200, '(').c_str()).starts_with("the query is nested too deeply"));
  std::string nots, words;
  for (int i = 0; i < 400; ++i) nots += "NOT ";
  CHECK(error((nots + "mrn:1").c_str()).starts_with("the query is nested too deeply"));
  for (int i = 0; i < 2'000; ++i) words += "id:1 ";
  CHECK(error(words.c_str()).starts_with("the query is too long"));
}

TEST_CASE("query: the help and the completion know the same fields") {
  const std::string help = query_help();
  for (const auto& field : query_fields()) {
    INFO(field.name);
    CHECK(help.find(field.name) != std::string::npos);
    CHECK(std::string(field.help).size() > 3);
  }
}
