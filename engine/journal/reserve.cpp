#include "engine/journal/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "engine/base/env.h"
#include "engine/limits.h"

namespace kiln::engine {
namespace {

constexpr std::uint64_t kLeast = 1u << 20, kPart = 8;

std::uint64_t free_at(const std::string& path) {
  struct statvfs found {};
  if (::statvfs(std::string(base::folder_of(path)).c_str(), &found) != 0) return 0;
  return std::uint64_t{found.f_bavail} * found.f_frsize;
}

}  // namespace

Reserve::Reserve(std::string path, std::uint64_t bytes) : path_(std::move(path)), wanted_(bytes) {
  struct stat there {};
  const auto found = ::stat(path_.c_str(), &there) == 0 ? static_cast<std::uint64_t>(there.st_size) : 0;
  held_ = wanted_ > 0 && found >= kLeast;
  if (held_)
    bytes_ = std::min(wanted_, found);
  else
    take();
}

bool Reserve::release() {
  if (!held_) return false;
  const int file = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  const bool emptied = file >= 0 && ::ftruncate(file, 0) == 0;
  if (file >= 0) ::close(file);
  if (!emptied) return false;  // tried again with the next full disk
  held_ = false;
  released_ = true;
  return true;
}

bool Reserve::take() {
  if (bytes_ == 0) bytes_ = std::min(wanted_, free_at(path_) / kPart);
  if (bytes_ < kLeast) bytes_ = 0;
  if (bytes_ == 0 || free_at(path_) < bytes_ + std::min(limits::kReserveFreeBytes, bytes_)) return false;
  const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return false;
  held_ = ::posix_fallocate(file, 0, static_cast<off_t>(bytes_)) == 0;
  if (!held_ && ::ftruncate(file, 0) != 0) released_ = true;  // what it took in part is given back with the next try
  ::close(file);
  if (held_) released_ = false;
  return held_;
}

}  // namespace kiln::engine
