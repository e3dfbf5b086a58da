#pragma once
// Paging links: stateless, signed, bound to the query and to who asked (fhir.md Q4).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::fhir::detail {

/// A URL-safe token for the numbers. `bound_to` (query and principal) is signed but not in the token.
std::string make_page_token(std::string_view secret, std::string_view bound_to,
                            const std::vector<std::int64_t>& numbers);
/// The numbers of a token of ours; nullopt when it was altered, or made for something else.
std::optional<std::vector<std::int64_t>> open_page_token(std::string_view secret, std::string_view bound_to,
                                                         std::string_view token);

}  // namespace kiln::fhir::detail
