#pragma once
// Plain HTTP request and response values: what fhir/ and engine/ see of HTTP (channels/net speaks the protocol).

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kiln::base {

/// Header fields in order of arrival; names compare without case.
class HttpHeaders {
 public:
  void add(std::string name, std::string value) { list_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string name, std::string value);
  /// The first value of that name, or empty. The view lives as long as this object is unchanged.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& list() const { return list_; }

 private:
  std::vector<std::pair<std::string, std::string>> list_;
};

struct HttpRequest {
  std::string method;   ///< upper case
  std::string target;   ///< origin form as received: path and query, still percent-encoded
  HttpHeaders headers;
  std::string body;
  std::string peer;     ///< "127.0.0.1:51234", or "local" for the control socket

  std::string_view path() const;   ///< target up to '?'
  std::string_view query() const;  ///< target after '?', or empty
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;
  std::string body;
};

/// Percent-decodes; '+' becomes a space only when `plus_is_space`. Bad escapes are kept as they are.
std::string percent_decode(std::string_view text, bool plus_is_space);
/// Encodes everything but unreserved characters (RFC 3986 §2.3).
std::string percent_encode(std::string_view text);
/// Splits "a=1&b=2" into decoded pairs, in order.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

}  // namespace kiln::base
