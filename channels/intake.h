#pragma once
// The border between sources and the pipeline (architecture.md §2): every source hands what it received to an
// Intake and does what the Answer says. engine/pipeline implements it, once per channel; tests and `kiln
// test` have their own.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/clock.h"
#include "engine/base/task.h"

namespace kiln::channels {

/// What the bytes of a message are.
enum class ContentKind : std::uint8_t { hl7, fhir, csv };
const char* name_of(ContentKind kind);  ///< "hl7", "fhir", "csv"

/// Takes an answer that leaves before accept() ends: the accept acknowledgement of enhanced mode, when the application
/// acknowledgement waits for deliveries.
using EarlyAnswer = std::function<void(std::string reply)>;

/// One received message, complete and unchanged. Owns its bytes.
struct Inbound {
  std::string bytes;  ///< frame content without the framing; a whole file; a FHIR resource as JSON
  ContentKind kind = ContentKind::hl7;
  std::string peer;  ///< "127.0.0.1:51234"; "file"; "store"
  std::string name;  ///< file name, or "Patient/p1" of a store change; empty for MLLP
  /// Non-empty: what the source knows as the identity of this input (file name, size and time;
  /// "Patient/p1/_history/3"). The same key again is a repetition after an interrupted pick-up, and must be
  /// answered as taken without a second journal entry.
  std::string key;
  base::WallTime received_at;
  std::string action;  ///< "create", "update" or "delete" of a store change; else empty
  std::string label;   ///< what search finds it by (`id:…`) when it has no control id of its own; may be empty
  /// The frame ended without its trailer, or a start byte cut another frame: journaled as a note with the
  /// message.
  bool framing_fault = false;
  std::uint64_t parent = 0;  ///< of what a channel hands on: the message it was made of
  /// Called at most once, on the executor of the source, when the message is durable; then Answer::reply is what follows.
  /// Empty: the source can send one answer only.
  EarlyAnswer early;
  std::string traceparent = {};  ///< W3C Trace Context that it came with; empty: none
};

/// What became of a message; a source acts on it (reply, rename, advance its cursor).
enum class Taken : std::uint8_t {
  stored,      ///< durable and accepted (also: filtered, or a repetition of a stored message)
  refused,     ///< durable, but answered negatively (AE, AR, CE, CR): a file goes to failed/
  not_stored,  ///< nothing is durable; the sender may try again: a file stays where it is
};

/// Between the accept and the application acknowledgement where both leave at once. No HL7 message holds
/// these bytes: a writer escapes them.
inline constexpr std::string_view kReplySeparator = "\x1c\r\x0b";

struct Answer {
  Taken taken = Taken::not_stored;
  /// Bytes to send back, without framing; empty: send nothing. Two messages with kReplySeparator between them
  /// are sent one after the other; who can send one only sends the last.
  std::string reply;
  bool close = false;  ///< close the connection after the reply
  /// Of the stored message, also when this one repeats it; 0 when nothing is stored.
  std::uint64_t id = 0;
  /// Why the message ends without going anywhere: stable code and one line without content; else empty.
  std::string code, reason;
  bool set_aside = false;  ///< stored and quarantined as a whole: `code` and `reason` say why
  bool pending = false;  ///< stored and still on its way; who asks again with the same key is told the end
};

/// Bytes that did not make a message. The pipeline journals or counts them; nothing is dropped without a
/// trace.
struct Unframed {
  enum class Kind : std::uint8_t {
    garbage,       ///< bytes outside a frame
    oversize,      ///< a frame (or file) larger than the limit; `head` is its beginning
    cut_frame,     ///< a frame that was never finished: peer closed, time ran out, or a new start byte came
    unreadable,    ///< a file that cannot be read
    refused_peer,  ///< a connection over the cap, closed at once
    refused_sender,  ///< a message that the client's certificate may not send; `head` is its beginning
  };
  Kind kind = Kind::garbage;
  std::string head;         ///< the first bytes, at most limits::kMllpGarbageMax
  std::uint64_t bytes = 0;  ///< how many there were in all, as far as counted
  std::string peer;
  std::string name;    ///< file name; else empty
  std::string detail;  ///< one line without content: "no trailer after 30 s"
  base::WallTime received_at;
};
const char* name_of(Unframed::Kind kind);  ///< "garbage", "oversize", …

/// Implementations are used on the executor of the source's Network, and outlive the source's stop().
class Intake {
 public:
  virtual ~Intake() = default;

  /// Takes one message. Calls may overlap: order of the calls (not of the answers) is the order of arrival,
  /// decided before the first suspension. The answer comes when it may leave (reliability.md R1). Never
  /// fails: a store failure is `not_stored` with the reply the channel's `on_store_failure` asks for.
  virtual base::Task<Answer> accept(Inbound message) = 0;

  /// Records bytes that made no message. For `oversize` and `refused_sender` the reply is an AR when `head` holds a
  /// readable MSH; the source sends it (and closes, when oversize). For every other kind the reply is empty.
  virtual base::Task<Answer> report(Unframed what) = 0;

  /// False when the process holds too many bytes in flight (`limits { inflight … }` of the site): the source stops
  /// reading and awaits room().
  virtual bool has_room() const = 0;
  virtual base::Task<void> room() = 0;
  /// Outside of the `hours` of the source: seconds until they begin, at least 1. For those who can tell a sender to come
  /// back then; room() waits.
  virtual std::optional<std::int64_t> closed_seconds() const { return std::nullopt; }

  /// Counts bytes of an unfinished message that the source holds, and takes them off again when the message
  /// is complete (accept() counts it from then on) or given up. They count for has_room() of everybody.
  virtual void hold(std::size_t bytes) { static_cast<void>(bytes); }
  virtual void release(std::size_t bytes) { static_cast<void>(bytes); }
};

}  // namespace kiln::channels
