#include "tests/support/crash_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace kiln::test {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;
using Kind = DiskOp::Kind;

constexpr std::size_t kSector = 512;

void write_at(std::string& bytes, std::size_t offset, std::string_view what) {
  if (offset == bytes.size()) {
    bytes.append(what);  // nothing is cleared first that is overwritten at once
    return;
  }
  if (bytes.size() < offset + what.size()) bytes.resize(offset + what.size());
  std::memcpy(bytes.data() + offset, what.data(), what.size());
}

void write_through(std::string& bytes, const DiskOp& op) {
  if (op.kind == Kind::truncate)
    bytes.resize(op.offset);
  else
    write_at(bytes, op.offset, op.bytes);
}

/// Some sectors of a write arrived, others did not.
void apply_torn(std::string& bytes, const DiskOp& op, Chance& chance) {
  for (std::size_t at = 0; at < op.bytes.size();) {
    const std::size_t end = std::min(op.bytes.size(), at + kSector - (op.offset + at) % kSector);
    if (chance.below(2) == 0) write_at(bytes, op.offset + at, std::string_view(op.bytes).substr(at, end - at));
    at = end;
  }
}

void settle(std::string& bytes, const DiskOp& op, Chance& chance) {
  const std::uint64_t fate = chance.below(3);
  if (fate == 0) return;
  if (fate == 1 || op.kind == Kind::truncate)
    write_through(bytes, op);
  else
    apply_torn(bytes, op, chance);
}

// ---- the SQLite file system ----

/// What connections of one file share while the machine runs.
struct Shared {
  std::vector<std::unique_ptr<char[]>> regions;
  std::vector<int> region_bytes;
  int shared[SQLITE_SHM_NLOCK] = {};
  bool exclusive[SQLITE_SHM_NLOCK] = {};
  int users = 0;
};

struct OpenFile {
  sqlite3_file base;
  std::string* path;
  int shared_mask, exclusive_mask;
  bool maps;
};

CrashDisk* the_disk = nullptr;
int last_error = 0;  ///< what the system would say of an opening that failed
std::map<std::string, Shared>& shared_memory() {
  static std::map<std::string, Shared> all;
  return all;
}

OpenFile& of(sqlite3_file* file) {
  return *reinterpret_cast<OpenFile*>(file);
}
std::string& bytes_of(sqlite3_file* file) {
  return the_disk->files[*of(file).path].bytes;
}

int x_close(sqlite3_file* file) {
  delete of(file).path;
  return SQLITE_OK;
}

int x_read(sqlite3_file* file, void* to, int amount, sqlite3_int64 offset) {
  const std::string& bytes = bytes_of(file);
  const auto at = static_cast<std::size_t>(offset), wanted = static_cast<std::size_t>(amount);
  if (the_disk->fails(CrashDisk::Fault::short_read)) return SQLITE_IOERR_READ;
  if (the_disk->is_bad && the_disk->is_bad(*of(file).path, at)) return SQLITE_IOERR_READ;
  const std::size_t got = at >= bytes.size() ? 0 : std::min(wanted, bytes.size() - at);
  std::memcpy(to, bytes.data() + (got == 0 ? 0 : at), got);
  std::memset(static_cast<char*>(to) + got, 0, wanted - got);
  return got == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int x_write(sqlite3_file* file, const void* from, int amount, sqlite3_int64 offset) {
  if (the_disk->fails(CrashDisk::Fault::full)) return SQLITE_FULL;
  if (the_disk->fails(CrashDisk::Fault::io)) return SQLITE_IOERR_WRITE;
  const std::string_view bytes(static_cast<const char*>(from), static_cast<std::size_t>(amount));
  write_at(bytes_of(file), static_cast<std::size_t>(offset), bytes);
  if (the_disk->log != nullptr)
    the_disk->note({Kind::write, *of(file).path, static_cast<std::uint64_t>(offset), std::string(bytes), false});
  return SQLITE_OK;
}

int x_truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (the_disk->fails(CrashDisk::Fault::io)) return SQLITE_IOERR_TRUNCATE;
  DiskOp op{Kind::truncate, *of(file).path, static_cast<std::uint64_t>(size), {}, false};
  write_through(bytes_of(file), op);
  the_disk->note(std::move(op));
  return SQLITE_OK;
}

