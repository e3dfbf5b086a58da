#pragma once
// Bodies of FHIR and CSV over HTTP as messages, and the status that tells what became of them. Pure.

#include <string_view>
#include <vector>

#include "channels/connector.h"
#include "engine/base/http_message.h"
#include "engine/base/result.h"

namespace kiln::channels::detail {

/// Of `content` fhir or csv; parameters of the type do not matter.
bool takes_media_type(ContentKind content, std::string_view content_type);

struct HttpBody {
  std::vector<Inbound> messages;   ///< one, or by `split` each part
  std::vector<std::string> notes;  ///< of parts that are no messages
};
/// FHIR in XML becomes JSON. With the header field `Idempotency-Key` a request that comes again is known by it, each part by its
/// place. Errors: those of split_file(); of fhir::read_xml().
base::Result<HttpBody> read_http_body(base::HttpRequest request, const Options& options, ContentKind content,
                                      base::WallTime now);

/// 204, 422 or 503 of one message. Of parts 200, 422 (one was refused, the others are taken) or 503 (some were not stored), with
/// a line for each as print_results() makes it; `expected` may be more than there are answers.
base::HttpResponse answer_http_body(const std::vector<Answer>& answers, std::size_t expected, bool is_split);

base::HttpResponse plain_response(int status, std::string_view text);
/// 503 with Retry-After.
base::HttpResponse later_response(std::string_view text, std::int64_t seconds);
inline constexpr std::int64_t kHttpRetrySeconds = 10;

}  // namespace kiln::channels::detail
