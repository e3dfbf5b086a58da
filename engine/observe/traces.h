#pragma once
// Traces of messages for an OTLP receiver (operations.md §1.15), by `trace { … }` of kiln.conf; without it nothing is made. Spans
// hold times, configured names, numbers and codes: nothing of a message. The trace of a message follows from its number, so that
// attempts after a restart belong to it; a message that came with a `traceparent` (W3C Trace Context) goes on in that trace.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "channels/net/http_client.h"
#include "channels/options.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/log.h"
#include "engine/base/network.h"

namespace kiln::engine {

/// Whose child a span is.
struct TraceContext {
  std::array<std::uint8_t, 16> trace{};
  std::array<std::uint8_t, 8> span{};
  bool sampled = true;
};
/// "00-<32 hex>-<16 hex>-01". Nothing for a field that is none, or all zeros.
std::optional<TraceContext> read_traceparent(std::string_view field);
std::string print_traceparent(const TraceContext& context);

struct TraceSettings {
  std::string url;  ///< empty: no traces
  std::string authorization;
  std::uint64_t one_in = 1;  ///< of so many messages one is traced
};
/// Of a checked server block.
TraceSettings read_trace_settings(const channels::Options& server);

/// A value of a span: a name out of the site, a code or a number.
struct TraceValue {
  const char* key;
  std::string text;
  std::int64_t number = 0;
  bool is_number = false;
  TraceValue(const char* k, base::Safe value) : key(k), text(value.text()) {}
  TraceValue(const char* k, std::int64_t value) : key(k), number(value), is_number(true) {}
};

struct TraceSpan {
  TraceContext self;
  std::array<std::uint8_t, 8> parent{};  ///< zeros: the first of its trace
  std::string name;
  int kind = 1;  ///< OTLP: 1 internal, 2 server, 3 client
  base::WallTime began, ended;
  bool failed = false;
  std::vector<TraceValue> values;
};

/// On the network loop.
class Traces {
 public:
  static constexpr std::size_t kWaitingMax = 4'096;   ///< spans; beyond, they are dropped and counted
  static constexpr std::size_t kBatchMax = 512;       ///< spans of one request
  static constexpr std::size_t kRemembered = 20'000;  ///< messages whose `traceparent` is known

  /// One request to the receiver: true when it took the body.
  using Send = std::function<base::Task<bool>(std::string body)>;
  struct Parts {
    TraceSettings settings;
    std::string seed;  ///< of this installation: the numbers of others are other traces
    std::string host, version;
    base::TimerExecutor* home = nullptr;
    const base::Clock* clock = nullptr;
    Send send;
  };
  explicit Traces(Parts parts);
  ~Traces();

  /// Whether the message is traced. `traceparent`: what it came with; empty: nothing.
  bool takes(std::uint64_t message, std::string_view traceparent) const;
  /// The first span of a message; `from`: what it came with.
  TraceContext begin(std::uint64_t message, std::string_view traceparent);
  /// The span that attempts to deliver the message are children of; nothing when it is not traced.
  std::optional<TraceContext> of_message(std::uint64_t message) const;
  /// The span of a request that is no message; nothing when it is not traced.
  std::optional<TraceContext> begin_request(std::string_view traceparent);
  /// A new span in the trace of `parent`.
  TraceContext child(const TraceContext& parent);
  void add(TraceSpan span);
  /// Sends what waits, for a moment; then nothing is sent any more.
  base::Task<void> stop();

  const base::Clock& clock() const { return *parts_.clock; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  TraceContext derive(std::uint64_t message) const;
  static base::Task<void> drain(Traces* traces, std::shared_ptr<bool> alive);
  void schedule();
  std::string print(std::size_t count) const;

  Parts parts_;
  std::deque<TraceSpan> waiting_;
  std::unordered_map<std::uint64_t, TraceContext> remote_;  ///< first spans of messages that came with a trace
  std::deque<std::uint64_t> remote_order_;
  std::uint64_t spans_ = 0, requests_ = 0, dropped_ = 0;
  bool scheduled_ = false, sending_ = false, stopping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// The one of the running engine; nullptr without `trace`. On the network loop.
Traces* traces();
void use_traces(Traces* traces);
/// Posts to `settings.url`.
Traces::Send trace_transport(base::Network& network, const TraceSettings& settings);

/// What the pipeline and the queues say; nothing is done while there are no traces.
class MessageTrace {
 public:
  /// At the receipt.
  MessageTrace(base::WallTime received, std::string traceparent) {
    if (traces() == nullptr) return;
    received_ = received;
    traceparent_ = std::move(traceparent);
  }
  void map_begins() { mark(map_began_); }
  void map_ends() { mark(map_ended_); }
  /// From now on attempts to deliver it are of its trace. `id` 0: it was not stored.
  void durable(std::uint64_t id);
  /// With its answer. `id` 0: it was not stored.
  void end(std::uint64_t id, std::string_view channel, bool stored, bool refused);

 private:
  static void mark(base::WallTime& into) {
    if (Traces* all = traces()) into = all->clock().wall();
  }
  base::WallTime received_, map_began_, map_ended_, durable_;
  std::string traceparent_;
  std::optional<TraceContext> self_;  ///< of a message that is traced
};

/// A request of the FHIR API; what it asks for is no part of its span.
class RequestTrace {
 public:
  explicit RequestTrace(std::string_view traceparent);
  void end(int status) const;

 private:
  std::optional<TraceContext> self_;
  std::array<std::uint8_t, 8> parent_{};
  base::WallTime began_;
};

/// `traceparent` for an attempt to deliver the message, and its span when it ends.
struct AttemptTrace {
  std::optional<TraceContext> parent, self;
  static AttemptTrace begin(std::uint64_t message);
  std::string traceparent() const { return self ? print_traceparent(*self) : std::string(); }
  void end(std::string_view channel, std::string_view destination, base::WallTime began, std::int64_t attempt, bool sent,
           base::ErrorCode error) const;
};

}  // namespace kiln::engine
