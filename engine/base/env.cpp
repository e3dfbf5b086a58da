#include "engine/base/env.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "engine/base/failpoint.h"

namespace kiln::base {
namespace {

tl::unexpected<Error> fail_errno(const char* what, const std::string& path, int error = errno) {
  const std::string text = std::string(what) + ": " + std::strerror(error);
  if (error == ENOENT) return fail(ErrorCode::file_not_found, text, path);
  if (error == ENOSPC || error == EDQUOT || error == EROFS) return fail(ErrorCode::disk_full, text, path);
  return fail(ErrorCode::io_failed, text, path);
}

/// Whatever its errno: the bytes may be gone from memory without being on the disk, so a second sync that
/// succeeds proves nothing (reliability.md R7).
tl::unexpected<Error> fail_sync(const char* what, const std::string& path) {
  return fail(ErrorCode::fsync_failed, std::string(what) + ": " + std::strerror(errno), path);
}

/// Owns a file descriptor.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

class SystemAppendFile final : public AppendFile {
 public:
  SystemAppendFile(int fd, std::string path, std::uint64_t size)
      : fd_(fd), path_(std::move(path)), size_(size) {}

  Status append(std::string_view bytes) override {
    TRY_VOID(write_all(fd_.get(), bytes, path_));
    size_ += bytes.size();
    return {};
  }
  Status sync() override {
    if (::fdatasync(fd_.get()) != 0) return fail_sync("fdatasync", path_);
    return {};
  }
  std::uint64_t size() const override { return size_; }
  Status truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return fail_errno("ftruncate", path_);
    size_ = size;
    return {};
  }

 private:
  Fd fd_;
  std::string path_;
  std::uint64_t size_;
};

class SystemEnv final : public Env {
 public:
  Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) override {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno("open", path);
    std::string out;
    char chunk[65536];
    for (;;) {
      const ssize_t n = ::read(fd.get(), chunk, sizeof chunk);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno("read", path);
      if (n == 0) return out;
      out.append(chunk, static_cast<std::size_t>(n));
      if (out.size() > max_bytes)
        return fail(ErrorCode::limit_exceeded,
                    "the file has more than " + std::to_string(max_bytes) + " bytes", path);
    }
  }

  Status write_file_atomic(const std::string& path, std::string_view bytes) override {
    const std::string temporary = path + ".tmp" + std::to_string(::getpid());
    Status written = failpoint("env.write");
    if (written) written = write_synced(temporary, bytes);
    if (written) written = failpoint("env.rename");
    if (written) written = rename(temporary, path, true);
    if (!written) ::unlink(temporary.c_str());
    return written;
  }

  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail_errno("open", path);
    struct stat st {};
    if (::fstat(fd, &st) != 0) {
      const int error = errno;
      ::close(fd);
      return fail_errno("stat", path, error);
    }
    return std::make_unique<SystemAppendFile>(fd, path, static_cast<std::uint64_t>(st.st_size));
  }

  Result<std::vector<FileInfo>> list(const std::string& folder) override {
    DIR* dir = ::opendir(folder.c_str());
    if (dir == nullptr) return fail_errno("open folder", folder);
    std::vector<FileInfo> out;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      auto found = info(join_path(folder, name));
      if (found) out.push_back(std::move(*found));
    }
    ::closedir(dir);
    std::sort(out.begin(), out.end(), [](const FileInfo& a, const FileInfo& b) { return a.name < b.name; });
    return out;
  }

  Result<FileInfo> info(const std::string& path) override {
    struct stat st {};
    if (::stat(path.c_str(), &st) != 0) return fail_errno("stat", path);
    FileInfo out;
    out.name = std::string(name_of(path));
    out.size = static_cast<std::uint64_t>(st.st_size);
    out.modified.micros = std::int64_t{st.st_mtim.tv_sec} * 1'000'000 + st.st_mtim.tv_nsec / 1000;
    out.is_directory = S_ISDIR(st.st_mode);
    struct stat own {};
    out.is_regular = ::lstat(path.c_str(), &own) == 0 && S_ISREG(own.st_mode);
    return out;
  }

  bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }

  Status make_folders(const std::string& path) override {
    for (std::size_t at = 1; at <= path.size(); ++at) {
      if (at != path.size() && path[at] != '/') continue;
      const std::string part = path.substr(0, at);
      if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("make folder", part);
    }
    return {};
  }

  Status rename(const std::string& from, const std::string& to, bool replace) override {
    if (replace ? ::rename(from.c_str(), to.c_str()) != 0
                : ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0)
      return fail_errno("rename", to);
    const std::string target_folder(folder_of(to));
    TRY_VOID(sync_folder(target_folder));
    if (const std::string source_folder(folder_of(from)); source_folder != target_folder)
      TRY_VOID(sync_folder(source_folder));
    return {};
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return fail_errno("remove", path);
    return {};
  }

  Status sync_folder(const std::string& path) override {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail_errno("open folder", path);
    if (::fsync(fd.get()) != 0) return fail_sync("fsync", path);
    return {};
  }

 private:
  static Status write_synced(const std::string& path, std::string_view bytes) {
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return fail_errno("create", path);
    TRY_VOID(write_all(fd.get(), bytes, path));
    if (::fsync(fd.get()) != 0) return fail_sync("fsync", path);
    return {};
  }
};

}  // namespace

Env& system_env() {
  static SystemEnv env;
  return env;
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (folder.empty() || name.starts_with('/')) return std::string(name);
  std::string out(folder);
  if (!out.ends_with('/')) out += '/';
  return out += name;
}

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace kiln::base
