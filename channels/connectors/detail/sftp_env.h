#pragma once
// The files of an SFTP server as an Env, so that folders are polled and files written there by the same code as on a
// disk (polled_folder.h, written_file.h). SFTP version 3 over libssh.

#include <memory>
#include <string>
#include <vector>

#include "channels/connector.h"

namespace kiln::channels::detail {

// The options of a connection, for the tables of its connectors.
inline constexpr FieldSpec kSftpHost{
    .name = "host", .type = FieldType::string, .summary = "name or IP address of the server", .required = true};
inline constexpr FieldSpec kSftpPort{.name = "port",
                                     .type = FieldType::integer,
                                     .summary = "TCP port",
                                     .default_value = "22",
                                     .min = 1,
                                     .max = 65535};
inline constexpr FieldSpec kSftpUser{
    .name = "user", .type = FieldType::string, .summary = "name of the account", .required = true};
inline constexpr FieldSpec kSftpKey{
    .name = "key", .type = FieldType::secret, .summary = "private key of the account (OpenSSH or PEM, no pass phrase)"};
inline constexpr FieldSpec kSftpPassword{
    .name = "password", .type = FieldType::secret, .summary = "password of the account, when it has no key"};
inline constexpr FieldSpec kSftpHostKey{
    .name = "host_key",
    .type = FieldType::string,
    .summary = "the server's public key (`ssh-ed25519 AAAA…`) or its fingerprint (`SHA256:…`); several while it changes. "
               "A server that shows another is not spoken to",
    .required = true,
    .repeated = true};
inline constexpr FieldSpec kSftpTimeout{.name = "timeout",
                                        .type = FieldType::duration,
                                        .summary = "wait for the server in one step",
                                        .default_value = "20s",
                                        .min = 100,
                                        .max = 600'000};

/// Used by one thread, but for interrupt(). Connects when it is first used, and anew after a lost connection. Paths are
/// the server's; relative ones begin at the account's folder. Errors beside those of Env: connect_failed, timeout,
/// connection_closed, host_key_unknown, peer_login_refused.
class SftpEnv final : public base::Env {
 public:
  explicit SftpEnv(const Options& options);
  ~SftpEnv() override;

  base::Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) override;
  /// Under a name ending in ".part", then renamed. The server is asked to sync when it can.
  base::Status write_file_atomic(const std::string& path, std::string_view bytes) override;
  base::Result<std::unique_ptr<base::AppendFile>> open_append(const std::string& path) override;  ///< not there: io_failed
  base::Result<std::vector<base::FileInfo>> list(const std::string& folder) override;
  base::Result<base::FileInfo> info(const std::string& path) override;
  bool exists(const std::string& path) override;
  base::Status make_folders(const std::string& path) override;
  /// With `replace` an existing target is removed first: SFTP 3 has no atomic exchange.
  base::Status rename(const std::string& from, const std::string& to, bool replace) override;
  base::Status remove(const std::string& path) override;
  base::Status sync_folder(const std::string& path) override;

  /// From any thread: what waits for the server ends with connection_closed. The next call connects again.
  void interrupt();

 private:
  struct Session;
  base::Result<Session*> session();
  tl::unexpected<base::Error> failed(Session& session, const char* what, const std::string& place);

  Options options_;
  std::unique_ptr<Session> session_;
};

/// A message when a host_key is neither form; empty when all are right.
std::string wrong_host_key(const Options& options);

/// Checks between the options of a connection.
std::vector<OptionProblem> check_sftp(const Options& options);

}  // namespace kiln::channels::detail
