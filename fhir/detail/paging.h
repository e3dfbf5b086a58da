#pragma once
// Paging links: stateless, signed, bound to the query and to who asked (fhir.md Q4).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::fhir::detail {

/// What a token carries: positions and counts, never a value of a resource, since links end up in logs.
using PageToken = std::vector<std::int64_t>;

/// A URL-safe token. `bound_to` (query and principal) is signed but not in the token.
std::string make_page_token(std::string_view secret, std::string_view bound_to, const PageToken& token);
/// What a token of ours carries; nullopt when it was altered, or made for something else.
std::optional<PageToken> open_page_token(std::string_view secret, std::string_view bound_to,
                                         std::string_view token);

}  // namespace kiln::fhir::detail
