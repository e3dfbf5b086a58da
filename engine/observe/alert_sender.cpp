#include "engine/observe/alert_sender.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "channels/net/http_client.h"
#include "engine/base/log.h"
#include "engine/base/partial_date.h"
#include "engine/base/text.h"
#include "engine/limits.h"

namespace kiln::engine {

using base::Result;
using base::Status;
using base::Task;

namespace {

Status read_mail(const channels::Options& block, AlertRoute& route) {
  const std::string addresses(block.text("mail"));  // named: the parts point into it
  for (const std::string_view address : base::split(addresses, ' ')) {
    if (address.empty()) continue;
    if (!channels::is_mail_address(address))
      return base::fail(base::ErrorCode::bad_value, "this is no mail address", "notify " + route.name, "oncall@example.org");
    route.mail.emplace_back(address);
  }
  if (route.mail.empty()) return {};
  route.from = block.text("from");
  const std::string server = block.text("smtp");
  const auto colon = server.rfind(':');
  route.smtp.host = server.substr(0, colon);
  std::uint32_t port = 587;
  if (colon != std::string::npos) port = static_cast<std::uint32_t>(std::strtoul(server.c_str() + colon + 1, nullptr, 10));
  if (!channels::is_mail_address(route.from) || route.smtp.host.empty() || port == 0 || port > UINT16_MAX)
    return base::fail(base::ErrorCode::bad_value, "mail needs `from` and `smtp`", "notify " + route.name,
                      "smtp \"mail.example.org:587\"; from \"kiln@example.org\"");
  route.smtp.port = static_cast<std::uint16_t>(port);
  const std::string security = block.text("security");
  using Security = channels::SmtpServer::Security;
  route.smtp.security = security == "none" ? Security::none : security == "tls" ? Security::tls : Security::starttls;
  route.smtp.user = block.text("user");
  route.smtp.password = block.text("password");
  return {};
}

}  // namespace

Result<std::vector<AlertRoute>> read_alert_routes(const channels::Options& server) {
  std::vector<AlertRoute> out;
  const auto* blocks = server.all("notify");
  if (blocks == nullptr) return out;
  for (const channels::OptionValue& value : *blocks) {
    const channels::Options& block = value.block.front();
    AlertRoute route;
    route.name = value.text;
    route.url = block.text("webhook");
    route.authorization = block.text("authorization");
    if (block.text("level") == "page") route.least = AlertLevel::page;
    TRY_VOID(read_mail(block, route));
    const std::string place = "notify " + route.name;
    if (route.url.empty() == route.mail.empty())
      return base::fail(base::ErrorCode::bad_value, "a route is either a webhook or mail", place);
    if (route.mail.empty() && !channels::HttpUrl::parse(route.url))
      return base::fail(base::ErrorCode::bad_value, "the webhook is no URL", place, "https://host/path");
    out.push_back(std::move(route));
  }
  return out;
}

std::string print_alert_note(const AlertNote& note, const std::string& host) {
  const auto time = [](base::WallTime at) { return base::PartialDate::from_wall(at, base::DatePrecision::fraction).print_fhir(); };
  base::JsonWriter json;
  json.begin_object().member("event", name_of(note.what)).member("id", note.id()).member("alert", note.condition.rule);
  json.member("level", name_of(note.condition.level)).member("subject", note.condition.subject);
  json.member("text", note.condition.text).member("remedy", note.condition.remedy);
  json.member("since", time(note.since)).member("at", time(note.at)).member("host", host);
  if (!note.owner.empty()) json.member("owner", note.owner);
  if (!note.condition.runbook.empty()) json.member("runbook", note.condition.runbook);
  json.end_object();
  return json.take();
}

namespace {

Task<Status> post(base::Network* network, AlertRoute route, std::string body) {
  constexpr std::int64_t kTimeoutMs = 15'000;
  auto url = channels::HttpUrl::parse(route.url);
  if (!url) co_return base::fail(url.error());
  channels::HttpClient client(*network, *url);
  base::HttpRequest request;
  request.method = "POST";
  request.target = url->path.empty() ? "/" : url->path;
  request.headers.set("Content-Type", "application/json");
  if (!route.authorization.empty()) request.headers.set("Authorization", route.authorization);
  request.body = std::move(body);
  auto sending = client.send(std::move(request), kTimeoutMs);
  const channels::HttpExchange exchange = co_await std::move(sending);
  if (!exchange.response) co_return base::fail(exchange.response.error());
  constexpr int kOk = 200, kEnd = 300;
  if (exchange.response->status >= kOk && exchange.response->status < kEnd) co_return Status();
  co_return base::fail(base::ErrorCode::alert_not_sent, "HTTP status " + std::to_string(exchange.response->status));
}

Task<Status> mail(base::Network* network, AlertRoute route, channels::Mail letter) {
  channels::SmtpServer server = route.smtp;
  auto sending = channels::send_mail(network, std::move(server), std::move(letter));
  const channels::MailOutcome outcome = co_await std::move(sending);
  co_return outcome.status;
}

/// 1 s, 2 s, … 5 min.
std::chrono::seconds backoff(std::uint32_t attempts) {
  constexpr std::uint32_t kMost = 300;
  return std::chrono::seconds(std::min(kMost, 1U << std::min(attempts, 9U)));
}

}  // namespace

channels::Mail alert_mail(const AlertRoute& route, const std::string& note) {
  channels::Mail out;
  out.from = route.from;
  out.to = route.mail;
  const auto document = base::parse_json(note);
  if (!document) return out;
  const base::JsonView root = document->root();
  const auto member = [&](const char* name) { return std::string(root[name].text()); };
  out.subject = "[kiln] " + member("level") + ": " + member("alert") + (member("subject").empty() ? "" : " " + member("subject")) + " (" +
                member("event") + ")";
  out.text = member("text") + "\n\n" + member("remedy") + "\n\nsince " + member("since") + "\nhost " + member("host") + "\n";
  if (!member("runbook").empty()) out.text += "runbook " + member("runbook") + "\n";
  if (!member("owner").empty()) out.text += "owner " + member("owner") + "\n";
  // The same note sent again is the same mail.
  out.id = base::sha256_hex(note).substr(0, 32);
  return out;
}

AlertTransport alert_transport(base::Network& network, const base::Clock& clock) {
  return [network = &network, clock = &clock](AlertRoute route, std::string body) {
    if (route.mail.empty()) return post(network, std::move(route), std::move(body));
    channels::Mail letter = alert_mail(route, body);
    letter.time = clock->wall();
    return mail(network, std::move(route), std::move(letter));
  };
}

AlertSender::AlertSender(Parts parts) : parts_(std::move(parts)), wake_(*parts_.home) {
  for (const AlertRoute& route : parts_.routes) {
    Queue queue;
    queue.route = route;
    queues_.push_back(std::move(queue));
  }
}

AlertSender::~AlertSender() = default;

std::size_t AlertSender::send(const AlertNote& note) {
  std::size_t taken = 0;
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    Queue& queue = queues_[i];
    if (note.what != AlertNote::What::test && note.condition.level < queue.route.least) continue;
    queue.bodies.push_back(print_alert_note(note, parts_.host));
    // A route that is dead for weeks: the newest are worth the most.
    if (queue.bodies.size() > limits::kAlertNotesMax) queue.bodies.pop_front();
    ++taken;
    if (!queue.busy && !stopping_) base::spawn(drain(i));
  }
  if (taken > 0) parts_.changed();
  return taken;
}

