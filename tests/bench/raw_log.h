#pragma once
// The yardstick of durable acknowledgements: a plain append file on the same disk. Writers hand over a record
// and wait; one thread writes all records that wait, calls fdatasync once, and wakes their writers. No
// format, no index, no network.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

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

class RawLog {
 public:
  explicit RawLog(const std::string& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  ~RawLog() {
    if (fd_ >= 0) ::close(fd_);
  }
  RawLog(const RawLog&) = delete;
  RawLog& operator=(const RawLog&) = delete;

  /// `writers` threads write `record` again and again for that time.
  RawLogResult run(std::size_t writers, std::chrono::milliseconds duration, const std::string& record) {
    using Clock = std::chrono::steady_clock;
    RawLogResult result;
    result.failed = fd_ < 0;
    if (result.failed) return result;
    const auto begin = Clock::now();
    const auto end = begin + duration;
    std::thread committer([this, &result] { commit_loop(result); });
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

  void commit_loop(RawLogResult& result) {
    std::string bytes;
    std::unique_lock lock(mutex_);
    for (;;) {
      waiting_.wait(lock, [this] { return stop_ || !group_.empty(); });
      if (group_.empty()) return;
      bytes.clear();
      bytes.swap(group_);
      const std::uint64_t number = group_number_++;
      lock.unlock();
      if (::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
          ::fdatasync(fd_) != 0)
        result.failed = true;
      ++result.syncs;
      lock.lock();
      durable_group_ = number;
      durable_.notify_all();
    }
  }

  int fd_;
  std::mutex mutex_;
  std::condition_variable waiting_, durable_;
  std::string group_;
  std::uint64_t group_number_ = 1, durable_group_ = 0;
  bool stop_ = false;
};

}  // namespace kiln::bench
