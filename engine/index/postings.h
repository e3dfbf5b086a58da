#pragma once
// Which messages have a key: sorted runs of (key, number) in a database. What comes is written as a run of its own and never
// changed; runs that follow one another are merged into larger ones in small steps, so that no message waits for a large one.
//
//   run(id, level, first, last, count)  messages first to last; runs do not overlap
//   page(run, hash, id, data)           part of a run that begins with that key and number; `data`: groups of one key each, its 8
//                                       bytes, how many numbers, the first of them and then the distances (LEB128)
//   garbage(run)                        its pages can go

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/sql/sqlite.h"
#include "engine/journal/journal.h"

namespace kiln::engine {

/// A key is known by its hash (key_hash()).
using Posting = std::pair<std::int64_t, MessageId>;

/// What is asked for: a key, or all or any of parts. `all` without parts asks for nothing.
struct KeyNode {
  enum class Kind : std::uint8_t { key, all, any } kind = Kind::all;
  std::int64_t hash = 0;
  std::vector<KeyNode> parts;
  bool empty() const { return kind != Kind::key && parts.empty(); }
};

/// Statements that make the tables.
extern const char* const kPostingSchema;

/// One thread, on the connection that writes. The caller begins and commits; after a rollback forget() is called.
class PostingWriter {
 public:
  PostingWriter();
  ~PostingWriter();
  PostingWriter(PostingWriter&&) noexcept;
  PostingWriter& operator=(PostingWriter&&) noexcept;

  /// A run of the messages `first` to `last`, which are later than all before. Sorts `postings`.
  base::Status write(base::Database& database, MessageId first, MessageId last, std::vector<Posting>& postings);
  /// Goes on with a merge, or with removing what one left; about `budget` postings. False: there is nothing to do.
  base::Result<bool> tidy(base::Database& database, std::size_t budget);
  void forget();

 private:
  struct Merge;
  base::Result<bool> begin_merge(base::Database& database);
  base::Status end_merge(base::Database& database);
  base::Result<bool> collect_garbage(base::Database& database, std::size_t pages);
  std::unique_ptr<Merge> merge_;  ///< under way
  bool tidy_ = false;             ///< nothing was to do when it was looked last
};

/// Messages for which `keys` holds, `from` to `to` both included, newest or oldest first. On a connection that reads; one picture
/// of the file.
base::Result<std::vector<MessageId>> find_postings(base::Database& database, const KeyNode& keys, MessageId from, MessageId to,
                                                   bool oldest_first, std::size_t limit);

}  // namespace kiln::engine
