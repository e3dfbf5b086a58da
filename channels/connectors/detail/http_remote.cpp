#include "channels/connectors/detail/http_remote.h"

#include "channels/connectors/detail/common.h"
#include "channels/tls_settings.h"

namespace kiln::channels::detail {

using base::ErrorCode;
using Kind = SendOutcome::Kind;

base::Result<HttpRemote> open_remote(const Options& options, const Surroundings& around) {
  const auto url = HttpUrl::parse(options.text("url"));
  if (!url) return option_error("url", url.error());
  HttpRemote out;
  out.path = url->path;
  TlsContexts contexts;
  if (options.has("tls")) {
    auto settings = TlsSettings::client(options.block("tls"), around.env, around.clock, around.channel);
    if (!settings) return option_error("tls", settings.error());
    contexts = (*settings)->contexts();
  }
  out.client = std::make_unique<HttpClient>(around.network, *url, contexts);
  if (find_field(options.fields(), "oauth") == nullptr || !options.has("oauth")) return out;
  const Options& block = options.block("oauth");
  OAuthOptions oauth;
  oauth.token_url_text = block.text("token_url");
  const auto token_url = HttpUrl::parse(oauth.token_url_text);
  if (!token_url) return option_error("oauth.token_url", token_url.error());
  oauth.token_url = *token_url;
  oauth.client_id = block.text("client_id");
  oauth.key = block.text("key");
  oauth.key_id = block.text("key_id");
  oauth.scope = block.text("scope");
  oauth.timeout_ms = options.number("timeout");
  const auto usable = check_assertion_key(oauth.key);
  if (!usable) return option_error("oauth.key", usable.error());
  out.oauth = std::make_unique<OAuthClient>(around.network, around.clock, std::move(oauth), std::move(contexts));
  return out;
}

void authorize(base::HttpHeaders& headers, const Options& options) {
  const std::string token = options.text("token");
  if (!token.empty())
    headers.set("Authorization", "Bearer " + token);
  else if (options.has("user"))
    headers.set("Authorization", basic_authorization(options.text("user"), options.text("password")));
}

namespace {

bool is_in_the_clear(const std::string& url) {
  const auto parsed = HttpUrl::parse(url);
  return parsed && !parsed->https && !is_this_machine(parsed->host);
}

bool shows_a_secret(const Options& options) {
  return options.has("token") || options.has("password") ||
         (find_field(options.fields(), "oauth") != nullptr && options.has("oauth"));
}

}  // namespace

std::vector<OptionProblem> check_remote(const Options& options, const char* form) {
  std::vector<OptionProblem> out;
  if (options.has("user") != options.has("password"))
    out.push_back({ErrorCode::E0905, options.has("user") ? "user" : "password",
                   "`user` and `password` belong together", "password env(\"X\")"});
  if (options.has("user") && options.has("token"))
    out.push_back({ErrorCode::E0917, "user", "there is a `token` already", "one of the two"});
  if (find_field(options.fields(), "oauth") != nullptr && options.has("oauth")) {
    if (options.has("user") || options.has("token"))
      out.push_back({ErrorCode::E0917, "oauth", "there is a `token` or `user` already", "one of them"});
    const auto* token_url = options.block("oauth").find("token_url");
    if (token_url != nullptr && token_url->resolved && !HttpUrl::parse(token_url->text))
      out.push_back({ErrorCode::E0917, "oauth", "`token_url` is no address", "token_url \"https://host/token\""});
  }
  const bool accepted = options.has("insecure");
  if (find_field(options.fields(), "oauth") != nullptr && options.has("oauth") && !accepted) {
    const auto* token_url = options.block("oauth").find("token_url");
    if (token_url != nullptr && token_url->resolved && is_in_the_clear(token_url->text))
      out.push_back({ErrorCode::E0910, "oauth", "a token is not fetched without encryption", "token_url \"https://…\"; or insecure accept_risk"});
  }
  const auto* url = options.find("url");
  if (url == nullptr || !url->resolved) return out;
  const auto parsed = HttpUrl::parse(url->text);
  if (!parsed) {
    out.push_back({ErrorCode::E0917, "url", parsed.error().text, form});
  } else if (!accepted && shows_a_secret(options) && is_in_the_clear(url->text)) {
    out.push_back({ErrorCode::E0910, "url", "a password or token is not sent without encryption", "https://…; or insecure accept_risk"});
  } else if (!parsed->https && options.has("tls")) {
    out.push_back({ErrorCode::E0917, "url", "`tls` is given, and the address is not encrypted", "https://…"});
  }
  return out;
}

bool is_transient_status(int status) {
  return status == 408 || status == 429 || status >= 500;
}

SendOutcome judge_status(const base::HttpResponse& response, base::WallTime now) {
  const int status = response.status;
  SendOutcome out;
  if (status >= 200 && status < 300) {
    out = SendOutcome::sent(std::to_string(status));
  } else {
    const bool transient = is_transient_status(status);
    base::Error why;
    why.code = transient ? ErrorCode::peer_unavailable : ErrorCode::cannot_deliver;
    why.text = "the server answered " + std::to_string(status);
    if (status / 100 == 3) why.text += ", a redirect, which is not followed: change `url`";
    out = SendOutcome::failed(transient ? Kind::retry : Kind::bad, std::move(why));
    out.code = std::to_string(status);
    out.retry_after_ms = retry_after_ms(response.headers.get("retry-after"), now);
  }
  out.reply = response.body.substr(0, kHttpReplyBytesMax);
  return out;
}

}  // namespace kiln::channels::detail