/// The pages of a sync that failed count as clean: they can be read, and no later sync writes them.
void stick(const std::string& path) {
  if (the_disk->log == nullptr) return;
  auto& log = *the_disk->log;
  for (auto op = log.rbegin(); op != log.rend(); ++op) {
    if (op->file != path) continue;
    if (op->kind == Kind::sync) break;
    op->stuck = true;
  }
}

int x_sync(sqlite3_file* file, int) {
  if (the_disk->fails(CrashDisk::Fault::sync)) {
    stick(*of(file).path);
    return SQLITE_IOERR_FSYNC;
  }
  the_disk->note({Kind::sync, *of(file).path, 0, {}, false});
  return SQLITE_OK;
}

int x_size(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(bytes_of(file).size());
  return SQLITE_OK;
}

int x_lock(sqlite3_file*, int) {
  return SQLITE_OK;
}
int x_reserved(sqlite3_file*, int* out) {
  *out = 0;
  return SQLITE_OK;
}
int x_control(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}
int x_sector(sqlite3_file*) {
  return static_cast<int>(kSector);
}
int x_characteristics(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;  // as on Linux
}

int x_shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  Shared& shared = shared_memory()[*of(file).path];
  if (!of(file).maps) {
    of(file).maps = true;
    ++shared.users;
  }
  while (static_cast<int>(shared.regions.size()) <= region) {
    if (!extend) {
      *out = nullptr;
      return SQLITE_OK;
    }
    shared.regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
  }
  *out = shared.regions[static_cast<std::size_t>(region)].get();
  return SQLITE_OK;
}

int x_shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  OpenFile& open = of(file);
  Shared& shared = shared_memory()[*open.path];
  const int mask = ((1 << count) - 1) << offset;
  if (flags & SQLITE_SHM_UNLOCK) {
    for (int i = offset; i < offset + count; ++i) {
      if (open.exclusive_mask & (1 << i)) shared.exclusive[i] = false;
      if (open.shared_mask & (1 << i)) --shared.shared[i];
    }
    open.exclusive_mask &= ~mask;
    open.shared_mask &= ~mask;
    return SQLITE_OK;
  }
  if (flags & SQLITE_SHM_SHARED) {
    if (open.shared_mask & mask) return SQLITE_OK;
    if (shared.exclusive[offset]) return SQLITE_BUSY;
    ++shared.shared[offset];
    open.shared_mask |= mask;
    return SQLITE_OK;
  }
  for (int i = offset; i < offset + count; ++i)
    if (shared.exclusive[i] || shared.shared[i] > ((open.shared_mask >> i) & 1)) return SQLITE_BUSY;
  for (int i = offset; i < offset + count; ++i) shared.exclusive[i] = true;
  open.exclusive_mask |= mask;
  return SQLITE_OK;
}

void x_shm_barrier(sqlite3_file*) {}

