#pragma once
// What the interactions, the transaction and the batch share: reading, writing and matching resources by the
// rules of fhir.md §6 and §7. Nothing here knows HTTP paths.

#include <optional>
#include <string>
#include <string_view>

#include "fhir/interaction.h"
#include "fhir/outcome.h"
#include "fhir/router.h"
#include "fhir/search/query.h"
#include "fhir/store.h"

namespace kiln::fhir::detail {

/// Weak ETag of a version: W/"3".
std::string etag(std::int64_t vid);
/// The version an If-Match or If-None-Match value names: W/"3" or "3". nullopt for anything else, also "*".
std::optional<std::int64_t> parse_etag(std::string_view text);

/// The 304 of RFC 9110 §13: If-None-Match wins over If-Modified-Since.
bool is_not_modified(const base::HttpHeaders& headers, const StoredVersion& version);

/// ETag and Last-Modified of a version.
void add_version_headers(base::HttpHeaders& headers, std::int64_t vid, base::WallTime updated);
std::string location(const ServerContext& server, std::string_view type, std::string_view id,
                     std::int64_t vid);

/// A 410 with the ETag of the deletion.
Failure gone(const StoredVersion& deletion);

/// `_summary` and `_elements` of a read; other parameters are refused with `Prefer: handling=strict`.
Answer<Subset> read_subset(const Call& call);

/// Resource of a body: an object with resourceType `type` (any known one when empty) that passes the
/// structural check. `place` is the FHIRPath prefix of issues ("Bundle.entry[2].resource" or the type).
Answer<std::string_view> check_resource(base::JsonView resource, std::string_view type,
                                        std::string_view place, const ServerContext& server);

/// Criteria of a conditional interaction: the one match, or none; more than one fails with
/// fhir_multiple_matches.
Answer<std::optional<Match>> find_one(Store& store, const SearchQuery& criteria);

/// If-Match: fails with fhir_conflict unless it is empty or names the current version.
Answer<void> check_if_match(std::string_view if_match, const std::optional<StoredVersion>& current);

struct WriteRequest {
  std::string_view type, id;
  base::JsonView resource;
  ReferenceRewrite references;
  std::string_view if_match, if_none_match;  ///< header texts, may be empty
  WriteMethod method = WriteMethod::update;  ///< of update(): also patch
};

/// PUT of a known id: If-Match, If-None-Match: *, update-as-create.
Answer<WriteResult> update(Store& store, const WriteRequest& request, const ServerContext& server);
/// POST with an id the server chose.
Answer<WriteResult> create(Store& store, const WriteRequest& request, const ServerContext& server);

/// The reply to a write, with Location, ETag and the body that `Prefer: return` asks for.
Reply write_reply(const Call& call, std::string_view type, std::string_view id, const WriteResult& result);
/// The same for a version that was only found (a conditional create that matched).
Reply found_reply(const Call& call, int status, const StoredVersion& version);

/// Body id rule of PUT: missing or different is 400.
Answer<void> check_body_id(base::JsonView resource, std::string_view id, std::string_view place);

}  // namespace kiln::fhir::detail
