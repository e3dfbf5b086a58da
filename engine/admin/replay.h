#pragma once
// Replay (operations.md §6): finds messages, decides where each goes, sends them through their channel again.

#include <string>
#include <vector>

#include "engine/base/task.h"
#include "engine/gateway.h"

namespace kiln::engine {

struct ReplayRequest {
  std::string query;  ///< of query.h; empty is refused
  std::vector<std::string>
      to;  ///< destination names; "all": wherever the plan sends it; empty: where it failed
  bool dry_run = false;
  std::string channel;         ///< through this channel instead of the one it came by; empty: its own
  bool include_sent = false, allow_stale = false, as_sent = false;  ///< as in ReplaySpec
  bool with_diff = false;      ///< of a dry run: also the lines that differ from what was sent
  std::string by, reason;
  bool fresh_lookups = false;  ///< lookups are asked anew; else the answers stored with the message count
  std::size_t limit = 1000;  ///< most messages; more matches are an error, nothing is replayed then
};

/// The result as JSON:
/// {"dry_run","job","matched","replayed","skipped","failed","messages":[{"id","channel","type","new_id",
/// "verdict","reason","skipped","outputs":[{"destination","bytes","sha256"}]}]}. Of a dry run: print_preview().
/// Original order; on the engine's executor.
base::Task<base::Result<std::string>> replay_messages(Gateway& gateway, ReplayRequest request);

}  // namespace kiln::engine
