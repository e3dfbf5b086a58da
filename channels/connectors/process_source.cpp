// Runs a program again and again; what it writes are messages.

#include <atomic>

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/process_options.h"
#include "channels/detail/validation.h"
#include "engine/base/text.h"
#include "hl7/batch.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;

constexpr std::int64_t kAgainMs = 1'000;  ///< before messages that could not be stored are tried again
constexpr const char* kContentWords[] = {"hl7", "fhir", "csv"};
constexpr FieldSpec kOptions[] = {
    detail::kProcessProgram,
    detail::kProcessArgument,
    {.name = "every",
     .type = FieldType::duration,
     .summary = "pause between two runs",
     .default_value = "1m",
     .min = 10},
    {.name = "content",
     .type = FieldType::word,
     .summary = "what it writes: hl7 (several messages too), one fhir resource, one csv; nothing is no message",
     .default_value = "hl7",
     .words = kContentWords},
    {.name = "charset",
     .type = FieldType::string,
     .summary = "character set when MSH-18 is empty",
     .lead = "default"},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset; default: the server's"},
    detail::kProcessTimeout,
    detail::kProcessOutput,
    detail::kProcessMemory,
    detail::kProcessCpu,
    detail::kProcessFile,
    detail::kValidateOption,
};
constexpr ConnectorExample kExamples[] = {
    {"{ program \"/usr/local/bin/export-orders\"; argument \"--since-last\"; every 5m }"},
    {"{ program \"tools/census\"; content csv; every 1h; timeout 2m; memory 1GB }"},
    {"{ every 1m }", false},
    {"{ program \"tools/census\"; content pdf }", false},
};

class ProcessSource final : public std::enable_shared_from_this<ProcessSource> {
 public:
  ProcessSource(const Options& options, const Surroundings& around)
      : options_(options),
        around_(around),
        run_(detail::child_run(options, around)),
        thread_(std::make_unique<base::ThreadExecutor>("kiln-process")),
        changed_(around.network.executor()) {
    const std::string content = options.text("content");
    content_ = content == "fhir" ? ContentKind::fhir : content == "csv" ? ContentKind::csv : ContentKind::hl7;
  }

  base::Status start(Intake& intake) {
    if (!around_.env.exists(run_.command.front()))
      return base::fail(ErrorCode::file_not_found, "option program: there is no such program", run_.command.front());
    intake_ = &intake;
    stop_ = false;
    running_ = true;
    status_.state = ConnectorStatus::State::up;
    base::spawn(run(shared_from_this()));
    return {};
  }
  base::Task<void> stop() { return end(shared_from_this()); }
  ConnectorStatus status() const { return status_; }

 private:
  static base::Task<void> end(std::shared_ptr<ProcessSource> self) {
    self->stop_ = true;
    self->changed_.notify();
    while (self->running_) {
      auto wait = self->changed_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    self->status_.state = ConnectorStatus::State::down;
  }

  std::vector<Inbound> messages_of(const std::string& output) const {
    std::vector<Inbound> out;
    Inbound message;
    message.kind = content_;
    message.peer = "process";
    message.received_at = around_.clock.wall();
    if (content_ != ContentKind::hl7) {
      if (base::trim(output).empty()) return out;
      message.bytes = output;
      out.push_back(std::move(message));
      return out;
    }
    for (const hl7::Slice& slice : hl7::split_batch(output).messages) {
      out.push_back(message);
      out.back().bytes = std::string(slice.of(output));
    }
    return out;
  }

  /// Output that nothing can be made of is kept as a note; so is a run that failed.
  static base::Task<void> report(std::shared_ptr<ProcessSource> self, std::string output, std::string why) {
    Unframed what;
    what.kind = Unframed::Kind::unreadable;
    what.bytes = output.size();
    what.head = output.substr(0, base::limits::kMllpGarbageMax);
    what.peer = "process";
    what.detail = why;
    what.received_at = self->around_.clock.wall();
    ++self->status_.unframed;
    self->status_.last_error = std::move(why);
    auto reporting = self->intake_->report(std::move(what));
    co_await std::move(reporting);
  }

  static base::Task<void> once(std::shared_ptr<ProcessSource> self) {
    using End = base::Result<detail::ChildEnd>;
    // Not `self`: the last owner of the source must not be its own thread. This coroutine keeps it while the work runs.
    std::function<std::shared_ptr<End>()> work = [source = self.get()] {
      return std::make_shared<End>(detail::run_child(source->run_, source->stop_));
    };
    const auto running = detail::offload(*self->thread_, self->around_.network.executor(), std::move(work));
    const std::shared_ptr<End> ended = co_await running;
    if (!*ended) {
      self->status_.last_error = ended->error().message();
      co_return;
    }
    std::string output = std::move((*ended)->output);
    if ((*ended)->exit_code != 0) {
      auto reporting = report(self, std::move(output), "the program ended with " + std::to_string((*ended)->exit_code));
      co_await std::move(reporting);
      co_return;
    }
    std::vector<Inbound> messages = self->messages_of(output);
    if (messages.empty() && !base::trim(output).empty()) {
      auto reporting = report(self, std::move(output), "no message in what the program wrote");
      co_await std::move(reporting);
      co_return;
    }
    self->status_.last_error.clear();
    while (!messages.empty() && !self->intake_->has_room()) {
      auto room = self->intake_->room();
      co_await std::move(room);
    }
    while (!messages.empty()) {
      auto accepting = detail::accept_all(self->intake_, &self->around_.network.executor(), messages);
      const auto answers = co_await std::move(accepting);
      std::vector<Inbound> left;
      for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i].taken == Taken::not_stored)
          left.push_back(std::move(messages[i]));
        else
          ++self->status_.messages;
      }
      messages = std::move(left);
      if (messages.empty()) break;
      // The program has given them away: they are held until they are durable, or the engine ends.
      self->status_.last_error = "messages could not be stored; they are held in memory and tried again";
      if (self->stop_) break;
      auto wait = self->changed_.wait(std::chrono::milliseconds(kAgainMs));
      co_await wait;
    }
  }

  static base::Task<void> run(std::shared_ptr<ProcessSource> self) {
    while (!self->stop_) {
      auto running = once(self);
      co_await std::move(running);
      if (self->stop_) break;
      auto wait = self->changed_.wait(std::chrono::milliseconds(self->options_.number("every")));
      co_await wait;
    }
    self->running_ = false;
    self->changed_.notify();
  }

  Options options_;
  Surroundings around_;
  detail::ChildRun run_;
  ContentKind content_ = ContentKind::hl7;
  std::atomic<bool> stop_{false};
  std::unique_ptr<base::ThreadExecutor> thread_;
  Intake* intake_ = nullptr;
  base::Event changed_;
  bool running_ = false;
  ConnectorStatus status_;
};

std::unique_ptr<Source> make(const Options& options, const Surroundings& around) {
  return std::make_unique<detail::SharedSource<ProcessSource>>(std::make_shared<ProcessSource>(options, around));
}

}  // namespace

const ConnectorSpec& process_source_spec() {
  static const ConnectorSpec spec{.name = "process",
                                  .role = ConnectorRole::source,
                                  .summary = "runs a program at intervals and takes what it writes to standard output",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .make_source = &make};
  return spec;
}

}  // namespace kiln::channels
