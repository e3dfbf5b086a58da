#include "engine/base/sql/timed_vfs.h"

#include <sqlite3.h>

#include "engine/base/clock.h"
#include "engine/base/metrics.h"

namespace kiln::base {
namespace {

/// What SQLite knows of one file; the real one follows it in memory.
struct TimedFile {
  sqlite3_file base;
};
sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(reinterpret_cast<TimedFile*>(file) + 1); }
const sqlite3_io_methods* methods_of(sqlite3_file* file) { return real(file)->pMethods; }

sqlite3_vfs* default_vfs() {
  static sqlite3_vfs* const found = [] {
    sqlite3_initialize();
    return sqlite3_vfs_find(nullptr);
  }();
  return found;
}

int on_sync(sqlite3_file* file, int flags) {
  static Histogram& syncs = Metrics::process().histogram(Metric::journal_fsync_seconds);
  const SystemClock clock;
  const MonoTime began = clock.mono();
  const int code = methods_of(file)->xSync(real(file), flags);
  syncs.observe(clock.mono() - began);
  return code;
}

int on_close(sqlite3_file* f) { return methods_of(f)->xClose(real(f)); }
int on_read(sqlite3_file* f, void* into, int count, sqlite3_int64 at) { return methods_of(f)->xRead(real(f), into, count, at); }
int on_write(sqlite3_file* f, const void* from, int count, sqlite3_int64 at) {
  return methods_of(f)->xWrite(real(f), from, count, at);
}
int on_truncate(sqlite3_file* f, sqlite3_int64 size) { return methods_of(f)->xTruncate(real(f), size); }
int on_size(sqlite3_file* f, sqlite3_int64* size) { return methods_of(f)->xFileSize(real(f), size); }
int on_lock(sqlite3_file* f, int level) { return methods_of(f)->xLock(real(f), level); }
int on_unlock(sqlite3_file* f, int level) { return methods_of(f)->xUnlock(real(f), level); }
int on_check(sqlite3_file* f, int* out) { return methods_of(f)->xCheckReservedLock(real(f), out); }
int on_control(sqlite3_file* f, int what, void* argument) { return methods_of(f)->xFileControl(real(f), what, argument); }
int on_sector(sqlite3_file* f) { return methods_of(f)->xSectorSize(real(f)); }
int on_device(sqlite3_file* f) { return methods_of(f)->xDeviceCharacteristics(real(f)); }
int on_shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return methods_of(f)->xShmMap(real(f), page, size, extend, out);
}
int on_shm_lock(sqlite3_file* f, int offset, int count, int flags) {
  return methods_of(f)->xShmLock(real(f), offset, count, flags);
}
void on_shm_barrier(sqlite3_file* f) { methods_of(f)->xShmBarrier(real(f)); }
int on_shm_unmap(sqlite3_file* f, int remove) { return methods_of(f)->xShmUnmap(real(f), remove); }

const sqlite3_io_methods* methods() {
  static const sqlite3_io_methods table = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;  // without memory-mapped reads, which the journal does not use
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

int on_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const int code = default_vfs()->xOpen(default_vfs(), name, real(file), flags, out_flags);
  if (methods_of(file) != nullptr) file->pMethods = methods();
  return code;
}

}  // namespace

const char* timed_vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs copy = *default_vfs();
    copy.szOsFile = static_cast<int>(sizeof(TimedFile)) + default_vfs()->szOsFile;
    copy.zName = "kiln-timed";
    copy.xOpen = on_open;
    copy.pNext = nullptr;
    return copy;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  return registered == SQLITE_OK ? vfs.zName : nullptr;
}

}  // namespace kiln::base
