#pragma once
// What every destination that speaks HTTP has: its address, how it says who it is, and how it reads a status.

#include <memory>
#include <string>
#include <vector>

#include "channels/connector.h"
#include "channels/net/http_client.h"
#include "channels/net/oauth_client.h"
#include "channels/tls_fields.h"

namespace kiln::channels::detail {

inline constexpr std::size_t kHttpReplyBytesMax = 64u << 10;  ///< of an answer kept for the journal

inline constexpr FieldSpec kBearerToken = {
    .name = "token", .type = FieldType::secret, .summary = "bearer token of each request"};
inline constexpr FieldSpec kBasicUser = {
    .name = "user", .type = FieldType::string, .summary = "name for basic authentication"};
inline constexpr FieldSpec kBasicPassword = {
    .name = "password", .type = FieldType::secret, .summary = "password for basic authentication"};
inline constexpr FieldSpec kRequestTimeout = {.name = "timeout",
                                              .type = FieldType::duration,
                                              .summary = "time for one request",
                                              .default_value = "30s",
                                              .min = 10};

inline constexpr FieldSpec kOAuthFields[] = {
    {.name = "token_url", .type = FieldType::string, .summary = "where tokens are given", .required = true},
    {.name = "client_id", .type = FieldType::string, .summary = "name of this client there", .required = true},
    {.name = "key",
     .type = FieldType::secret,
     .summary = "private key that signs the assertion: RSA (RS384) or EC P-384 (ES384), PEM",
     .required = true},
    {.name = "key_id", .type = FieldType::string, .summary = "`kid` of that key at the server"},
    {.name = "scope", .type = FieldType::string, .summary = "what is asked for", .default_value = "\"system/*.cruds\""},
};
inline constexpr FieldSpec kOAuth = {.name = "oauth",
                                     .type = FieldType::block,
                                     .summary = "tokens of client credentials with a signed assertion (SMART Backend Services)",
                                     .fields = kOAuthFields,
                                     .optional_block = true};

/// Client and path of `url`, encrypted as that and `tls` say. Errors name the option.
struct HttpRemote {
  std::unique_ptr<HttpClient> client;
  std::string path;  ///< without trailing slash; may be empty
  std::unique_ptr<OAuthClient> oauth;  ///< null: no tokens are fetched
};
base::Result<HttpRemote> open_remote(const Options& options, const Surroundings& around);

/// Adds Authorization as `token`, or `user` and `password`, say.
void authorize(base::HttpHeaders& headers, const Options& options);

/// `url` is one, has what `tls` needs, and there is one way to say who it is.
std::vector<OptionProblem> check_remote(const Options& options, const char* form);

/// 2xx sent; 408, 429, 5xx retry, with Retry-After; anything else bad: a redirect is not followed.
SendOutcome judge_status(const base::HttpResponse& response, base::WallTime now);
bool is_transient_status(int status);

}  // namespace kiln::channels::detail
