#include "channels/connectors/detail/sftp_env.h"

#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/sftp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <mutex>

#include "channels/connectors/detail/common.h"
#include "engine/base/text.h"

namespace kiln::channels::detail {

using base::ErrorCode;
using base::Status;

namespace {

constexpr std::size_t kChunkBytes = 32u << 10;  ///< of one read or write; what every server takes
constexpr mode_t kFileMode = 0600, kFolderMode = 0700;

template <class T, void (*release)(T*)>
struct Release {
  void operator()(T* pointer) const { release(pointer); }
};
using KeyPtr = std::unique_ptr<ssh_key_struct, Release<ssh_key_struct, ssh_key_free>>;
using AttributesPtr =
    std::unique_ptr<sftp_attributes_struct, Release<sftp_attributes_struct, sftp_attributes_free>>;

bool is_fingerprint(std::string_view pin) {
  return pin.starts_with("SHA256:") && pin.size() == 7 + 43;
}

/// "ssh-ed25519 AAAA…", with or without a comment behind it.
KeyPtr public_key(const std::string& pin) {
  const auto parts = base::split(pin, ' ');
  if (parts.size() < 2) return nullptr;
  const enum ssh_keytypes_e type = ssh_key_type_from_name(std::string(parts[0]).c_str());
  ssh_key key = nullptr;
  if (type == SSH_KEYTYPE_UNKNOWN || ssh_pki_import_pubkey_base64(std::string(parts[1]).c_str(), type, &key) != SSH_OK)
    return nullptr;
  return KeyPtr(key);
}

std::string fingerprint_of(const ssh_key key) {
  unsigned char* hash = nullptr;
  std::size_t size = 0;
  if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != 0) return {};
  std::string text = base::base64_encode(std::string_view(reinterpret_cast<const char*>(hash), size));
  ssh_clean_pubkey_hash(&hash);
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

/// A pinned key of one kind is no use when the server shows another of its kinds: only those that are pinned are asked for.
std::string wanted_kinds(const std::vector<OptionValue>& pins) {
  std::string out;
  for (const OptionValue& pin : pins) {
    if (is_fingerprint(pin.text)) return {};
    std::string kind(base::split(pin.text, ' ').front());
    if (kind == "ssh-rsa") kind = "rsa-sha2-512,rsa-sha2-256";
    out += (out.empty() ? "" : ",") + kind;
  }
  return out;
}

base::FileInfo info_of(const sftp_attributes_struct& attributes, std::string name) {
  base::FileInfo out;
  out.name = std::move(name);
  out.size = attributes.size;
  out.modified.micros = static_cast<std::int64_t>(attributes.mtime) * 1'000'000;
  out.is_directory = attributes.type == SSH_FILEXFER_TYPE_DIRECTORY;
  out.is_regular = attributes.type == SSH_FILEXFER_TYPE_REGULAR;
  return out;
}

}  // namespace

/// The connection, and the lock that keeps interrupt() from a descriptor that is being closed.
struct SftpEnv::Session {
  std::mutex mutex;
  int descriptor = -1;
  ssh_session ssh = nullptr;
  sftp_session sftp = nullptr;

