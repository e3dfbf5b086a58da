#pragma once
// The message journal as the pipeline and delivery see it (architecture.md §3, reliability.md §1, §5). One
// sequence of messages, durable in group commits; beside each message its pending outputs and their outcomes.
// The on-disk form is described in README.md of this folder.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "channels/intake.h"
#include "engine/base/clock.h"
#include "engine/base/result.h"
#include "engine/journal/records.h"
#include "hl7/sequence.h"

namespace kiln::engine {

/// What makes two inputs the same (reliability.md R3), hashed. Of a message that is known by its MSH-10: 4 bytes over
/// MSH-3, MSH-4 and MSH-10, 12 over these and the body; of anything else 16 bytes over its key. All zero: never a
/// duplicate.
using DedupeKey = std::array<unsigned char, 16>;

/// How a message ended for one destination, or as a whole for destination "-" (reliability.md §1).
enum class DeliveryState : std::uint8_t { sent, filtered, rejected, quarantined, expired, removed };
const char* name_of(DeliveryState state);
std::optional<DeliveryState> delivery_state(std::string_view name);

/// The destination name of a message that ends without any.
inline constexpr const char* kNoDestination = "-";

/// What the sequence number protocol decided about a message of a numbered link (hl7v2.md §10). The link's state
/// is `decision.next` of its newest message, or what an operator set after it.
struct LinkStep {
  std::string link;  ///< "channel/MSH-3|MSH-4"
  hl7::SequenceDecision decision;
};
struct LinkState {
  hl7::SequenceState state;
  MessageId newest = 0;  ///< message of the link
};
using LinkStates = std::map<std::string, LinkState>;  ///< by name of the link

/// What one commit must hold for a message to be accepted: everything its routing, outputs and ACK are
/// derived from.
struct NewMessage {
  std::string channel;
  channels::ContentKind kind = channels::ContentKind::hl7;
  base::WallTime received;
  std::string peer;        ///< "127.0.0.1:51234"
  std::string name;        ///< file name or "Patient/p1", may be empty
  std::string action;      ///< create, update, delete of a store change; else empty
  std::string type;        ///< MSH-9 as received ("ADT^A01^ADT_A01"), resource type, or csv
  std::string control_id;  ///< MSH-10, may be empty
  DedupeKey dedupe{};
  std::string config_hash;  ///< site version the message is pinned to
  MessageId parent = 0;     ///< message this one is a part of, or was made of by a channel that handed it on (is_part())
  MessageId replay_of = 0;
  MessageId edited_from = 0;  ///< message whose body an operator changed to make this one
  JobId job = 0;              ///< job that made it; see JobRecord::position
  bool framing_fault = false;
  bool by_control_id = false;  ///< `dedupe` begins with a hash of its MSH-10: another body with it is flagged
  bool fragment = false;         ///< waits for the others of its message; remembered until drop_fragments()
  std::optional<LinkStep> step;  ///< of a numbered link; stored with the message
  std::string body;
  /// Read back only: an earlier message of the dedupe window with its MSH-3, MSH-4 and MSH-10, but another body; 0: none.
  MessageId same_id_as = 0;
  /// Read back only: the answers of lookups that were stored with the message (mappings::print_answers).
  std::string lookups;
};

/// An output that waits for its destination.
struct Output {
  std::string destination;  ///< name inside the channel
  channels::ContentKind kind = channels::ContentKind::hl7;
  bool is_source = false;  ///< the message body itself, unchanged; `body` is then empty
  std::string control_id;  ///< MSH-10 of an hl7 output
  std::string order_key;   ///< value of the destination's `order by`; empty: one order for all
  std::string csv_header;
  std::vector<std::pair<std::string, std::string>> rendered;  ///< options that depend on the message
  std::string body;
};

/// The end of a message for one destination.
struct Ending {
  std::string destination;  ///< kNoDestination for the message as a whole
  DeliveryState state = DeliveryState::sent;
  std::string code;    ///< "AA", "AE", "E0914", "mapping-require", …
  std::string detail;  ///< one line without patient data
  std::string reply;   ///< bytes answered, for `-`: the negative ACK that was sent
  std::uint32_t attempts = 0;
  bool in_doubt = false;  ///< an earlier attempt may have arrived as well
  std::string sent_hash;  ///< SHA-256 of what was sent, raw bytes; empty when nothing was
};

/// What processing made of a message: outputs to queue and destinations that end at once. Children (detached
/// parts) are messages of their own.
struct Processed {
  MessageId id = 0;
  std::string channel;
  std::vector<Output> outputs;
  std::vector<Ending> endings;
  std::vector<NewMessage> children;   ///< quarantined parts; `parent` is filled in
  std::vector<Ending> child_endings;  ///< one per child
  std::string lookups;                ///< answers of lookups (mappings::print_answers); empty: none was asked
};

/// A message or output is set aside after so many attempts that ended the process (reliability.md R8). The first
/// attempt is not counted by note_processing() and note_sending(): nobody knew yet.
inline constexpr std::uint32_t kPoisonAttempts = 5;
inline constexpr const char* kPoisonCode = "poison-crash";

/// A pending output, as delivery takes it.
struct PendingOutput {
  MessageId id = 0;
  Output output;  ///< body filled in, also for is_source
  base::WallTime received;  ///< of the message
  std::uint32_t attempts = 0;
  bool in_doubt = false;
  bool suspect = false;  ///< of a queue: perhaps it was being sent when the process ended
};

struct StoredMessage {
  MessageId id = 0;
  NewMessage message;
};

/// What a start finds.
struct Recovered {
  bool clean_stop = true;
  MessageId last_id = 0;  ///< last number given; every pending output belongs to a message up to it
  std::vector<MessageId> unprocessed;  ///< accepted, outputs not stored; in order
  /// channel/destination -> number waiting
  std::vector<std::pair<std::string, std::uint64_t>> pending;
  std::vector<Hold> holds;      ///< by subject
  std::vector<JobRecord> jobs;  ///< running and paused ones, by number
};

/// Callbacks run on the journal's own thread after the commit (or with its error); they must be short.
/// Errors: disk_full (nothing was stored; try again later), io_failed and the database codes. After a failed
/// fsync the process stops (reliability.md R7). All methods are thread-safe; work is done in the order of the
/// calls.
class Journal {
 public:
  virtual ~Journal() = default;

