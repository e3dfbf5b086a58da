#pragma once
// Feeds the search index from the journal (architecture.md §3): reads what was committed, never writes a journal file.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/base/executor.h"
#include "engine/index/index_file.h"
#include "engine/journal/journal_files.h"

namespace kiln::engine {

/// One thread; the atomics from any.
class Indexer {
 public:
  struct Parts {
    base::Env* env;
    std::string journal_folder, index_folder;
    IndexRules rules;
    MasterKeyPtr master;  ///< of the journal
  };
  explicit Indexer(Parts parts) : parts_(std::move(parts)) {}

  /// Indexes up to limits::kIndexBatch messages of the oldest file that has some left, drops indexes of files that are gone. True:
  /// there is more. Errors: of the database; the next call tries again.
  base::Result<bool> round();
  /// Everything there is.
  base::Status catch_up();

  /// All messages of the newest file up to it are in the index.
  MessageId indexed_to() const { return indexed_to_.load(std::memory_order_relaxed); }
  /// When the newest message of the index was received, µs.
  std::int64_t newest_received() const { return newest_received_.load(std::memory_order_relaxed); }

 private:
  struct File {
    JournalFile journal;
    IndexWriter index;
  };
  base::Status open_files();
  base::Result<std::size_t> feed(File& file);

  Parts parts_;
  std::map<std::uint32_t, std::unique_ptr<File>> files_;
  std::atomic<MessageId> indexed_to_{0};
  std::atomic<std::int64_t> newest_received_{0};
};

/// Keeps the index behind a running journal, on a thread of its own at low priority.
class IndexService {
 public:
  struct Parts {
    Indexer::Parts indexer;
    base::TimerExecutor* home;
    const base::Clock* clock;
    /// The last number the journal gave; on the home executor.
    std::function<MessageId()> last_id;
  };
  explicit IndexService(Parts parts);
  ~IndexService();

  void start();
  /// The round under way ends; then nothing more is read.
  void stop() { stopping_->store(true); }
  /// How old the oldest message is that the index does not have, as far as is known; 0: it has all.
  double lag_seconds() const;
  base::Executor& thread() { return thread_; }

 private:
  void look();
  Parts parts_;
  std::shared_ptr<std::atomic<bool>> stopping_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Indexer indexer_;
  bool busy_ = false;
  base::MonoTime behind_since_{0};
  bool behind_ = false;
  base::ThreadExecutor thread_{"kiln-index"};  ///< last: ends before what it uses
};

}  // namespace kiln::engine
