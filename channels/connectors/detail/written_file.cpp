#include "channels/connectors/detail/written_file.h"

#include "channels/connectors/detail/common.h"

namespace kiln::channels::detail {

namespace {

using base::ErrorCode;
using Kind = SendOutcome::Kind;

constexpr int kNameTriesMax = 10'000;

class WrittenFile final : public Destination {
 public:
  WrittenFile(const Options& options, const Surroundings& around)
      : exists_(options.text("exists")), around_(around), idle_(around.network.executor()) {}

  base::Status start() override {
    status_.state = ConnectorStatus::State::up;
    return {};
  }

  base::Task<SendOutcome> send(Outgoing message) override {
    sending_ = true;
    const std::string name(message.rendered_option("file"));
    const bool again = message.in_doubt;
    std::function<SendOutcome()> work = [this, name, again, bytes = std::move(message.bytes)] {
      return write(name, bytes, again);
    };
    const auto writing = offload(around_.file_work, around_.network.executor(), std::move(work));
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
  /// A lost connection says nothing of what was done before it was lost.
  static SendOutcome failed(const base::Error& why) {
    const bool lost = why.code == ErrorCode::connection_closed || why.code == ErrorCode::timeout;
    return SendOutcome::failed(lost ? Kind::in_doubt : Kind::retry, why);
  }

  /// The file of an earlier attempt that nobody confirmed.
  bool is_there(const std::string& path, const std::string& bytes) {
    const auto found = around_.env.read_file(path, bytes.size() + 1);
    return found && *found == bytes;
  }

  SendOutcome write(const std::string& name, const std::string& bytes, bool again) {
    if (!is_plain_path(name))
      return SendOutcome::failed(Kind::bad, {ErrorCode::cannot_deliver, "the file name is not usable", "", ""});
    base::Env& env = around_.env;
    std::string path = site_path(around_, name);
    const auto made = env.make_folders(std::string(base::folder_of(path)));
    if (!made) return SendOutcome::failed(Kind::retry, made.error());
    if (again && is_there(path, bytes)) return SendOutcome::sent();
    if (exists_ == "quarantine" && env.exists(path))
      return SendOutcome::failed(Kind::bad, {ErrorCode::cannot_deliver, "a file of that name exists", "", ""});
    if (exists_ == "number") {
      const std::string first = path;
      for (int i = 2; i <= kNameTriesMax && env.exists(path); ++i) {
        path = first + "." + std::to_string(i);
        if (again && is_there(path, bytes)) return SendOutcome::sent();
      }
    }
    const auto written = env.write_file_atomic(path, bytes);
    return written ? SendOutcome::sent() : failed(written.error());
  }

  std::string exists_;
  Surroundings around_;
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

}  // namespace

std::unique_ptr<Destination> make_written_file(const Options& options, const Surroundings& around) {
  return std::make_unique<WrittenFile>(options, around);
}

}  // namespace kiln::channels::detail