int x_shm_unmap(sqlite3_file* file, int) {
  if (!of(file).maps) return SQLITE_OK;
  of(file).maps = false;
  const auto found = shared_memory().find(*of(file).path);
  if (found != shared_memory().end() && --found->second.users == 0) shared_memory().erase(found);
  return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {2,          x_close,   x_read,     x_write,           x_truncate, x_sync,
                                     x_size,     x_lock,    x_lock,     x_reserved,        x_control,  x_sector,
                                     x_characteristics, x_shm_map, x_shm_lock, x_shm_barrier, x_shm_unmap, nullptr, nullptr};

int x_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  OpenFile& open = of(file);
  open.base.pMethods = nullptr;
  static int temporary = 0;
  const std::string path = name != nullptr ? name : "temporary" + std::to_string(++temporary);
  if (!the_disk->files.contains(path)) {
    if (!(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
    if (the_disk->fails(CrashDisk::Fault::io)) return SQLITE_CANTOPEN;
    if (the_disk->fails(CrashDisk::Fault::full)) {
      last_error = ENOSPC;
      return SQLITE_CANTOPEN;
    }
    the_disk->files[path];
    the_disk->note({Kind::create, path, 0, {}, false});
  }
  open.path = new std::string(path);
  open.shared_mask = open.exclusive_mask = 0;
  open.maps = false;
  open.base.pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

/// With `sync` the folder is synced too, as SQLite's own file system does: a rollback journal must not come back.
int x_delete(sqlite3_vfs*, const char* name, int sync) {
  if (the_disk->files.erase(name) == 0) return SQLITE_IOERR_DELETE_NOENT;
  the_disk->note({Kind::remove, name, sync != 0 ? 1u : 0u, {}, false});
  return SQLITE_OK;
}

int x_access(sqlite3_vfs*, const char* name, int, int* out) {
  *out = the_disk->files.contains(name) ? 1 : 0;
  return SQLITE_OK;
}

int x_full_path(sqlite3_vfs*, const char* name, int size, char* out) {
  std::snprintf(out, static_cast<std::size_t>(size), "%s", name);
  return SQLITE_OK;
}

/// Salts of the log differ from one run to the next as they do on a real machine.
Chance& salts() {
  static Chance chance(42);
  return chance;
}
int x_randomness(sqlite3_vfs*, int size, char* out) {
  for (int i = 0; i < size; ++i) out[i] = static_cast<char>(salts().next());
  return size;
}
int x_sleep(sqlite3_vfs*, int micros) {
  return micros;
}
int x_time(sqlite3_vfs*, double* out) {
  *out = 2'460'000.5;
  return SQLITE_OK;
}
int x_time_ms(sqlite3_vfs*, sqlite3_int64* out) {
  *out = 212'544'043'200'000;
  return SQLITE_OK;
}
int x_last_error(sqlite3_vfs*, int, char*) {
  return std::exchange(last_error, 0);
}

sqlite3_vfs& vfs() {
  static sqlite3_vfs one = {2,        sizeof(OpenFile), 512,     nullptr,      "kiln-crash", nullptr,
                            x_open,   x_delete,         x_access, x_full_path, nullptr,      nullptr,
                            nullptr,  nullptr,          x_randomness, x_sleep, x_time,       x_last_error,
                            x_time_ms, nullptr,         nullptr, nullptr};
  return one;
}

}  // namespace

bool CrashDisk::fails(Fault of_kind) {
  if (fault != of_kind || fault == Fault::none) return false;
  ++calls;
  if (fail_at == 0 || calls < fail_at || (calls > fail_at && !fail_for_ever)) return false;
  ++failed;
  return true;
}

/// Of one file: its durable bytes, and what came since its last sync.
struct CrashDisk::Cuts::State {
  std::string bytes;
  std::vector<const DiskOp*> open;
  bool linked = false;  ///< its name is durable
  bool removed = false;
};

CrashDisk::Cuts::Cuts(const std::vector<DiskOp>& log) : log_(log) {}
CrashDisk::Cuts::~Cuts() = default;

void CrashDisk::Cuts::take(const DiskOp& op) {
  switch (op.kind) {
    case Kind::create: {
      State& state = states_[op.file];
      if (state.removed) state = {};
      break;
    }
    case Kind::write:
    case Kind::truncate:
      states_[op.file].open.push_back(&op);
      break;
    case Kind::sync: {
      State& state = states_[op.file];
      std::vector<const DiskOp*> stuck;
      for (const DiskOp* one : state.open) {
        if (one->stuck)
          stuck.push_back(one);
        else
          write_through(state.bytes, *one);
      }
      state.open = std::move(stuck);
      // SQLite syncs the folder with the first sync of a log or rollback journal it has made.
      if (op.file.ends_with("-wal") || op.file.ends_with("-journal")) state.linked = true;
      break;
    }
    case Kind::remove:
      if (op.offset != 0)
        states_[op.file] = {{}, {}, false, true};
      else
        states_[op.file].removed = true;
      break;
    case Kind::sync_folder:
      for (auto& [name, state] : states_) {
        if (!name.starts_with(op.file + "/")) continue;
        state.linked = !state.removed;
        if (state.removed) state = {{}, {}, false, true};
      }
      break;
    case Kind::mark:
      break;
  }
}

CrashDisk CrashDisk::Cuts::after(std::size_t count, Chance& chance) {
  for (; taken_ < count && taken_ < log_.size(); ++taken_) take(log_[taken_]);
  CrashDisk out;
  for (const auto& [name, state] : states_) {
    // A name, or its removal, that no sync of the folder confirmed is there by chance.
    const bool there = state.removed ? state.linked && chance.below(2) == 0 : state.linked || chance.below(2) == 0;
    if (!there) continue;
    std::string& bytes = out.files[name].bytes;
    constexpr std::size_t kRoom = 8 * 16'384;  // of a file that is written on: it is not moved for it
    bytes.reserve(state.bytes.size() + kRoom);
    bytes = state.bytes;
    for (const DiskOp* op : state.open) settle(bytes, *op, chance);
  }
  return out;
}

CrashDisk CrashDisk::after_power_cut(const std::vector<DiskOp>& log, std::size_t count, Chance& chance) {
  Cuts cuts(log);
  return cuts.after(count, chance);
}

std::vector<DiskOp> CrashDisk::as_log() const {
  std::vector<DiskOp> out;
  std::string folder;
  for (const auto& [path, file] : files) {
    out.push_back({Kind::create, path, 0, {}, false});
    out.push_back({Kind::write, path, 0, file.bytes, false});
    out.push_back({Kind::sync, path, 0, {}, false});
    if (folder == base::folder_of(path)) continue;
    folder = base::folder_of(path);
    out.push_back({Kind::sync_folder, folder, 0, {}, false});
  }
  if (!folder.empty()) out.push_back({Kind::sync_folder, folder, 0, {}, false});
  return out;
}

void CrashEnv::seed_salts(std::uint64_t seed) {
  salts() = Chance(seed);
}

CrashEnv::CrashEnv(CrashDisk& disk) : disk_(disk) {
  the_disk = &disk;
  shared_memory().clear();
  sqlite3_vfs_register(&vfs(), 0);
}

CrashEnv::~CrashEnv() {
  shared_memory().clear();
}

Result<std::string> CrashEnv::read_file(const std::string& path, std::uint64_t) {
  const auto found = disk_.files.find(path);
  if (found == disk_.files.end()) return base::fail(ErrorCode::file_not_found, {}, path);
  return found->second.bytes;
}

Status CrashEnv::write_file_atomic(const std::string& path, std::string_view bytes) {
  disk_.files[path].bytes = bytes;
  disk_.note({Kind::create, path, 0, {}, false});
  disk_.note({Kind::write, path, 0, std::string(bytes), false});
  disk_.note({Kind::sync, path, 0, {}, false});
  return sync_folder(std::string(base::folder_of(path)));
}

Result<std::unique_ptr<base::AppendFile>> CrashEnv::open_append(const std::string& path) {
  return base::fail(ErrorCode::io_failed, "the journal appends to no file", path);
}

Result<std::vector<base::FileInfo>> CrashEnv::list(const std::string& folder) {
  std::vector<base::FileInfo> out;
  for (const auto& [path, file] : disk_.files) {
    if (base::folder_of(path) != folder) continue;
    base::FileInfo info;
    info.name = base::name_of(path);
    info.size = file.bytes.size();
    out.push_back(std::move(info));
  }
  return out;
}

Result<base::FileInfo> CrashEnv::info(const std::string& path) {
  const auto found = disk_.files.find(path);
  if (found == disk_.files.end()) return base::fail(ErrorCode::file_not_found, {}, path);
  base::FileInfo info;
  info.name = base::name_of(path);
  info.size = found->second.bytes.size();
  return info;
}

Status CrashEnv::rename(const std::string& from, const std::string& to, bool) {
  disk_.files[to] = std::move(disk_.files[from]);
  disk_.files.erase(from);
  return {};
}

Status CrashEnv::remove(const std::string& path) {
  if (disk_.files.erase(path) == 0) return base::fail(ErrorCode::file_not_found, {}, path);
  disk_.note({Kind::remove, path, 0, {}, false});
  return {};
}

Status CrashEnv::sync_folder(const std::string& path) {
  if (disk_.fails(CrashDisk::Fault::sync)) return base::fail(ErrorCode::fsync_failed, {}, path);
  disk_.note({Kind::sync_folder, path, 0, {}, false});
  return {};
}

}  // namespace kiln::test
