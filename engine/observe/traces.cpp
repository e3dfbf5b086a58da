#include "engine/observe/traces.h"

#include <algorithm>
#include <cstring>

#include "engine/base/json.h"
#include "engine/base/metrics.h"
#include "engine/base/text.h"

namespace kiln::engine {
namespace {

using base::Task;

constexpr std::chrono::milliseconds kGather(1'000);  ///< from the first span of a batch to its request
constexpr std::chrono::seconds kRetry(5);

template <std::size_t N>
bool read_hex(std::string_view text, std::array<std::uint8_t, N>& out) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  bool any = false;
  for (std::size_t i = 0; i < N; ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
    any = any || out[i] != 0;
  }
  return any;
}

template <std::size_t N>
std::string print_hex(const std::array<std::uint8_t, N>& bytes) {
  return base::hex(std::string_view(reinterpret_cast<const char*>(bytes.data()), N));
}

template <std::size_t N>
void fill(std::array<std::uint8_t, N>& into, std::string_view from, std::size_t at) {
  std::memcpy(into.data(), from.data() + at, N);
}

std::string nanos(base::WallTime at) { return std::to_string(at.micros) + "000"; }

void write_value(base::JsonWriter& json, const TraceValue& value) {
  json.begin_object().member("key", value.key).key("value").begin_object();
  if (value.is_number)
    json.member("intValue", std::to_string(value.number));  // 64 bits are a string in the JSON of protobuf
  else
    json.member("stringValue", value.text);
  json.end_object().end_object();
}

void write_span(base::JsonWriter& json, const TraceSpan& span) {
  json.begin_object().member("traceId", print_hex(span.self.trace)).member("spanId", print_hex(span.self.span));
  if (span.parent != decltype(span.parent){}) json.member("parentSpanId", print_hex(span.parent));
  json.member("name", span.name).key("kind").integer(span.kind);
  json.member("startTimeUnixNano", nanos(span.began)).member("endTimeUnixNano", nanos(std::max(span.began, span.ended)));
  json.key("attributes").begin_array();
  for (const TraceValue& value : span.values) write_value(json, value);
  json.end_array().key("status").begin_object();
  if (span.failed) json.key("code").integer(2);
  json.end_object().end_object();
}

Traces* running = nullptr;

}  // namespace

Traces* traces() { return running; }
void use_traces(Traces* traces) { running = traces; }

std::optional<TraceContext> read_traceparent(std::string_view field) {
  constexpr std::size_t kLength = 55;  // of version 00; later ones may be longer
  field = base::trim(field);
  if (field.size() < kLength || field[2] != '-' || field[35] != '-' || field[52] != '-') return std::nullopt;
  if (field.substr(0, 2) == "ff" || (field.substr(0, 2) == "00" && field.size() != kLength)) return std::nullopt;
  std::array<std::uint8_t, 1> version{}, flags{};
  TraceContext out;
  (void)read_hex(field.substr(0, 2), version);
  if (!read_hex(field.substr(3, 32), out.trace) || !read_hex(field.substr(36, 16), out.span)) return std::nullopt;
  (void)read_hex(field.substr(53, 2), flags);
  out.sampled = (flags[0] & 1U) != 0;
  return out;
}

std::string print_traceparent(const TraceContext& context) {
  return "00-" + print_hex(context.trace) + "-" + print_hex(context.span) + (context.sampled ? "-01" : "-00");
}

TraceSettings read_trace_settings(const channels::Options& server) {
  const channels::Options& block = server.block("trace");
  TraceSettings out;
  out.url = block.text("url");
  out.authorization = block.text("authorization");
  if (block.has("one_in")) out.one_in = static_cast<std::uint64_t>(std::max<std::int64_t>(1, block.number("one_in")));
  return out;
}

Traces::Traces(Parts parts) : parts_(std::move(parts)) {}

Traces::~Traces() {
  *alive_ = false;
  if (running == this) running = nullptr;
}

TraceContext Traces::derive(std::uint64_t message) const {
  const std::string hash = base::sha256(parts_.seed + "/" + std::to_string(message));
  TraceContext out;
  fill(out.trace, hash, 0);
  fill(out.span, hash, out.trace.size());
  return out;
}

bool Traces::takes(std::uint64_t message, std::string_view traceparent) const {
  // Who began the trace has decided.
  if (const auto from = read_traceparent(traceparent)) return from->sampled;
  return message % parts_.settings.one_in == 0;
}

TraceContext Traces::begin(std::uint64_t message, std::string_view traceparent) {
  TraceContext self = derive(message);
  const auto from = read_traceparent(traceparent);
  if (!from) return self;
  self.trace = from->trace;
  self.sampled = from->sampled;
  if (remote_order_.size() >= kRemembered) {
    remote_.erase(remote_order_.front());
    remote_order_.pop_front();
  }
  if (remote_.emplace(message, self).second) remote_order_.push_back(message);
  return self;
}

std::optional<TraceContext> Traces::of_message(std::uint64_t message) const {
  if (const auto known = remote_.find(message); known != remote_.end())
    return known->second.sampled ? std::optional(known->second) : std::nullopt;
  if (message % parts_.settings.one_in != 0) return std::nullopt;
  return derive(message);
}

std::optional<TraceContext> Traces::begin_request(std::string_view traceparent) {
  if (const auto from = read_traceparent(traceparent)) return from->sampled ? std::optional(child(*from)) : std::nullopt;
  if (++requests_ % parts_.settings.one_in != 0) return std::nullopt;
  TraceContext fresh;
  fill(fresh.trace, base::sha256(parts_.seed + "request" + std::to_string(parts_.clock->wall().micros) + "/" + std::to_string(requests_)), 0);
  return child(fresh);
}

TraceContext Traces::child(const TraceContext& parent) {
  TraceContext out = parent;
  fill(out.span, base::sha256(parts_.seed + print_hex(parent.span) + std::to_string(parts_.clock->wall().micros) + "/" +
                              std::to_string(++spans_)),
       0);
  return out;
}

void Traces::add(TraceSpan span) {
  if (stopping_) return;
  if (waiting_.size() >= kWaitingMax) {
    ++dropped_;
    base::Metrics::process().counter(base::Metric::trace_spans_total, {"dropped"}).add();
    return;
  }
  waiting_.push_back(std::move(span));
  schedule();
}

void Traces::schedule() {
  if (scheduled_ || sending_) return;
  scheduled_ = true;
  parts_.home->post_after(kGather, [this, alive = alive_] {
    if (!*alive) return;
    scheduled_ = false;
    if (!sending_) base::spawn(drain(this, alive));
  });
}

std::string Traces::print(std::size_t count) const {
  base::JsonWriter json;
  json.begin_object().key("resourceSpans").begin_array().begin_object();
  json.key("resource").begin_object().key("attributes").begin_array();
  for (const auto& [key, value] : {std::pair<const char*, std::string>{"service.name", "kiln"},
                                   {"service.version", parts_.version},
                                   {"host.name", parts_.host}})
    json.begin_object().member("key", key).key("value").begin_object().member("stringValue", value).end_object().end_object();
  json.end_array().end_object().key("scopeSpans").begin_array().begin_object();
  json.key("scope").begin_object().member("name", "kiln").end_object().key("spans").begin_array();
  for (std::size_t i = 0; i < count; ++i) write_span(json, waiting_[i]);
  return json.end_array().end_object().end_array().end_object().end_array().end_object().take();
}

/// One request at a time; what a receiver does not take is tried again until there are too many.
Task<void> Traces::drain(Traces* self, std::shared_ptr<bool> alive) {
  self->sending_ = true;
  while (*alive && !self->waiting_.empty()) {
    const std::size_t count = std::min(self->waiting_.size(), kBatchMax);
    std::string body = self->print(count);
    auto sending = self->parts_.send(std::move(body));
    const bool taken = co_await std::move(sending);
    if (!*alive) co_return;
    if (taken) {
      self->waiting_.erase(self->waiting_.begin(), self->waiting_.begin() + static_cast<std::ptrdiff_t>(count));
      base::Metrics::process().counter(base::Metric::trace_spans_total, {"sent"}).add(count);
      continue;
    }
    base::log(base::LogLevel::warn, "traces-not-sent", {{"spans", static_cast<std::int64_t>(self->waiting_.size())}});
    if (self->stopping_) break;
    base::Event pause(*self->parts_.home);
    co_await pause.wait(kRetry);
    if (!*alive) co_return;
  }
  self->sending_ = false;
}

Task<void> Traces::stop() {
  stopping_ = true;
  // What waits gets one try, and not for long: nobody is to wait for a receiver of traces.
  if (!sending_ && !waiting_.empty()) base::spawn(drain(this, alive_));
  constexpr int kMoments = 20;
  for (int i = 0; i < kMoments && sending_; ++i) {
    base::Event pause(*parts_.home);
    co_await pause.wait(std::chrono::milliseconds(50));
  }
}

Traces::Send trace_transport(base::Network& network, const TraceSettings& settings) {
  struct Post {
    static Task<bool> go(base::Network* network, TraceSettings settings, std::string body) {
      constexpr std::int64_t kTimeoutMs = 10'000;
      auto url = channels::HttpUrl::parse(settings.url);
      if (!url) co_return false;
      channels::HttpClient client(*network, *url);
      base::HttpRequest request;
      request.method = "POST";
      request.target = url->path.empty() ? "/v1/traces" : url->path;
      request.headers.set("Content-Type", "application/json");
      if (!settings.authorization.empty()) request.headers.set("Authorization", settings.authorization);
      request.body = std::move(body);
      auto sending = client.send(std::move(request), kTimeoutMs);
      const channels::HttpExchange exchange = co_await std::move(sending);
      client.close();
      // What it calls wrong would be wrong again: it is gone.
      co_return exchange.response && (exchange.response->status / 100 == 2 || exchange.response->status == 400);
    }
  };
  return [network = &network, settings](std::string body) { return Post::go(network, settings, std::move(body)); };
}

void MessageTrace::durable(std::uint64_t id) {
  Traces* all = traces();
  if (all == nullptr) return;
  mark(durable_);
  if (id == 0) return;
  const bool taken = all->takes(id, traceparent_);
  if (!taken && traceparent_.empty()) return;
  const TraceContext self = all->begin(id, traceparent_);  // also of one that is not to be traced: its attempts must know
  if (taken) self_ = self;
}

void MessageTrace::end(std::uint64_t id, std::string_view channel, bool stored, bool refused) {
  Traces* all = traces();
  if (all == nullptr || !self_) return;
  const TraceContext& self = *self_;
  const auto from = read_traceparent(traceparent_);
  TraceSpan root;
  root.self = self;
  if (from) root.parent = from->span;
  root.name = "receive";
  root.kind = 2;
  root.began = received_;
  root.ended = all->clock().wall();
  root.failed = !stored;
  root.values.emplace_back("kiln.channel", base::Safe::name(channel));
  root.values.emplace_back("kiln.message", static_cast<std::int64_t>(id));
  root.values.emplace_back("kiln.answer", stored ? refused ? base::Safe("refused") : base::Safe("accepted") : base::Safe("not stored"));
  const auto part = [&](const char* name, base::WallTime began, base::WallTime ended) {
    if (began.micros == 0 || ended.micros == 0) return;
    TraceSpan span;
    span.self = all->child(self);
    span.parent = self.span;
    span.name = name;
    span.began = began;
    span.ended = ended;
    all->add(std::move(span));
  };
  part("map", map_began_, map_ended_);
  part("journal", map_began_, durable_);
  all->add(std::move(root));
}

RequestTrace::RequestTrace(std::string_view traceparent) {
  Traces* all = traces();
  if (all == nullptr) return;
  self_ = all->begin_request(traceparent);
  began_ = all->clock().wall();
  if (const auto from = read_traceparent(traceparent)) parent_ = from->span;
}

void RequestTrace::end(int status) const {
  Traces* all = traces();
  if (all == nullptr || !self_) return;
  constexpr int kServerFault = 500;
  TraceSpan span;
  span.self = *self_;
  span.parent = parent_;
  span.name = "fhir";
  span.kind = 2;
  span.began = began_;
  span.ended = all->clock().wall();
  span.failed = status >= kServerFault;
  span.values.emplace_back("http.response.status_code", static_cast<std::int64_t>(status));
  all->add(std::move(span));
}

AttemptTrace AttemptTrace::begin(std::uint64_t message) {
  AttemptTrace out;
  Traces* all = traces();
  if (all == nullptr) return out;
  out.parent = all->of_message(message);
  if (out.parent) out.self = all->child(*out.parent);
  return out;
}

void AttemptTrace::end(std::string_view channel, std::string_view destination, base::WallTime began, std::int64_t attempt, bool sent,
                       base::ErrorCode error) const {
  Traces* all = traces();
  if (all == nullptr || !self) return;
  TraceSpan span;
  span.self = *self;
  span.parent = parent->span;
  span.name = "send";
  span.kind = 3;
  span.began = began;
  span.ended = all->clock().wall();
  span.failed = !sent;
  span.values.emplace_back("kiln.channel", base::Safe::name(channel));
  span.values.emplace_back("kiln.destination", base::Safe::name(destination));
  span.values.emplace_back("kiln.attempt", attempt);
  if (!sent) span.values.emplace_back("error.type", base::Safe::code(error));
  all->add(std::move(span));
}

}  // namespace kiln::engine
