#pragma once
// A receiver that answers every message with AA, on a thread of its own: what a channel forwards to.

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "channels/net/net.h"
#include "hl7/mllp/framer.h"

namespace kiln::bench {

class MllpReceiver {
 public:
  /// `on_message` gets each MSH-10, on the receiver's thread.
  explicit MllpReceiver(std::uint16_t port = 0, std::function<void(const std::string&)> on_message = {})
      : on_message_(std::move(on_message)) {
    auto listener = net_.listen(
        "127.0.0.1", port, [this](base::StreamPtr stream) { base::spawn(serve(this, std::move(stream))); });
    if (!listener) std::abort();
    listener_ = std::move(*listener);
    thread_ = std::thread([this] { net_.run(); });
  }
  ~MllpReceiver() {
    net_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return listener_->port(); }
  std::uint64_t received() const { return received_; }

 private:
  static std::string control_id(const std::string& message) {
    std::size_t at = 0;
    for (int bar = 0; bar < 9; ++bar) at = message.find('|', at) + 1;
    return message.substr(at, message.find('|', at) - at);
  }

  static base::Task<void> serve(MllpReceiver* self, base::StreamPtr stream) {
    hl7::mllp::Framer framer;
    std::string buffer(16384, '\0');
    for (;;) {
      auto reading = stream->read_some(buffer.data(), buffer.size(), -1);
      const auto got = co_await std::move(reading);
      if (!got || *got == 0) break;
      framer.push(std::string_view(buffer.data(), *got));
      std::string out;
      while (auto event = framer.next()) {
        if (event->kind != hl7::mllp::EventKind::frame) continue;
        ++self->received_;
        const std::string id = control_id(event->bytes);
        if (self->on_message_) self->on_message_(id);
        out += *hl7::mllp::encode_frame("MSH|^~\\&|R|R|K|K|20260101||ACK|A" + id + "|P|2.5.1\rMSA|AA|" + id +
                                        "\r");
      }
      if (out.empty()) continue;
      auto writing = stream->write_all(std::move(out), 30'000);
      const auto written = co_await std::move(writing);
      if (!written) break;
    }
    stream->close();
  }

  std::function<void(const std::string&)> on_message_;
  channels::Net net_;
  std::unique_ptr<base::Listener> listener_;
  std::atomic<std::uint64_t> received_ = 0;
  std::thread thread_;
};

}  // namespace kiln::bench
