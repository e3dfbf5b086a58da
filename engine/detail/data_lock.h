#pragma once
// One writer per data folder: two committers on one file would break the rule of one writer (reliability.md S1).

#include <string>
#include <utility>

#include "engine/base/result.h"

namespace kiln::engine::detail {

/// Held until destroyed, also through a crash: the system gives it up with the process. Move-only.
class DataLock {
 public:
  DataLock() = default;
  DataLock(DataLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  DataLock& operator=(DataLock&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~DataLock();

  /// Errors: data_in_use, io_failed.
  static base::Result<DataLock> take(const std::string& data_folder);

 private:
  int file_ = -1;
};

}  // namespace kiln::engine::detail
