#pragma once
// The built-in FHIR store as channels see it: changes come out of a ChangeFeed, outputs go into a FhirSink.
// Both are implemented by engine.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/result.h"
#include "engine/base/task.h"

namespace kiln::channels {

struct Outgoing;
struct SendOutcome;

enum class ChangeAction : std::uint8_t { create, update, delete_ };
const char* name_of(ChangeAction action);  ///< "create", "update", "delete"

/// One committed write of the store.
struct Change {
  std::uint64_t position = 0;  ///< the store's version sequence; strictly increasing
  ChangeAction action = ChangeAction::create;
  bool by_channel = false;  ///< written by a channel's destination, not by a client
  std::string origin;       ///< who wrote it: "client", "channel:NAME", "kiln:…"
  std::string type, id;     ///< "Patient", "p1"
  std::uint64_t version = 0;
  std::string resource;  ///< JSON as stored; of a delete: the last content before it
  base::WallTime at;
};

struct ChangeBatch {
  std::vector<Change> changes;   ///< in order; empty when the wait ended without one
  std::uint64_t read_up_to = 0;  ///< position to go on after, also when nothing was found
};

/// A durable cursor over the store's version sequence, one per consumer (channel name).
class ChangeFeed {
 public:
  virtual ~ChangeFeed() = default;
  /// Where the consumer goes on. A new consumer begins at the end of what is there now, durably: it never
  /// sees older writes.
  virtual base::Result<std::uint64_t> position(const std::string& consumer) = 0;
  /// Changes after `after`, at most `limit`; waits up to `wait_ms` for the first.
  virtual base::Task<base::Result<ChangeBatch>> read(std::uint64_t after, std::size_t limit,
                                                     std::int64_t wait_ms) = 0;
  /// Remembers that everything up to `position` is taken. Durable when the task ends.
  virtual base::Task<base::Status> advance(std::string consumer, std::uint64_t position) = 0;
  /// Ends a waiting read at once with an empty batch.
  virtual void wake() = 0;
  /// URL of the server whose store this is, without a final '/'; empty when it has none.
  virtual std::string base_url() const { return {}; }
};

/// The built-in store as a destination. `(msg_id, destination)` is written in the store's own transaction; a
/// repetition is answered as sent without writing (architecture.md §3).
class FhirSink {
 public:
  virtual ~FhirSink() = default;
  /// `bytes` of each is a Bundle (transaction, batch, collection) or one resource. The contract of
  /// Destination::send_batch(); never throws.
  virtual base::Task<std::vector<SendOutcome>> apply_batch(std::vector<Outgoing> messages) = 0;
};

}  // namespace kiln::channels
