#pragma once
// Paging links: stateless, signed, bound to the query and to who asked (fhir.md Q4).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// What a token carries: positions and counts, never a value of a resource, since links end up in logs.
using PageToken = std::vector<std::int64_t>;

/// A URL-safe token. `bound_to` (query and principal) is signed but not in the token.
std::string make_page_token(std::string_view secret, std::string_view bound_to, const PageToken& token);
/// What a token of ours carries; nullopt when it was altered, or made for something else.
std::optional<PageToken> open_page_token(std::string_view secret, std::string_view bound_to,
                                         std::string_view token);

/// How long a paging link can be followed after the page with it was given.
inline constexpr std::int64_t kPageLinkSeconds = 24 * 3600;

/// A token for the answer to `call`, with the time.
std::string issue_page_token(const Call& call, std::string_view bound_to, PageToken token);
/// What such a token of `count` numbers carries. Failures: fhir_page_invalid, fhir_page_expired.
Answer<PageToken> read_page_token(const Call& call, std::string_view bound_to, std::string_view token,
                                  std::size_t count);

}  // namespace kiln::fhir::detail