Task<void> AlertSender::drain(std::size_t index) {
  queues_[index].busy = true;
  ++running_;
  while (!stopping_ && !queues_[index].bodies.empty()) {
    AlertRoute route = queues_[index].route;
    std::string body = queues_[index].bodies.front();
    auto sending = parts_.transport(std::move(route), std::move(body));
    const Status sent = co_await std::move(sending);
    Queue& queue = queues_[index];
    if (sent) {
      queue.bodies.pop_front();
      queue.attempts = 0;
      parts_.changed();
      continue;
    }
    ++queue.attempts;
    if (queue.attempts == 1)
      base::log(base::LogLevel::warn, "alert-not-sent",
                {{"route", base::Safe::name(queue.route.name)}, {"error", base::Safe::code(sent.error().code)}});
    const std::chrono::nanoseconds pause = backoff(queue.attempts);
    if (!stopping_) co_await wake_.wait(pause);
  }
  queues_[index].busy = false;
  --running_;
  wake_.notify();
}

Task<void> AlertSender::stop() {
  stopping_ = true;
  wake_.notify();
  while (running_ > 0) co_await wake_.wait(std::chrono::milliseconds(50));
}

std::size_t AlertSender::waiting() const {
  std::size_t out = 0;
  for (const Queue& queue : queues_) out += queue.bodies.size();
  return out;
}

void AlertSender::write(base::JsonWriter& json) const {
  json.begin_object();
  for (const Queue& queue : queues_) {
    json.key(queue.route.name).begin_array();
    for (const std::string& body : queue.bodies) json.string(body);
    json.end_array();
  }
  json.end_object();
}

void AlertSender::read(base::JsonView json) {
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    for (const base::JsonView body : json[queues_[i].route.name]) queues_[i].bodies.emplace_back(body.text());
    if (!queues_[i].bodies.empty() && !queues_[i].busy) base::spawn(drain(i));
  }
}

}  // namespace kiln::engine
