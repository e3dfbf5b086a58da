#include "engine/bulk/import_send.h"

#include <memory>

#include "engine/base/text.h"

namespace kiln::engine {

using base::HttpRequest;
using base::HttpResponse;
using base::Result;
using base::Task;

namespace {

/// A large Bundle is worked on for seconds, and waits for others before.
constexpr std::int64_t kAnswerMs = 600'000;

Task<Result<HttpResponse>> send_http(std::shared_ptr<channels::HttpClient> client, HttpRequest request) {
  auto sending = client->send(std::move(request), kAnswerMs);
  channels::HttpExchange exchange = co_await std::move(sending);
  co_return std::move(exchange.response);
}

Task<Result<HttpResponse>> send_local(FhirService* service, base::Executor* home, HttpRequest request) {
  base::Completion<HttpResponse> answered(*home);
  fhir::Principal principal;
  principal.loopback = true;
  service->handle(std::move(request), std::move(principal),
                  [answered](HttpResponse response) { answered.set(std::move(response)); });
  HttpResponse response = co_await answered;
  co_return response;
}

}  // namespace

Result<std::string> read_token_file(base::Env& env, const std::string& path) {
  constexpr std::uint64_t kTokenBytesMax = 16u << 10;
  if (path.empty()) return std::string();
  TRY(const std::string text, env.read_file(path, kTokenBytesMax));
  return std::string(base::trim(text));
}

ImportSend http_sender(channels::Net& net, const channels::HttpUrl& url) {
  auto client = std::make_shared<channels::HttpClient>(net, url);
  return [client](HttpRequest request) { return send_http(client, std::move(request)); };
}

ImportSend local_sender(FhirService& service, channels::Net& net) {
  return [&service, &net](HttpRequest request) {
    return send_local(&service, &net.executor(), std::move(request));
  };
}

}  // namespace kiln::engine
