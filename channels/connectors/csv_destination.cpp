// Rows appended to a CSV file: header once, durable before the message counts as sent.

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/csv_file.h"

namespace kiln::channels {

namespace {

using Kind = SendOutcome::Kind;

constexpr const char* kSyncWords[] = {"each", "batch"};
constexpr FieldSpec kOptions[] = {
    {.name = "file",
     .type = FieldType::name_template,
     .summary = "name, relative to the site; ${…} may use the message",
     .required = true},
    {.name = "append",
     .type = FieldType::boolean,
     .summary = "add to the file; false: each message replaces it",
     .default_value = "true"},
    {.name = "header",
     .type = FieldType::boolean,
     .summary = "header line of the csv declaration at the file's beginning",
     .default_value = "true"},
    {.name = "sync",
     .type = FieldType::word,
     .summary = "write to disk per message, or per batch of waiting messages; sent only afterwards in both",
     .default_value = "batch",
     .words = kSyncWords},
};
constexpr ConnectorExample kExamples[] = {
    {"{ file \"census/${date(run.received)}.csv\"; append true; sync each }"},
    {"{ file \"out/lab.csv\"; header false }"},
    {"{ append true }", false},
    {"{ file \"out/lab.csv\"; sync sometimes }", false},
};

class CsvDestination final : public Destination {
 public:
  CsvDestination(const Options& options, const Surroundings& around)
      : append_(options.flag("append")),
        header_(options.flag("header")),
        each_(options.text("sync") == "each"),
        around_(around),
        idle_(around.network.executor()) {}

  base::Status start() override {
    status_.state = ConnectorStatus::State::up;
    return {};
  }
  std::size_t batch_max() const override { return each_ ? 1 : base::limits::kDeliveryBatchMax; }
  std::int64_t gather_ms() const override { return each_ ? 0 : base::limits::kGatherMs; }

  base::Task<SendOutcome> send(Outgoing message) override {
    std::vector<Outgoing> messages;
    messages.push_back(std::move(message));
    auto sending = send_batch(std::move(messages));
    auto outcomes = co_await std::move(sending);
    co_return std::move(outcomes.front());
  }

  base::Task<std::vector<SendOutcome>> send_batch(std::vector<Outgoing> messages) override {
    sending_ = true;
    auto shared = std::make_shared<std::vector<Outgoing>>(std::move(messages));
    std::function<std::vector<SendOutcome>()> work = [this, shared] { return write_batch(*shared); };
    const auto writing = detail::offload(around_.file_work, around_.network.executor(), std::move(work));
    std::vector<SendOutcome> outcomes = co_await writing;
    for (const SendOutcome& outcome : outcomes) {
      if (outcome.kind == Kind::sent) ++status_.messages;
      status_.last_error = outcome.detail;
    }
    sending_ = false;
    idle_.notify();
    co_return outcomes;
  }

  base::Task<void> stop() override {
    while (sending_) {
      auto wait = idle_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    file_ = nullptr;
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  /// Appends messages as long as they go to one file, then syncs once; none counts as sent before that.
  std::vector<SendOutcome> write_batch(const std::vector<Outgoing>& messages) {
    std::vector<SendOutcome> out;
    const std::string name(messages.front().rendered_option("file"));
    if (!detail::is_plain_path(name)) {
      base::Error why{base::ErrorCode::cannot_deliver, "the file name is not usable", "", ""};
      out.push_back(SendOutcome::failed(Kind::bad, std::move(why)));
      return out;
    }
    const std::string path = detail::site_path(around_, name);
    if (!append_) {
      out.push_back(replace(path, messages.front()));
      return out;
    }
    base::Status status = open(path);
    if (!status) return {SendOutcome::failed(Kind::retry, status.error())};
    for (const Outgoing& message : messages) {
      if (message.rendered_option("file") != name) break;
      status = file_->append(header_ ? message.csv_header : std::string(), message.bytes);
      if (!status) break;
      out.push_back(SendOutcome::sent());
    }
    // The first message failed: nothing of it is in the file. A later one: those before it may still be sent.
    if (out.empty()) {
      file_ = nullptr;
      return {SendOutcome::failed(Kind::retry, status.error())};
    }
    const base::Status synced = file_->sync();
    if (!synced)
      for (SendOutcome& outcome : out) outcome = SendOutcome::failed(Kind::in_doubt, synced.error());
    if (!status || !synced) file_ = nullptr;
    return out;
  }

  SendOutcome replace(const std::string& path, const Outgoing& message) {
    const auto made = around_.env.make_folders(std::string(base::folder_of(path)));
    if (!made) return SendOutcome::failed(Kind::retry, made.error());
    const auto written =
        around_.env.write_file_atomic(path, (header_ ? message.csv_header : "") + message.bytes);
    return written ? SendOutcome::sent() : SendOutcome::failed(Kind::retry, written.error());
  }

  base::Status open(const std::string& path) {
    if (file_ && file_->path() == path && file_->is_current()) return {};
    file_ = nullptr;
    TRY(file_, detail::CsvFile::open(around_.env, path));
    return {};
  }

  bool append_, header_, each_;
  Surroundings around_;
  base::Event idle_;
  std::unique_ptr<detail::CsvFile> file_;  ///< used in file work only
  bool sending_ = false;
  ConnectorStatus status_;
};

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<CsvDestination>(options, around);
}

}  // namespace

const ConnectorSpec& csv_destination_spec() {
  static const ConnectorSpec spec{.name = "csv",
                                  .role = ConnectorRole::destination,
                                  .summary = "appends rows to a CSV file",
                                  .content = {.csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
