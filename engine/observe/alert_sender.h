#pragma once
// Alert notes on their way out: a queue on disk, so that a restart forgets none; each route in order, tried again with growing
// waits until it is taken.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "channels/net/smtp_client.h"
#include "channels/options.h"
#include "engine/base/env.h"
#include "engine/base/network.h"
#include "engine/base/task.h"
#include "engine/observe/alert_book.h"

namespace kiln::engine {

/// Where notes go: `notify ops { webhook "https://…"; level page }`, `notify night { mail "oncall@example.org"; smtp
/// "mail.example.org:587"; from "kiln@example.org" }`.
struct AlertRoute {
  std::string name;
  AlertLevel least = AlertLevel::warn;
  std::string url, authorization;  ///< of a webhook; the second is the value of the field, may be empty
  std::vector<std::string> mail;   ///< receivers; empty: a webhook
  std::string from;
  channels::SmtpServer smtp;
};
/// The `notify` blocks of a checked server block. Errors: bad_value with the block as place.
base::Result<std::vector<AlertRoute>> read_alert_routes(const channels::Options& server);

/// The JSON that a webhook gets.
std::string print_alert_note(const AlertNote& note, const std::string& host);

/// One route's way of sending; injected for tests.
using AlertTransport = std::function<base::Task<base::Status>(AlertRoute route, std::string body)>;
/// Webhooks by POST, 2xx is taken; mail by SMTP.
AlertTransport alert_transport(base::Network& network, const base::Clock& clock);
/// Subject and text of the mail that a note of print_alert_note() becomes.
channels::Mail alert_mail(const AlertRoute& route, const std::string& note);

class AlertSender {
 public:
  struct Parts {
    std::vector<AlertRoute> routes;
    AlertTransport transport;
    base::TimerExecutor* home;
    std::string host;               ///< of this machine, in every note
    std::function<void()> changed;  ///< the queue is another one: keep it
  };
  explicit AlertSender(Parts parts);
  ~AlertSender();

  /// Queues the note for each route of its level. How many take it.
  std::size_t send(const AlertNote& note);
  /// Takes no more and ends when a send under way has ended.
  base::Task<void> stop();
  std::size_t waiting() const;

  void write(base::JsonWriter& json) const;
  void read(base::JsonView json);

 private:
  struct Queue {
    AlertRoute route;
    std::deque<std::string> bodies;
    std::uint32_t attempts = 0;
    bool busy = false;
  };
  base::Task<void> drain(std::size_t index);
  Parts parts_;
  std::vector<Queue> queues_;
  bool stopping_ = false;
  base::Event wake_;
  std::size_t running_ = 0;
};

}  // namespace kiln::engine
