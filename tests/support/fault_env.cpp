#include "tests/support/fault_env.h"

#include <sqlite3.h>

#include <cstdlib>

namespace kiln::test {
namespace {

FaultEnv::Syncs syncs;
std::atomic<std::uint64_t> bytes{0};

/// True for the call that was chosen.
bool is_due(std::atomic<int>& countdown) {
  return countdown > 0 && --countdown == 0;
}

/// SQLite allocates szOsFile bytes per file: this, and behind it the file of the real file system.
struct File {
  sqlite3_file base;
  int flags;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File& of(sqlite3_file* file) {
  return *reinterpret_cast<File*>(file);
}

sqlite3_file* real(sqlite3_file* file) {
  return of(file).real();
}

int on_close(sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); }
int on_read(sqlite3_file* f, void* to, int amount, sqlite3_int64 at) {
  if ((of(f).flags & SQLITE_OPEN_MAIN_DB) != 0) bytes += static_cast<std::uint64_t>(amount);
  return real(f)->pMethods->xRead(real(f), to, amount, at);
}
int on_write(sqlite3_file* f, const void* from, int amount, sqlite3_int64 at) {
  return real(f)->pMethods->xWrite(real(f), from, amount, at);
}
int on_truncate(sqlite3_file* f, sqlite3_int64 size) { return real(f)->pMethods->xTruncate(real(f), size); }
int on_sync(sqlite3_file* f, int flags) {
  if ((of(f).flags & SQLITE_OPEN_MAIN_DB) != 0 && is_due(syncs.database)) return SQLITE_IOERR_FSYNC;
  if ((of(f).flags & SQLITE_OPEN_WAL) != 0 && is_due(syncs.wal)) return SQLITE_IOERR_FSYNC;
  return real(f)->pMethods->xSync(real(f), flags);
}
int on_size(sqlite3_file* f, sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); }
int on_lock(sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); }
int on_unlock(sqlite3_file* f, int level) { return real(f)->pMethods->xUnlock(real(f), level); }
int on_check(sqlite3_file* f, int* out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); }
int on_control(sqlite3_file* f, int what, void* argument) {
  return real(f)->pMethods->xFileControl(real(f), what, argument);
}
int on_sector(sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); }
int on_device(sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }
int on_shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}
int on_shm_lock(sqlite3_file* f, int offset, int count, int flags) {
  return real(f)->pMethods->xShmLock(real(f), offset, count, flags);
}
void on_shm_barrier(sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); }
int on_shm_unmap(sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); }

const sqlite3_io_methods* methods() {
  static const sqlite3_io_methods table = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = on_close;
    m.xRead = on_read;
    m.xWrite = on_write;
    m.xTruncate = on_truncate;
    m.xSync = on_sync;
    m.xFileSize = on_size;
    m.xLock = on_lock;
    m.xUnlock = on_unlock;
    m.xCheckReservedLock = on_check;
    m.xFileControl = on_control;
    m.xSectorSize = on_sector;
    m.xDeviceCharacteristics = on_device;
    m.xShmMap = on_shm_map;
    m.xShmLock = on_shm_lock;
    m.xShmBarrier = on_shm_barrier;
    m.xShmUnmap = on_shm_unmap;
    return m;
  }();
  return &table;
}

sqlite3_vfs* default_vfs() {
  static sqlite3_vfs* const found = sqlite3_vfs_find(nullptr);
  return found;
}

int on_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  of(file).flags = flags;
  const int code = default_vfs()->xOpen(default_vfs(), name, real(file), flags, out_flags);
  if (real(file)->pMethods != nullptr) file->pMethods = methods();
  return code;
}

const char* vfs_name() {
  static sqlite3_vfs vfs = [] {
    sqlite3_initialize();
    sqlite3_vfs copy = *default_vfs();
    copy.szOsFile = static_cast<int>(sizeof(File)) + default_vfs()->szOsFile;
    copy.zName = "kiln-test-faults";
    copy.xOpen = on_open;
    copy.pNext = nullptr;
    return copy;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  if (registered != SQLITE_OK) std::abort();
  return vfs.zName;
}

}  // namespace

FaultEnv::FaultEnv() { reset_counts(); }

FaultEnv::~FaultEnv() {
  syncs.database = syncs.wal = syncs.folder = 0;
}

FaultEnv::Syncs& FaultEnv::fail_sync() {
  return syncs;
}

std::uint64_t FaultEnv::bytes_read() const {
  return bytes;
}

void FaultEnv::reset_counts() {
  bytes = 0;
}

base::Status FaultEnv::sync_folder(const std::string& path) {
  if (is_due(syncs.folder)) return base::fail(base::ErrorCode::fsync_failed, "a test", path);
  return inner_.sync_folder(path);
}

const char* FaultEnv::sqlite_vfs() const {
  return vfs_name();
}

}  // namespace kiln::test