  virtual void append(NewMessage message, std::function<void(base::Result<MessageId>)> done) = 0;
  /// The same, but may wait for the next append() or for flush(), like store().
  virtual void append_with_next(NewMessage message, std::function<void(base::Result<MessageId>)> done) = 0;
  /// What processing made of a durable message. May wait for the next append or for flush(): a message then
  /// costs one sync of the disk, not two, and after a crash its outputs are derived again.
  virtual void store(Processed processed, std::function<void(base::Status)> done) = 0;
  /// Ends one pending output: its outbox row goes, the outcome stays. May wait like store().
  virtual void end(MessageId id, std::string channel, Ending ending,
                   std::function<void(base::Status)> done) = 0;
  /// Commits what waits now.
  virtual void flush() = 0;
  /// Remembers an attempt of a pending output, so that they count across restarts, and for its timeline when it has a
  /// code. `done` may be empty.
  virtual void note_attempt(MessageId id, std::string channel, std::string destination, Attempt attempt,
                            std::function<void(base::Status)> done) = 0;
  /// Only how many there were and the doubt.
  void note_attempt(MessageId id, std::string channel, std::string destination, std::uint32_t attempts, bool in_doubt,
                    std::function<void(base::Status)> done) {
    Attempt attempt;
    attempt.number = attempts;
    attempt.in_doubt = in_doubt;
    note_attempt(id, std::move(channel), std::move(destination), std::move(attempt), std::move(done));
  }
  /// Bytes that made no message (reliability.md R6).
  virtual void note_unframed(std::string channel, channels::Unframed what) = 0;
  /// Counts one more attempt to process an unprocessed message and says how many there were, this one
  /// included.
  virtual void note_processing(MessageId id, std::function<void(base::Result<std::uint32_t>)> done) = 0;

