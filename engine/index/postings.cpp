#include "engine/index/posting_pages.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace kiln::engine {

using base::Database;
using base::Result;
using base::Statement;
using base::Status;

const char* const kPostingSchema =
    "CREATE TABLE run(id INTEGER PRIMARY KEY, level INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " count INTEGER NOT NULL);"
    "CREATE TABLE page(run INTEGER NOT NULL, hash INTEGER NOT NULL, id INTEGER NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY(run, hash, id)) WITHOUT ROWID;"
    "CREATE TABLE garbage(run INTEGER PRIMARY KEY);";

namespace {

constexpr std::size_t kPageBytes = 3'800;              ///< a row of a WITHOUT ROWID table that needs no second page of the file
constexpr std::size_t kFan = 16;                       ///< runs that are merged at once
constexpr std::int64_t kRunPostingsMax = 64'000'000;   ///< of a run; larger ones are not made
constexpr std::size_t kPostingsAPage = 300;            ///< about, for removing pages

void put(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
  out += static_cast<char>(number);
}

/// Writes the pages of a run; postings come in order.
class PageBuilder {
 public:
  PageBuilder(Database& database, std::int64_t run) : database_(&database), run_(run) {}

  Status add(std::int64_t hash, MessageId id) {
    if (group_count_ > 0 && (hash != hash_ || page_.size() + group_.size() >= kPageBytes)) {
      end_group();
      if (page_.size() >= kPageBytes - 2 * kPostingHashBytes) TRY_VOID(write_page());
    }
    if (group_count_ == 0) {
      if (page_.empty()) {
        first_hash_ = hash;
        first_id_ = id;
      }
      hash_ = hash;
      last_id_ = 0;
    }
    put(group_, id - last_id_);
    last_id_ = id;
    ++group_count_;
    ++count_;
    return {};
  }
  Status finish() {
    if (group_count_ > 0) end_group();
    return page_.empty() ? Status() : write_page();
  }
  std::int64_t count() const { return count_; }
  std::int64_t run() const { return run_; }

 private:
  void end_group() {
    char bytes[kPostingHashBytes];
    std::memcpy(bytes, &hash_, kPostingHashBytes);
    page_.append(bytes, kPostingHashBytes);
    put(page_, group_count_);
    page_ += group_;
    group_.clear();
    group_count_ = 0;
  }
  Status write_page() {
    TRY(auto insert, database_->cached("INSERT INTO page(run, hash, id, data) VALUES(?, ?, ?, ?)"));
    TRY_VOID(insert.bind(1, run_).bind(2, first_hash_).bind(3, posting_id(first_id_)).bind_blob(4, page_).run());
    page_.clear();
    return {};
  }

