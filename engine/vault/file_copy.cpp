#include "engine/vault/file_copy.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "engine/base/text.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;

class Handle {
 public:
  explicit Handle(int file) : file_(file) {}
  ~Handle() {
    if (file_ >= 0) ::close(file_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  int get() const { return file_; }

 private:
  int file_;
};

tl::unexpected<base::Error> failure(const char* what, const std::string& path) {
  const ErrorCode code = errno == ENOSPC || errno == EDQUOT || errno == EROFS ? ErrorCode::disk_full
                         : errno == ENOENT                                    ? ErrorCode::file_not_found
                                                                              : ErrorCode::io_failed;
  return base::fail(code, std::string("cannot ") + what, path);
}

bool write_whole(int file, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(file, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

/// Reads to the end; writes along when there is a target.
Result<FileDigest> pass_through(const std::string& from, int target, const std::string& to, const StopAsked& stop) {
  const Handle source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (source.get() < 0) return failure("read", from);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> hash(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (!hash || EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) != 1) return base::fail(ErrorCode::internal, "SHA-256");
  std::vector<char> buffer(1u << 20);
  FileDigest out;
  ::posix_fadvise(source.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  for (;;) {
    if (stop && stop()) return base::fail(ErrorCode::cancelled, {}, from);
    const ssize_t got = ::read(source.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure("read", from);
    if (got == 0) break;
    EVP_DigestUpdate(hash.get(), buffer.data(), static_cast<std::size_t>(got));
    out.bytes += static_cast<std::uint64_t>(got);
    if (target >= 0 && !write_whole(target, buffer.data(), static_cast<std::size_t>(got))) return failure("write", to);
  }
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(hash.get(), bytes, &size);
  out.sha256 = base::hex({reinterpret_cast<const char*>(bytes), size});
  ::posix_fadvise(source.get(), 0, 0, POSIX_FADV_DONTNEED);
  return out;
}

}  // namespace

Result<FileDigest> digest_file(const std::string& path, const StopAsked& stop) {
  return pass_through(path, -1, {}, stop);
}

Result<FileDigest> copy_file(const std::string& from, const std::string& to, const StopAsked& stop) {
  const Handle target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (target.get() < 0) return failure("write", to);
  TRY(FileDigest out, pass_through(from, target.get(), to, stop));
  if (::fdatasync(target.get()) != 0) return base::fail(ErrorCode::fsync_failed, {}, to);
  ::posix_fadvise(target.get(), 0, 0, POSIX_FADV_DONTNEED);
  return out;
}

void drop_cached(const std::string& path) {
  const Handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() >= 0) ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
}

Result<std::uint64_t> free_bytes(const std::string& folder) {
  struct statvfs state {};
  if (::statvfs(folder.c_str(), &state) != 0) return failure("look at the disk of", folder);
  return static_cast<std::uint64_t>(state.f_bavail) * state.f_frsize;
}

}  // namespace kiln::engine