  /// Counts one more send of an output that was perhaps being sent when the process ended, before it is made, and says
  /// how many there were since the last forget_sending(), this one included.
  virtual void note_sending(MessageId id, std::string channel, std::string destination,
                            std::function<void(base::Result<std::uint32_t>)> done) = 0;
  /// That send ended and the process lives. May wait like store().
  virtual void forget_sending(MessageId id, std::string channel, std::string destination) = 0;

  /// Up to `limit` pending outputs of a destination after message `after`, in order, at most `bytes_max` of
  /// bodies (but at least one). A record whose checksum is wrong is ended as quarantined `corrupt-record` and
  /// left out (R14).
  virtual void read_pending(std::string channel, std::string destination, MessageId after, std::size_t limit,
                            std::size_t bytes_max,
                            std::function<void(base::Result<std::vector<PendingOutput>>)> done) = 0;
  virtual void read_message(MessageId id, std::function<void(base::Result<StoredMessage>)> done) = 0;
  /// How the message ended at `destination` ("channel/destination"), or as a whole (kNoDestination); nothing while it has not.
  virtual void read_ending(MessageId id, std::string destination,
                           std::function<void(base::Result<std::optional<Ending>>)> done) = 0;
  /// False: no message inside the dedupe window has that key. True: ask find_duplicate. Answers at once.
  virtual bool maybe_seen(const DedupeKey& key) const = 0;
  /// The newest message with that key inside the window, or 0.
  virtual void find_duplicate(DedupeKey key, std::function<void(base::Result<MessageId>)> done) = 0;

  /// Messages of a channel that were appended as fragments and not dropped since, in order.
  virtual void read_fragments(std::string channel,
                              std::function<void(base::Result<std::vector<MessageId>>)> done) = 0;
  /// They are joined or given up. May wait like store(); after a crash they may be back.
  virtual void drop_fragments(std::vector<MessageId> ids) = 0;

  /// Every numbered link of a channel.
  virtual void read_links(std::string channel,
                          std::function<void(base::Result<LinkStates>)> done) = 0;
  /// An operator's decision about a link, kept with its newest message.
  virtual void set_link(MessageId newest, hl7::SequenceState state, std::function<void(base::Status)> done) = 0;

  /// Holds back or, with HoldState::running, lets go. The newest word about a subject counts. `done` may be empty.
  virtual void set_hold(Hold hold, std::function<void(base::Status)> done) = 0;
  virtual void read_holds(std::function<void(base::Result<std::vector<Hold>>)> done) = 0;

  /// Replaces the note of an ending that was quarantined, at `destination` ("channel/destination" or kNoDestination).
  /// Resolution::dropped makes its state `removed`. Errors: message_not_found when nothing was quarantined there.
  virtual void note_quarantine(MessageId id, std::string destination, QuarantineNote note,
                               std::function<void(base::Status)> done) = 0;
  virtual void read_quarantine_note(MessageId id, std::string destination,
                                    std::function<void(base::Result<std::optional<QuarantineNote>>)> done) = 0;

  /// Keeps a new job (number 0) or a changed one; `done` gets its number. Of a job that append() moves on meanwhile,
  /// `position` and `done` never go back.
  virtual void keep_job(JobRecord job, std::function<void(base::Result<JobId>)> done) = 0;
  /// Jobs, the newest first, at most `limit`.
  virtual void read_jobs(std::size_t limit, std::function<void(base::Result<std::vector<JobRecord>>)> done) = 0;

  /// Keeps a site version; messages refer to it by hash. Idempotent.
  virtual void keep_config(std::string hash, std::string text) = 0;
  virtual void read_config(std::string hash, std::function<void(base::Result<std::string>)> done) = 0;
};

}  // namespace kiln::engine