  Database* database_;
  std::int64_t run_, first_hash_ = 0, hash_ = 0, count_ = 0;
  MessageId first_id_ = 0, last_id_ = 0;
  std::string page_, group_;
  std::uint64_t group_count_ = 0;
};

/// Hashes are spread evenly and postings come in the order of their messages: dealt out by the first bits they are nearly in order.
void sort_postings(std::vector<Posting>& postings) {
  constexpr std::size_t kSmall = 64;
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  if (postings.size() < kSmall) return std::sort(postings.begin(), postings.end());
  const auto bits = static_cast<int>(std::bit_width(postings.size())) - 2, shift = 64 - bits;
  const auto bucket = [shift](const Posting& one) { return (static_cast<std::uint64_t>(one.first) ^ kSign) >> shift; };
  std::vector<std::size_t> ends((std::size_t{1} << bits) + 1);
  for (const Posting& one : postings) ++ends[bucket(one) + 1];
  for (std::size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
  std::vector<Posting> dealt(postings.size());
  for (const Posting& one : postings) dealt[ends[bucket(one)]++] = one;
  std::size_t begin = 0;
  for (std::size_t i = 0; i + 1 < ends.size(); begin = ends[i++]) {
    const auto from = dealt.begin() + static_cast<std::ptrdiff_t>(begin), to = dealt.begin() + static_cast<std::ptrdiff_t>(ends[i]);
    if (to - from > 1 && !std::is_sorted(from, to)) std::sort(from, to);
  }
  postings.swap(dealt);
}

/// A run from its first posting to its last.
class RunCursor {
 public:
  explicit RunCursor(std::int64_t run) : run_(run) {}
  /// False: it is at its end. hash() and id() are valid after true.
  Result<bool> next(Database& database) {
    while (reader_.left() == 0) {
      if (reader_.next_group()) break;
      TRY(const bool more, next_page(database));
      if (!more) return false;
    }
    id_ = reader_.next_id();
    return true;
  }
  std::int64_t hash() const { return reader_.hash(); }
  MessageId id() const { return id_; }

 private:
  Result<bool> next_page(Database& database) {
    TRY(auto select, database.cached(begun_ ? "SELECT hash, id, data FROM page WHERE run=?1 AND (hash, id)>(?2, ?3) ORDER BY hash, id LIMIT 1"
                                            : "SELECT hash, id, data FROM page WHERE run=?1 ORDER BY hash, id LIMIT 1"));
    select.bind(1, run_);
    if (begun_) select.bind(2, page_hash_).bind(3, page_id_);
    TRY(const bool row, select.step());
    if (!row) return false;
    begun_ = true;
    page_hash_ = select.integer(0);
    page_id_ = select.integer(1);
    data_ = select.blob(2);
    reader_ = PostingPage(data_);
    return true;
  }

  std::int64_t run_, page_hash_ = 0, page_id_ = 0;
  bool begun_ = false;
  std::string data_;
  PostingPage reader_{{}};
  MessageId id_ = 0;
};

}  // namespace

// ---- writing ----

struct PostingWriter::Merge {
  struct Input {
    PostingRun run;
    RunCursor cursor;
    bool more = false;
  };
  std::vector<Input> inputs;
  PageBuilder out;
  explicit Merge(PageBuilder builder) : out(std::move(builder)) {}

