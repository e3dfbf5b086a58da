#pragma once
// Private to channels/net: what server and client share of HTTP/1.1 text.

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/http_message.h"

namespace kiln::channels::detail {

const char* reason_phrase(int status);  ///< "Not Found"; "" when the status is not a known one
/// Appends "Name: value\r\n"; control characters in the value (response splitting) become spaces.
void append_header(std::string& out, std::string_view name, std::string_view value);
/// True for fields that this side writes itself: Content-Length, Transfer-Encoding, Connection.
bool is_framing_header(std::string_view name);
/// IMF-fixdate (RFC 9110 §5.6.7).
std::string http_date(std::int64_t micros);

}  // namespace kiln::channels::detail
