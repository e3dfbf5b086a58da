#include <catch2/catch.hpp>

#include "channels/definition.h"
#include "engine/facade.h"
#include "engine/subscriptions/notification.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

SubscriptionRules rules() {
  SubscriptionRules out;
  out.allow = {"http://ehr:9000/hooks"};
  out.base_url = "http://kiln/fhir";
  out.timeout_ms = 30'000;
  return out;
}

fhir::Answer<SubscriptionDefinition> read(const std::string& endpoint,
                                          const std::string& criteria = "Patient?gender=male",
                                          const std::string& more = "") {
  const auto document = base::parse_json(
      R"({"resourceType":"Subscription","id":"s1","status":"requested","criteria":")" + criteria +
      R"(","channel":{"type":"rest-hook","endpoint":")" + endpoint + "\"" + more + "}}");
  REQUIRE(document);
  return read_subscription(document->root(), rules());
}

}  // namespace

TEST_CASE("an endpoint is allowed when it is a listed URL or below it") {
  const auto [endpoint, allowed] =
      GENERATE(table<const char*, bool>({{"http://ehr:9000/hooks", true},
                                         {"http://ehr:9000/hooks/a/b", true},
                                         {"http://EHR:9000/hooks/a", true},
                                         {"http://ehr:9000/hooksa", false},
                                         {"http://ehr:9000/hooks/../x", false},
                                         {"http://ehr:9000/hooks/%2E%2e/x", false},
                                         {"http://ehr:9000/", false},
                                         {"http://ehr/hooks", false},
                                         {"http://ehr:9000@evil/hooks", false},
                                         {"https://ehr:9000/hooks", false},
                                         {"http://169.254.169.254/hooks", false}}));
  CAPTURE(endpoint);
  const auto found = read(endpoint);
  CHECK(found.has_value() == allowed);
  if (!found) CHECK(found.error().status() == 422);
}

TEST_CASE("the refusal names the setting") {
  const auto found = read("http://127.0.0.1/x");
  REQUIRE_FALSE(found);
  CHECK(found.error().error.code == base::ErrorCode::fhir_endpoint_refused);
  CHECK(fhir::print_outcome(found.error()).find("subscriptions") != std::string::npos);
}

TEST_CASE("an endpoint that `egress` does not list is refused, although the subscriptions may go there") {
  const auto read_with = [](const std::string& egress) {
    const auto loaded = channels::load_site_texts(
        {{"kiln.conf", "server { fhir { subscriptions { allow \"http://ehr:9000/hooks\" } }\n" + egress + "}\n"}});
    REQUIRE(loaded.site);
    const auto rules = read_subscription_rules(loaded.site->server, "http://kiln/fhir");
    REQUIRE(rules);
    const auto document = base::parse_json(
        R"({"resourceType":"Subscription","id":"s1","status":"requested","criteria":"Patient","channel":{"type":"rest-hook","endpoint":"http://ehr:9000/hooks/a"}})");
    return read_subscription(document->root(), *rules);
  };
  CHECK(read_with(""));
  CHECK(read_with("egress { allow \"ehr:9000\" }"));
  for (const char* egress : {"egress { allow \"pas:9000\" }", "egress { allow \"ehr:9001\" }", "egress { }"}) {
    INFO(egress);
    const auto found = read_with(egress);
    REQUIRE_FALSE(found);
    CHECK(found.error().error.code == base::ErrorCode::egress_denied);
    const std::string outcome = fhir::print_outcome(found.error());
    for (const char* part : {"ehr:9000", "Subscription.channel.endpoint", "egress {"}) CHECK(outcome.find(part) != std::string::npos);
  }
}

TEST_CASE("a rest-hook with payload puts the resource, without it posts nothing") {
  const auto with =
      read("http://ehr:9000/hooks", "Patient", R"(,"payload":"application/fhir+json","header":["X-Key: a"])");
  REQUIRE(with);
  const auto put = hook_request(*with, R"({"resourceType":"Patient","id":"p1"})");
  REQUIRE(put);
  CHECK(put->method == "PUT");
  CHECK(put->target == "/hooks/Patient/p1");
  CHECK(put->headers.get("X-Key") == "a");
  const auto without = read("http://ehr:9000/hooks", "Patient");
  REQUIRE(without);
  const auto post = hook_request(*without, R"({"resourceType":"Patient","id":"p1"})");
  REQUIRE(post);
  CHECK((post->method == "POST" && post->target == "/hooks" && post->body.empty()));
}

TEST_CASE("a notification is a function of what it tells") {
  const NotificationEvent event{
      3,    {1'700'000'000'000'000},        "Patient",
      "p1", channels::ChangeAction::update, R"({"resourceType":"Patient","id":"p1"})"};
  NotificationStatus status;
  status.topic = "http://t";
  status.events = 3;
  const auto print = [&](NotificationContent content) {
    return print_notification("http://kiln/fhir", "s1", event.at, status, {&event, 1}, content);
  };
  CHECK(print(NotificationContent::full_resource) == print(NotificationContent::full_resource));
  CHECK(print(NotificationContent::full_resource).find(R"("resource":{"resourceType":"Patient")") !=
        std::string::npos);
  CHECK(print(NotificationContent::id_only).find(R"("resource":{"resourceType":"Patient")") ==
        std::string::npos);
  CHECK(print(NotificationContent::id_only).find("http://kiln/fhir/Patient/p1") != std::string::npos);
  CHECK(print(NotificationContent::empty).find("Patient/p1") == std::string::npos);
}

TEST_CASE("a search as Parameters") {
  CHECK(facade::parameters_of({{"identifier", "urn:x|1"}, {"name", "Ada"}, {"empty", ""}}) ==
        R"({"resourceType":"Parameters","parameter":[{"name":"identifier","valueString":"urn:x|1"},)"
        R"({"name":"identifier.system","valueString":"urn:x"},{"name":"identifier.value","valueString":"1"},)"
        R"({"name":"name","valueString":"Ada"}]})");
  CHECK(facade::parameters_of({}) == R"({"resourceType":"Parameters"})");
}

TEST_CASE("the resources of a reply become a searchset") {
  const auto found = facade::searchset_of(
      R"({"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"a"}},)"
      R"({"resource":{"resourceType":"Organization"}}]})",
      "Patient", "http://k", {{"name", "x y"}});
  REQUIRE(found);
  CHECK(found->find(R"("type":"searchset","total":1)") != std::string::npos);
  CHECK(found->find(R"("url":"http://k/Patient?name=x%20y")") != std::string::npos);
  CHECK(found->find(R"("fullUrl":"http://k/Patient/a")") != std::string::npos);
  CHECK(found->find(R"("mode":"include")") != std::string::npos);
}

TEST_CASE("a negative acknowledgement is an outcome with its errors") {
  Ending ending;
  ending.state = DeliveryState::quarantined;
  ending.code = "AE";
  ending.reply =
      "MSH|^~\\&|L||K||20260101||ACK|1|P|2.5.1\rMSA|AE|1\rERR||OBR^1^4|103^Table value not "
      "found^HL70357|E||||Unknown test\r";
  const fhir::Failure refused = facade::failure_of(ending, 7);
  CHECK(refused.status() == 422);
  REQUIRE(refused.issues.size() == 1);
  CHECK(refused.issues[0].text == "Unknown test");
  CHECK(refused.issues[0].diagnostics == "AE, ERR-3 103, OBR-4");
  ending.code = "timeout";
  CHECK(facade::failure_of(ending, 7).status() == 504);
  ending.code = "connect-failed";
  CHECK(facade::failure_of(ending, 7).status() == 502);
}
