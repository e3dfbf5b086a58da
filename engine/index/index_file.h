#pragma once
// The search index of one journal file: DATA/index/GGGGGG.db. Made of the journal alone, so it may be thrown away at any time;
// dropped with its journal file.
//
//   meta(key, value)      format, rules (IndexRules::print), cursor: every message of the journal file up to it is here
//   run, page, garbage    which messages have a key (postings.h); keys are known by their hash (key_hash)
//   type(name, count)     types of messages that came: what the beginning of a type means
//   channel(name, count)  messages of each channel
//   block(first, low, high)  of each 1,024 numbers: earliest and latest receipt, µs

#include <map>
#include <string>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/sql/sqlite.h"
#include "engine/index/keys.h"
#include "engine/index/postings.h"
#include "engine/journal/day_file.h"

namespace kiln::engine {

inline constexpr std::int64_t kIndexFormat = 2;
inline constexpr MessageId kIndexBlock = 1024;

/// "DATA/index" + generation 7 -> "DATA/index/000007.db".
std::string index_path(const std::string& folder, std::uint32_t generation);

/// Writing. One thread, the only one that writes the file.
class IndexWriter {
 public:
  /// Makes the file when it is not there, is of another format, was made by other rules or with another secret, or is damaged.
  /// `secret`: FileKeys::token_key() of the journal file.
  static base::Result<IndexWriter> open(base::Env& env, const std::string& folder, std::uint32_t generation,
                                        const IndexRules& rules, const std::string& secret = {});
  IndexWriter(IndexWriter&&) noexcept = default;
  IndexWriter& operator=(IndexWriter&&) noexcept = default;

  MessageId cursor() const { return cursor_; }
  base::Status begin();
  base::Status add(MessageId id, base::WallTime received, const IndexedMessage& message, const IndexRules& rules);
  /// Every message up to `cursor` is in it.
  base::Status commit(MessageId cursor);
  /// A step of what makes searches quick and can wait; about so many postings. False: there is nothing to do.
  base::Result<bool> tidy(std::size_t postings);
  /// Since begin().
  std::size_t postings() const { return postings_.size(); }
  /// Undoes begin() and what came after.
  void rollback();

 private:
  IndexWriter() = default;
  base::Status create(const std::string& rules);
  base::Status write_counts();
  base::Database database_;
  std::string secret_;
  MessageId cursor_ = 0;
  std::map<std::string, std::int64_t> types_, channels_;  ///< since begin()
  struct Block {
    std::int64_t low = INT64_MAX, high = INT64_MIN;
  };
  std::map<MessageId, Block> blocks_;  ///< since begin(), by first number
  std::vector<std::int64_t> hashes_;  ///< of the message in add(); kept for their room
  std::vector<Posting> postings_;     ///< since begin()
  PostingWriter writer_;
};

/// Reading, on any other connection; one thread.
class IndexReader {
 public:
  /// Errors: file_not_found; database codes for one that cannot be used.
  static base::Result<IndexReader> open(base::Env& env, const std::string& folder, std::uint32_t generation,
                                        const std::string& secret = {});
  IndexReader(IndexReader&&) noexcept = default;
  IndexReader& operator=(IndexReader&&) noexcept = default;

  /// Every message of the journal file up to this number is here; read anew.
  base::Result<MessageId> cursor();
  /// A key in this file.
  KeyNode key(std::string_view kind, std::string_view value) const;
  /// Whether it was made by these rules: by others it may lack keys.
  base::Result<bool> made_by(const IndexRules& rules);
  /// The types that begin with a text.
  base::Result<std::vector<std::string>> types(std::string_view beginning);
  base::Result<std::map<std::string, std::int64_t>> channels();
  /// Messages with these keys, `from` to `to` both included, newest or oldest first.
  base::Result<std::vector<MessageId>> find(const KeyNode& keys, MessageId from, MessageId to, bool oldest_first,
                                            std::size_t limit);
  /// Cuts [from, to] to the blocks in which a message received in [low, high] can be.
  base::Status narrow(std::int64_t low, std::int64_t high, MessageId& from, MessageId& to);
  base::Database& database() { return database_; }

 private:
  IndexReader() = default;
  base::Database database_;
  std::string secret_;
};

}  // namespace kiln::engine
