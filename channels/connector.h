#pragma once
// Sources and destinations. One connector = one file channels/connectors/<name>_source.cpp or
// <name>_destination.cpp that defines `const ConnectorSpec& <stem>_spec()`; the build lists them in
// all_connectors().

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "channels/feed.h"
#include "channels/intake.h"
#include "channels/options.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/executor.h"
#include "engine/base/limits.h"
#include "engine/base/network.h"
#include "engine/base/result.h"
#include "engine/base/task.h"

namespace kiln::channels {

class ChannelDoors;  // doors.h

/// What every connector runs on. All references outlive the connector's stop().
struct Surroundings {
  base::Network& network;  ///< its executor is the thread of the connector
  base::Env& env;
  base::Executor& file_work;  ///< where blocking file work runs; may be the inline executor
  base::Clock& clock;
  std::string channel;         ///< name of the channel the connector belongs to
  std::string site;            ///< folder of the site; relative paths of options start here
  ChangeFeed* feed = nullptr;  ///< the built-in store's change feed; needed by `source fhir`
  FhirSink* sink = nullptr;    ///< the built-in store; needed by a `fhir` destination without url
  std::string state;           ///< folder where sources keep how far they are; empty: they cannot
  ChannelDoors* doors = nullptr;  ///< how channels reach each other; needed by `source channel` and `to … channel`
};

/// What operations sees of a connector; counters start at 0 with the process.
struct ConnectorStatus {
  enum class State : std::uint8_t { down, connecting, up, paused };
  State state = State::down;
  std::uint64_t connections = 0;  ///< open now
  std::uint64_t connections_total = 0;
  std::uint64_t messages = 0;  ///< accepted or sent
  std::uint64_t refused_connections = 0;
  std::uint64_t unframed = 0;  ///< reports of bytes that made no message
  std::string last_error;      ///< one line without content; empty when all is well
  std::uint16_t port = 0;      ///< of a listener: the port bound
};

/// A running input. All calls on the network's executor.
class Source {
 public:
  virtual ~Source() = default;
  /// Begins to take messages and to give them to `intake`, which outlives stop(). Errors name the option to
  /// change (port in use, folder missing). After an error or a stop() it may be started again.
  virtual base::Status start(Intake& intake) = 0;
  /// Takes no more, waits for the messages already given to the intake, sends their answers, closes.
  /// Idempotent.
  virtual base::Task<void> stop() = 0;
  virtual ConnectorStatus status() const = 0;
};

/// One message for one destination. Owns its bytes.
struct Outgoing {
  std::uint64_t msg_id = 0;  ///< journal sequence number
  std::string channel;
  std::string destination;
  std::string bytes;       ///< hl7: the message; fhir: JSON; csv: the rows without header line
  std::string csv_header;  ///< header line with its newline; empty when the csv has none
  ContentKind kind = ContentKind::hl7;
  std::string control_id;     ///< MSH-10 decoded; empty when not hl7
  std::uint32_t attempt = 1;  ///< 1 = first
  bool in_doubt = false;      ///< an earlier attempt may have arrived
  /// Options that depend on the message, rendered by the pipeline: {"file", "census/2025-08-18.csv"}.
  std::vector<std::pair<std::string, std::string>> rendered;
  std::string traceparent = {};  ///< W3C Trace Context of the attempt, for receivers over HTTP; empty: none

  /// The rendered value of that option, or empty.
  std::string_view rendered_option(std::string_view name) const;
};

/// How an attempt ended; engine/delivery applies `retry` and `nak` to it (operations.md §6).
struct SendOutcome {
  enum class Kind : std::uint8_t {
    sent,      ///< the receiver has it
    retry,     ///< certainly not taken: no connection, file error, HTTP 408/429/5xx; try again
    in_doubt,  ///< sent at least partly, no valid answer: resend the same bytes, marked
    negative,  ///< the receiver answered AE/CE (`code` "AE", "CE") or AR/CR: `nak` decides
    bad,       ///< can never succeed as it is: quarantine
  };
  Kind kind = Kind::retry;
  base::ErrorCode error = base::ErrorCode::internal;  ///< when not sent
  std::string code;    ///< "AA", "AE", "201", "422", …: the receiver's word; may be empty
  std::string detail;  ///< one line without content
  std::string reply;   ///< bytes the receiver answered, for the journal; may be empty
  std::optional<std::int64_t> retry_after_ms;  ///< the receiver's own wish (Retry-After)

