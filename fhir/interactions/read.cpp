#include "fhir/detail/operations.h"
#include "fhir/resource_text.h"

namespace kiln::fhir {
namespace {

/// 304 of RFC 9110 §13: If-None-Match wins over If-Modified-Since.
bool is_not_modified(const base::HttpHeaders& headers, const StoredVersion& version) {
  const std::string_view if_none_match = headers.get("If-None-Match");
  if (!if_none_match.empty()) return if_none_match == "*" || detail::parse_etag(if_none_match) == version.vid;
  base::WallTime since;
  if (!parse_http_date(headers.get("If-Modified-Since"), since)) return false;
  return version.updated.micros / 1'000'000 <= since.micros / 1'000'000;
}

Answer<Reply> run(const Call& call) {
  TRY(auto found, call.store->read(call.type, call.id));
  if (!found) return base::fail(base::ErrorCode::fhir_not_found);
  if (found->deleted()) return tl::unexpected(detail::gone(*found));
  Reply reply;
  detail::add_version_headers(reply.headers, found->vid, found->updated);
  if (is_not_modified(*call.headers, *found)) {
    reply.status = 304;
  } else {
    reply.body = std::move(found->body);
  }
  return reply;
}

constexpr InteractionExample kExamples[] = {
    {"GET /Patient/p1", "the current version"},
    {"GET /Patient/p1 with If-None-Match: W/\"2\"", "304 while version 2 is current"}};

}  // namespace

const Interaction& read_spec() {
  static const Interaction spec{.name = "read",
                                .summary = "the current version of a resource",
                                .capability = "read",
                                .method = "GET",
                                .shape = PathShape::instance,
                                .examples = kExamples,
                                .run = run};
  return spec;
}

}  // namespace kiln::fhir
