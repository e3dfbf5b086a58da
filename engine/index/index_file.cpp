#include "engine/index/index_file.h"

#include <algorithm>
#include <cstdlib>

#include "engine/limits.h"

namespace kiln::engine {

using base::Database;
using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

constexpr const char* kSchema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE type(name TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE channel(name TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE block(first INTEGER PRIMARY KEY, low INTEGER NOT NULL, high INTEGER NOT NULL);
)";

Result<std::string> read_meta(Database& database, std::string_view key) {
  TRY(auto select, database.cached("SELECT value FROM meta WHERE key=?"));
  TRY(const bool found, select.bind(1, key).step());
  std::string value(found ? select.text(0) : std::string_view());
  select.reset();
  return value;
}

Status write_meta(Database& database, std::string_view key, const std::string& value) {
  TRY(auto write, database.cached("INSERT INTO meta(key, value) VALUES(?1, ?2)"
                                  " ON CONFLICT(key) DO UPDATE SET value=excluded.value"));
  return write.bind(1, key).bind(2, std::string_view(value)).run();
}

Result<MessageId> read_cursor(Database& database) {
  TRY(const std::string text, read_meta(database, "cursor"));
  return static_cast<MessageId>(std::strtoull(text.c_str(), nullptr, 10));
}

Result<bool> is_empty(Database& database) {
  TRY(auto select, database.prepare("SELECT NOT EXISTS(SELECT 1 FROM sqlite_schema)"));
  TRY_VOID(select.step());
  return select.integer(0) != 0;
}

Result<bool> fits(Database& database, const std::string& rules) {
  TRY(auto tables, database.prepare("SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name='meta')"));
  TRY_VOID(tables.step());
  if (tables.integer(0) == 0) return false;
  tables.reset();
  TRY(const std::string format, read_meta(database, "format"));
  TRY(const std::string made_by, read_meta(database, "rules"));
  return format == std::to_string(kIndexFormat) && made_by == rules;
}

/// The rules as the file notes them: also which secret its tokens were made with.
std::string print_rules(const IndexRules& rules, const std::string& secret) {
  return secret.empty() ? rules.print() : rules.print() + ";key " + key_token("key", "", secret);
}

}  // namespace

std::string index_path(const std::string& folder, std::uint32_t generation) {
  constexpr std::size_t kDigits = 6;
  std::string number = std::to_string(generation);
  if (number.size() < kDigits) number.insert(0, kDigits - number.size(), '0');
  return base::join_path(folder, number + ".db");
}

Result<IndexWriter> IndexWriter::open(base::Env& env, const std::string& folder, std::uint32_t generation,
                                      const IndexRules& rules, const std::string& secret) {
  TRY_VOID(env.make_folders(folder));
  base::DatabaseOptions options;
  options.path = index_path(folder, generation);
  options.vfs = env.sqlite_vfs();
  for (const bool again : {false, true}) {
    {
      IndexWriter writer;
      writer.secret_ = secret;
      auto opened = Database::open(options);
      if (!opened && (again || opened.error().info().category != base::ErrorCategory::io)) return base::fail(opened.error());
      if (opened) {
        writer.database_ = std::move(*opened);
        // It can be made again from the journal: what a power cut takes away is no loss, and the disk is the journal's.
        TRY_VOID(writer.database_.exec("PRAGMA synchronous=NORMAL"));
        TRY(const bool is_new, is_empty(writer.database_));
        if (is_new) {
          TRY_VOID(writer.create(print_rules(rules, secret)));
          return writer;
        }
        const auto usable = fits(writer.database_, print_rules(rules, secret));
        if (usable && *usable) {
          TRY(writer.cursor_, read_cursor(writer.database_));
          return writer;
        }
      }
    }
    for (const char* part : {"", "-wal", "-shm"})
      if (env.exists(options.path + part)) TRY_VOID(env.remove(options.path + part));
  }
  return base::fail(ErrorCode::database_failed, "the index cannot be made", options.path);
}

Status IndexWriter::create(const std::string& rules) {
  TRY_VOID(database_.begin());
  TRY_VOID(database_.exec(kSchema));
  TRY_VOID(database_.exec(kPostingSchema));
  TRY_VOID(write_meta(database_, "format", std::to_string(kIndexFormat)));
  TRY_VOID(write_meta(database_, "rules", rules));
  return database_.commit();
}

Status IndexWriter::begin() {
  types_.clear();
  channels_.clear();
  blocks_.clear();
  postings_.clear();
  return database_.begin();
}

Status IndexWriter::add(MessageId id, base::WallTime received, const IndexedMessage& message, const IndexRules& rules) {
  hashes_.clear();
  const auto drop_repeats = [this] {
    std::sort(hashes_.begin(), hashes_.end());
    hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
  };
  bool full = false;
  visit_keys(message, rules, rules.has_text(message.channel), [&](std::string_view kind, std::string_view value) {
    if (full) return;
    hashes_.push_back(static_cast<std::int64_t>(key_hash(kind, value, secret_)));
    if (hashes_.size() < 2 * limits::kIndexTokensMax) return;
    drop_repeats();
    full = hashes_.size() >= limits::kIndexTokensMax;
  });
  drop_repeats();
  for (const std::int64_t hash : hashes_) postings_.emplace_back(hash, id);
  ++types_[std::string(message.type)];
  ++channels_[std::string(message.channel)];
  Block& block = blocks_[id / kIndexBlock * kIndexBlock];
  block.low = std::min(block.low, received.micros);
  block.high = std::max(block.high, received.micros);
  return {};
}

Status IndexWriter::write_counts() {
  const auto write_names = [this](const char* sql, const std::map<std::string, std::int64_t>& counts) -> Status {
    for (const auto& [name, count] : counts) {
      TRY(auto write, database_.cached(sql));
      TRY_VOID(write.bind(1, std::string_view(name)).bind(2, count).run());
    }
    return {};
  };
  TRY_VOID(write_names("INSERT INTO type(name, count) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET count=count+excluded.count",
                       types_));
  TRY_VOID(write_names(
      "INSERT INTO channel(name, count) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET count=count+excluded.count",
      channels_));
  for (const auto& [first, block] : blocks_) {
    TRY(auto write, database_.cached("INSERT INTO block(first, low, high) VALUES(?1, ?2, ?3) ON CONFLICT(first) DO UPDATE"
                                     " SET low=min(low, excluded.low), high=max(high, excluded.high)"));
    TRY_VOID(write.bind(1, static_cast<std::int64_t>(first)).bind(2, block.low).bind(3, block.high).run());
  }
  return {};
}

Status IndexWriter::commit(MessageId cursor) {
  TRY_VOID(writer_.write(database_, cursor_ + 1, cursor, postings_));
  TRY_VOID(write_counts());
  TRY_VOID(write_meta(database_, "cursor", std::to_string(cursor)));
  TRY_VOID(database_.commit());
  cursor_ = cursor;
  return {};
}

void IndexWriter::rollback() {
  database_.rollback();
}

Result<bool> IndexWriter::tidy(std::size_t postings) {
  TRY_VOID(database_.begin());
  Result<bool> more = writer_.tidy(database_, postings);
  if (more) {
    const Status done = database_.commit();
    if (done) return more;
    more = base::fail(done.error());
  }
  database_.rollback();
  writer_.forget();
  return more;
}

Result<IndexReader> IndexReader::open(base::Env& env, const std::string& folder, std::uint32_t generation,
                                      const std::string& secret) {
  IndexReader reader;
  reader.secret_ = secret;
  base::DatabaseOptions options;
  options.path = index_path(folder, generation);
  options.read_only = true;
  options.vfs = env.sqlite_vfs();
  if (!env.exists(options.path)) return base::fail(ErrorCode::file_not_found, {}, options.path);
  TRY(reader.database_, Database::open(options));
  TRY(auto tables, reader.database_.prepare("SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name='run')"));
  TRY_VOID(tables.step());
  const bool made = tables.integer(0) != 0;
  tables.reset();
  if (!made) return base::fail(ErrorCode::file_not_found, {}, options.path);
  return reader;
}

Result<MessageId> IndexReader::cursor() {
  return read_cursor(database_);
}

Result<bool> IndexReader::made_by(const IndexRules& rules) {
  return fits(database_, print_rules(rules, secret_));
}

Result<std::vector<std::string>> IndexReader::types(std::string_view beginning) {
  std::vector<std::string> out;
  TRY(auto select, database_.cached("SELECT name FROM type WHERE substr(name,1,length(?1))=?1"));
  select.bind(1, beginning);
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return out;
    out.emplace_back(select.text(0));
  }
}