  void publish() {
    const std::lock_guard lock(mutex);
    descriptor = ssh == nullptr ? -1 : ssh_get_fd(ssh);
  }
  void close() {
    {
      const std::lock_guard lock(mutex);
      descriptor = -1;
    }
    if (sftp != nullptr) sftp_free(std::exchange(sftp, nullptr));
    if (ssh == nullptr) return;
    ssh_disconnect(ssh);
    ssh_free(std::exchange(ssh, nullptr));
  }
  Status open(const Options& options);
  Status check_host_key(const Options& options);
  Status log_in(const Options& options);
};

Status SftpEnv::Session::check_host_key(const Options& options) {
  ssh_key shown_key = nullptr;
  if (ssh_get_server_publickey(ssh, &shown_key) != SSH_OK) return base::fail(ErrorCode::host_key_unknown);
  const KeyPtr shown(shown_key);
  for (const OptionValue& pin : *options.all("host_key")) {
    if (is_fingerprint(pin.text) && fingerprint_of(shown.get()) == pin.text) return {};
    const KeyPtr pinned = is_fingerprint(pin.text) ? nullptr : public_key(pin.text);
    if (pinned && ssh_key_cmp(pinned.get(), shown.get(), SSH_KEY_CMP_PUBLIC) == 0) return {};
  }
  return base::fail(ErrorCode::host_key_unknown, "the server shows a host key that `host_key` does not name", "",
                    "ask its operator; the key shown is " + fingerprint_of(shown.get()));
}

Status SftpEnv::Session::log_in(const Options& options) {
  int result = SSH_AUTH_DENIED;
  if (options.has("key")) {
    ssh_key raw = nullptr;
    if (ssh_pki_import_privkey_base64((options.text("key") + "\n").c_str(), nullptr, nullptr, nullptr, &raw) != SSH_OK)
      return base::fail(ErrorCode::channel_option, "option key: not a private key without pass phrase");
    const KeyPtr key(raw);
    result = ssh_userauth_publickey(ssh, nullptr, key.get());
  }
  if (result != SSH_AUTH_SUCCESS && options.has("password"))
    result = ssh_userauth_password(ssh, nullptr, options.text("password").c_str());
  if (result == SSH_AUTH_SUCCESS) return {};
  return base::fail(result == SSH_AUTH_ERROR ? ErrorCode::connection_closed : ErrorCode::peer_login_refused);
}

Status SftpEnv::Session::open(const Options& options) {
  ssh = ssh_new();
  if (ssh == nullptr) return base::fail(ErrorCode::internal);
  const bool no_files = false;
  const std::string host = options.text("host"), user = options.text("user");
  const unsigned port = static_cast<unsigned>(options.number("port"));
  const long seconds = static_cast<long>(options.number("timeout") / 1000);
  const long micros = static_cast<long>(options.number("timeout") % 1000) * 1000;
  ssh_options_set(ssh, SSH_OPTIONS_PROCESS_CONFIG, &no_files);
  ssh_options_set(ssh, SSH_OPTIONS_HOST, host.c_str());
  ssh_options_set(ssh, SSH_OPTIONS_PORT, &port);
  ssh_options_set(ssh, SSH_OPTIONS_USER, user.c_str());
  ssh_options_set(ssh, SSH_OPTIONS_TIMEOUT, &seconds);
  ssh_options_set(ssh, SSH_OPTIONS_TIMEOUT_USEC, &micros);
  const std::string kinds = wanted_kinds(*options.all("host_key"));
  if (!kinds.empty()) ssh_options_set(ssh, SSH_OPTIONS_HOSTKEYS, kinds.c_str());
  if (ssh_connect(ssh) != SSH_OK)
    return base::fail(ErrorCode::connect_failed, "no SSH connection", host + ":" + std::to_string(port));
  publish();
  TRY_VOID(check_host_key(options));
  TRY_VOID(log_in(options));
  sftp = sftp_new(ssh);
  if (sftp == nullptr || sftp_init(sftp) != SSH_OK)
    return base::fail(ErrorCode::connect_failed, "the server offers no SFTP", host + ":" + std::to_string(port));
  return {};
}

SftpEnv::SftpEnv(const Options& options) : options_(options), session_(std::make_unique<Session>()) {}
SftpEnv::~SftpEnv() {
  session_->close();
}

void SftpEnv::interrupt() {
  const std::lock_guard lock(session_->mutex);
  if (session_->descriptor >= 0) ::shutdown(session_->descriptor, SHUT_RDWR);
}

base::Result<SftpEnv::Session*> SftpEnv::session() {
  if (session_->sftp != nullptr && ssh_is_connected(session_->ssh) != 0) return session_.get();
  session_->close();
  const Status opened = session_->open(options_);
  if (opened) return session_.get();
  session_->close();
  return base::fail(opened.error());
}

/// What the server said, or that it says nothing any more: then the connection is given up.
tl::unexpected<base::Error> SftpEnv::failed(Session& session, const char* what, const std::string& place) {
  const int code = ssh_is_connected(session.ssh) == 0 ? SSH_FX_CONNECTION_LOST : sftp_get_error(session.sftp);
  switch (code) {
    case SSH_FX_NO_SUCH_FILE:
    case SSH_FX_NO_SUCH_PATH:
      return base::fail(ErrorCode::file_not_found, "", place);
    case SSH_FX_PERMISSION_DENIED:
      return base::fail(ErrorCode::io_failed, std::string(what) + ": the server permits it not", place);
    case SSH_FX_FAILURE:
    case SSH_FX_FILE_ALREADY_EXISTS:
    case SSH_FX_WRITE_PROTECT:
      return base::fail(ErrorCode::io_failed, std::string(what) + ": the server refused", place);
    default:
      session.close();
      return base::fail(ErrorCode::connection_closed, std::string(what) + ": the connection was lost", place);
  }
}

base::Result<std::string> SftpEnv::read_file(const std::string& path, std::uint64_t max_bytes) {
  TRY(Session* const open, session());
  const sftp_file file = sftp_open(open->sftp, path.c_str(), O_RDONLY, 0);
  if (file == nullptr) return failed(*open, "reading", path);
  std::string out, chunk(kChunkBytes, '\0');
  for (;;) {
    const ssize_t got = sftp_read(file, chunk.data(), chunk.size());
    if (got < 0) {
      const auto why = failed(*open, "reading", path);
      if (open->sftp != nullptr) sftp_close(file);
      return why;
    }
    if (got == 0) break;
    out.append(chunk.data(), static_cast<std::size_t>(got));
    if (out.size() <= max_bytes) continue;
    sftp_close(file);
    return base::fail(ErrorCode::limit_exceeded, "the file is too large", path);
  }
  sftp_close(file);
  return out;
}

Status SftpEnv::write_file_atomic(const std::string& path, std::string_view bytes) {
  TRY(Session* const open, session());
  const std::string part = path + ".part";
  const sftp_file file = sftp_open(open->sftp, part.c_str(), O_WRONLY | O_CREAT | O_TRUNC, kFileMode);
  if (file == nullptr) return failed(*open, "writing", path);
  bool good = true;
  for (std::size_t done = 0; good && done < bytes.size();) {
    const ssize_t count = sftp_write(file, bytes.data() + done, std::min(kChunkBytes, bytes.size() - done));
    good = count > 0;
    if (good) done += static_cast<std::size_t>(count);
  }
  if (good && sftp_extension_supported(open->sftp, "fsync@openssh.com", "1") != 0) good = sftp_fsync(file) == 0;
  if (!good) {
    const auto why = failed(*open, "writing", path);
    if (open->sftp != nullptr) sftp_close(file);
    return why;
  }
  if (sftp_close(file) != SSH_NO_ERROR) return failed(*open, "writing", path);
  return rename(part, path, true);
}

base::Result<std::unique_ptr<base::AppendFile>> SftpEnv::open_append(const std::string& path) {
  return base::fail(ErrorCode::io_failed, "files of an SFTP server are not appended to", path);
}

base::Result<std::vector<base::FileInfo>> SftpEnv::list(const std::string& folder) {
  TRY(Session* const open, session());
  const sftp_dir dir = sftp_opendir(open->sftp, folder.c_str());
  if (dir == nullptr) return failed(*open, "listing", folder);
  std::vector<base::FileInfo> out;
  for (AttributesPtr entry(sftp_readdir(open->sftp, dir)); entry; entry.reset(sftp_readdir(open->sftp, dir))) {
    const std::string name = entry->name == nullptr ? "" : entry->name;
    // A name is used in paths: a server that gives one with a step in it gets nothing from us.
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) continue;
    out.push_back(info_of(*entry, name));
  }
  if (sftp_dir_eof(dir) == 0) {
    const auto why = failed(*open, "listing", folder);
    if (open->sftp != nullptr) sftp_closedir(dir);
    return why;
  }
  sftp_closedir(dir);
  std::ranges::sort(out, {}, &base::FileInfo::name);
  return out;
}

