// Gives each message to a program of its own: on its standard input.

#include <atomic>

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/process_options.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;
using Kind = SendOutcome::Kind;

constexpr int kDataError = 65;  ///< EX_DATAERR of sysexits.h: this message never
constexpr FieldSpec kOptions[] = {
    detail::kProcessProgram, detail::kProcessArgument, detail::kProcessTimeout, detail::kProcessOutput,
    detail::kProcessMemory,  detail::kProcessCpu,      detail::kProcessFile,
};
constexpr ConnectorExample kExamples[] = {
    {"{ program \"/usr/local/bin/print-label\"; argument \"--queue\"; argument \"ward-3\"; timeout 10s }"},
    {"{ program \"tools/notify\"; memory 64MB; cpu 5s; max_output 1kB }"},
    {"{ timeout 10s }", false},
    {"{ program \"tools/notify\"; memory 1kB }", false},
};

class ProcessDestination final : public Destination {
 public:
  ProcessDestination(const Options& options, const Surroundings& around)
      : run_(detail::child_run(options, around)),
        around_(around),
        thread_(std::make_unique<base::ThreadExecutor>("kiln-process")),
        idle_(around.network.executor()) {}

  base::Status start() override {
    stop_ = false;
    if (!around_.env.exists(run_.command.front()))
      return base::fail(ErrorCode::file_not_found, "option program: there is no such program", run_.command.front());
    status_.state = ConnectorStatus::State::up;
    return {};
  }

  base::Task<SendOutcome> send(Outgoing message) override {
    sending_ = true;
    auto run = std::make_shared<detail::ChildRun>(run_);
    run->input = message.csv_header + message.bytes;
    run->environment.push_back("KILN_MESSAGE=" + std::to_string(message.msg_id));
    run->environment.push_back("KILN_ATTEMPT=" + std::to_string(message.attempt));
    std::function<SendOutcome()> work = [this, run] { return judge(detail::run_child(*run, stop_)); };
    const auto running = detail::offload(*thread_, around_.network.executor(), std::move(work));
    SendOutcome outcome = co_await running;
    if (outcome.kind == Kind::sent) ++status_.messages;
    status_.last_error = outcome.detail;
    sending_ = false;
    idle_.notify();
    co_return outcome;
  }

  base::Task<void> stop() override {
    stop_ = true;
    while (sending_) {
      auto wait = idle_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  /// Exit code 0 sent, 65 never; everything else later. One that was ended from outside may have done its work.
  static SendOutcome judge(base::Result<detail::ChildEnd> end) {
    if (!end) {
      const bool started = end.error().code != ErrorCode::file_not_found && end.error().code != ErrorCode::io_failed;
      return SendOutcome::failed(started ? Kind::in_doubt : Kind::retry, end.error());
    }
    if (end->exit_code == 0) return SendOutcome::sent("0", std::move(end->output));
    const bool killed = end->exit_code > 128;
    SendOutcome out = SendOutcome::failed(end->exit_code == kDataError ? Kind::bad : killed ? Kind::in_doubt : Kind::retry,
                                          {ErrorCode::process_failed,
                                           "the program ended with " + std::to_string(end->exit_code) +
                                               (end->has_complained ? " and wrote to standard error" : ""),
                                           "", ""});
    out.code = std::to_string(end->exit_code);
    return out;
  }

  detail::ChildRun run_;
  Surroundings around_;
  std::atomic<bool> stop_{false};
  std::unique_ptr<base::ThreadExecutor> thread_;
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<ProcessDestination>(options, around);
}

}  // namespace

const ConnectorSpec& process_destination_spec() {
  static const ConnectorSpec spec{.name = "process",
                                  .role = ConnectorRole::destination,
                                  .summary = "runs a program for each message, which reads it from standard input",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
