#pragma once
// Where log lines go (operations.md §8): one JSON line each to a file descriptor, without ever waiting for who reads it; what
// repeats is counted instead of written; each channel can have its own level for a while.

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/log.h"

namespace kiln::base {

/// Thread-safe.
class LogWriter {
 public:
  /// Longest line; what is beyond is left out (limits of security.md §6). A pipe takes so many bytes at once or none.
  static constexpr std::size_t kLineBytesMax = 4096;
  /// Lines of one kind within kRepeatWindow that are written; the others are counted.
  static constexpr std::uint32_t kRepeatsWritten = 10;
  static constexpr std::chrono::seconds kRepeatWindow{10};

  /// `clock` outlives it; `fd` stays open.
  LogWriter(int fd, const Clock& clock) : fd_(fd), clock_(clock) {}

  /// One kind of line is the event with its texts; its numbers may differ.
  void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);
  /// Says what repeated and was not written, and forgets levels whose time is over. About once a second, and at the end.
  void tick();

  void set_level(LogLevel level);
  /// Lines with that channel, for so long; "*": every line. Errors: limit_exceeded.
  Status set_channel_level(std::string_view channel, LogLevel level, std::int64_t seconds);
  /// As it was before; also when it had none.
  void reset_channel_level(std::string_view channel);
  struct ChannelLevel {
    std::string channel;
    LogLevel level = LogLevel::info;
    WallTime until;
  };
  std::vector<ChannelLevel> channel_levels();

  /// Lines that were lost because nobody read.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  struct Repeats {
    MonoTime began{0};
    WallTime since;
    LogLevel level = LogLevel::info;
    std::string event;
    std::vector<std::pair<std::string, std::string>> texts;  ///< fields
    std::uint32_t written = 0;
    std::uint64_t left_out = 0;
  };
  bool is_wanted(LogLevel level, std::string_view channel);
  void lower_bar();
  bool write_line(std::string line);
  void tell_dropped();
  void tell(const Repeats& repeats);

  const int fd_;
  const Clock& clock_;
  std::atomic<LogLevel> bar_{LogLevel::info};  ///< below it nothing is wanted by anybody
  std::atomic<std::uint64_t> dropped_{0};
  std::mutex mutex_;
  LogLevel level_ = LogLevel::info;
  std::map<std::string, ChannelLevel, std::less<>> channels_;
  std::map<std::string, Repeats, std::less<>> repeats_;
  std::uint64_t untold_ = 0;  ///< dropped lines that no line has told yet
};

/// The one that base::log() writes to: stderr.
LogWriter& process_log();
const char* name_of(LogLevel level);

}  // namespace kiln::base
