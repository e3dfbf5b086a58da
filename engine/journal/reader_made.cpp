// What was made of a message: replays, edits, parts, what another channel was handed. A message is made of earlier ones only, so one
// pass in the order of the numbers finds them all.

#include <algorithm>
#include <map>

#include "engine/journal/reader_file.h"
#include "engine/journal/rows.h"

namespace kiln::engine {
namespace {

using base::Database;
using base::Result;
using base::Statement;
using base::Status;
using Made = JournalReader::Made;

constexpr std::int64_t kIdsPerRead = 20'000;  ///< each part is a read of its own, as in a search

MessageId number(const Statement& row, int column) {
  return row.is_null(column) ? 0 : static_cast<MessageId>(row.integer(column));
}

/// Messages of the range that were made of another, by number.
Status read_made(Database& database, bool has_origins, std::int64_t from, std::int64_t to, std::map<MessageId, Made>& out) {
  TRY(auto select, database.cached("SELECT id, parent, replay_of FROM msg WHERE id BETWEEN ? AND ? AND (parent IS NOT NULL OR"
                                   " replay_of IS NOT NULL)"));
  select.bind(1, from).bind(2, to);
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) break;
    Made& one = out[number(select, 0)];
    one.parent = number(select, 1);
    one.replay_of = number(select, 2);
  }
  select.reset();
  if (!has_origins) return {};
  TRY(auto origins, database.cached("SELECT msg_id, edited_from FROM origin WHERE msg_id BETWEEN ? AND ? AND edited_from<>0"));
  origins.bind(1, from).bind(2, to);
  for (;;) {
    TRY(const bool row, origins.step());
    if (!row) break;
    out[number(origins, 0)].edited_from = number(origins, 1);
  }
  origins.reset();
  return {};
}

}  // namespace

Result<std::vector<Made>> JournalReader::made_of(std::set<MessageId> these, std::size_t limit) {
  std::vector<Made> out;
  if (these.empty()) return out;
  const auto first = static_cast<std::int64_t>(*these.begin());
  for (const auto& file : files_) {
    std::int64_t from = 1, to = 0;
    {
      TRY(auto range, file->database.cached("SELECT min(id), max(id) FROM (SELECT min(id) id FROM msg UNION ALL SELECT max(id) FROM msg)"));
      TRY_VOID(range.step());
      if (!range.is_null(0)) from = std::max(range.integer(0), first), to = range.integer(1);
      range.reset();
    }
    TRY(const bool has_origins, has_table(file->database, "origin"));
    for (; from <= to; from += kIdsPerRead) {
      std::map<MessageId, Made> found;
      TRY_VOID(read_made(file->database, has_origins, from, std::min(to, from + kIdsPerRead - 1), found));
      for (auto& [id, one] : found) {
        if (!these.contains(one.parent) && !these.contains(one.replay_of) && !these.contains(one.edited_from)) continue;
        one.id = id;
        if (out.size() >= limit) return out;
        these.insert(id);
        out.push_back(one);
      }
    }
  }
  return out;
}

}  // namespace kiln::engine
