#pragma once
// Word to systemd (sd_notify(3)): datagrams to the socket that $NOTIFY_SOCKET names. Without one nothing is sent.

#include <cstdint>
#include <string>
#include <string_view>

namespace kiln::engine {

class Notifier {
 public:
  /// `socket` is a path, or begins with `@` for an abstract one; empty: nobody listens.
  explicit Notifier(std::string socket = {}) : socket_(std::move(socket)) {}
  bool is_active() const { return !socket_.empty(); }

  void ready(std::string_view status) const;
  void status(std::string_view line) const;
  /// Proof of life; only after the check that /healthz answers by.
  void watchdog() const;
  /// `now_us` is CLOCK_MONOTONIC, which systemd compares with its own (systemd 253 and later look at it).
  void reloading(std::int64_t now_us) const;
  void stopping() const;
  /// A start or stop takes that much longer.
  void extend(std::int64_t micros, std::string_view status) const;

 private:
  void send(const std::string& text) const;
  std::string socket_;
};

}  // namespace kiln::engine
