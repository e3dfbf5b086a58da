// A message at regular times: what starts a query, a report or a process that nobody sends anything for.

#include "channels/connectors/detail/common.h"

namespace kiln::channels {

namespace {

constexpr const char* kContentWords[] = {"csv", "hl7", "fhir"};
constexpr FieldSpec kOptions[] = {
    {.name = "every",
     .type = FieldType::duration,
     .summary = "from one message to the next; they come at whole multiples of it since 1970 (UTC): `1h` on the hour",
     .required = true,
     .min = 100,
     .max = 366LL * 86'400'000},
    {.name = "content",
     .type = FieldType::word,
     .summary = "what the message is; csv: a row with `time` (UTC) and `number`, unless `text` gives another",
     .default_value = "csv",
     .words = kContentWords},
    {.name = "text", .type = FieldType::string, .summary = "the message; line ends of hl7 may be \\n"},
    {.name = "charset",
     .type = FieldType::string,
     .summary = "character set when MSH-18 is empty",
     .lead = "default"},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset; default: the server's"},
};
constexpr ConnectorExample kExamples[] = {
    {"{ every 15m }"},
    {"{ every 1d; content fhir; text \"{\\\"resourceType\\\":\\\"Parameters\\\"}\" }"},
    {"{ every 1h; content hl7 }", false},
    {"{ }", false},
};

class TimerSource final : public std::enable_shared_from_this<TimerSource> {
 public:
  TimerSource(const Options& options, const Surroundings& around)
      : options_(options), around_(around), changed_(around.network.executor()) {
    const std::string content = options.text("content");
    content_ = content == "fhir" ? ContentKind::fhir : content == "hl7" ? ContentKind::hl7 : ContentKind::csv;
  }

  base::Status start(Intake& intake) {
    intake_ = &intake;
    stopping_ = false;
    running_ = true;
    status_.state = ConnectorStatus::State::up;
    base::spawn(run(shared_from_this()));
    return {};
  }
  base::Task<void> stop() { return end(shared_from_this()); }
  ConnectorStatus status() const { return status_; }

 private:
  static base::Task<void> end(std::shared_ptr<TimerSource> self) {
    self->stopping_ = true;
    self->changed_.notify();
    while (self->running_) {
      auto wait = self->changed_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    self->status_.state = ConnectorStatus::State::down;
  }

  std::int64_t now_ms() const { return around_.clock.wall().micros / 1'000; }

  /// "2026-01-01T12:00:00Z"
  static std::string print_time(std::int64_t ms) {
    const std::chrono::sys_seconds time{std::chrono::seconds(ms / 1'000)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    char out[32];
    std::snprintf(out, sizeof out, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return out;
  }

  /// The same moment is the same message, also after a restart within it.
  Inbound message_at(std::int64_t slot) const {
    Inbound out;
    out.kind = content_;
    out.peer = "timer";
    out.received_at = around_.clock.wall();
    const std::int64_t at = slot * options_.number("every");
    out.name = print_time(at);
    out.key = "timer:" + std::to_string(at);
    out.bytes = options_.text("text");
    if (out.bytes.empty()) out.bytes = "time,number\r\n" + out.name + "," + std::to_string(slot) + "\r\n";
    if (content_ == ContentKind::hl7)
      for (char& c : out.bytes)
        if (c == '\n') c = '\r';
    return out;
  }

  static base::Task<void> run(std::shared_ptr<TimerSource> self) {
    const std::int64_t every = self->options_.number("every");
    std::int64_t last = self->now_ms() / every;  // the moment that has begun is over: the first message is the next one
    while (!self->stopping_) {
      const std::int64_t now = self->now_ms();
      const std::int64_t slot = now / every;
      // A clock that was set back does not repeat what was sent; one that jumped ahead sends one message, not all between.
      if (slot > last || slot + 1 < last) {
        const bool forward = slot > last;
        last = slot;
        if (!forward) continue;
        while (!self->intake_->has_room()) {
          auto room = self->intake_->room();
          co_await std::move(room);
        }
        auto accepting = self->intake_->accept(self->message_at(slot));
        const Answer answer = co_await std::move(accepting);
        if (answer.taken == Taken::not_stored)
          self->status_.last_error = "the message of " + print_time(slot * every) + " was not stored";
        else
          self->status_.last_error.clear();
        if (answer.taken != Taken::not_stored) ++self->status_.messages;
        continue;
      }
      // Not longer than a minute, so that a clock that was set is noticed.
      const std::int64_t left = std::clamp<std::int64_t>((last + 1) * every - now, 1, 60'000);
      auto wait = self->changed_.wait(std::chrono::milliseconds(left));
      co_await wait;
    }
    self->running_ = false;
    self->changed_.notify();
  }

  Options options_;
  Surroundings around_;
  ContentKind content_ = ContentKind::csv;
  Intake* intake_ = nullptr;
  base::Event changed_;
  bool running_ = false, stopping_ = false;
  ConnectorStatus status_;
};

std::vector<OptionProblem> check(const Options& options) {
  if (options.text("content") == "csv" || options.has("text")) return {};
  return {{base::ErrorCode::E0905, "", "timer with `content " + options.text("content") + "` needs `text`", "text \"…\""}};
}

std::unique_ptr<Source> make(const Options& options, const Surroundings& around) {
  return std::make_unique<detail::SharedSource<TimerSource>>(std::make_shared<TimerSource>(options, around));
}

}  // namespace

const ConnectorSpec& timer_source_spec() {
  static const ConnectorSpec spec{.name = "timer",
                                  .role = ConnectorRole::source,
                                  .summary = "gives a message at regular times",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_source = &make};
  return spec;
}

}  // namespace kiln::channels
