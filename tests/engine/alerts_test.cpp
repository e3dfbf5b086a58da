#include "engine/observe/alerts.h"

#include <catch2/catch.hpp>

#include "channels/definition.h"
#include "engine/base/virtual_executor.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using namespace kiln::engine;
using base::Metric;
using base::Safe;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr std::int64_t kMonday = 1'795'392'000'000'000;  // 2026-11-23T00:00Z
constexpr std::int64_t kHour = 3'600'000'000, kDay = 24 * kHour;

AlertCondition queue_age(seconds grace = seconds(0)) {
  return {"QueueAge", "lab_in/pas", AlertLevel::page, "the oldest message has waited for 700 s", "look", grace};
}

/// What a book says over a time: one letter a step, "x" where the condition holds.
std::string course(AlertBook& book, const std::string& steps, seconds step, seconds grace, base::ManualClock& clock) {
  std::string out;
  for (const char c : steps) {
    std::vector<AlertCondition> holds;
    if (c == 'x') holds.push_back(queue_age(grace));
    const auto notes = book.look(holds, clock.wall(), clock.mono());
    REQUIRE(notes.size() <= 1);
    out += notes.empty() ? "." : std::string(1, name_of(notes[0].what)[0]);
    clock.advance(step);
  }
  return out;
}

channels::Options server(const std::string& text) {
  auto loaded = channels::load_site_texts({{"kiln.conf", "server {\n" + text + "\n}\n"}});
  INFO(base::render(loaded.diagnostics, loaded.library->sources()));
  REQUIRE(loaded.site);
  return loaded.site->server;
}

std::string rules_of(const std::vector<AlertCondition>& conditions) {
  std::string out;
  for (const auto& one : conditions) out += one.rule + (one.subject.empty() ? "" : ":" + one.subject) + " ";
  return out;
}

}  // namespace

TEST_CASE("alerts: one note at the start after the grace, one at the end after twice the grace") {
  base::ManualClock clock({kMonday});
  AlertBook book;
  CHECK(course(book, "xx-xxxx", seconds(60), seconds(120), clock) == ".....s.");
  //                  the gap begins the grace anew; then it must be good for 240 s
  CHECK(course(book, "---x-----", seconds(60), seconds(120), clock) == "........e");
  CHECK(book.alerts().empty());
}

TEST_CASE("alerts: without a grace it is told at once and must be good for a minute") {
  base::ManualClock clock({kMonday});
  AlertBook book;
  CHECK(course(book, "xxx--x------", seconds(20), seconds(0), clock) == "s........e..");
}

TEST_CASE("alerts: what comes and goes becomes one note") {
  base::ManualClock clock({kMonday});
  AlertBook book;
  CHECK(course(book, "x--x--x--x--x--x--", seconds(60), seconds(0), clock) == "s.es.ef...........");
  // An hour later it is an alert like any other.
  clock.advance(std::chrono::hours(2));
  CHECK(course(book, "-x", seconds(60), seconds(0), clock) == ".s");
}

TEST_CASE("alerts: silence is silence, and ends by itself") {
  base::ManualClock clock({kMonday});
  AlertBook book;
  CHECK(course(book, "x", seconds(1), seconds(0), clock) == "s");
  book.silence("QueueAge:lab_in/pas", {clock.wall().micros + kHour});
  book.own("QueueAge:lab_in/pas", "ann");
  CHECK(course(book, "---x---", seconds(60), seconds(0), clock) == ".......");
  clock.advance(std::chrono::hours(1));
  const auto notes = book.look({queue_age()}, clock.wall(), clock.mono());
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].owner == "ann");
}

TEST_CASE("alerts: what fired before a restart and still holds is not told again") {
  base::ManualClock clock({kMonday});
  AlertBook before, after;
  CHECK(course(before, "x", seconds(1), seconds(0), clock) == "s");
  base::JsonWriter json;
  before.write(json);
  const auto document = base::parse_json(json.take());
  REQUIRE(document);
  after.read(document->root(), clock.mono());
  CHECK(course(after, "xx--", seconds(60), seconds(0), clock) == "...e");
}