base::Result<base::FileInfo> SftpEnv::info(const std::string& path) {
  TRY(Session* const open, session());
  const AttributesPtr found(sftp_lstat(open->sftp, path.c_str()));
  if (!found) return failed(*open, "looking at a file", path);
  return info_of(*found, std::string(base::name_of(path)));
}

bool SftpEnv::exists(const std::string& path) {
  return info(path).has_value();
}

Status SftpEnv::make_folders(const std::string& path) {
  TRY(Session* const open, session());
  if (path.empty() || path == "." || exists(path)) return {};
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string step = path.substr(0, at);
    if (open->sftp == nullptr) return base::fail(ErrorCode::connection_closed, "making a folder", path);
    if (sftp_mkdir(open->sftp, step.c_str(), kFolderMode) != 0 && !exists(step)) {
      if (open->sftp == nullptr) return base::fail(ErrorCode::connection_closed, "making a folder", path);
      return base::fail(ErrorCode::io_failed, "the server made no folder", path);
    }
    if (at == std::string::npos) return {};
  }
}

Status SftpEnv::rename(const std::string& from, const std::string& to, bool replace) {
  TRY(Session* const open, session());
  if (sftp_rename(open->sftp, from.c_str(), to.c_str()) == 0) return {};
  const auto why = failed(*open, "renaming", from);
  if (!replace || why.value().code != ErrorCode::io_failed || !exists(to)) return why;
  TRY_VOID(remove(to));
  TRY(Session* const still_open, session());
  if (sftp_rename(still_open->sftp, from.c_str(), to.c_str()) == 0) return {};
  return failed(*still_open, "renaming", from);
}

Status SftpEnv::remove(const std::string& path) {
  TRY(Session* const open, session());
  if (sftp_unlink(open->sftp, path.c_str()) == 0) return {};
  return failed(*open, "removing", path);
}

Status SftpEnv::sync_folder(const std::string&) {
  return {};
}

std::string wrong_host_key(const Options& options) {
  const auto* pins = options.all("host_key");
  if (pins == nullptr) return {};
  for (const OptionValue& pin : *pins)
    if (pin.resolved && !is_fingerprint(pin.text) && !public_key(pin.text))
      return "neither a public key (`ssh-ed25519 AAAA…`) nor a fingerprint (`SHA256:` and 43 characters)";
  return {};
}

std::vector<OptionProblem> check_sftp(const Options& options) {
  std::vector<OptionProblem> out;
  if (!options.has("key") && !options.has("password"))
    out.push_back({ErrorCode::E0905, "", "sftp needs `key` or `password`", "key cred(\"x\")"});
  if (std::string wrong = wrong_host_key(options); !wrong.empty())
    out.push_back({ErrorCode::E0917, "host_key", std::move(wrong), "ssh-keyscan HOST | ssh-keygen -lf -"});
  return out;
}

}  // namespace kiln::channels::detail
