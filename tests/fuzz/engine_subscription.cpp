// Fuzz target of subscriptions: any Subscription is taken or refused with a 4xx; the endpoint of one that is taken is
// allowed, its request is one line without line ends, and changes are judged by its criteria without a crash. Useful
// sizes: up to 900 bytes (-max_len=900 -dict=tests/fuzz/dictionaries/fhir_json).

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/base/text.h"
#include "engine/subscriptions/hook.h"

namespace {

using namespace kiln;

void require(bool holds) {
  if (!holds) std::abort();
}

engine::SubscriptionRules make_rules() {
  engine::SubscriptionRules rules;
  rules.allow = {"http://ehr:9000/hooks"};
  rules.base_url = "http://fuzz.test/fhir";
  rules.timeout_ms = 1000;
  engine::SubscriptionTopic topic;
  topic.name = "t";
  topic.url = "http://t";
  topic.criteria = {"Patient?gender=male"};
  topic.on[0] = topic.on[1] = true;
  rules.topics.push_back(topic);
  return rules;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const engine::SubscriptionRules rules = make_rules();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  engine::types_told(std::string(text));
  const auto creator = engine::SubscriptionCreator::of_origin(text);
  const auto status = engine::SubscriptionCreator::of_origin(engine::status_origin(text));
  require(creator.is_site == status.is_site && creator.name == status.name);
  const auto document = base::parse_json(text);
  if (!document) return 0;
  const auto read = engine::read_subscription(document->root(), rules);
  if (!read) {
    require(read.error().status() >= 400 && read.error().status() < 500);
    return 0;
  }
  require(base::lower_ascii(read->endpoint.host) == "ehr" && read->endpoint.port == 9000 && !read->endpoint.https);
  require(read->endpoint.path == "/hooks" || read->endpoint.path.starts_with("/hooks/"));
  channels::Change change;
  change.type = "Patient";
  change.id = "p1";
  change.resource = R"({"resourceType":"Patient","id":"p1","gender":"male","birthDate":"1984-02"})";
  read->wants(change);
  const auto request = engine::hook_request(*read, change.resource);
  if (!request) return 0;
  require(request->target.find_first_of(" \r\n") == std::string::npos);
  for (const auto& [name, value] : read->headers) require((name + value).find_first_of("\r\n") == std::string::npos);
  return 0;
}
