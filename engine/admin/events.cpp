#include "engine/admin/events.h"

#include "engine/admin/message_json.h"
#include "engine/admin/service.h"
#include "engine/admin/status_json.h"
#include "engine/gateway.h"
#include "engine/limits.h"

namespace kiln::engine {
namespace {

using base::Task;

constexpr std::chrono::seconds kTick(1);
constexpr std::size_t kWaitingMax = 16;  ///< events that a slow client may be behind; then it gets the whole
constexpr std::uint64_t kSessionEvery = 5;  ///< events between two looks at the client's session or token

std::string print_event(std::string_view event, std::string_view data, std::uint64_t number) {
  std::string out = "id: " + std::to_string(number) + "\nevent: " + std::string(event) + "\ndata: ";
  out += data;  // compact JSON has no line ends
  return out + "\n\n";
}

}  // namespace

struct AdminEvents::Client {
  explicit Client(base::TimerExecutor& executor) : wake(executor) {}
  std::deque<std::string> waiting;
  base::Event wake;
  Caller caller;  ///< whose session or token may end
  std::uint64_t sent = 0;
  bool ended = false;
};

AdminEvents::~AdminEvents() {
  *alive_ = false;
}

base::Result<std::shared_ptr<AdminEvents::Client>> AdminEvents::open(const Caller& caller) {
  if (stopping_ || clients_.size() >= limits::kEventClientsMax)
    return base::fail(base::ErrorCode::too_many_clients);
  auto client = std::make_shared<Client>(service_.gateway().executor());
  client->caller = caller;
  if (clients_.empty()) {
    // What has been sent last may be old: nobody listened.
    shown_.clear();
    for (auto& [name, text] : channel_statuses(service_.gateway())) shown_[name] = std::move(text);
  }
  client->waiting.push_back("retry: 2000\n" + print_event("status", whole(), ++number_));
  clients_[client.get()] = client;
  schedule();
  return client;
}

std::string AdminEvents::whole() {
  return print_status(service_.gateway());
}

void AdminEvents::close(const std::shared_ptr<Client>& client) {
  client->ended = true;
  clients_.erase(client.get());
}

void AdminEvents::schedule() {
  if (ticking_ || stopping_ || clients_.empty()) return;
  ticking_ = true;
  service_.gateway().executor().post_after(kTick, [this, alive = alive_] {
    if (!*alive) return;
    ticking_ = false;
    tick();
    schedule();
  });
}

void AdminEvents::tick() {
  if (clients_.empty() || stopping_) return;
  base::JsonWriter json;
  json.begin_object();
  write_status_head(json, service_.gateway());
  json.key("channels").begin_array();
  auto now = channel_statuses(service_.gateway());
  for (const auto& [name, text] : now)
    if (const auto shown = shown_.find(name); shown == shown_.end() || shown->second != text) json.raw(text);
  json.end_array().key("gone").begin_array();
  for (const auto& [name, text] : shown_)
    if (!now.contains(name)) json.string(name);
  json.end_array().end_object();
  shown_ = std::move(now);
  push_all(print_event("delta", json.str(), ++number_));
}

void AdminEvents::push_all(const std::string& text) {
  for (const auto& [key, client] : clients_) {
    if (client->waiting.size() >= kWaitingMax) {
      client->waiting.clear();
      client->waiting.push_back(print_event("status", whole(), ++number_));
    } else {
      client->waiting.push_back(text);
    }
    client->wake.notify();
  }
}

void AdminEvents::publish(std::string_view event, std::string_view data) {
  if (!clients_.empty()) push_all(print_event(event, data, ++number_));
}

void AdminEvents::stop() {
  stopping_ = true;
  const auto open = clients_;
  for (const auto& [key, client] : open) {
    client->waiting.push_back(print_event("bye", "{}", ++number_));
    client->ended = true;
    client->wake.notify();
  }
  clients_.clear();
}

Task<std::string> AdminEvents::next(AdminEvents* events, std::shared_ptr<Client> client) {
  while (client->waiting.empty() && !client->ended) {
    auto waiting = client->wake.wait(std::chrono::seconds(5));
    co_await waiting;
  }
  if (++client->sent % kSessionEvery == 0 && !client->ended) {
    std::function<bool(Logins&, AuditLog&)> ask = [caller = client->caller](Logins& logins, AuditLog&) {
      return logins.is_open(caller);
    };
    auto asking = events->service_.with_accounts(std::move(ask));
    const bool open = co_await std::move(asking);
    if (!open) {
      events->close(client);
      co_return std::string();
    }
  }
  std::string out;
  while (!client->waiting.empty()) {
    out += client->waiting.front();
    client->waiting.pop_front();
  }
  co_return out;
}

}  // namespace kiln::engine
