#include "engine/observe/alert_book.h"

#include <algorithm>
#include <charconv>

namespace kiln::engine {
namespace {

using State = Alert::State;
using What = AlertNote::What;

constexpr std::chrono::hours kFlapWindow(1);
constexpr std::size_t kChangesMax = 4;          ///< more in an hour is flapping
constexpr std::chrono::seconds kLeastQuiet(60);  ///< an alert without grace must be good for that long, too

std::chrono::seconds quiet_time(const AlertCondition& condition) {
  return std::max(kLeastQuiet, 2 * condition.grace);
}

std::int64_t number(base::JsonView view) {
  std::int64_t out = 0;
  const std::string_view text = view.text();
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

}  // namespace

const char* name_of(AlertLevel level) {
  return level == AlertLevel::page ? "page" : "warn";
}

const char* name_of(What what) {
  static constexpr const char* kNames[] = {"start", "end", "flapping", "test"};
  return kNames[static_cast<std::size_t>(what)];
}

std::vector<AlertNote> AlertBook::look(const std::vector<AlertCondition>& conditions, base::WallTime wall,
                                       base::MonoTime mono) {
  std::vector<AlertNote> out;
  std::map<std::string, const AlertCondition*> holding;
  for (const AlertCondition& condition : conditions) {
    Alert key;
    key.condition.rule = condition.rule;
    key.condition.subject = condition.subject;
    holding[key.id()] = &condition;
  }
  for (const auto& [id, condition] : holding) {
    auto [at, is_new] = alerts_.try_emplace(id);
    Alert& alert = at->second;
    if (is_new) {
      alert.since = wall;
      alert.changed = mono;
    }
    alert.condition = *condition;  // the numbers of now
    if (alert.state == State::ending) alert.state = State::firing;
    if (alert.state == State::waiting && mono - alert.changed >= condition->grace)
      if (auto note = begin(alert, wall, mono)) out.push_back(std::move(*note));
  }
  for (auto at = alerts_.begin(); at != alerts_.end();) {
    Alert& alert = at->second;
    const bool holds = holding.contains(at->first);
    if (!holds && alert.state == State::firing) {
      alert.state = State::ending;
      alert.changed = mono;
    }
    if (!holds && alert.state == State::ending && mono - alert.changed >= quiet_time(alert.condition))
      if (auto note = end(alert, wall, mono)) out.push_back(std::move(*note));
    // What only waited is forgotten; what flapped is remembered for its hour.
    while (!alert.changes.empty() && mono - alert.changes.front() > kFlapWindow) alert.changes.pop_front();
    const bool forget = !holds && alert.state == State::waiting && alert.changes.empty();
    at = forget ? alerts_.erase(at) : std::next(at);
  }
  return out;
}

/// More than four changes in an hour become one note; then there is silence until an hour had fewer.
std::optional<AlertNote> AlertBook::changed(Alert& alert, What what, base::WallTime wall, base::MonoTime mono) {
  alert.changes.push_back(mono);
  while (mono - alert.changes.front() > kFlapWindow) alert.changes.pop_front();
  const bool was_flapping = alert.flapping;
  alert.flapping = alert.changes.size() > kChangesMax;
  if (alert.flapping && was_flapping) return std::nullopt;
  if (is_silent(alert.id(), wall)) return std::nullopt;
  AlertNote note{alert.flapping ? What::flapping : what, alert.condition, alert.since, wall, {}};
  if (const AlertHandling* known = handling(alert.id())) note.owner = known->owner;
  return note;
}

std::optional<AlertNote> AlertBook::begin(Alert& alert, base::WallTime wall, base::MonoTime mono) {
  alert.state = State::firing;
  return changed(alert, What::start, wall, mono);
}

std::optional<AlertNote> AlertBook::end(Alert& alert, base::WallTime wall, base::MonoTime mono) {
  alert.state = State::waiting;
  auto note = changed(alert, What::end, wall, mono);
  alert.since = wall;
  alert.changed = mono;
  return note;
}

bool AlertBook::is_silent(const std::string& id, base::WallTime now) const {
  const AlertHandling* known = handling(id);
  return known != nullptr && known->silent_until > now;
}

const AlertHandling* AlertBook::handling(const std::string& id) const {
  const auto found = handling_.find(id);
  return found == handling_.end() ? nullptr : &found->second;
}

std::vector<const Alert*> AlertBook::alerts() const {
  std::vector<const Alert*> out;
  for (const auto& [id, alert] : alerts_)
    if (alert.state != State::waiting) out.push_back(&alert);
  std::sort(out.begin(), out.end(), [](const Alert* a, const Alert* b) { return a->since > b->since; });
  return out;
}

void AlertBook::write(base::JsonWriter& json) const {
  json.begin_object().key("firing").begin_array();
  for (const Alert* alert : alerts()) {
    json.begin_object().member("rule", alert->condition.rule).member("subject", alert->condition.subject);
    json.member("level", name_of(alert->condition.level)).member("text", alert->condition.text);
    json.member("remedy", alert->condition.remedy).key("grace").integer(alert->condition.grace.count());
    json.key("since").integer(alert->since.micros).end_object();
  }
  json.end_array().key("handling").begin_array();
  for (const auto& [id, known] : handling_) {
    json.begin_object().member("id", id).member("owner", known.owner);
    json.key("silent_until").integer(known.silent_until.micros).end_object();
  }
  json.end_array().end_object();
}

void AlertBook::read(base::JsonView json, base::MonoTime mono) {
  for (const base::JsonView one : json["firing"]) {
    Alert alert;
    alert.condition.rule = one["rule"].text();
    alert.condition.subject = one["subject"].text();
    alert.condition.level = one["level"].text() == "page" ? AlertLevel::page : AlertLevel::warn;
    alert.condition.text = one["text"].text();
    alert.condition.remedy = one["remedy"].text();
    alert.condition.grace = std::chrono::seconds(number(one["grace"]));
    alert.since = {number(one["since"])};
    alert.changed = mono;
    alert.state = State::firing;
    alerts_[alert.id()] = std::move(alert);
  }
  for (const base::JsonView one : json["handling"])
    handling_[std::string(one["id"].text())] = {std::string(one["owner"].text()), {number(one["silent_until"])}};
}

}  // namespace kiln::engine
