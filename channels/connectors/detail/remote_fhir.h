#pragma once
// What a FHIR request to a remote server looks like, and what its answer means for delivery. Pure.

#include <string>

#include "channels/connector.h"
#include "engine/base/http_message.h"

namespace kiln::channels::detail {

/// A transaction or batch Bundle is posted to the base, a message Bundle to $process-message, any other
/// resource is put under its id, or posted to its type when it has none. Errors: cannot_deliver when the
/// bytes are no resource.
base::Result<base::HttpRequest> fhir_request(const std::string& base_path, std::string body);

/// 2xx sent; 408, 429, 5xx retry, with Retry-After; anything else bad. A batch answer with failed entries is
/// judged by the worst of them.
SendOutcome judge_fhir_answer(const base::HttpResponse& response);

}  // namespace kiln::channels::detail
