// FHIR source and destination: store feed, built-in store, remote server.
#include <catch2/catch.hpp>

#include "channels/connectors/detail/remote_fhir.h"
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

TEST_CASE("fhir destination refuses https at start and bad URLs at check", "[fhir]") {
  test::World world;
  const auto& spec = *find_connector(ConnectorRole::destination, "fhir");
  const auto destination =
      spec.make_destination(test::parse(spec, "{ url \"https://a.example\" }"), world.around());
  const auto started = destination->start();
  REQUIRE_FALSE(started);
  CHECK((started.error().code == base::ErrorCode::E0915));
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