Result<std::map<std::string, std::int64_t>> IndexReader::channels() {
  std::map<std::string, std::int64_t> out;
  TRY(auto select, database_.cached("SELECT name, count FROM channel"));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return out;
    out[std::string(select.text(0))] = select.integer(1);
  }
}

KeyNode IndexReader::key(std::string_view kind, std::string_view value) const {
  return {KeyNode::Kind::key, static_cast<std::int64_t>(key_hash(kind, value, secret_)), {}};
}

Result<std::vector<MessageId>> IndexReader::find(const KeyNode& keys, MessageId from, MessageId to, bool oldest_first, std::size_t limit) {
  return find_postings(database_, keys, from, to, oldest_first, limit);
}

Status IndexReader::narrow(std::int64_t low, std::int64_t high, MessageId& from, MessageId& to) {
  TRY(const MessageId known, cursor());
  TRY(auto select, database_.cached("SELECT min(first), max(first) FROM block WHERE high>=?1 AND low<=?2"));
  TRY_VOID(select.bind(1, low).bind(2, high).step());
  // Beyond the cursor nothing is known of times.
  MessageId first = known + 1, last = 0;
  if (!select.is_null(0)) {
    first = static_cast<MessageId>(select.integer(0));
    last = static_cast<MessageId>(select.integer(1)) + kIndexBlock - 1;
  }
  select.reset();
  from = std::max(from, std::min(first, known + 1));
  if (to <= known) to = std::min(to, last);
  return {};
}

}  // namespace kiln::engine
