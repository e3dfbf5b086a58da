// One file per message, whole or not at all.

#include "channels/connectors/detail/common.h"

namespace kiln::channels {

namespace {

using Kind = SendOutcome::Kind;

constexpr int kNameTriesMax = 10'000;
constexpr const char* kExistsWords[] = {"number", "replace", "quarantine"};
constexpr FieldSpec kOptions[] = {
    {.name = "file",
     .type = FieldType::name_template,
     .summary = "name, relative to the site; ${…} may use the message",
     .required = true},
    {.name = "exists",
     .type = FieldType::word,
     .summary = "a file of that name is there: add .2, .3 …; replace it; or quarantine the message",
     .default_value = "number",
     .words = kExistsWords},
};
constexpr ConnectorExample kExamples[] = {
    {"{ file \"out/${MSH-10}.hl7\" }"},
    {"{ file \"out/last.hl7\"; exists replace }"},
    {"{ exists replace }", false},
};

class FileDestination final : public Destination {
 public:
  FileDestination(const Options& options, const Surroundings& around)
      : exists_(options.text("exists")), around_(around), idle_(around.network.executor()) {}

  base::Status start() override {
    status_.state = ConnectorStatus::State::up;
    return {};
  }

  base::Task<SendOutcome> send(Outgoing message) override {
    sending_ = true;
    const std::string name(message.rendered_option("file"));
    std::function<SendOutcome()> work = [this, name, bytes = std::move(message.bytes)] {
      return write(name, bytes);
    };
    const auto writing = detail::offload(around_.file_work, around_.network.executor(), std::move(work));
    SendOutcome outcome = co_await writing;
    if (outcome.kind == Kind::sent) {
      ++status_.messages;
      status_.last_error.clear();
    } else {
      status_.last_error = outcome.detail;
    }
    sending_ = false;
    idle_.notify();
    co_return outcome;
  }

  base::Task<void> stop() override {
    while (sending_) {
      auto wait = idle_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  SendOutcome write(const std::string& name, const std::string& bytes) {
    if (!detail::is_plain_path(name))
      return SendOutcome::failed(Kind::bad,
                                 {base::ErrorCode::cannot_deliver, "the file name is not usable", "", ""});
    base::Env& env = around_.env;
    std::string path = detail::site_path(around_, name);
    const auto made = env.make_folders(std::string(base::folder_of(path)));
    if (!made) return SendOutcome::failed(Kind::retry, made.error());
    if (exists_ == "quarantine" && env.exists(path))
      return SendOutcome::failed(Kind::bad,
                                 {base::ErrorCode::cannot_deliver, "a file of that name exists", "", ""});
    if (exists_ == "number") {
      const std::string first = path;
      for (int i = 2; i <= kNameTriesMax && env.exists(path); ++i) path = first + "." + std::to_string(i);
    }
    const auto written = env.write_file_atomic(path, bytes);
    return written ? SendOutcome::sent() : SendOutcome::failed(Kind::retry, written.error());
  }

  std::string exists_;
  Surroundings around_;
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<FileDestination>(options, around);
}

}  // namespace

const ConnectorSpec& file_destination_spec() {
  static const ConnectorSpec spec{.name = "file",
                                  .role = ConnectorRole::destination,
                                  .summary = "writes each message as a file of its own",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
