// FHIR source and destination: store feed, built-in store, remote server.
#include <catch2/catch.hpp>

#include "channels/connectors/detail/remote_fhir.h"
#include "channels/net/http_client.h"
#include "channels/net/http_server.h"
#include "tests/channels/fixture.h"

namespace kiln::channels {
namespace {

Change change(ChangeAction action, const std::string& id, bool by_channel = false) {
  Change out;
  out.action = action;
  out.type = "Patient";
  out.id = id;
  out.version = 1;
  out.by_channel = by_channel;
  out.resource = "{\"resourceType\":\"Patient\",\"id\":\"" + id + "\"}";
  return out;
}

TEST_CASE("fhir source gives the writes it is asked for and advances its cursor behind them", "[fhir]") {
  test::World world;
  const auto& spec = *find_connector(ConnectorRole::source, "fhir");
  const auto source = spec.make_source(test::parse(spec, "{ on create update }"), world.around());
  REQUIRE(source->start(world.intake));
  world.store.add(change(ChangeAction::create, "a"));
  world.store.add(change(ChangeAction::create, "channel", true));
  world.store.add(change(ChangeAction::delete_, "gone"));
  world.store.add(change(ChangeAction::update, "b"));
  REQUIRE(world.until([&] { return world.store.advanced() == 4; }));
  REQUIRE(world.intake.messages.size() == 2);
  CHECK(world.intake.messages[0].name == "Patient/a");
  CHECK(world.intake.messages[0].key == "Patient/a/_history/1");
  CHECK(world.intake.messages[1].action == "update");
  world.run(source->stop());
}

TEST_CASE("fhir source repeats what was not stored and advances only up to it", "[fhir]") {
  test::World world;
  const auto& spec = *find_connector(ConnectorRole::source, "fhir");
  const auto source = spec.make_source(test::parse(spec, "{ origin any }"), world.around());
  int failures = 1;
  world.intake.answer = [&](const Inbound& message) {
    Answer out;
    out.taken = message.name == "Patient/b" && failures-- > 0 ? Taken::not_stored : Taken::stored;
    return out;
  };
  for (const char* id : {"a", "b", "c"}) world.store.add(change(ChangeAction::create, id, true));
  REQUIRE(source->start(world.intake));
  REQUIRE(world.until([&] { return world.store.advanced() == 1; }));
  CHECK_FALSE(source->status().last_error.empty());
  REQUIRE(world.until([&] { return world.store.advanced() == 3; }));
  CHECK(world.intake.messages.size() == 5);  // a b c, then b c again
  world.run(source->stop());
}

struct Server {
  int status = 200;
  std::string body, retry_after;
  std::vector<base::HttpRequest> requests;
};

base::Task<base::HttpResponse> serve(Server* server, base::HttpRequest request) {
  server->requests.push_back(std::move(request));
  base::HttpResponse out;
  out.status = server->status;
  out.body = server->body;
  if (!server->retry_after.empty()) out.headers.add("Retry-After", server->retry_after);
  co_return out;
}

TEST_CASE("fhir destination sends to a remote server and reads its answer", "[fhir]") {
  test::World world;
  Server server;
  auto handler = [&server](base::HttpRequest request) { return serve(&server, std::move(request)); };
  auto http = HttpServer::start(world.net, "127.0.0.1", 0, handler);
  REQUIRE(http);
  const auto& spec = *find_connector(ConnectorRole::destination, "fhir");
  const std::string url = "http://127.0.0.1:" + std::to_string((*http)->port()) + "/r4";
  const auto destination =
      spec.make_destination(test::parse(spec, "{ url \"" + url + "\"; timeout 500ms }"), world.around());
  REQUIRE(destination->start());
  Outgoing message;
  message.kind = ContentKind::fhir;
  message.bytes = R"({"resourceType":"Bundle","type":"transaction"})";
  CHECK((world.send(*destination, message).kind == SendOutcome::Kind::sent));
  CHECK(server.requests.back().method == "POST");
  CHECK(server.requests.back().target == "/r4");
  message.bytes = R"({"resourceType":"Patient","id":"p1"})";
  world.send(*destination, message);
  CHECK(server.requests.back().method == "PUT");
  CHECK(server.requests.back().target == "/r4/Patient/p1");
  message.bytes = R"({"resourceType":"Patient"})";
  world.send(*destination, message);
  CHECK(server.requests.back().target == "/r4/Patient");

  server.retry_after = "7";
  for (const int status : {408, 429, 500, 503}) {
    server.status = status;
    const auto outcome = world.send(*destination, message);
    CHECK((outcome.kind == SendOutcome::Kind::retry));
    CHECK(outcome.retry_after_ms == 7000);
    CHECK(outcome.code == std::to_string(status));
  }
  for (const int status : {301, 400, 404, 412, 422}) {
    server.status = status;
    CHECK((world.send(*destination, message).kind == SendOutcome::Kind::bad));
  }
  server.status = 200;
  server.body =
      R"({"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":"201 Created"}},{"response":{"status":"422"}}]})";
  CHECK((world.send(*destination, message).kind == SendOutcome::Kind::bad));
  server.body =
      R"({"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":"503"}}]})";
  CHECK((world.send(*destination, message).kind == SendOutcome::Kind::retry));
  message.bytes = "no json";
  CHECK((world.send(*destination, message).kind == SendOutcome::Kind::bad));
  world.run((*http)->stop());
  message.bytes = R"({"resourceType":"Patient"})";
  CHECK((world.send(*destination, message).kind != SendOutcome::Kind::sent));
  world.run(destination->stop());
}

TEST_CASE("of a batch only the entries that failed are sent again", "[fhir]") {
  test::World world;
  Server server;
  auto handler = [&server](base::HttpRequest request) { return serve(&server, std::move(request)); };
  auto http = HttpServer::start(world.net, "127.0.0.1", 0, handler);
  REQUIRE(http);
  const auto& spec = *find_connector(ConnectorRole::destination, "fhir");
  const std::string url = "http://127.0.0.1:" + std::to_string((*http)->port()) + "/r4";
  const auto destination = spec.make_destination(test::parse(spec, "{ url \"" + url + "\" }"), world.around());
  REQUIRE(destination->start());
  Outgoing message;
  message.kind = ContentKind::fhir;
  message.msg_id = 7;
  message.bytes =
      R"({"resourceType":"Bundle","type":"batch","entry":[{"fullUrl":"a"},{"fullUrl":"b"},{"fullUrl":"c"},{"fullUrl":"d"}]})";
  server.body =
      R"({"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":"201"}},{"response":{"status":"503"}},{"response":{"status":"422"}},{"response":{"status":"429 Slow"}}]})";
  auto outcome = world.send(*destination, message);
  CHECK((outcome.kind == SendOutcome::Kind::retry));
  server.body =
      R"({"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":"200"}},{"response":{"status":"503"}}]})";
  outcome = world.send(*destination, message);
  CHECK((outcome.kind == SendOutcome::Kind::retry));
  CHECK(server.requests.back().body ==
        R"({"resourceType":"Bundle","type":"batch","entry":[{"fullUrl":"b"},{"fullUrl":"d"}]})");
  server.body = R"({"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":"201"}}]})";
  outcome = world.send(*destination, message);
  CHECK(server.requests.back().body == R"({"resourceType":"Bundle","type":"batch","entry":[{"fullUrl":"d"}]})");
  // Three are there, one never will be: told once, at the end.
  CHECK((outcome.kind == SendOutcome::Kind::bad));
  CHECK(outcome.detail.find("1 of 4 entries") != std::string::npos);
  message.msg_id = 8;
  world.send(*destination, message);
  CHECK(server.requests.back().body == message.bytes);  // another message is whole again
  world.run(destination->stop());
  world.run((*http)->stop());
}

TEST_CASE("a single resource can be written by its identifier and version", "[fhir]") {
  const std::string patient =
      R"({"resourceType":"Patient","id":"p1","meta":{"versionId":"4"},"identifier":[{"system":"urn:x","value":"7 1"}]})";
  detail::FhirWriting writing;
  writing.if_match = true;
  auto request = detail::fhir_request("/r4", patient, writing);
  REQUIRE(request);
  CHECK(request->target == "/r4/Patient/p1");
  CHECK(request->headers.get("If-Match") == "W/\"4\"");
  writing.match = detail::FhirWriting::Match::create;
  request = detail::fhir_request("/r4", patient, writing);
  CHECK(request->method == "POST");
  CHECK(request->target == "/r4/Patient");
  CHECK(request->headers.get("If-None-Exist") == "identifier=urn%3Ax%7C7%201");
  CHECK_FALSE(request->headers.has("If-Match"));
  writing.match = detail::FhirWriting::Match::update;
  request = detail::fhir_request("/r4", patient, writing);
  CHECK(request->method == "PUT");
  CHECK(request->target == "/r4/Patient?identifier=urn%3Ax%7C7%201");
  request = detail::fhir_request("/r4", R"({"resourceType":"Patient","id":"p1"})", writing);
  CHECK(request->target == "/r4/Patient/p1");  // nothing to match by
}

TEST_CASE("Retry-After is seconds or a date", "[fhir]") {
  const base::WallTime now{1'445'412'420LL * 1'000'000};  // Wed, 21 Oct 2015 07:27:00 GMT
  CHECK(retry_after_ms("7", now) == 7'000);
  CHECK(retry_after_ms("Wed, 21 Oct 2015 07:28:00 GMT", now) == 60'000);
  CHECK(retry_after_ms("Wednesday, 21-Oct-15 07:28:00 GMT", now) == 60'000);
  CHECK(retry_after_ms("Wed Oct 21 07:28:00 2015", now) == 60'000);
  CHECK(retry_after_ms("Wed, 21 Oct 2015 07:00:00 GMT", now) == 0);  // past
  CHECK(retry_after_ms("Thu, 22 Oct 2015 07:28:00 GMT", now) == 3'600'000);  // an hour at most
  CHECK_FALSE(retry_after_ms("-1", now));
  CHECK_FALSE(retry_after_ms("soon", now));
  CHECK_FALSE(retry_after_ms("", now));
}

TEST_CASE("fhir destination without url hands batches to the store", "[fhir]") {
  test::World world;
  const auto& spec = *find_connector(ConnectorRole::destination, "fhir");
  const auto destination = spec.make_destination(test::parse(spec, "{ }"), world.around());
  REQUIRE(destination->start());
  CHECK(destination->batch_max() == 64);
  Outgoing message;
  message.msg_id = 9;
  CHECK((world.send(*destination, message).kind == SendOutcome::Kind::sent));
  REQUIRE(world.store.applied.size() == 1);
  CHECK(world.store.applied[0].msg_id == 9);
}

}  // namespace
}  // namespace kiln::channels
