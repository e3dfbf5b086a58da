#include "channels/connectors/detail/remote_fhir.h"

#include <charconv>

#include "channels/connectors/detail/http_remote.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace kiln::channels::detail {

namespace {

using Kind = SendOutcome::Kind;
using Match = FhirWriting::Match;

int status_of(base::JsonView entry) {
  int status = 0;
  const auto text = entry["response"]["status"].text().substr(0, 3);
  std::from_chars(text.data(), text.data() + text.size(), status);
  return status == 0 ? 500 : status;
}

/// "identifier=urn:oid:1.2.3|4711" of the first identifier, encoded; empty when there is none.
std::string search_by_identifier(base::JsonView resource) {
  const base::JsonView list = resource["identifier"];
  const base::JsonView first = list.is_array() ? list.at(0) : list;
  const std::string_view value = first["value"].text();
  if (value.empty()) return {};
  const std::string_view system = first["system"].text();
  return "identifier=" + base::percent_encode(std::string(system) + "|" + std::string(value));
}

}  // namespace

base::Result<base::HttpRequest> fhir_request(const std::string& base_path, std::string body,
                                             const FhirWriting& writing) {
  const auto document = base::parse_json(body);
  if (!document) return base::fail(base::ErrorCode::cannot_deliver, "the message is not valid JSON");
  const auto root = document->root();
  const std::string type(root["resourceType"].text());
  if (type.empty()) return base::fail(base::ErrorCode::cannot_deliver, "the message is no FHIR resource");
  base::HttpRequest out;
  out.method = "POST";
  out.headers.add("Content-Type", "application/fhir+json");
  out.headers.add("Accept", "application/fhir+json");
  const std::string_view bundle = type == "Bundle" ? root["type"].text() : std::string_view();
  const std::string id(root["id"].text());
  const std::string search = writing.match == Match::none || type == "Bundle" ? std::string() : search_by_identifier(root);
  if (bundle == "transaction" || bundle == "batch") {
    out.target = base_path.empty() ? "/" : base_path;
  } else if (bundle == "message") {
    out.target = base_path + "/$process-message";
  } else {
    out.target = base_path + "/" + base::percent_encode(type);
    if (!search.empty() && writing.match == Match::create) {
      out.headers.add("If-None-Exist", search);
    } else if (!search.empty()) {
      out.method = "PUT";
      out.target += "?" + search;
    } else if (!id.empty()) {
      out.method = "PUT";
      out.target += "/" + base::percent_encode(id);
    }
    const std::string_view version = root["meta"]["versionId"].text();
    if (writing.if_match && out.method == "PUT" && !version.empty())
      out.headers.add("If-Match", "W/\"" + std::string(version) + "\"");
  }
  out.body = std::move(body);
  return out;
}

std::string remaining_batch(const std::string& body, const BatchProgress& progress) {
  if (!progress.begun()) return body;
  const auto document = base::parse_json(body);
  if (!document) return body;
  base::JsonWriter json;
  json.begin_object();
  for (const base::JsonView member : document->root()) {
    json.key(member.key());
    if (member.key() != "entry") {
      json.value(member);
      continue;
    }
    json.begin_array();
    std::size_t at = 0;
    for (const base::JsonView entry : member) {
      const bool done = at < progress.taken.size() && (progress.taken[at] || progress.refused[at]);
      if (!done) json.value(entry);
      ++at;
    }
    json.end_array();
  }
  json.end_object();
  return json.take();
}

namespace {

/// Notes what became of the entries that were sent: those not done yet, in order.
void note_entries(base::JsonView bundle, BatchProgress& progress, int& worst, bool& passing) {
  std::size_t at = 0;
  for (const base::JsonView entry : bundle["entry"]) {
    while (at < progress.taken.size() && (progress.taken[at] || progress.refused[at])) ++at;
    if (at == progress.taken.size()) {
      progress.taken.push_back(false);
      progress.refused.push_back(false);
    }
    const int status = status_of(entry);
    if (status >= 200 && status < 300) {
      progress.taken[at] = true;
    } else if (is_transient_status(status)) {
      passing = true;
      worst = status;
    } else {
      progress.refused[at] = true;
      if (!passing) worst = status;
    }
    ++at;
  }
}

}  // namespace

SendOutcome judge_fhir_answer(const base::HttpResponse& response, base::WallTime now, std::uint64_t msg_id,
                              BatchProgress& progress) {
  SendOutcome out = judge_status(response, now);
  if (out.kind != Kind::sent) return out;
  const auto document = base::parse_json(response.body);
  if (!document || document->root()["resourceType"].text() != "Bundle" ||
      document->root()["type"].text() != "batch-response")
    return out;
  progress.msg_id = msg_id;
  int worst = response.status;
  bool passing = false;
  note_entries(document->root(), progress, worst, passing);
  std::size_t refused = 0;
  for (const bool one : progress.refused) refused += one ? 1 : 0;
  if (!passing && refused == 0) {
    progress = {};
    return out;
  }
  base::Error why;
  why.code = passing ? base::ErrorCode::peer_unavailable : base::ErrorCode::cannot_deliver;
  why.text = passing ? "some entries of the batch are to be sent again; the server answered " + std::to_string(worst)
                     : std::to_string(refused) + " of " + std::to_string(progress.taken.size()) +
                           " entries of the batch were refused; the server answered " + std::to_string(worst);
  if (!passing) progress = {};
  const std::string reply = std::move(out.reply);
  out = SendOutcome::failed(passing ? Kind::retry : Kind::bad, std::move(why));
  out.code = std::to_string(worst);
  out.reply = reply;
  out.retry_after_ms = retry_after_ms(response.headers.get("retry-after"), now);
  return out;
}

}  // namespace kiln::channels::detail
