#pragma once
// The yardsticks of durable acknowledgements: raw group-commit logs on the same disk. Writers hand over a
// record and wait; one thread commits all records that wait at once and wakes their writers. No index, no
// network. Two ways to commit: rows of a bare SQLite table with the settings every journal must have
// (reliability.md sections 4 and 5: WAL, synchronous=FULL, 16 KB pages), and a plain append file with
// fdatasync, which no database can reach and which shows the limit of the disk.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/sql/sqlite.h"

namespace kiln::bench {

struct RawLogResult {
  std::uint64_t records = 0;
  std::uint64_t syncs = 0;
  double seconds = 0;
  bool failed = false;
  std::vector<std::int64_t> latency_us;  ///< sorted

  double per_second() const { return seconds > 0 ? static_cast<double>(records) / seconds : 0; }
  double quantile_ms(double p) const {
    if (latency_us.empty()) return 0;
    const auto last = static_cast<double>(latency_us.size() - 1);
    return static_cast<double>(latency_us[static_cast<std::size_t>(p * last)]) / 1000.0;
  }
};

/// Makes `bytes`, records of `size` bytes one behind the other, durable; false when that failed.
using Commit = std::function<bool(std::string_view bytes, std::size_t size)>;

inline Commit append_file(const std::string& path) {
  const auto close = [](const int* fd) {
    ::close(*fd);
    delete fd;
  };
  const std::shared_ptr<const int> file(
      new int(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)), close);
  return [file](std::string_view bytes, std::size_t) {
    return ::write(*file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
           ::fdatasync(*file) == 0;
  };
}

inline Commit bare_sqlite(const std::string& path) {
  auto opened = base::Database::open({.path = path});
  if (!opened || !opened->exec("CREATE TABLE log(id INTEGER PRIMARY KEY, body BLOB NOT NULL)"))
    return [](std::string_view, std::size_t) { return false; };
  auto database = std::make_shared<base::Database>(std::move(*opened));
  return [database](std::string_view bytes, std::size_t size) {
    bool good = database->begin().has_value();
    auto insert = database->cached("INSERT INTO log(body) VALUES(?)");
    good = good && insert;
    for (std::size_t at = 0; good && at < bytes.size(); at += size)
      good = insert->bind_blob(1, bytes.substr(at, size)).run().has_value();
    return good && database->commit().has_value();
  };
}

class RawLog {
 public:
  explicit RawLog(Commit commit) : commit_(std::move(commit)) {}

  /// `writers` threads write `record` again and again for that time.
  RawLogResult run(std::size_t writers, std::chrono::milliseconds duration, const std::string& record) {
    using Clock = std::chrono::steady_clock;
    RawLogResult result;
    const auto begin = Clock::now();
    const auto end = begin + duration;
    std::thread committer([this, &result, size = record.size()] { commit_loop(result, size); });
    std::vector<std::vector<std::int64_t>> latencies(writers);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < writers; ++i)
      threads.emplace_back([this, &record, end, &mine = latencies[i]] {
        while (Clock::now() < end) {
          const auto sent = Clock::now();
          append(record);
          mine.push_back(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - sent).count());
        }
      });
    for (auto& thread : threads) thread.join();
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    waiting_.notify_one();
    committer.join();
    stop_ = false;
    result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    for (const auto& mine : latencies)
      result.latency_us.insert(result.latency_us.end(), mine.begin(), mine.end());
    std::sort(result.latency_us.begin(), result.latency_us.end());
    result.records = result.latency_us.size();
    return result;
  }

 private:
  void append(const std::string& record) {
    std::unique_lock lock(mutex_);
    group_ += record;
    const std::uint64_t mine = group_number_;
    if (group_.size() == record.size()) waiting_.notify_one();
    durable_.wait(lock, [&] { return durable_group_ >= mine; });
  }

  void commit_loop(RawLogResult& result, std::size_t size) {
    std::string bytes;
    std::unique_lock lock(mutex_);
    for (;;) {
      waiting_.wait(lock, [this] { return stop_ || !group_.empty(); });
      if (group_.empty()) return;
      bytes.clear();
      bytes.swap(group_);
      const std::uint64_t number = group_number_++;
      lock.unlock();
      if (!commit_(bytes, size)) result.failed = true;
      ++result.syncs;
      lock.lock();
      durable_group_ = number;
      durable_.notify_all();
    }
  }

  Commit commit_;
  std::mutex mutex_;
  std::condition_variable waiting_, durable_;
  std::string group_;
  std::uint64_t group_number_ = 1, durable_group_ = 0;
  bool stop_ = false;
};

}  // namespace kiln::bench
