#include "engine/index/indexer.h"

#include <sys/resource.h>

#include <algorithm>

#include "engine/base/log.h"
#include "engine/journal/rows.h"
#include "engine/limits.h"

namespace kiln::engine {

using base::Result;
using base::Status;

namespace {

constexpr int kSmallCacheKib = 1024;
constexpr std::chrono::milliseconds kLook(100);

}  // namespace

/// Takes up files that came and drops the index of those that went.
Status Indexer::open_files() {
  TRY(const auto entries, parts_.env->list(parts_.journal_folder));
  std::map<std::uint32_t, std::string> present;
  for (const auto& entry : entries)
    if (const auto name = DayFileName::parse(entry.name)) present[name->generation] = entry.name;
  for (auto at = files_.begin(); at != files_.end();) {
    if (present.contains(at->first)) {
      ++at;
      continue;
    }
    const std::string path = index_path(parts_.index_folder, at->first);
    at = files_.erase(at);
    for (const char* part : {"-wal", "-shm", ""})
      if (parts_.env->exists(path + part)) TRY_VOID(parts_.env->remove(path + part));
  }
  for (const auto& [generation, name] : present) {
    if (files_.contains(generation)) continue;
    TRY(auto journal, open_journal_file(*parts_.env, parts_.journal_folder, *DayFileName::parse(name), parts_.master, kSmallCacheKib));
    if (!journal) continue;  // being made
    TRY_VOID(journal->keys.usable());
    TRY(IndexWriter index,
        IndexWriter::open(*parts_.env, parts_.index_folder, generation, parts_.rules, journal->keys.token_key()));
    files_.emplace(generation, std::make_unique<File>(File{std::move(*journal), std::move(index)}));
  }
  return {};
}

namespace {

/// Of a message that is sealed, or in parts. One that is damaged is indexed by its columns.
Status read_whole(RowSource file, MessageId id, std::string& control_id, std::string& body) {
  auto stored = read_stored_message(file, id);
  if (!stored && stored.error().code != base::ErrorCode::corrupt_record) return base::fail(stored.error());
  control_id = stored ? std::move(stored->message.control_id) : std::string();
  body = stored ? std::move(stored->message.body) : std::string();
  return {};
}

}  // namespace

/// How many were there. A read of the journal ends before the index is written, so that it does not keep the log from being
/// emptied (reliability.md S1).
Result<std::size_t> Indexer::feed(File& file) {
  struct Row {
    MessageId id;
    base::WallTime received;
    std::string channel, type, control_id, body;
    channels::ContentKind kind;
  };
  std::vector<Row> rows;
  std::size_t bytes = 0;
  {
    TRY(auto select, file.journal.database.cached("SELECT id, received_us, channel, kind, type, control_id, body, key_id<>0 OR parts<>''"
                                                 " FROM msg WHERE id>? ORDER BY id"));
    select.bind(1, static_cast<std::int64_t>(file.index.cursor()));
    while (rows.size() < limits::kIndexBatch && bytes < limits::kIndexBatchBytes) {
      TRY(const bool row, select.step());
      if (!row) break;
      rows.push_back({static_cast<MessageId>(select.integer(0)), base::WallTime{select.integer(1)}, std::string(select.text(2)),
                      std::string(select.text(4)), std::string(select.text(5)), std::string(select.blob(6)),
                      static_cast<channels::ContentKind>(select.integer(3))});
      if (select.integer(7) != 0) TRY_VOID(read_whole(file.journal.rows(), rows.back().id, rows.back().control_id, rows.back().body));
      bytes += rows.back().body.size();
    }
  }
  if (rows.empty()) return std::size_t{0};
  TRY_VOID(file.index.begin());
  Status status;
  for (const Row& row : rows) {
    const IndexedMessage message{row.channel, row.type, row.control_id, row.body, row.kind};
    status = file.index.add(row.id, row.received, message, parts_.rules);
    if (!status) break;
  }
  if (status) status = file.index.commit(rows.back().id);
  if (!status) {
    file.index.rollback();
    return base::fail(status.error());
  }
  newest_received_.store(rows.back().received.micros, std::memory_order_relaxed);
  // In step with what came, so that merges never fall behind; each posting is merged about three times.
  constexpr std::size_t kTimes = 4;
  TRY_VOID(file.index.tidy(kTimes * file.index.postings()));
  return rows.size();
}

Result<bool> Indexer::round() {
  TRY_VOID(open_files());
  for (auto at = files_.begin(); at != files_.end(); ++at) {
    auto fed = feed(*at->second);
    if (!fed) {
      files_.erase(at);  // opened anew, and made anew when it is damaged
      return base::fail(fed.error());
    }
    if (std::next(at) == files_.end()) indexed_to_.store(at->second->index.cursor(), std::memory_order_relaxed);
    if (*fed > 0) return true;
  }
  for (auto at = files_.begin(); at != files_.end(); ++at) {
    constexpr std::size_t kStep = 50'000;  // some ten milliseconds: a message that comes meanwhile does not wait for more
    const auto tidied = at->second->index.tidy(kStep);
    if (!tidied) {
      files_.erase(at);
      return base::fail(tidied.error());
    }
    if (*tidied) return true;
  }
  return false;
}

Status Indexer::catch_up() {
  for (;;) {
    TRY(const bool more, round());
    if (!more) return {};
  }
}

IndexService::IndexService(Parts parts) : parts_(std::move(parts)), indexer_(parts_.indexer) {
  // Below everything that a sender or a receiver waits for.
  constexpr int kNice = 10;
  thread_.post([] { ::setpriority(PRIO_PROCESS, 0, kNice); });  // on Linux: of the thread that runs this
}

IndexService::~IndexService() {
  stop();
  *alive_ = false;
}

void IndexService::start() {
  look();
}

void IndexService::look() {
  if (stopping_->load()) return;
  const bool behind = parts_.last_id() > indexer_.indexed_to();
  if (behind && !behind_) behind_since_ = parts_.clock->mono();
  behind_ = behind;
  if (behind && !std::exchange(busy_, true)) {
    thread_.post([this, stopping = stopping_, alive = alive_, home = parts_.home] {
      Result<bool> more = true;
      while (!stopping->load() && more && *more) more = indexer_.round();
      if (!more)
        base::log(base::LogLevel::warn, "index-not-written", {{"error", base::Safe::code(more.error().code)}});
      home->post([this, alive] {
        if (*alive) busy_ = false;
      });
    });
  }
  parts_.home->post_after(kLook, [this, alive = alive_] {
    if (*alive) look();
  });
}

double IndexService::lag_seconds() const {
  if (parts_.last_id() <= indexer_.indexed_to()) return 0;
  constexpr double kMicros = 1e6;
  const double since = std::chrono::duration<double>(parts_.clock->mono() - behind_since_).count();
  const double age = static_cast<double>(parts_.clock->wall().micros - indexer_.newest_received()) / kMicros;
  return std::max(0.0, std::min(since, age));
}

}  // namespace kiln::engine
