#pragma once
// A disk in memory that loses power: everything written is noted, and from any moment on the disk can be built as a machine
// might find it after a power cut. Writes that no sync confirmed are kept, dropped or torn at 512 bytes, each by chance
// (reliability.md §4). Calls can also fail: the n-th write, sync, truncation or opening, once or from then on.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/env.h"

namespace kiln::test {

/// Small and seeded; the same numbers everywhere.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }
  std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : next() % limit; }

 private:
  std::uint64_t state_;
};

/// One change of the disk, in the order of the calls.
struct DiskOp {
  enum class Kind : std::uint8_t { create, write, truncate, sync, remove, sync_folder, mark };
  Kind kind;
  std::string file;
  std::uint64_t offset = 0;  ///< of a write; the length of a truncation; the value of a mark; 1: a removal that is durable
  std::string bytes;
  bool stuck = false;  ///< a sync failed on it: no later one makes it durable
};

/// What is on the disk as files. A machine that runs sees `live`; `durable` is what a power cut cannot take.
class CrashDisk {
 public:
  CrashDisk() = default;

  /// The picture after a power cut behind the first `count` changes of `log`.
  static CrashDisk after_power_cut(const std::vector<DiskOp>& log, std::size_t count, Chance& chance);
  /// The same again and again without beginning anew: each call looks at the same log, behind as many changes as the last or more.
  class Cuts;
  /// A log that makes this disk, all of it durable: what a machine begins with after a cut.
  std::vector<DiskOp> as_log() const;

  struct File {
    std::string bytes;
  };
  std::map<std::string, File> files;
  std::vector<DiskOp>* log = nullptr;  ///< where changes are noted; nullptr: nowhere
  std::function<void()> on_change;     ///< called behind each change that is noted; may be empty

  enum class Fault : std::uint8_t { none, io, full, sync, short_read };
  Fault fault = Fault::none;
  std::uint64_t fail_at = 0;      ///< the call that fails, counted from 1
  bool fail_for_ever = false;     ///< and all of its kind behind it
  std::uint64_t calls = 0;        ///< calls so far that the fault could meet
  std::uint64_t failed = 0;       ///< calls that failed

  void note(DiskOp op) {
    if (log == nullptr) return;
    log->push_back(std::move(op));
    if (on_change) on_change();
  }
  /// True when this call has to fail.
  bool fails(Fault of_kind);
  /// Places of a file that SQLite cannot read, by its name and the offset; empty: none.
  std::function<bool(const std::string&, std::uint64_t)> is_bad;
};

class CrashDisk::Cuts {
 public:
  explicit Cuts(const std::vector<DiskOp>& log);
  ~Cuts();
  CrashDisk after(std::size_t count, Chance& chance);

 private:
  struct State;
  void take(const DiskOp& op);
  const std::vector<DiskOp>& log_;
  std::map<std::string, State> states_;
  std::size_t taken_ = 0;
};

/// The files of a CrashDisk as an Env, with the SQLite file system "kiln-crash". One at a time and one thread; the disk must
/// outlive it and every database that was opened through it.
class CrashEnv final : public base::Env {
 public:
  explicit CrashEnv(CrashDisk& disk);
  ~CrashEnv() override;
  /// Where the numbers come from that SQLite asks for (salts of its logs); the same seed, the same run.
  static void seed_salts(std::uint64_t seed);

  base::Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) override;
  base::Status write_file_atomic(const std::string& path, std::string_view bytes) override;
  base::Result<std::unique_ptr<base::AppendFile>> open_append(const std::string& path) override;
  base::Result<std::vector<base::FileInfo>> list(const std::string& folder) override;
  base::Result<base::FileInfo> info(const std::string& path) override;
  bool exists(const std::string& path) override { return disk_.files.contains(path); }
  base::Status make_folders(const std::string&) override { return {}; }
  base::Status rename(const std::string& from, const std::string& to, bool replace) override;
  base::Status remove(const std::string& path) override;
  base::Status sync_folder(const std::string& path) override;
  const char* sqlite_vfs() const override { return "kiln-crash"; }

 private:
  CrashDisk& disk_;
};

}  // namespace kiln::test
