#pragma once
// GET /api/v1/events: what changed in the status, each second, to every console that listens. The status is
// printed once a second, however many they are, and not at all while there are none.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/base/task.h"
#include "engine/security/logins.h"

namespace kiln::engine {

class AdminService;

/// On the network's executor.
class AdminEvents {
 public:
  explicit AdminEvents(AdminService& service) : service_(service) {}
  ~AdminEvents();

  struct Client;
  /// The first event is the whole status. Error: too_many_clients.
  base::Result<std::shared_ptr<Client>> open(const Caller& caller);
  void close(const std::shared_ptr<Client>& client);
  /// The next events as text of the stream; empty when it ends.
  static base::Task<std::string> next(AdminEvents* events, std::shared_ptr<Client> client);

  /// To all: an alert, a job. `data` is JSON.
  void publish(std::string_view event, std::string_view data);
  /// Says `bye` to all; none is taken any more.
  void stop();
  std::size_t clients() const { return clients_.size(); }

 private:
  void tick();
  void schedule();
  void push_all(const std::string& text);
  std::string whole();

  AdminService& service_;
  std::map<const Client*, std::shared_ptr<Client>> clients_;
  std::map<std::string, std::string> shown_;  ///< JSON of each channel, as sent last
  std::uint64_t number_ = 0;
  bool ticking_ = false, stopping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kiln::engine
