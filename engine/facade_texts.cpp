// Texts between a FHIR request and a v2 exchange: what is asked, what is answered. Pure.

#include "engine/base/text.h"
#include "engine/facade.h"
#include "hl7/message.h"

namespace kiln::engine::facade {

using base::ErrorCode;
using base::JsonView;
using base::JsonWriter;
using fhir::Failure;
using fhir::Issue;

std::string answering_destination(const channels::ChannelDefinition& channel) {
  if (!channel.replies.empty()) return channel.replies.front().destination;
  for (const auto& destination : channel.destinations) {
    const std::string_view kind = destination.connector->name;
    if (kind == "mllp" || kind == "http") return destination.name;
  }
  return {};
}

std::string parameters_of(const fhir::QueryPairs& query) {
  JsonWriter out;
  const auto parameter = [&out](const std::string& name, std::string_view value) {
    if (!value.empty()) out.begin_object().member("name", name).member("valueString", value).end_object();
  };
  out.begin_object().member("resourceType", "Parameters");
  bool any = false;
  for (const auto& [name, value] : query) any = any || !value.empty();
  if (any) {
    out.key("parameter").begin_array();
    for (const auto& [name, value] : query) {
      parameter(name, value);
      const std::size_t bar = value.find('|');
      if (bar == std::string::npos) continue;
      parameter(name + ".system", std::string_view(value).substr(0, bar));
      parameter(name + ".value", std::string_view(value).substr(bar + 1));
    }
    out.end_array();
  }
  out.end_object();
  return out.take();
}

fhir::Answer<std::string> searchset_of(const std::string& body, const std::string& type,
                                       const std::string& base_url, const fhir::QueryPairs& query) {
  base::JsonDocument document;
  if (!body.empty()) {
    TRY(document, base::parse_json(body));
  }
  std::vector<JsonView> resources;
  const JsonView root = document.root();
  if (root["resourceType"].text() == "Bundle") {
    for (const JsonView entry : root["entry"]) {
      const JsonView resource = entry["resource"];
      // The frame of the message is nothing that a search finds.
      if (resource && resource["resourceType"].text() != "MessageHeader") resources.push_back(resource);
    }
  } else if (root) {
    resources.push_back(root);
  }
  std::int64_t total = 0;
  for (const JsonView resource : resources) total += resource["resourceType"].text() == type ? 1 : 0;
  std::string self = base_url + "/" + type;
  char separator = '?';
  for (const auto& [name, value] : query) {
    self += separator + base::percent_encode(name) + "=" + base::percent_encode(value);
    separator = '&';
  }
  JsonWriter out;
  out.begin_object().member("resourceType", "Bundle").member("type", "searchset").key("total").integer(total);
  out.key("link")
      .begin_array()
      .begin_object()
      .member("relation", "self")
      .member("url", self)
      .end_object()
      .end_array();
  if (!resources.empty()) out.key("entry").begin_array();
  std::size_t number = 0;
  for (const JsonView resource : resources) {
    const std::string found(resource["resourceType"].text()), id(resource["id"].text());
    const std::string digest = base::sha256_hex(body + std::to_string(number++));
    out.begin_object().member("fullUrl", id.empty()
                                             ? "urn:uuid:" + digest.substr(0, 8) + "-" + digest.substr(8, 4) +
                                                   "-8" + digest.substr(13, 3) + "-a" + digest.substr(17, 3) +
                                                   "-" + digest.substr(20, 12)
                                             : base_url + "/" + found + "/" + id);
    out.key("resource").value(resource);
    const char* mode = found == "OperationOutcome" ? "outcome" : found == type ? "match" : "include";
    out.key("search").begin_object().member("mode", mode).end_object().end_object();
  }
  if (!resources.empty()) out.end_array();
  out.end_object();
  return out.take();
}

namespace {

/// One issue for each ERR of an acknowledgement, else one of MSA-3.
std::vector<Issue> issues_of_ack(const std::string& reply, const std::string& code) {
  std::vector<Issue> out;
  const auto message = hl7::Message::parse(std::string(reply));
  if (!message) return out;
  std::string said;
  for (std::uint32_t i = 0; i < message->segment_count(); ++i) {
    const hl7::SegmentView segment = message->segment(i);
    if (segment.id() == hl7::segment_id("MSA")) said = segment.field(3).to_text();
    if (segment.id() != hl7::segment_id("ERR")) continue;
    Issue issue;
    issue.code = "processing";
    issue.text = segment.field(8).to_text();
    const auto error = segment.field(3);
    if (issue.text.empty()) issue.text = error.component(2).to_text();
    if (issue.text.empty()) issue.text = segment.field(7).to_text();
    std::string place = segment.field(2).component(1).to_text();
    if (const std::string field = segment.field(2).component(3).to_text(); !place.empty() && !field.empty())
      place += "-" + field;
    issue.diagnostics =
        code + ", ERR-3 " + error.component(1).to_text() + (place.empty() ? "" : ", " + place);
    if (issue.text.empty()) issue.text = "the receiver refused the message";
    out.push_back(std::move(issue));
  }
  if (out.empty()) {
    Issue issue;
    issue.code = "processing";
    issue.text = said.empty() ? "the receiver refused the message" : said;
    issue.diagnostics = code;
    out.push_back(std::move(issue));
  }
  return out;
}

}  // namespace

Failure upstream_failure(ErrorCode code, const std::string& message) {
  const base::ErrorInfo& info = base::error_info(code);
  Issue issue;
  issue.code = info.issue_type;
  issue.text = info.text;
  issue.diagnostics = std::string(info.code) + "; " + message;
  return Failure(base::Error{code, {}, {}, {}}, {std::move(issue)});
}

Failure failure_of(const Ending& ending, MessageId id) {
  const std::string named = "message " + std::to_string(id) + " is set aside";
  const std::string& code = ending.code;
  if (code == "AE" || code == "AR" || code == "CE" || code == "CR")
    return Failure(base::Error{ErrorCode::fhir_upstream_refused, {}, {}, named},
                   issues_of_ack(ending.reply, code));
  const bool late = code == base::error_info(ErrorCode::timeout).code;
  return upstream_failure(late ? ErrorCode::fhir_upstream_timeout : ErrorCode::fhir_upstream_failed, named);
}

namespace {

std::string uuid_of(const std::string& text) {
  const std::string hex = base::sha256_hex(text);
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-8" + hex.substr(13, 3) + "-a" + hex.substr(17, 3) +
         "-" + hex.substr(20, 12);
}

}  // namespace

std::string response_message(JsonView bundle, const std::string& base_url, const char* code,
                             const std::string& outcome, const std::string& to) {
  const JsonView header = bundle["entry"].at(0)["resource"];
  const std::string identity =
      "response " + std::string(bundle["id"].text()) + " " + std::string(header["id"].text());
  const std::string id = uuid_of(identity), outcome_id = uuid_of(identity + " outcome");
  JsonWriter out;
  out.begin_object().member("resourceType", "Bundle").member("id", uuid_of(identity + " bundle"));
  out.member("type", "message").key("entry").begin_array();
  out.begin_object().member("fullUrl", "urn:uuid:" + id).key("resource").begin_object();
  out.member("resourceType", "MessageHeader").member("id", id);
  for (const char* event : {"eventCoding", "eventUri"})
    if (header[event]) out.key(event).value(header[event]);
  const std::string target = to.empty() ? std::string(header["source"]["endpoint"].text()) : to;
  if (!target.empty()) {
    out.key("destination").begin_array().begin_object().member("endpoint", target);
    out.end_object().end_array();
  }
  out.key("source").begin_object().member("name", "Kiln").member("endpoint", base_url + "/$process-message");
  out.end_object().key("response").begin_object();
  const std::string_view asked = header["id"].text();
  out.member("identifier", asked.empty() ? "unknown" : std::string(asked)).member("code", code);
  if (!outcome.empty())
    out.key("details").begin_object().member("reference", "urn:uuid:" + outcome_id).end_object();
  out.end_object().end_object().end_object();
  if (!outcome.empty())
    out.begin_object().member("fullUrl", "urn:uuid:" + outcome_id).key("resource").raw(outcome).end_object();
  out.end_array().end_object();
  return out.take();
}

std::vector<Issue> issues_of(const mappings::RunResult& result) {
  std::vector<Issue> out;
  if (!result.ok()) {
    Issue issue;
    issue.code = "processing";
    issue.text = result.reason.empty() ? std::string(mappings::name_of(result.outcome)) : result.reason;
    issue.diagnostics = result.location;
    out.push_back(std::move(issue));
  }
  for (const mappings::RunDiagnostic& one : result.diagnostics) {
    Issue issue;
    using Level = mappings::RunDiagnostic::Level;
    issue.severity = one.level == Level::error     ? fhir::IssueSeverity::error
                     : one.level == Level::warning ? fhir::IssueSeverity::warning
                                                   : fhir::IssueSeverity::information;
    issue.code = one.level == Level::note ? "informational" : "processing";
    issue.text = one.text.empty() ? std::string(one.code) : one.text;
    issue.diagnostics = std::string(one.code);
    if (!one.source.empty()) issue.diagnostics += ", from " + one.source;
    if (!one.rule.empty()) issue.diagnostics += ", by " + one.rule;
    out.push_back(std::move(issue));
  }
  return out;
}

}  // namespace kiln::engine::facade
