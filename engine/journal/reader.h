#pragma once
// Reads of a journal folder for search, show and checks: read-only connections, never checkpoints, with or
// without a running engine (operations.md §2).

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "channels/doors.h"
#include "engine/base/env.h"
#include "engine/base/result.h"
#include "engine/index/keys.h"
#include "engine/journal/journal.h"
#include "engine/journal/query.h"
#include "engine/journal/rows.h"

namespace kiln::engine {

/// State of one message at one destination.
struct DestinationState {
  std::string destination;  ///< "adt_in/pas" or "-"
  bool pending = false;
  Ending ending;  ///< when not pending
  std::uint32_t attempts = 0;
  bool in_doubt = false;
  base::WallTime updated;  ///< when not pending
  std::optional<QuarantineNote> note;  ///< of a quarantined one, when an operator made one
};

/// One line of a search: no body.
struct MessageSummary {
  MessageId id = 0;
  base::WallTime received;
  std::string channel, type, control_id, peer, name;
  channels::ContentKind kind = channels::ContentKind::hl7;
  std::uint64_t size = 0;
  MessageId parent = 0, replay_of = 0, edited_from = 0;
  JobId job = 0;
  MessageId same_id_as = 0;  ///< an earlier message with its MSH-10 and another body
  bool unprocessed = false;
  std::vector<DestinationState> destinations;

  /// Of another message, and nothing of its own: what another channel handed on is a message of its own.
  bool is_part() const { return parent != 0 && !peer.starts_with(channels::kChainPeer); }
  /// One word: unprocessed, pending, or the worst of the endings (quarantined, rejected, expired, removed,
  /// filtered, sent).
  std::string state() const;
};

struct SearchOptions {
  std::size_t limit = 50;
  MessageId before = 0;       ///< only messages below that number; 0 = from the newest
  bool oldest_first = false;  ///< for replay; `before` is then ignored
  MessageId after = 0;        ///< oldest_first: only messages above that number
  /// A search goes through a file in parts of so many numbers, each a read of its own: a long one does not keep the
  /// log of the file from being emptied (reliability.md S1).
  std::uint64_t ids_per_read = 20'000;
  /// After so long the answer tells how far it is; with a clock only. 0: as long as it takes.
  std::int64_t budget_ms = 0;
  const base::Clock* clock = nullptr;
};

struct SearchAnswer {
  std::vector<MessageSummary> found;  ///< newest or oldest first
  bool full = false;                  ///< `limit` of them; there may be more
  bool complete = true;               ///< false: the time was up
  /// Every message from where the search began to this number was looked at. What to pass as `before` (or `after`) to go on.
  MessageId looked_to = 0;
};

class IndexReader;

class JournalReader {
 public:
  /// Opens every file of the folder. Without the right key what is sealed cannot be read: journal_key where it is asked for.
  /// Errors: file_not_found when there is no journal; journal_format.
  static base::Result<JournalReader> open(base::Env& env, const std::string& folder, const MasterKeyPtr& master = {});
  JournalReader(JournalReader&&) noexcept;
  JournalReader& operator=(JournalReader&&) noexcept;
  ~JournalReader();

  /// From now on searches ask the indexes in that folder too, where they are there and made by these rules. What a query finds
  /// is the same with and without. `env` outlives the reader.
  void use_index(base::Env& env, std::string folder, IndexRules rules);
  /// Errors: limit_exceeded when a part takes more than limits::kSearchStepsMax steps of the database.
  base::Result<SearchAnswer> find(const Query& query, const SearchOptions& options);
  /// What find() found.
  base::Result<std::vector<MessageSummary>> search(const Query& query, const SearchOptions& options);
  base::Result<MessageSummary> summary(MessageId id);
  base::Result<StoredMessage> message(MessageId id);
  /// The pending output of a message at a destination ("adt_in/pas"), body included.
  base::Result<PendingOutput> pending_output(MessageId id, const std::string& destination);
  /// What was sent, or will be, to a destination ("adt_in/pas"): the bytes of its request. Errors: message_not_found
  /// when it was not kept; corrupt_record, also when the SHA-256 of the delivery is another one.
  base::Result<KeptOutput> sent_output(MessageId id, const std::string& destination);
  /// The text of a version of the site that messages were taken by. Error: message_not_found.
  base::Result<std::string> config(const std::string& hash);
  /// Attempts of an output that did not end it, in order; the one that ended it is its DestinationState.
  base::Result<std::vector<Attempt>> attempts(MessageId id, const std::string& destination);
  /// Messages that are quarantined, as a whole or at a destination, and about which nobody has decided: how often, by
  /// "channel/destination"; "channel/-" as a whole.
  base::Result<std::map<std::string, std::uint64_t>> open_quarantine();
  /// What a message was made of, by number; 0: nothing.
  struct Made {
    MessageId id = 0, parent = 0, replay_of = 0, edited_from = 0;
  };
  /// Messages made of one of these (replays, edits, parts, what another channel was handed), and made of those, in order; at most
  /// `limit`. Reads the origins of all messages behind the first of these.
  base::Result<std::vector<Made>> made_of(std::set<MessageId> these, std::size_t limit);
  /// Messages `from` to `to`, both included, in order, each with its body; `visit` gets an error for one that is
  /// damaged, and false from it ends the scan. Each message is a read of its own.
  base::Status each_message(MessageId from, MessageId to,
                            const std::function<bool(MessageId, base::Result<StoredMessage>)>& visit);

 private:
  struct File;
  JournalReader();
  File* file_of(MessageId id);
  base::Result<MessageSummary> summary_in(File& file, MessageId id);
  IndexReader* index_of(File& file);
  /// The file that holds the message; else nullptr, and why in `status`.
  File* file_with(MessageId id, base::Status& status);
  std::vector<std::unique_ptr<File>> files_;  ///< by generation
  base::Env* env_ = nullptr;
  std::string index_folder_;
  IndexRules rules_;
};

}  // namespace kiln::engine
