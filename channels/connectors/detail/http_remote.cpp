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
  out.client = std::make_unique<HttpClient>(around.network, *url, std::move(contexts));
  return out;
}

void authorize(base::HttpHeaders& headers, const Options& options) {
  const std::string token = options.text("token");
  if (!token.empty()) headers.set("Authorization", "Bearer " + token);
  else if (options.has("user"))
    headers.set("Authorization", basic_authorization(options.text("user"), options.text("password")));
}

std::vector<OptionProblem> check_remote(const Options& options, const char* form) {
  std::vector<OptionProblem> out;
  if (options.has("user") != options.has("password"))
    out.push_back({ErrorCode::E0905, options.has("user") ? "user" : "password",
                   "`user` and `password` belong together", "password env(\"X\")"});
  if (options.has("user") && options.has("token"))
    out.push_back({ErrorCode::E0917, "user", "there is a `token` already", "one of the two"});
  const auto* url = options.find("url");
  if (url == nullptr || !url->resolved) return out;
  const auto parsed = HttpUrl::parse(url->text);
  if (!parsed) {
    out.push_back({ErrorCode::E0917, "url", parsed.error().text, form});
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
