#include "engine/detail/data_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/base/env.h"

namespace kiln::engine::detail {

DataLock::~DataLock() {
  if (file_ >= 0) ::close(file_);
}

base::Result<DataLock> DataLock::take(const std::string& data_folder) {
  const std::string path = base::join_path(data_folder, "kiln.lock");
  DataLock lock;
  lock.file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock.file_ < 0) return base::fail(base::ErrorCode::io_failed, "the lock file cannot be opened", path);
  if (::flock(lock.file_, LOCK_EX | LOCK_NB) == 0) return lock;
  return base::fail(base::ErrorCode::data_in_use, {}, data_folder,
                    "stop the other engine, or give this site another data folder in kiln.conf");
}

}  // namespace kiln::engine::detail
