#include "engine/observe/alerts.h"

#include <charconv>

#include "engine/base/log.h"
#include "engine/base/partial_date.h"

namespace kiln::engine {
namespace {

constexpr std::uint64_t kStateBytesMax = 16u << 20;
constexpr std::int64_t kStartsWindowMicros = 600'000'000;

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
    }
  }
  starts_.push_back(now.micros);
  save();
}

Alerts::~Alerts() {
  *alive_ = false;
}

void Alerts::look(const std::vector<std::string>& reasons) {
  const base::WallTime now = parts_.clock->wall();
  std::erase_if(starts_, [&](std::int64_t at) { return now.micros - at > kStartsWindowMicros; });
  rules_.set_recent_starts(starts_.size());
  const auto conditions = rules_.look(base::Metrics::process(), reasons, now, parts_.clock->mono());
  for (const AlertNote& note : book_.look(conditions, now, parts_.clock->mono())) {
    base::log(note.what == AlertNote::What::end ? base::LogLevel::info : base::LogLevel::warn, "alert",
              {{"alert", base::Safe::name(note.condition.rule)},
               {"subject", base::Safe::name(note.condition.subject)},
               {"what", base::Safe::name(name_of(note.what))}});
    sender_.send(note);
    if (parts_.told) parts_.told(note);
    save();
  }
}

base::Task<void> Alerts::stop() {
  auto stopping = sender_.stop();
  co_await std::move(stopping);
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
    json.end_object();
    parts_.file_work->post([env = parts_.env, file = parts_.file, text = json.take()] {
      if (const auto written = env->write_file_atomic(file, text); !written)
        base::log(base::LogLevel::warn, "alerts-not-kept", {{"error", base::Safe::code(written.error().code)}});
    });
  });
}

std::string Alerts::print() const {
  base::JsonWriter json;
  json.begin_object().key("alerts").begin_array();
  for (const Alert* alert : book_.alerts()) {
    json.begin_object().member("id", alert->id()).member("alert", alert->condition.rule);
    json.member("subject", alert->condition.subject).member("level", name_of(alert->condition.level));
    json.member("state", alert->state == Alert::State::ending ? "ending" : "firing").member("since", print_time(alert->since));
    json.member("text", alert->condition.text).member("remedy", alert->condition.remedy);
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
