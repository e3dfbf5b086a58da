#include "channels/connectors/detail/http_body.h"

#include <algorithm>

#include "channels/connectors/detail/split.h"
#include "engine/base/text.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"

namespace kiln::channels::detail {

namespace {

std::string media_type(std::string_view content_type) {
  return base::lower_ascii(base::trim(content_type.substr(0, content_type.find(';'))));
}

bool is_xml(std::string_view type) {
  return type == "application/fhir+xml" || type == "application/xml" || type == "text/xml";
}

}  // namespace

bool takes_media_type(ContentKind content, std::string_view content_type) {
  const std::string type = media_type(content_type);
  if (content == ContentKind::csv) return type == "text/csv";
  return type == "application/fhir+json" || type == "application/json" || is_xml(type);
}

base::Result<HttpBody> read_http_body(base::HttpRequest request, const Options& options, ContentKind content,
                                      base::WallTime now) {
  if (content == ContentKind::fhir && is_xml(media_type(request.headers.get("content-type")))) {
    TRY(const fhir::Tree tree, fhir::read_xml(request.body));
    request.body = fhir::write_json(tree.root());
  }
  const Split how = split_of(options);
  // With the bytes: two clients may count alike, and what differs is no repetition.
  const auto key_of = [repeats = std::string(request.headers.get("idempotency-key"))](std::string_view bytes) {
    return repeats.empty() ? std::string() : "http:" + repeats + "#" + base::sha256_hex(bytes);
  };
  Inbound each;
  each.kind = content;
  each.received_at = now;
  each.traceparent = request.headers.get("traceparent");
  each.peer = std::move(request.peer);
  HttpBody out;
  if (how == Split::none) {
    each.key = key_of(request.body);
    each.bytes = std::move(request.body);
    out.messages.push_back(std::move(each));
    return out;
  }
  TRY(SplitFile parts, split_file(how, request.body, delimiter_of(options)));
  for (SplitItem& item : parts.items) {
    Inbound one = each;
    one.key = key_of(item.bytes);
    if (!one.key.empty()) one.key += "#" + std::to_string(out.messages.size() + 1);
    one.name = std::move(item.name);
    one.bytes = std::move(item.bytes);
    out.messages.push_back(std::move(one));
  }
  out.notes = std::move(parts.notes);
  return out;
}

base::HttpResponse answer_http_body(const std::vector<Answer>& answers, std::size_t expected, bool is_split) {
  const auto any = [&answers](Taken taken) {
    return std::any_of(answers.begin(), answers.end(), [taken](const Answer& answer) { return answer.taken == taken; });
  };
  const bool left = answers.size() < expected || any(Taken::not_stored), refused = any(Taken::refused);
  base::HttpResponse response = left      ? later_response("the message could not be stored\n", kHttpRetrySeconds)
                                : refused ? plain_response(422, "the message was refused\n")
                                          : base::HttpResponse{};
  if (is_split) {
    response.headers.set("Content-Type", "application/x-ndjson");
    response.body = print_results(answers);
  } else if (!left && !refused) {
    response.status = 204;
  } else if (!left && !answers.front().code.empty()) {
    response.body = answers.front().code + "\n";
  }
  return response;
}

base::HttpResponse plain_response(int status, std::string_view text) {
  base::HttpResponse response;
  response.status = status;
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  response.body = text;
  return response;
}

base::HttpResponse later_response(std::string_view text, std::int64_t seconds) {
  base::HttpResponse response = plain_response(503, text);
  response.headers.add("Retry-After", std::to_string(seconds));
  return response;
}

}  // namespace kiln::channels::detail
