#pragma once
// A connector whose files are those of an SFTP server: server, thread and the connector for files that uses both.

#include "channels/connectors/detail/sftp_env.h"

namespace kiln::channels::detail {

/// The server and the thread its calls wait on: one connector's slow server delays no other connector's files.
struct SftpParts {
  explicit SftpParts(const Options& options) : server(options), thread("kiln-sftp") {}
  SftpEnv server;
  base::ThreadExecutor thread;  ///< ends before the server goes

  /// `around` with these files in the place of the site's.
  Surroundings surroundings(const Surroundings& around) {
    return Surroundings{around.network, server, thread, around.clock, around.channel, ".", around.feed, around.sink, around.state};
  }
};

}  // namespace kiln::channels::detail
