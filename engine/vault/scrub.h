#pragma once
// Reads every record of the journal again, slowly and for ever: a bit that changed on the disk is known before somebody needs the
// record (reliability.md R14).

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/journal/journal_files.h"
#include "engine/limits.h"

namespace kiln::engine {

/// One thread calls step(); state() from any.
class Scrub {
 public:
  struct Parts {
    base::Env* env = nullptr;
    const base::Clock* clock = nullptr;
    std::string folder;  ///< of the journal
    std::string note;    ///< file that remembers how far it came; empty: none
    MasterKeyPtr master;
    std::uint64_t bytes_per_part = limits::kScrubBytesPerPart;
    std::size_t messages_per_part = limits::kScrubMessagesPerPart;
  };
  explicit Scrub(Parts parts);

  /// One part of the walk over all files. False when the walk has come to its end; the next call begins another one. What cannot be
  /// read is tried once more by the next call, then told as a fault and left behind. Errors: what keeps it from reading.
  base::Result<bool> step();

  struct Fault {
    std::string file;
    MessageId id = 0;
    std::string what;
  };
  struct State {
    std::string file;        ///< being read; empty between two walks
    MessageId at = 0;        ///< last message that was looked at
    MessageId last = 0;      ///< last of the file
    std::uint64_t records = 0, locked = 0;  ///< of this walk, or of the last one
    base::WallTime last_full;               ///< end of the last whole walk; 0: none
    std::uint64_t faults_total = 0;         ///< damaged records since the start of this process
    std::vector<Fault> faults;              ///< the first limits::kScrubFaultsKept of them
  };
  State state() const;
  std::string print_json() const;

 private:
  base::Result<bool> open_next();
  base::Result<bool> open_file(const DayFileName& name, bool newest);
  base::Status look_at(MessageId id, std::uint64_t& bytes);
  base::Result<MessageId> find_next();
  base::Status look_at_control();
  bool gives_up(const base::Error& error, const std::string& place);
  void end_file();
  void end_walk();
  void keep_note() const;
  void found(MessageId id, const std::string& what);

  Parts parts_;
  std::optional<JournalFile> file_;
  std::uint32_t generation_ = 0;  ///< of the file that was read last in this walk
  std::string tried_;             ///< the place that could not be read by the last call
  bool newest_ = false;           ///< the file is the one that takes messages
  mutable std::mutex mutex_;      ///< of state_
  State state_;
};

}  // namespace kiln::engine
