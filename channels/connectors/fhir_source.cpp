// Committed writes of the built-in store as messages, by a durable cursor: nothing is lost between API and
// routing core.

#include "channels/change_filter.h"
#include "channels/connectors/detail/common.h"

namespace kiln::channels {

namespace {

constexpr std::size_t kBatch = 64;        ///< changes read and accepted at once
constexpr std::int64_t kWaitMs = 1'000;   ///< for the first change
constexpr std::int64_t kRetryMs = 1'000;  ///< after a store or feed failure

constexpr const char* kActionWords[] = {"create", "update", "delete"};
constexpr const char* kOriginWords[] = {"client", "any"};
constexpr const char* kServeWords[] = {"changes", "search", "create", "message"};
constexpr FieldSpec kOptions[] = {
    {.name = "serve",
     .type = FieldType::word,
     .summary =
         "changes: writes, after they are committed; search, create: answers these requests for `type` by a "
         "destination; message: takes $process-message",
     .default_value = "changes",
     .words = kServeWords},
    {.name = "type", .type = FieldType::string, .summary = "with serve search or create: the resource type"},
    {.name = "event",
     .type = FieldType::string,
     .summary = "with serve message: code or URI of an event it takes; none given: every event",
     .repeated = true},
    {.name = "endpoint",
     .type = FieldType::string,
     .summary = "with serve message: only messages to that destination endpoint"},
    {.name = "timeout",
     .type = FieldType::duration,
     .summary = "how long the caller waits for the destination",
     .default_value = "30s",
     .min = 10,
     .max = 600'000},
    {.name = "on",
     .type = FieldType::words,
     .summary = "which writes, after they are committed",
     .default_value = "create update",
     .words = kActionWords},
    {.name = "origin",
     .type = FieldType::word,
     .summary = "client: not the writes of channels; any: also those",
     .default_value = "client",
     .words = kOriginWords},
    {.name = "criteria",
     .type = FieldType::string,
     .summary =
         "only changes of that type, or that search of it: \"Patient?active=true\"; several: one must be met",
     .repeated = true},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset; default: the server's"},
};
constexpr ConnectorExample kExamples[] = {
    {"{ }"},
    {"{ on create update; origin client }"},
    {"{ criteria \"Patient?active=true\"; criteria \"Observation\" }"},
    {"{ serve create; type \"ServiceRequest\"; timeout 10s }"},
    {"{ serve message; event \"admit\" }"},
    {"{ on read }", false},
    {"{ criteria \"Person?no-such=1\" }", false},
    {"{ criteria \"Observation?subject.name=x\" }", false},
};

std::vector<std::string> criteria_of(const Options& options) {
  std::vector<std::string> out;
  if (const auto* given = options.all("criteria"))
    for (const OptionValue& one : *given)
      if (one.resolved) out.push_back(one.text);
  return out;
}

std::vector<OptionProblem> check(const Options& options) {
  const auto filter = ChangeFilter::parse(criteria_of(options));
  if (filter) return {};
  return {{base::ErrorCode::E0917, "criteria", filter.error().text,
           "a type, or a search: \"Patient?active=true\""}};
}

class FhirSource final : public Source, public std::enable_shared_from_this<FhirSource> {
 public:
  FhirSource(const Options& options, const Surroundings& around, std::string consumer)
      : around_(around), consumer_(std::move(consumer)), changed_(around.network.executor()) {
    answers_ = options.text("serve") != "changes";  // requests come in by the FHIR API
    any_origin_ = options.text("origin") == "any";
    criteria_ = criteria_of(options);
    for (const std::string& word : options.find("on")->words) {
      if (word == "create") on_[static_cast<int>(ChangeAction::create)] = true;
      if (word == "update") on_[static_cast<int>(ChangeAction::update)] = true;
      if (word == "delete") on_[static_cast<int>(ChangeAction::delete_)] = true;
    }
  }

  base::Status start(Intake& intake) override {
    if (answers_) {
      status_.state = ConnectorStatus::State::up;
      return {};
    }
    if (around_.feed == nullptr)
      return base::fail(base::ErrorCode::channel_option, "source fhir: this engine has no built-in store");
    TRY(filter_, ChangeFilter::parse(criteria_, around_.feed->base_url()));
    TRY(position_, around_.feed->position(consumer_));
    noted_ = position_;
    intake_ = &intake;
    stopping_ = false;
    running_ = true;
    status_.state = ConnectorStatus::State::up;
    base::spawn(run(shared_from_this()));
    return {};
  }

  base::Task<void> stop() override {
    const auto self = shared_from_this();
    stopping_ = true;
    if (running_) around_.feed->wake();
    changed_.notify();
    while (running_) {
      auto wait = changed_.wait(std::chrono::milliseconds(50));
      co_await wait;
      if (running_) around_.feed->wake();
    }
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  bool wanted(const Change& change) const {
    return on_[static_cast<int>(change.action)] && (any_origin_ || !change.by_channel) &&
           filter_.matches(change);
  }
  Inbound message_of(Change change) const {
    Inbound out;
    out.kind = ContentKind::fhir;
    out.peer = "store";
    out.name = change.type + "/" + change.id;
    out.key = out.name + "/_history/" + std::to_string(change.version);
    out.action = name_of(change.action);
    out.bytes = std::move(change.resource);
    out.received_at = around_.clock.wall();
    return out;
  }

  static base::Task<void> run(std::shared_ptr<FhirSource> self);
  static base::Task<bool> step(std::shared_ptr<FhirSource> self);

  Surroundings around_;
  std::string consumer_;
  std::vector<std::string> criteria_;
  ChangeFilter filter_;
  bool any_origin_ = false, answers_ = false;
  bool on_[3] = {};
  Intake* intake_ = nullptr;
  std::uint64_t position_ = 0;  ///< everything up to here is taken or passed over
  std::uint64_t noted_ = 0;     ///< the same, durably
  base::Event changed_;
  bool running_ = false, stopping_ = false;
  ConnectorStatus status_;
};

/// One batch. False when something failed and a pause is due.
base::Task<bool> FhirSource::step(std::shared_ptr<FhirSource> self) {
  if (!self->intake_->has_room()) {
    auto room = self->intake_->room();
    co_await std::move(room);
    co_return true;
  }
  auto reading = self->around_.feed->read(self->position_, kBatch, kWaitMs);
  auto batch = co_await std::move(reading);
  if (!batch) {
    self->status_.last_error = batch.error().message();
    co_return false;
  }
  std::vector<Inbound> messages;
  std::vector<std::uint64_t> positions;
  for (Change& change : batch->changes) {
    if (!self->wanted(change)) continue;
    positions.push_back(change.position);
    messages.push_back(self->message_of(std::move(change)));
  }
  std::uint64_t done = batch->read_up_to;
  bool all_stored = true;
  if (!messages.empty()) {
    auto accepting =
        detail::accept_all(self->intake_, &self->around_.network.executor(), std::move(messages));
    const auto answers = co_await std::move(accepting);
    for (std::size_t i = 0; i < answers.size() && all_stored; ++i) {
      all_stored = answers[i].taken != Taken::not_stored;
      if (all_stored) ++self->status_.messages;
      if (!all_stored) done = positions[i] - 1;  // those behind it that were stored are known by their key
    }
  }
  // What was only passed over is passed over again after a crash: the position is noted now and then.
  const bool took = !positions.empty();
  const bool due = took || done - self->noted_ >= base::limits::kChangesUnmatchedMax;
  if (done > self->position_ && !due) self->position_ = done;
  if (done > self->position_) {
    auto advancing = self->around_.feed->advance(self->consumer_, done);
    const auto advanced = co_await std::move(advancing);
    if (!advanced) {
      self->status_.last_error = advanced.error().message();
      co_return false;
    }
    self->position_ = done;
    self->noted_ = done;
  }
  if (all_stored)
    self->status_.last_error.clear();
  else
    self->status_.last_error = "a change could not be stored; it will be tried again";
  co_return all_stored;
}

base::Task<void> FhirSource::run(std::shared_ptr<FhirSource> self) {
  while (!self->stopping_) {
    auto stepping = step(self);
    const bool good = co_await std::move(stepping);
    if (good || self->stopping_) continue;
    auto wait = self->changed_.wait(std::chrono::milliseconds(kRetryMs));
    co_await wait;
  }
  self->running_ = false;
  self->changed_.notify();
}

std::unique_ptr<Source> make(const Options& options, const Surroundings& around) {
  return std::make_unique<detail::SharedSource<FhirSource>>(std::make_shared<FhirSource>(options, around, around.channel));
}

}  // namespace

const ConnectorSpec& fhir_source_spec() {
  static const ConnectorSpec spec{
      .name = "fhir",
      .role = ConnectorRole::source,
      .summary = "committed writes of the built-in FHIR store, or requests to the FHIR API",
      .content = {.fhir = true},
      .options = kOptions,
      .examples = kExamples,
      .check = &check,
      .make_source = &make};
  return spec;
}

}  // namespace kiln::channels