TEST_CASE("alerts: rules look at the metrics they are about") {
  base::Metrics metrics;
  base::ManualClock clock({kMonday});
  AlertRules rules{{}};
  auto look = [&](std::vector<std::string> reasons = {}) {
    const auto out = rules_of(rules.look(metrics, reasons, clock.wall(), clock.mono()));
    clock.advance(seconds(10));
    return out;
  };
  metrics.counter(Metric::messages_quarantined_total, {"in", "-"}).add(50);  // before the engine looked
  CHECK(look() == "");
  metrics.gauge(Metric::oldest_pending_age_seconds, {"in", "pas"}).set(601.0);
  metrics.gauge(Metric::messages_pending, {"in", "pas"}).set(3.0);
  metrics.gauge(Metric::connection_state, {"in", "pas"}).set(0.0);
  metrics.gauge(Metric::connection_state, {"in", "idle"}).set(0.0);
  CHECK(look() == "QueueAge:in/pas DestinationDown:in/pas ");
  metrics.gauge(Metric::connection_state, {"in", "-"}).set(0.0);
  CHECK(look() == "QueueAge:in/pas SourceDown:in DestinationDown:in/pas ");
  metrics.gauge(Metric::connection_state, {"in", "-"}).set(3.0);  // stopped by an operator
  metrics.gauge(Metric::oldest_pending_age_seconds, {"in", "pas"}).set(0.0);
  metrics.gauge(Metric::messages_pending, {"in", "pas"}).set(0.0);
  CHECK(look() == "");
  metrics.counter(Metric::messages_quarantined_total, {"in", "-"}).add(21);
  CHECK(look() == "QuarantineGrowth:in QuarantineFlood:in ");
  for (int i = 0; i < 29; ++i) look();
  CHECK(look() == "");  // five minutes later
  metrics.gauge(Metric::books_imbalance).set(-1.0);
  CHECK(look({"journal not writable", "draining"}) == "BooksImbalance JournalNotWritable ");
  metrics.gauge(Metric::books_imbalance).set(0.0);
  metrics.gauge(Metric::tls_cert_expiry_timestamp_seconds, {"http"}).set(static_cast<double>(kMonday / 1'000'000) + 86'400 * 20.0);
  CHECK(look() == "CertExpiry:http ");
  metrics.gauge(Metric::tls_cert_expiry_timestamp_seconds, {"http"}).set(static_cast<double>(kMonday / 1'000'000) + 86'400 * 2.0);
  CHECK(look() == "CertExpiry:http CertExpirySoon:http ");
  metrics.gauge(Metric::tls_cert_expiry_timestamp_seconds, {"http"}).set(9e9);
  metrics.counter(Metric::config_reload_total, {"ok"}).add();
  CHECK(look() == "");
  metrics.counter(Metric::config_reload_total, {"failed"}).add();
  CHECK(look() == "ReloadFailed:failed ");
  metrics.counter(Metric::acks_total, {"in", "AA"}).add(18);
  metrics.counter(Metric::acks_total, {"in", "AE"}).add(2);
  CHECK(look() == "ReloadFailed:failed ErrorAcks:in ");
  rules.set_recent_starts(3);
  CHECK(look().ends_with("RestartLoop "));
}

TEST_CASE("alerts: a site changes the rules, for one channel too") {
  auto settings = read_alert_settings(server("alert queue_depth { above 5; level page; for 1m }\n"
                                             "alert queue_depth { channel \"slow\"; off true }\n"
                                             "alert queue_age { longer 30s; channel \"in\" }"),
                                      ".", base::system_env());
  REQUIRE(settings.has_value());
  AlertRules rules(std::move(*settings));
  base::Metrics metrics;
  metrics.gauge(Metric::messages_pending, {"in", "pas"}).set(6.0);
  metrics.gauge(Metric::messages_pending, {"slow", "pas"}).set(6000.0);
  metrics.gauge(Metric::oldest_pending_age_seconds, {"in", "pas"}).set(31.0);
  metrics.gauge(Metric::oldest_pending_age_seconds, {"slow", "pas"}).set(31.0);
  const auto found = rules.look(metrics, {}, {kMonday}, seconds(0));
  CHECK(rules_of(found) == "QueueAge:in/pas QueueDepth:in/pas ");
  CHECK(found.back().level == AlertLevel::page);
  CHECK(found.back().grace == seconds(60));
}

TEST_CASE("alerts: no traffic counts the hours in which there should be some") {
  kiln::test::TempFolder folder;
  REQUIRE(base::system_env().write_file_atomic(folder.path("holidays.txt"), "# days off\n2026-11-25 a holiday\n").has_value());
  auto settings = read_alert_settings(
      server("timezone \"Europe/Berlin\"\nalert no_traffic { channel \"in\"; after 30m; active \"Mon-Fri 07:00-19:00\"; except "
             "\"holidays.txt\" }"),
      folder.path(), base::system_env());
  REQUIRE(settings.has_value());
  AlertRules rules(std::move(*settings));
  base::Metrics metrics;
  metrics.counter(Metric::messages_received_total, {"in"}).add();
  metrics.counter(Metric::messages_received_total, {"other"}).add();
  auto look = [&](std::int64_t at, std::int64_t last) {
    metrics.gauge(Metric::last_received_timestamp_seconds, {"in"}).set(static_cast<double>(last) / 1e6);
    return rules_of(rules.look(metrics, {}, {at}, seconds(0)));
  };
  const std::int64_t seven = kMonday + 6 * kHour;  // 07:00 in Berlin
  CHECK(look(seven + kHour / 4, kMonday - 2 * kDay) == "");  // the weekend does not count
  CHECK(look(seven + kHour / 2 + 60'000'000, kMonday - 2 * kDay) == "NoTraffic:in ");
  CHECK(look(seven + 3 * kHour, seven + 3 * kHour - kHour / 4) == "");
  CHECK(look(kMonday + 20 * kHour, kMonday) == "");             // the evening
  CHECK(look(seven + 2 * kDay + 3 * kHour, kMonday) == "");     // the holiday
}

TEST_CASE("alerts: calendars") {
  const auto utc = *base::TimeZone::find("UTC");
  auto active = [&](const char* text, std::int64_t at) {
    auto calendar = base::Calendar::parse(text);
    REQUIRE(calendar.has_value());
    return calendar->is_active({at}, utc);
  };
  CHECK(active("", kMonday));
  CHECK(active("Mon 00:00-24:00", kMonday));
  CHECK(!active("Tue", kMonday));
  CHECK(active("Sat-Tue", kMonday));
  CHECK(active("Sun 22:00-06:00", kMonday + 5 * kHour));
  CHECK(!active("Sun 22:00-06:00", kMonday + 6 * kHour));
  CHECK(!active("Sun 22:00-06:00", kMonday + 23 * kHour));
  for (const char* wrong : {"Mo", "Mon 7:00-19:00", "Mon 07:00", "Mon 25:00-26:00", "Mon-Tue-Wed", "Mon 07:00-07:00", "Mon 07:60-08:00", ","})
    CHECK(!base::Calendar::parse(wrong).has_value());
  base::Calendar calendar;
  CHECK(!calendar.add_holidays("2026-13-01\n").has_value());
  CHECK(calendar.add_holidays("\n# x\n2026-12-25 Christmas\n").has_value());
}

TEST_CASE("alerts: a wrong block says what is wrong") {
  auto error = [](const std::string& text) {
    const auto settings = read_alert_settings(server(text), ".", base::system_env());
    return settings ? std::string("taken") : settings.error().place + ": " + settings.error().text;
  };
  CHECK(error("alert queu_age { above 1 }") == "alert queu_age: there is no such alert");
  CHECK(error("alert no_traffic { active \"Mon\" }") == "alert no_traffic: `after` is missing");
  CHECK(error("alert no_traffic { after 1m; active \"Montag\" }") == "alert no_traffic: Montag: this is no time of the week");
  CHECK(error("alert no_traffic { after 1m; except \"gone.txt\" }") != "taken");
  auto route = [](const std::string& text) {
    const auto routes = read_alert_routes(server("notify ops { " + text + " }"));
    return routes ? std::string("taken") : routes.error().text;
  };
  CHECK(route("webhook \"ftp://x\"") == "the webhook is no URL");
  CHECK(route("webhook \"https://example.org/x\"") == "taken");
  CHECK(route("level page") == "a route is either a webhook or mail");
  CHECK(route("mail \"no address\"") == "this is no mail address");
  CHECK(route("mail \"a@example.org\"") == "mail needs `from` and `smtp`");
  CHECK(route("mail \"a@example.org b@example.org\"; from \"k@example.org\"; smtp \"mail.example.org:25\"; security none") == "taken");
}

TEST_CASE("alerts: a note as mail") {
  const auto routes = read_alert_routes(
      server("notify night { mail \"a@example.org b@example.org\"; from \"kiln@example.org\"; smtp \"mail.example.org:25\" }"));
  REQUIRE(routes.has_value());
  const AlertNote note{AlertNote::What::start, queue_age(), {kMonday}, {kMonday}, "ann"};
  const channels::Mail mail = alert_mail(routes->front(), print_alert_note(note, "host1"));
  CHECK(mail.subject == "[kiln] page: QueueAge lab_in/pas (start)");
  CHECK(mail.text == "the oldest message has waited for 700 s\n\nlook\n\nsince 2026-11-23T00:00:00.000Z\nhost host1\nowner ann\n");
  CHECK(mail.to.size() == 2);
  CHECK(mail.id == alert_mail(routes->front(), print_alert_note(note, "host1")).id);
  CHECK(routes->front().smtp.port == 25);
}

namespace {

struct FakeHook {
  bool up = false;
  std::vector<std::string> got;
  int asked = 0;
};
base::Task<base::Status> take(FakeHook* hook, std::string body) {
  ++hook->asked;
  if (!hook->up) co_return base::fail(base::ErrorCode::connect_failed);
  hook->got.push_back(std::move(body));
  co_return base::Status();
}

struct Sending {
  kiln::test::TempFolder folder;
  base::ManualClock clock{{kMonday}};
  base::VirtualExecutor executor{clock};
  FakeHook hook;
  std::unique_ptr<Alerts> alerts;
  void open() {
    Alerts::Parts parts;
    auto routes = read_alert_routes(server("notify ops { webhook \"http://127.0.0.1:1/\" }\nnotify night { webhook "
                                           "\"http://127.0.0.1:2/\"; level page }"));
    REQUIRE(routes.has_value());
    parts.routes = std::move(*routes);
    parts.transport = [this](AlertRoute, std::string body) { return take(&hook, std::move(body)); };
    parts.home = &executor;
    parts.file_work = &executor;
    parts.clock = &clock;
    parts.env = &base::system_env();
    parts.file = folder.path("alerts.json");
    parts.host = "h";
    alerts = std::make_unique<Alerts>(std::move(parts));
  }
};

base::Task<void> stop(Alerts* alerts, bool* done) {
  co_await alerts->stop();
  *done = true;
}

}  // namespace

TEST_CASE("alerts: notes are kept until they are taken, over a restart too") {
  Sending s;
  s.open();
  CHECK(s.alerts->test() == 2);
  s.executor.run(seconds(60));
  CHECK(s.hook.asked > 6);
  CHECK(s.hook.asked < 40);  // not in a loop
  bool done = false;
  base::spawn(stop(s.alerts.get(), &done));
  s.executor.run(seconds(5));
  REQUIRE(done);
  s.alerts.reset();
  s.hook.up = true;
  s.open();
  s.executor.run(seconds(5));
  REQUIRE(s.hook.got.size() == 2);
  const auto note = base::parse_json(s.hook.got[0]);
  REQUIRE(note);
  CHECK(note->root()["event"].text() == "test");
  CHECK(note->root()["host"].text() == "h");
  CHECK(s.alerts->print().find("\"waiting\":0") != std::string::npos);
  CHECK(!s.alerts->silence("QueueAge:none", {kMonday}).has_value());
  base::spawn(stop(s.alerts.get(), &done));
  s.executor.run(seconds(5));
}

TEST_CASE("alerts: what fired is kept, with its end and its runbook") {
  base::Metrics& metrics = base::Metrics::process();
  base::Gauge& rows = metrics.gauge(Metric::books_imbalance);
  Sending s;
  const auto look = [&](double value, std::chrono::seconds time) {
    rows.set(value);
    for (std::int64_t i = 0; i < time.count(); i += 10) {
      s.clock.advance(seconds(10));
      s.alerts->look({}, {});
    }
    s.executor.run(seconds(0));
  };
  const auto history = [&](std::size_t limit, std::uint64_t before) {
    auto document = base::parse_json(s.alerts->print_history(limit, before));
    REQUIRE(document);
    return std::move(*document);
  };
  s.open();
  look(0, seconds(20));
  const auto none = history(10, 0);
  CHECK(none.root()["history"].size() == 0);
  look(3, seconds(120));
  {
    const auto one = history(10, 0);
    REQUIRE(one.root()["history"].size() == 1);
    CHECK(one.root()["history"].at(0)["alert"].text() == "BooksImbalance");
    CHECK(!one.root()["history"].at(0)["until"]);
  }
  look(0, seconds(300));
  look(4, seconds(120));
  s.alerts.reset();
  s.open();
  const auto kept = history(1, 0);
  REQUIRE(kept.root()["history"].size() == 1);
  CHECK(kept.root()["history"].at(0)["n"].text() == "2");
  CHECK(kept.root()["next"].text() == "2");
  const auto older = history(1, 2);
  CHECK(older.root()["history"].at(0)["n"].text() == "1");
  CHECK(older.root()["history"].at(0)["until"]);
  CHECK(!older.root()["next"]);
  look(0, seconds(300));
  rows.clear();
}

TEST_CASE("alerts: a runbook of the site goes with the alert") {
  base::Metrics metrics;
  base::ManualClock clock({kMonday});
  auto settings = read_alert_settings(server("alert books_imbalance { runbook \"https://wiki.example.org/books\" }"), "", base::system_env());
  REQUIRE(settings);
  AlertRules rules(std::move(*settings));
  metrics.gauge(Metric::books_imbalance).set(1.0);
  const auto found = rules.look(metrics, {}, clock.wall(), clock.mono());
  REQUIRE(found.size() == 1);
  CHECK(found[0].runbook == "https://wiki.example.org/books");
  AlertNote note;
  note.condition = found[0];
  CHECK(print_alert_note(note, "h").find("https://wiki.example.org/books") != std::string::npos);
}
