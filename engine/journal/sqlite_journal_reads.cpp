// Reads of the journal: they run on the committer too, after everything that was queued before them, so that
// they see it.

#include <cstring>

#include "engine/base/log.h"
#include "engine/journal/sqlite_journal.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;

}  // namespace

void SqliteJournal::read_pending(std::string channel, std::string destination, MessageId after,
                                 std::size_t limit, std::size_t bytes_max,
                                 std::function<void(Result<std::vector<PendingOutput>>)> done) {
  enqueue_read([this, channel = std::move(channel), destination = std::move(destination), after, limit,
                bytes_max, done = std::move(done)] {
    std::vector<PendingOutput> out;
    std::vector<MessageId> corrupt;
    std::size_t bytes = 0;
    for (auto& [generation, file] : files_) {
      // A file that was cut short by either limit has more: nothing of a later one may come before that.
      if (out.size() >= limit || bytes >= bytes_max) break;
      const std::size_t had = out.size();
      const base::Status status =
          file.pending(channel, destination, after, limit, bytes_max - bytes, out, corrupt);
      if (!status) return done(base::fail(status.error()));
      for (std::size_t i = had; i < out.size(); ++i) bytes += out[i].output.body.size();
    }
    for (const MessageId id : corrupt) {
      base::log(base::LogLevel::error, "corrupt-record", {{"msg", static_cast<std::int64_t>(id)}});
      meter_.corrupt();
      Ending ending;
      ending.destination = destination;
      ending.state = DeliveryState::quarantined;
      ending.code = "corrupt-record";
      end(id, channel, std::move(ending), nullptr);
    }
    done(std::move(out));
  });
}

void SqliteJournal::read_message(MessageId id, std::function<void(Result<StoredMessage>)> done) {
  enqueue_read([this, id, done = std::move(done)] {
    Result<StoredMessage> found =
        base::fail(ErrorCode::message_not_found, "there is no message " + std::to_string(id));
    // A part that was detached after midnight is in the file of its whole, one before the file its number is
    // in.
    for (auto at = files_.rbegin();
         at != files_.rend() && !found && found.error().code == ErrorCode::message_not_found; ++at)
      if (at->second.first_id() <= id) found = at->second.message(id);
    done(std::move(found));
  });
}

void SqliteJournal::read_ending(MessageId id, std::string destination,
                                std::function<void(Result<std::optional<Ending>>)> done) {
  enqueue_read([this, id, destination = std::move(destination), done = std::move(done)] {
    auto file = file_of(id);
    if (!file) return done(base::fail(file.error()));
    const std::size_t slash = destination.find('/');
    if (slash == std::string::npos) return done((*file)->ending(id, {}, destination));
    done((*file)->ending(id, destination.substr(0, slash), destination.substr(slash + 1)));
  });
}

/// `key` as it stands in the files.
Result<MessageId> SqliteJournal::message_with(const DedupeKey& key) {
  MessageId candidate = 0;
  {
    std::uint64_t head;
    std::memcpy(&head, key.data(), sizeof head);
    const std::lock_guard lock(seen_mutex_);
    candidate = seen_.find(head);
  }
  if (candidate == 0) return MessageId{0};
  auto file = file_of(candidate);
  if (!file) return MessageId{0};
  const auto stored = (*file)->dedupe_key(candidate);
  // A page that is damaged stays so: of the key are 8 bytes known, and they are the same.
  if (!stored && stored.error().code == ErrorCode::database_corrupt) return candidate;
  if (!stored && stored.error().code == ErrorCode::message_not_found) return MessageId{0};
  if (!stored) return base::fail(stored.error());
  if (*stored == key) return candidate;
  // Another message whose first 8 bytes are the same, or damage: then the sum of the record says so.
  const auto whole = (*file)->message(candidate);
  return !whole && whole.error().code == ErrorCode::corrupt_record ? candidate : MessageId{0};
}

void SqliteJournal::find_duplicate(DedupeKey key, std::function<void(Result<MessageId>)> done) {
  enqueue_read([this, key, done = std::move(done)] {
    Result<MessageId> found = message_with(stored_key(key));
    if (found && *found == 0 && naming_) found = message_with(key);  // from before the master key
    done(std::move(found));
  });
}

void SqliteJournal::read_fragments(std::string channel,
                                   std::function<void(Result<std::vector<MessageId>>)> done) {
  enqueue_read([this, channel = std::move(channel), done = std::move(done)] {
    std::vector<MessageId> ids;
    for (auto& [generation, file] : files_)
      if (const base::Status status = file.fragments(channel, ids); !status)
        return done(base::fail(status.error()));
    done(std::move(ids));
  });
}

void SqliteJournal::read_links(std::string channel,
                               std::function<void(Result<LinkStates>)> done) {
  enqueue_read([this, prefix = channel + "/", done = std::move(done)] {
    LinkStates links;
    for (auto at = files_.rbegin(); at != files_.rend(); ++at)
      if (const base::Status status = at->second.links(prefix, links); !status)
        return done(base::fail(status.error()));
    done(std::move(links));
  });
}

void SqliteJournal::read_config(std::string hash, std::function<void(Result<std::string>)> done) {
  enqueue_read([this, hash = std::move(hash), done = std::move(done)] {
    for (auto at = files_.rbegin(); at != files_.rend(); ++at) {
      auto text = at->second.config(hash);
      if (!text) return done(base::fail(text.error()));
      if (*text) return done(std::move(**text));
    }
    done(base::fail(ErrorCode::message_not_found, "the journal does not hold this site version"));
  });
}

}  // namespace kiln::engine
