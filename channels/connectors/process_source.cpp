// Runs a program again and again; what it writes are messages.

#include "channels/connectors/detail/loop_source.h"
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

class ProcessSource final : public detail::LoopSource {
 public:
  ProcessSource(const Options& options, const Surroundings& around)
      : LoopSource(options, around),
        run_(detail::child_run(options, around)),
        thread_(std::make_unique<base::ThreadExecutor>("kiln-process")) {
    const std::string content = options.text("content");
    content_ = content == "fhir" ? ContentKind::fhir : content == "csv" ? ContentKind::csv : ContentKind::hl7;
  }

 private:
  base::Status prepare() override {
    if (around_.env.exists(run_.command.front())) return {};
    return base::fail(ErrorCode::file_not_found, "option program: there is no such program", run_.command.front());
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
  Unframed note_of(const std::string& output, std::string why) const {
    Unframed what;
    what.kind = Unframed::Kind::unreadable;
    what.bytes = output.size();
    what.head = output.substr(0, base::limits::kMllpGarbageMax);
    what.peer = "process";
    what.detail = std::move(why);
    what.received_at = around_.clock.wall();
    return what;
  }

  base::Task<std::int64_t> round() override {
    using End = base::Result<detail::ChildEnd>;
    const std::int64_t every = options_.number("every");
    std::function<std::shared_ptr<End>()> work = [this] { return std::make_shared<End>(detail::run_child(run_, stopping_)); };
    const auto running = detail::offload(*thread_, around_.network.executor(), std::move(work));
    const std::shared_ptr<End> ended = co_await running;
    if (!*ended) {
      failing(ended->error());
      co_return every;
    }
    const std::string output = std::move((*ended)->output);
    std::vector<Inbound> messages;
    if ((*ended)->exit_code == 0) messages = messages_of(output);
    std::string wrong;
    if ((*ended)->exit_code != 0)
      wrong = "the program ended with " + std::to_string((*ended)->exit_code);
    else if (messages.empty() && !base::trim(output).empty())
      wrong = "no message in what the program wrote";
    if (!wrong.empty()) {
      failing({ErrorCode::process_failed, wrong, {}, {}});
      auto reporting = report(note_of(output, std::move(wrong)));
      co_await std::move(reporting);
      co_return every;
    }
    status_.last_error.clear();
    auto giving = give(std::move(messages));
    co_await std::move(giving);
    co_return every;
  }

  /// The program has given them away: they are held until they are durable, or the engine ends.
  base::Task<void> give(std::vector<Inbound> messages) {
    while (!messages.empty() && !intake_->has_room()) {
      auto room = intake_->room();
      co_await std::move(room);
    }
    while (!messages.empty()) {
      auto accepting = detail::accept_all(intake_, &around_.network.executor(), messages);
      const auto answers = co_await std::move(accepting);
      std::vector<Inbound> left;
      for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i].taken == Taken::not_stored)
          left.push_back(std::move(messages[i]));
        else
          ++status_.messages;
      }
      messages = std::move(left);
      if (messages.empty()) co_return;
      status_.last_error = "messages could not be stored; they are held in memory and tried again";
      if (stopping()) co_return;
      auto resting = rest(kAgainMs);
      co_await std::move(resting);
    }
  }

  detail::ChildRun run_;
  ContentKind content_ = ContentKind::hl7;
  std::unique_ptr<base::ThreadExecutor> thread_;
};

}  // namespace

const ConnectorSpec& process_source_spec() {
  static const ConnectorSpec spec{.name = "process",
                                  .role = ConnectorRole::source,
                                  .summary = "runs a program at intervals and takes what it writes to standard output",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .make_source = &detail::make_looping<ProcessSource>};
  return spec;
}

}  // namespace kiln::channels