  static SendOutcome sent(std::string code = {}, std::string reply = {});
  static SendOutcome failed(Kind kind, base::Error why);
};

/// A running output. All calls on the network's executor; at most one send at a time.
class Destination {
 public:
  virtual ~Destination() = default;
  /// Checks what can be checked without the receiver; never waits for it. Errors name the option to change.
  virtual base::Status start() = 0;
  /// One attempt. Never throws, always ends within its time-outs.
  virtual base::Task<SendOutcome> send(Outgoing message) = 0;
  /// How many messages send_batch() takes at once; 1 when it brings nothing.
  virtual std::size_t batch_max() const { return 1; }
  /// Milliseconds that a batch which is not full waits for more: where each attempt costs a sync of its own,
  /// a short wait lets several messages share one. 0: none.
  virtual std::int64_t gather_ms() const { return 0; }
  /// One attempt for several messages, in their order. Ends at the first that is not `sent`: the result has
  /// at least one outcome and may be shorter than the batch; messages beyond it are untouched. Behind the first
  /// that is not sent only `in_doubt` is looked at: those may have arrived, too.
  virtual base::Task<std::vector<SendOutcome>> send_batch(std::vector<Outgoing> messages);
  /// Ends a pending send (its outcome is then `in_doubt` or `retry`), closes connections and files.
  /// Idempotent.
  virtual base::Task<void> stop() = 0;
  virtual ConnectorStatus status() const = 0;
};

enum class ConnectorRole : std::uint8_t { source, destination };

/// What a source gives or a destination takes.
struct ContentSet {
  bool hl7 = false, fhir = false, csv = false;
  bool has(ContentKind kind) const {
    return kind == ContentKind::hl7 ? hl7 : kind == ContentKind::fhir ? fhir : csv;
  }
};

/// Collects what is wrong with one connector's options beyond their types; place and excerpt are added by the
/// caller.
struct OptionProblem {
  base::ErrorCode code;
  std::string option;  ///< the option to underline; empty: the connector's name
  std::string message;
  std::string help;
};

struct ConnectorExample {
  const char* text;  ///< the option block as it stands in a channel: `{ port 2575 }`
  bool valid = true;
};

/// All there is to know about a connector. Static.
struct ConnectorSpec {
  const char* name;  ///< "mllp"
  ConnectorRole role;
  const char* summary;
  ContentSet content;
  std::span<const FieldSpec> options;
  std::span<const ConnectorExample> examples;
  /// Checks between options; may be nullptr.
  std::vector<OptionProblem> (*check)(const Options& options) = nullptr;
  /// Exactly one of the two is set. `options` are resolved.
  std::unique_ptr<Source> (*make_source)(const Options& options, const Surroundings& around) = nullptr;
  std::unique_ptr<Destination> (*make_destination)(const Options& options,
                                                   const Surroundings& around) = nullptr;
  /// "host:port" a source listens on, for the port clash check; nullptr or empty when it does not listen.
  std::string (*listens_on)(const Options& options) = nullptr;
};

/// Every connector of this build, sorted by file name (generated).
std::span<const ConnectorSpec* const> all_connectors();
/// nullptr when there is none of that name and role.
const ConnectorSpec* find_connector(ConnectorRole role, std::string_view name);
/// Options of `ack … on … { … }`.
std::span<const FieldSpec> ack_options();

/// Options every source has beside its own.
std::span<const FieldSpec> common_source_options();
/// Options every destination has beside its own: connections, order, retry, nak.
std::span<const FieldSpec> common_destination_options();

}  // namespace kiln::channels
