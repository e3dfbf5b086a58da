#pragma once
// An export over HTTP: asks a server for $export, waits, and fetches its files (Bulk Data Access).

#include <functional>
#include <string>
#include <vector>

#include "channels/net/http_client.h"
#include "channels/net/net.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/bulk/export.h"

namespace kiln::engine {

struct FetchPlan {
  channels::HttpUrl url;  ///< base of the server
  std::string token;      ///< bearer token; empty: none
  std::string level;      ///< "", "Patient" or "Group/ID"
  ExportScope scope;
  std::string folder;           ///< made when it is not there
  std::int64_t give_up_ms = 0;  ///< for the server's part
};

struct FetchedExport {
  std::string transaction_time;  ///< instant; what a later export takes as its --since
  std::vector<ExportedFile> files;
  std::uint64_t resources = 0;
  std::uint64_t errors = 0;  ///< lines that the server could not export
};

/// Runs on the loop of `net`; `files` are written as TYPE.N.ndjson in the order of the manifest. Addresses of another
/// server are refused, so that the token stays where it belongs. `said` hears what the server says of its progress.
/// Errors: of the client; peer_negative (the server's words), timeout, http_protocol, io_failed, disk_full.
base::Task<base::Status> fetch_export(channels::Net* net, base::Env* env, const base::Clock* clock, FetchPlan plan,
                                      std::function<void(const std::string&)> said, FetchedExport* out);
/// The same to its end, on a loop that nothing else uses.
base::Status fetch_to_end(channels::Net& net, base::Env& env, const base::Clock& clock, FetchPlan plan, FetchedExport& out);

}  // namespace kiln::engine