  /// The one with the smallest key; of equals the oldest. nullptr: all are at their end.
  Input* first() {
    Input* best = nullptr;
    for (Input& one : inputs)
      if (one.more && (best == nullptr || one.cursor.hash() < best->cursor.hash())) best = &one;
    return best;
  }
};

PostingWriter::PostingWriter() = default;
PostingWriter::~PostingWriter() = default;
PostingWriter::PostingWriter(PostingWriter&&) noexcept = default;
PostingWriter& PostingWriter::operator=(PostingWriter&&) noexcept = default;

namespace {

/// Numbers of runs are not used again while pages of an old one may be there.
Result<std::int64_t> next_run(Database& database) {
  TRY(auto select, database.cached("SELECT max(coalesce((SELECT max(id) FROM run), 0), coalesce((SELECT max(run) FROM garbage), 0),"
                                   " coalesce((SELECT max(run) FROM page), 0))+1"));
  TRY_VOID(select.step());
  const std::int64_t out = select.integer(0);
  select.reset();
  return out;
}

Status insert_run(Database& database, const PostingRun& run) {
  TRY(auto insert, database.cached("INSERT INTO run(id, level, first, last, count) VALUES(?, ?, ?, ?, ?)"));
  return insert.bind(1, run.id).bind(2, run.level).bind(3, posting_id(run.first)).bind(4, posting_id(run.last)).bind(5, run.count).run();
}

Status change(Database& database, const char* sql, std::int64_t run) {
  TRY(auto statement, database.cached(sql));
  return statement.bind(1, run).run();
}

}  // namespace

Status PostingWriter::write(Database& database, MessageId first, MessageId last, std::vector<Posting>& postings) {
  sort_postings(postings);
  TRY(const std::int64_t run, next_run(database));
  PageBuilder builder(database, run);
  for (const auto& [hash, id] : postings) TRY_VOID(builder.add(hash, id));
  TRY_VOID(builder.finish());
  tidy_ = false;
  return insert_run(database, {builder.run(), 0, builder.count(), first, last});
}

/// The oldest kFan runs of the lowest level that has so many beside one another.
Result<bool> PostingWriter::begin_merge(Database& database) {
  TRY(const std::vector<PostingRun> runs, read_posting_runs(database, 0, INT64_MAX));
  std::size_t best = runs.size();
  for (std::size_t from = 0; from + kFan <= runs.size(); ++from) {
    std::int64_t count = 0;
    bool same = true;
    for (std::size_t i = from; i < from + kFan; ++i) {
      same = same && runs[i].level == runs[from].level;
      count += runs[i].count;
    }
    if (same && count <= kRunPostingsMax && (best == runs.size() || runs[from].level < runs[best].level)) best = from;
  }
  if (best == runs.size()) return false;
  TRY(const std::int64_t run, next_run(database));
  TRY_VOID(change(database, "INSERT INTO garbage(run) VALUES(?)", run));  // until it is whole
  merge_ = std::make_unique<Merge>(PageBuilder(database, run));
  merge_->inputs.reserve(kFan);  // a cursor that has begun stays where it is
  for (std::size_t i = best; i < best + kFan; ++i) {
    merge_->inputs.push_back({runs[i], RunCursor(runs[i].id), false});
    TRY(merge_->inputs.back().more, merge_->inputs.back().cursor.next(database));
  }
  return true;
}

Status PostingWriter::end_merge(Database& database) {
  TRY_VOID(merge_->out.finish());
  const PostingRun &oldest = merge_->inputs.front().run, &newest = merge_->inputs.back().run;
  for (const Merge::Input& one : merge_->inputs) {
    TRY_VOID(change(database, "DELETE FROM run WHERE id=?", one.run.id));
    TRY_VOID(change(database, "INSERT INTO garbage(run) VALUES(?)", one.run.id));
  }
  TRY_VOID(change(database, "DELETE FROM garbage WHERE run=?", merge_->out.run()));
  TRY_VOID(insert_run(database, {merge_->out.run(), oldest.level + 1, merge_->out.count(), oldest.first, newest.last}));
  merge_.reset();
  return {};
}

/// False: there is none.
Result<bool> PostingWriter::collect_garbage(Database& database, std::size_t pages) {
  TRY(auto select, database.cached("SELECT run FROM garbage WHERE run<>?1 LIMIT 1"));
  TRY(const bool found, select.bind(1, merge_ ? merge_->out.run() : std::int64_t{0}).step());
  if (!found) return false;
  const std::int64_t run = select.integer(0);
  select.reset();
  TRY(auto remove, database.cached("DELETE FROM page WHERE run=?1 AND (hash, id)<="
                                   "(SELECT hash, id FROM (SELECT hash, id FROM page WHERE run=?1 ORDER BY hash, id LIMIT ?2)"
                                   " ORDER BY hash DESC, id DESC LIMIT 1)"));
  TRY_VOID(remove.bind(1, run).bind(2, static_cast<std::int64_t>(pages)).run());
  if (database.changes() < static_cast<std::int64_t>(pages)) TRY_VOID(change(database, "DELETE FROM garbage WHERE run=?", run));
  return true;
}

Result<bool> PostingWriter::tidy(Database& database, std::size_t budget) {
  if (tidy_) return false;
  TRY(const bool collected, collect_garbage(database, budget / kPostingsAPage + 1));
  if (!merge_) {
    TRY(const bool begun, begin_merge(database));
    if (!begun) {
      tidy_ = !collected;
      return collected;
    }
  }
  for (std::size_t done = 0; done < budget; ++done) {
    Merge::Input* const one = merge_->first();
    if (one == nullptr) {
      TRY_VOID(end_merge(database));
      return true;
    }
    TRY_VOID(merge_->out.add(one->cursor.hash(), one->cursor.id()));
    TRY(one->more, one->cursor.next(database));
  }
  return true;
}

void PostingWriter::forget() {
  merge_.reset();
  tidy_ = false;
}

}  // namespace kiln::engine
