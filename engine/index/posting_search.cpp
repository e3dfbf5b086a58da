// Which messages have keys: what is asked of each run.

#include <algorithm>
#include <iterator>

#include "engine/index/posting_pages.h"

namespace kiln::engine {

using base::Database;
using base::Result;
using base::Status;

Result<std::vector<PostingRun>> read_posting_runs(Database& database, MessageId from, MessageId to) {
  std::vector<PostingRun> out;
  TRY(auto select, database.cached("SELECT id, level, first, last, count FROM run WHERE last>=?1 AND first<=?2 ORDER BY first"));
  select.bind(1, posting_id(from)).bind(2, posting_id(std::min<MessageId>(to, INT64_MAX)));
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return out;
    out.push_back({select.integer(0), select.integer(1), select.integer(4), static_cast<MessageId>(select.integer(2)),
                   static_cast<MessageId>(select.integer(3))});
  }
}

namespace {

/// Answers for one run.
class RunSearch {
 public:
  RunSearch(Database& database, const PostingRun& run) : database_(database), run_(run.id) {}

  /// In order, of the numbers `from` to `to`.
  Result<std::vector<MessageId>> ids(const KeyNode& node, MessageId from, MessageId to) {
    if (node.kind == KeyNode::Kind::key) return of_key(node.hash, from, to);
    std::vector<const KeyNode*> parts;
    for (const KeyNode& part : node.parts) parts.push_back(&part);
    if (node.kind == KeyNode::Kind::any) {
      std::vector<MessageId> out, both;
      for (const KeyNode* part : parts) {
        TRY(const auto more, ids(*part, from, to));
        both.clear();
        std::set_union(out.begin(), out.end(), more.begin(), more.end(), std::back_inserter(both));
        out.swap(both);
      }
      return out;
    }
    // What is rare first: the others are then asked about a few numbers only.
    std::vector<std::pair<bool, const KeyNode*>> order;
    for (const KeyNode* part : parts) {
      TRY(const bool large, is_large(*part));
      order.emplace_back(large, part);
    }
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    TRY(std::vector<MessageId> out, ids(*order.front().second, from, to));
    for (std::size_t i = 1; i < order.size() && !out.empty(); ++i) TRY_VOID(keep(out, *order[i].second));
    return out;
  }

  /// Of so many messages that they should not all be read for a few.
  Result<bool> is_large(const KeyNode& node) {
    if (node.kind == KeyNode::Kind::key) {
      TRY(auto select, database_.cached("SELECT count(*) FROM (SELECT 1 FROM page WHERE run=?1 AND hash=?2 LIMIT 2)"));
      TRY_VOID(select.bind(1, run_).bind(2, node.hash).step());
      const bool large = select.integer(0) > 1;
      select.reset();
      return large;
    }
    bool all = true, any = false;
    for (const KeyNode& part : node.parts) {
      TRY(const bool large, is_large(part));
      all = all && large;
      any = any || large;
    }
    return node.kind == KeyNode::Kind::all ? all : any;
  }

 private:
  /// Takes out what `node` does not hold for.
  Status keep(std::vector<MessageId>& out, const KeyNode& node) {
    constexpr std::size_t kFew = 64;
    if (node.kind == KeyNode::Kind::key && out.size() <= kFew) {
      std::vector<MessageId> kept;
      for (const MessageId id : out) {
        TRY(const auto found, of_key(node.hash, id, id));
        if (!found.empty()) kept.push_back(id);
      }
      out.swap(kept);
      return {};
    }
    TRY(const auto others, ids(node, out.front(), out.back()));
    std::vector<MessageId> both;
    std::set_intersection(out.begin(), out.end(), others.begin(), others.end(), std::back_inserter(both));
    out.swap(both);
    return {};
  }

  static void take(std::string_view data, std::int64_t hash, MessageId from, MessageId to, std::vector<MessageId>& out) {
    PostingPage reader(data);
    while (reader.next_group() && reader.hash() <= hash) {
      if (reader.hash() != hash) continue;
      while (reader.left() > 0) {
        const MessageId id = reader.next_id();
        if (id > to) return;
        if (id >= from) out.push_back(id);
      }
    }
  }

  Result<std::vector<MessageId>> of_key(std::int64_t hash, MessageId from, MessageId to) {
    std::vector<MessageId> out;
    {
      TRY(auto before, database_.cached("SELECT data FROM page WHERE run=?1 AND (hash, id)<=(?2, ?3) ORDER BY hash DESC, id DESC LIMIT 1"));
      TRY(const bool row, before.bind(1, run_).bind(2, hash).bind(3, posting_id(from)).step());
      if (row) take(before.blob(0), hash, from, to, out);
    }
    TRY(auto after, database_.cached("SELECT data FROM page WHERE run=?1 AND hash=?2 AND id>?3 AND id<=?4 ORDER BY id"));
    after.bind(1, run_).bind(2, hash).bind(3, posting_id(from)).bind(4, posting_id(to));
    for (;;) {
      TRY(const bool row, after.step());
      if (!row) return out;
      take(after.blob(0), hash, from, to, out);
    }
  }

  Database& database_;
  std::int64_t run_;
};

/// Adds what the run has, in the order that is asked for, up to `limit` in all.
Status find_in(Database& database, const PostingRun& run, const KeyNode& keys, MessageId from, MessageId to, bool oldest_first, std::size_t limit,
               std::vector<MessageId>& out) {
  constexpr MessageId kPart = 32'768;
  RunSearch search(database, run);
  TRY(const bool large, search.is_large(keys));
  while (from <= to && out.size() < limit) {
    MessageId low = from, high = to;
    if (large && to - from >= kPart) oldest_first ? high = from + kPart - 1 : low = to - kPart + 1;
    TRY(auto found, search.ids(keys, low, high));
    if (!oldest_first) std::reverse(found.begin(), found.end());
    found.resize(std::min(found.size(), limit - out.size()));
    out.insert(out.end(), found.begin(), found.end());
    if (oldest_first)
      from = high + 1;
    else if (low == 0)
      break;
    else
      to = low - 1;
  }
  return {};
}

Status find_all(Database& database, const KeyNode& keys, MessageId from, MessageId to, bool oldest_first, std::size_t limit,
                std::vector<MessageId>& out) {
  TRY(std::vector<PostingRun> runs, read_posting_runs(database, from, to));
  if (!oldest_first) std::reverse(runs.begin(), runs.end());
  for (const PostingRun& run : runs) {
    if (out.size() >= limit) break;
    TRY_VOID(find_in(database, run, keys, std::max(from, run.first), std::min(to, run.last), oldest_first, limit, out));
  }
  return {};
}

}  // namespace

Result<std::vector<MessageId>> find_postings(Database& database, const KeyNode& keys, MessageId from, MessageId to, bool oldest_first,
                                             std::size_t limit) {
  std::vector<MessageId> out;
  if (keys.empty()) return out;
  TRY_VOID(database.exec("BEGIN"));  // runs are merged meanwhile
  const Status done = find_all(database, keys, from, std::min<MessageId>(to, INT64_MAX), oldest_first, limit, out);
  const Status ended = database.exec("COMMIT");
  if (!done) return base::fail(done.error());
  if (!ended) return base::fail(ended.error());
  return out;
}

}  // namespace kiln::engine
