#pragma once
// The two ways a bulk verb reaches a FHIR server: over HTTP, or in this process.

#include "channels/net/http_client.h"
#include "channels/net/net.h"
#include "engine/bulk/importer.h"
#include "engine/fhir_service.h"

namespace kiln::engine {

/// The bearer token in a file; empty without a name. Errors: of reading it.
base::Result<std::string> read_token_file(base::Env& env, const std::string& path);

/// A connection of its own to `url`; both `net` and what is made must stay while requests are under way.
ImportSend http_sender(channels::Net& net, const channels::HttpUrl& url);
/// Requests answered by the service itself, on the loop of `net`.
ImportSend local_sender(FhirService& service, channels::Net& net);

}  // namespace kiln::engine
