#pragma once
// The control API (operations.md §2): HTTP and JSON below /api/v1 on DATA/kiln.sock, owner only.
//
//   GET  /api/v1/status                 channels, queues, store
//   GET  /api/v1/messages?q=&limit=&before=
//   GET  /api/v1/messages/{id}          with body
//   GET  /api/v1/messages/{id}/raw      the bytes as received
//   POST /api/v1/replay                 {"query","to":[…],"dry_run","limit",
//                                       "fresh_lookups"}
//   POST /api/v1/destinations/{channel}/{destination}/resume
//
// Errors: {"error":{"code","text","place","remedy"}} with the status of the error table.

#include "engine/base/http_message.h"
#include "engine/base/task.h"

namespace kiln::engine {

class Gateway;

/// On the engine's executor; `gateway` outlives the task.
base::Task<base::HttpResponse> handle_control(Gateway& gateway, base::HttpRequest request);

}  // namespace kiln::engine
