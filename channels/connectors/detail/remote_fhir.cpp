#include "channels/connectors/detail/remote_fhir.h"

#include <charconv>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace kiln::channels::detail {

namespace {

using Kind = SendOutcome::Kind;

constexpr std::int64_t kRetryAfterMaxMs = 3'600'000;
constexpr std::size_t kReplyBytesMax = 64u << 10;  ///< of an answer kept for the journal

bool is_transient(int status) {
  return status == 408 || status == 429 || status >= 500;
}

/// Seconds only; a date is rare and the channel's own back-off serves as well.
std::optional<std::int64_t> retry_after_ms(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return std::min(seconds, kRetryAfterMaxMs / 1000) * 1000;
}

/// The worst status of a batch-response: a lasting failure over a passing one over success.
int worst_status(const base::HttpResponse& response) {
  const auto document = base::parse_json(response.body);
  if (!document) return response.status;
  const auto root = document->root();
  if (root["resourceType"].text() != "Bundle" || root["type"].text() != "batch-response")
    return response.status;
  int worst = response.status;
  for (const auto entry : root["entry"]) {
    int status = 0;
    const auto text = entry["response"]["status"].text().substr(0, 3);
    std::from_chars(text.data(), text.data() + text.size(), status);
    if (status < 300 && status >= 200) continue;
    if (worst < 300 || is_transient(worst)) worst = status == 0 ? 500 : status;
  }
  return worst;
}

}  // namespace

base::Result<base::HttpRequest> fhir_request(const std::string& base_path, std::string body) {
  const auto document = base::parse_json(body);
  if (!document) return base::fail(base::ErrorCode::cannot_deliver, "the message is not valid JSON");
  const auto root = document->root();
  const std::string type(root["resourceType"].text());
  if (type.empty()) return base::fail(base::ErrorCode::cannot_deliver, "the message is no FHIR resource");
  base::HttpRequest out;
  out.method = "POST";
  const std::string_view bundle = type == "Bundle" ? root["type"].text() : std::string_view();
  const std::string id(root["id"].text());
  if (bundle == "transaction" || bundle == "batch") {
    out.target = base_path.empty() ? "/" : base_path;
  } else if (bundle == "message") {
    out.target = base_path + "/$process-message";
  } else {
    out.target = base_path + "/" + base::percent_encode(type);
    if (!id.empty()) out.method = "PUT";
    if (!id.empty()) out.target += "/" + base::percent_encode(id);
  }
  out.headers.add("Content-Type", "application/fhir+json");
  out.headers.add("Accept", "application/fhir+json");
  out.body = std::move(body);
  return out;
}

SendOutcome judge_fhir_answer(const base::HttpResponse& response) {
  const int status = worst_status(response);
  SendOutcome out;
  if (status >= 200 && status < 300) {
    out = SendOutcome::sent(std::to_string(status));
  } else {
    const Kind kind = is_transient(status) ? Kind::retry : Kind::bad;
    base::Error why;
    why.code = kind == Kind::retry ? base::ErrorCode::peer_unavailable : base::ErrorCode::cannot_deliver;
    why.text = "the server answered " + std::to_string(status);
    out = SendOutcome::failed(kind, std::move(why));
    out.code = std::to_string(status);
    out.retry_after_ms = retry_after_ms(response.headers.get("retry-after"));
  }
  out.reply = response.body.substr(0, kReplyBytesMax);
  return out;
}

}  // namespace kiln::channels::detail
