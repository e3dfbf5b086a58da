#include "engine/observe/alerts.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "engine/base/log.h"
#include "engine/base/partial_date.h"

namespace kiln::engine {
namespace {

constexpr std::uint64_t kStateBytesMax = 16u << 20;
constexpr std::int64_t kStartsWindowMicros = 600'000'000;
constexpr std::int64_t kSaveMicros = 600'000'000;  ///< the usual rates change all the time
constexpr std::size_t kHistoryMax = 200;

std::string print_time(base::WallTime at) {
  return base::PartialDate::from_wall(at, base::DatePrecision::fraction).print_fhir();
}

}  // namespace

Alerts::Alerts(Parts parts)
    : parts_(std::move(parts)),
      rules_(parts_.settings),
      sender_({parts_.routes, parts_.transport, parts_.home, parts_.host, [this] { save(); }}) {
  const base::WallTime now = parts_.clock->wall();
  if (const auto text = parts_.env->read_file(parts_.file, kStateBytesMax)) {
    if (const auto document = base::parse_json(*text)) {
      book_.read(document->root()["book"], parts_.clock->mono());
      for (const base::JsonView start : document->root()["starts"]) {
        std::int64_t at = 0;
        std::from_chars(start.text().data(), start.text().data() + start.text().size(), at);
        if (now.micros - at < kStartsWindowMicros && at <= now.micros) starts_.push_back(at);
      }
      sender_.read(document->root()["queues"]);
      rules_.rates().read(document->root()["rates"]);
      for (const base::JsonView one : document->root()["history"]) {
        if (history_.size() >= kHistoryMax) break;
        const auto word = [&](const char* member) { return std::string(one[member].text()); };
        const auto number = [&](const char* member) { return std::strtoll(word(member).c_str(), nullptr, 10); };
        history_.push_back({static_cast<std::uint64_t>(number("n")), word("id"), word("alert"), word("subject"), word("text"), word("owner"),
                            one["level"].text() == "page" ? AlertLevel::page : AlertLevel::warn, {number("since")}, {number("until")}});
      }
    }
  }
  starts_.push_back(now.micros);
  began_ = saved_ = now;
  rules_.set_last_end(parts_.last_end);
  save();
}

Alerts::~Alerts() {
  *alive_ = false;
}

void Alerts::look(const std::vector<std::string>& reasons, const std::map<std::string, std::uint64_t>& stranded) {
  const base::WallTime now = parts_.clock->wall();
  std::erase_if(starts_, [&](std::int64_t at) { return now.micros - at > kStartsWindowMicros; });
  rules_.set_recent_starts(starts_.size());
  rules_.set_stranded(stranded);
  if (now.micros - began_.micros > kStartsWindowMicros) rules_.set_last_end(LastEnd::none);
  if (now.micros - saved_.micros > kSaveMicros) {
    saved_ = now;
    save();
  }
  const auto conditions = rules_.look(base::Metrics::process(), reasons, now, parts_.clock->mono());
  for (const AlertNote& note : book_.look(conditions, now, parts_.clock->mono())) {
    base::log(note.what == AlertNote::What::end ? base::LogLevel::info : base::LogLevel::warn, "alert",
              {{"alert", base::Safe::name(note.condition.rule)},
               {"subject", base::Safe::name(note.condition.subject)},
               {"what", base::Safe::name(name_of(note.what))}});
    remember(note);
    sender_.send(note);
    if (parts_.told) parts_.told(note);
    save();
  }
}

base::Task<void> Alerts::stop() {
  auto stopping = sender_.stop();
  co_await std::move(stopping);
}

/// A start, or the first that is told of it, begins an entry; the end completes it.
void Alerts::remember(const AlertNote& note) {
  const std::string id = note.id();
  const auto open = std::find_if(history_.begin(), history_.end(), [&](const Past& one) { return one.id == id && one.until.micros == 0; });
  if (open != history_.end()) {
    open->text = note.condition.text;
    open->owner = note.owner;
    if (note.what == AlertNote::What::end) open->until = note.at;
    return;
  }
  if (note.what == AlertNote::What::end) return;
  Past one;
  one.n = history_.empty() ? 1 : history_.front().n + 1;
  one.id = id;
  one.rule = note.condition.rule;
  one.subject = note.condition.subject;
  one.text = note.condition.text;
  one.owner = note.owner;
  one.level = note.condition.level;
  one.since = note.since;
  history_.push_front(std::move(one));
  if (history_.size() > kHistoryMax) history_.pop_back();
}

void Alerts::write_past(base::JsonWriter& json, const Past& one, bool for_people) {
  json.begin_object().key("n").integer(static_cast<std::int64_t>(one.n)).member("id", one.id).member("alert", one.rule);
  json.member("subject", one.subject).member("level", name_of(one.level)).member("text", one.text);
  if (!one.owner.empty()) json.member("owner", one.owner);
  if (for_people) {
    json.member("since", print_time(one.since));
    if (one.until.micros != 0) json.member("until", print_time(one.until));
  } else {
    json.key("since").integer(one.since.micros).key("until").integer(one.until.micros);
  }
  json.end_object();
}

std::string Alerts::print_history(std::size_t limit, std::uint64_t before) const {
  base::JsonWriter json;
  json.begin_object().key("history").begin_array();
  std::size_t count = 0;
  std::uint64_t next = 0;
  for (const Past& one : history_) {
    if (before != 0 && one.n >= before) continue;
    if (count++ == limit) break;
    write_past(json, one, true);
    next = one.n;
  }
  json.end_array();
  if (count > limit && limit > 0) json.key("next").integer(static_cast<std::int64_t>(next));
  return json.end_object().take();
}

/// Once for all changes of a turn; off the loop, since it waits for the disk.
void Alerts::save() {
  if (std::exchange(save_due_, true)) return;
  parts_.home->post([this, alive = alive_] {
    if (!*alive) return;
    save_due_ = false;
    base::JsonWriter json;
    json.begin_object().key("book");
    book_.write(json);
    json.key("starts").begin_array();
    for (const std::int64_t at : starts_) json.integer(at);
    json.end_array().key("queues");
    sender_.write(json);
    json.key("rates");
    rules_.rates().write(json);
    json.key("history").begin_array();
    for (const Past& one : history_) write_past(json, one, false);
    json.end_array().end_object();
    parts_.file_work->post([env = parts_.env, file = parts_.file, text = json.take()] {
      if (const auto written = env->write_file_atomic(file, text); !written)
        base::log(base::LogLevel::warn, "alerts-not-kept", {{"error", base::Safe::code(written.error().code)}});
    });
  });
}

std::vector<const Alert*> Alerts::firing() const {
  std::vector<const Alert*> out = book_.alerts();
  std::erase_if(out, [](const Alert* one) { return one->state != Alert::State::firing; });
  return out;
}

bool Alerts::is_silent(const Alert& alert) const {
  const AlertHandling* known = book_.handling(alert.id());
  return known != nullptr && known->silent_until > parts_.clock->wall();
}

std::string Alerts::print() const {
  base::JsonWriter json;
  json.begin_object().key("alerts").begin_array();
  for (const Alert* alert : book_.alerts()) {
    json.begin_object().member("id", alert->id()).member("alert", alert->condition.rule);
    json.member("subject", alert->condition.subject).member("level", name_of(alert->condition.level));
    json.member("state", alert->state == Alert::State::ending ? "ending" : "firing").member("since", print_time(alert->since));
    json.member("text", alert->condition.text).member("remedy", alert->condition.remedy);
    if (!alert->condition.runbook.empty()) json.member("runbook", alert->condition.runbook);
    json.key("flapping").boolean(alert->flapping);
    if (const AlertHandling* known = book_.handling(alert->id())) {
      if (!known->owner.empty()) json.member("owner", known->owner);
      if (known->silent_until > parts_.clock->wall()) json.member("silent_until", print_time(known->silent_until));
    }
    json.end_object();
  }
  json.end_array().key("routes").begin_array();
  for (const AlertRoute& route : parts_.routes)
    json.begin_object().member("name", route.name).member("level", name_of(route.least)).end_object();
  json.end_array().key("waiting").integer(static_cast<std::int64_t>(sender_.waiting())).end_object();
  return json.take();
}

std::size_t Alerts::test() {
  AlertNote note;
  note.what = AlertNote::What::test;
  note.condition.rule = "Test";
  note.condition.text = "this is a test: nothing is wrong";
  note.condition.remedy = "nothing to do";
  note.since = note.at = parts_.clock->wall();
  return sender_.send(note);
}

base::Status Alerts::check(const std::string& id) const {
  for (const Alert* alert : book_.alerts())
    if (alert->id() == id) return {};
  return base::fail(base::ErrorCode::no_such_thing, "no such alert fires", id);
}

base::Status Alerts::silence(const std::string& id, base::WallTime until) {
  TRY_VOID(check(id));
  book_.silence(id, until);
  save();
  return {};
}

base::Status Alerts::own(const std::string& id, std::string owner) {
  TRY_VOID(check(id));
  book_.own(id, std::move(owner));
  save();
  return {};
}

}  // namespace kiln::engine
