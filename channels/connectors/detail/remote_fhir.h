#pragma once
// What a FHIR request to a remote server looks like, and what its answer means for delivery. Pure.

#include <string>
#include <vector>

#include "channels/connector.h"
#include "engine/base/http_message.h"

namespace kiln::channels::detail {

/// How a resource that is no Bundle is written (FHIR R4 http.html §3.1.0.8.2, §3.1.0.4.3, §3.1.0.5).
struct FhirWriting {
  enum class Match : std::uint8_t {
    none,
    create,  ///< POST with If-None-Exist: the server keeps what it has
    update,  ///< PUT [type]?identifier=…: the server changes what it has
  };
  Match match = Match::none;  ///< by the resource's first identifier; one without identifier is written as with `none`
  bool if_match = false;      ///< If-Match of meta.versionId: 412 when somebody else was faster
};

/// A transaction or batch Bundle is posted to the base, a message Bundle to $process-message, any other
/// resource is put under its id, or posted to its type when it has none. Errors: cannot_deliver when the
/// bytes are no resource.
base::Result<base::HttpRequest> fhir_request(const std::string& base_path, std::string body,
                                             const FhirWriting& writing = {});

/// What a server has taken of one batch Bundle, so that a repetition sends the other entries only.
struct BatchProgress {
  std::uint64_t msg_id = 0;  ///< 0: of none
  std::vector<bool> taken;   ///< by entry
  std::vector<bool> refused;  ///< by entry: for good
  bool begun() const { return msg_id != 0; }
};
/// The batch without the entries that were taken or refused; `body` itself when it is no batch or nothing was.
std::string remaining_batch(const std::string& body, const BatchProgress& progress);

/// 2xx sent; 408, 429, 5xx retry, with Retry-After; anything else bad. The answer to a batch is judged by entry and
/// noted in `progress`: while one may succeed later, retry; when the rest is refused, bad, with how many.
SendOutcome judge_fhir_answer(const base::HttpResponse& response, base::WallTime now, std::uint64_t msg_id,
                              BatchProgress& progress);

}  // namespace kiln::channels::detail
