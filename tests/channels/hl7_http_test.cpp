// HL7 v2 over HTTP: source and destination over real sockets.
#include <catch2/catch.hpp>

#include "channels/net/http_client.h"
#include "channels/net/http_server.h"
#include "tests/channels/fixture.h"

namespace kiln::channels {
namespace {

const std::string kMessage = "MSH|^~\\&|LAB|X|EHR|X|20250101||ADT^A01^ADT_A01|ID1|P|2.5.1\r";
std::string ack(const std::string& code, const std::string& id = "ID1") {
  return "MSH|^~\\&|EHR|X|LAB|X|20250101||ACK^A01^ACK|9|P|2.5.1\rMSA|" + code + "|" + id + "\r";
}

base::Task<void> exchange(HttpClient* client, base::HttpRequest request, base::HttpResponse* out) {
  auto sending = client->send(std::move(request), 2000);
  HttpExchange done = co_await std::move(sending);
  if (done.response) *out = std::move(*done.response);
}

struct SourceFixture {
  test::World world;
  std::unique_ptr<Source> source;
  explicit SourceFixture(const std::string& options = "{ port 0; path \"/hl7\" }") {
    const auto& spec = *find_connector(ConnectorRole::source, "http");
    source = spec.make_source(test::parse(spec, options), world.around());
    REQUIRE(source->start(world.intake));
  }
  ~SourceFixture() { world.run(source->stop()); }
  base::HttpResponse post(const std::string& body, const std::string& type = "application/hl7-v2; charset=utf-8",
                          const std::string& target = "/hl7", const std::string& method = "POST", const std::string& repeats = "") {
    HttpClient client(world.net, "127.0.0.1", source->status().port);
    base::HttpRequest request;
    request.method = method;
    request.target = target;
    if (!type.empty()) request.headers.add("Content-Type", type);
    if (!repeats.empty()) request.headers.add("Idempotency-Key", repeats);
    request.body = body;
    base::HttpResponse out;
    out.status = 0;
    world.run(exchange(&client, std::move(request), &out));
    return out;
  }
  void answer(Taken taken, const std::string& reply) {
    world.intake.answer = [=](const Inbound&) { return Answer{taken, reply, false, 0, {}, {}}; };
  }
};

TEST_CASE("http source: the acknowledgement is the body, whatever its code", "[http]") {
  SourceFixture fixture;
  fixture.answer(Taken::stored, ack("AA"));
  const auto good = fixture.post(kMessage);
  CHECK(good.status == 200);
  CHECK(good.body == ack("AA"));
  CHECK(good.headers.get("content-type") == "application/hl7-v2; charset=utf-8");
  REQUIRE(fixture.world.intake.messages.size() == 1);
  CHECK(fixture.world.intake.messages[0].bytes == kMessage);
  CHECK(fixture.world.intake.messages[0].peer.starts_with("127.0.0.1:"));
  fixture.answer(Taken::refused, ack("AR"));
  CHECK(fixture.post(kMessage).status == 200);
  fixture.answer(Taken::stored, "");
  const auto quiet = fixture.post(kMessage);
  CHECK(quiet.status == 204);
  CHECK(quiet.body.empty());
}

TEST_CASE("http source: the status by the acknowledgement, where the channel says so", "[http]") {
  SourceFixture fixture("{ port 0; path \"/hl7\"; http_status by_ack }");
  for (const auto& [code, status] : {std::pair{"AA", 200}, {"CA", 200}, {"AE", 422}, {"CE", 422}, {"AR", 400}, {"CR", 400}}) {
    fixture.answer(Taken::refused, ack(code));
    CHECK(fixture.post(kMessage).status == status);
  }
}

TEST_CASE("http source: what was not stored is to be sent again", "[http]") {
  SourceFixture fixture;
  fixture.answer(Taken::not_stored, ack("AE"));
  const auto response = fixture.post(kMessage);
  CHECK(response.status == 503);
  CHECK(response.headers.get("retry-after") == "10");
  CHECK(response.body == ack("AE"));
}

TEST_CASE("http source: what is no message request is refused without the intake", "[http]") {
  SourceFixture fixture("{ port 0; path \"/hl7\"; max_message 1kB }");
  CHECK(fixture.post(kMessage, "application/hl7-v2", "/other").status == 404);
  const auto get = fixture.post("", "", "/hl7", "GET");
  CHECK(get.status == 405);
  CHECK(get.headers.get("allow") == "POST");
  CHECK(fixture.post(kMessage, "application/json").status == 415);
  CHECK(fixture.post(kMessage, "text/plain").status == 415);
  CHECK(fixture.post("", "application/hl7-v2").status == 400);
  CHECK(fixture.post(kMessage + std::string(2000, 'x')).status == 413);
  CHECK(fixture.world.intake.messages.empty());
  CHECK(fixture.world.intake.reports.empty());
}

TEST_CASE("http source: a body without header is kept, and answered 400", "[http]") {
  SourceFixture fixture;
  fixture.answer(Taken::refused, ack("AR", ""));
  const auto response = fixture.post("hello");
  CHECK(response.status == 400);
  CHECK(response.body == ack("AR", ""));
  CHECK(fixture.world.intake.messages.size() == 1);
}

TEST_CASE("http source: plain text by option, v2.xml both ways", "[http]") {
  SourceFixture fixture("{ port 0; plain_text true }");
  fixture.answer(Taken::stored, ack("AA"));
  CHECK(fixture.post(kMessage, "text/plain", "/").status == 200);
  const std::string xml =
      "<ADT_A01 xmlns='urn:hl7-org:v2xml'><MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2><MSH.9><MSG.1>ADT</MSG.1>"
      "<MSG.2>A01</MSG.2></MSH.9><MSH.10>ID1</MSH.10><MSH.12><VID.1>2.5.1</VID.1></MSH.12></MSH></ADT_A01>";
  const auto response = fixture.post(xml, "x-application/hl7-v2+xml", "/");
  CHECK(response.status == 200);
  CHECK(response.headers.get("content-type") == "x-application/hl7-v2+xml");
  CHECK(response.body.find("<MSA.1>AA</MSA.1>") != std::string::npos);
  CHECK(fixture.world.intake.messages.back().bytes == "MSH|^~\\&|||||||ADT^A01|ID1||2.5.1\r");
  CHECK(fixture.post("<broken", "application/hl7-v2+xml", "/").status == 400);
  REQUIRE(fixture.world.intake.reports.size() == 1);  // nothing is dropped without a trace
  CHECK(fixture.world.intake.reports[0].head == "<broken");
}

TEST_CASE("http source: a batch is answered in an envelope like its own", "[http][batch]") {
  SourceFixture fixture("{ port 0; path \"/hl7\"; http_status by_ack }");
  fixture.world.intake.answer = [](const Inbound& message) {
    const bool first = message.bytes.find("|ID1|") != std::string::npos;
    return Answer{first ? Taken::stored : Taken::refused, ack(first ? "AA" : "AE", first ? "ID1" : "ID2"), false, 0, {}, {}};
  };
  std::string second = kMessage;
  second.replace(second.find("ID1"), 3, "ID2");
  const auto response = fixture.post("BHS|^~\\&|LAB|X|EHR|X|20250101||||B1\r" + kMessage + second + "BTS|2\r");
  CHECK(response.status == 422);
  CHECK(response.body.starts_with("BHS|"));
  CHECK(response.body.find("MSA|AA|ID1\r") < response.body.find("MSA|AE|ID2\r"));
  CHECK(response.body.find("BTS|2") != std::string::npos);
  REQUIRE(fixture.world.intake.messages.size() == 2);
  CHECK(fixture.world.intake.messages[0].bytes == kMessage);
  fixture.answer(Taken::not_stored, "");
  const auto again = fixture.post("BHS|^~\\&|LAB|X|EHR|X|20250101||||B1\r" + kMessage + "BTS|1\r");
  CHECK(again.status == 503);
  CHECK(again.headers.get("retry-after") == "10");
}

TEST_CASE("http source: rows and entries of a body are messages of their own", "[http][split]") {
  SourceFixture fixture("{ port 0; content csv; split rows }");
  fixture.world.intake.answer = [&](const Inbound& message) {
    Answer out;
    out.id = fixture.world.intake.messages.size();
    out.taken = message.bytes.ends_with("2\n") ? Taken::refused : Taken::stored;
    if (out.taken == Taken::refused) out.code = "mapping-require";
    return out;
  };
  const auto response = fixture.post("id\n1\n2\n3\n", "text/csv", "/");
  CHECK(response.status == 422);
  CHECK(response.headers.get("content-type") == "application/x-ndjson");
  CHECK(response.body ==
        "{\"item\":1,\"result\":\"stored\",\"message\":1}\n{\"item\":2,\"result\":\"refused\",\"message\":2,\"code\":\"mapping-require\"}\n"
        "{\"item\":3,\"result\":\"stored\",\"message\":3}\n");
  CHECK(fixture.world.intake.messages.size() == 3);
  CHECK(fixture.world.intake.messages[2].bytes == "id\n3\n");
  CHECK(fixture.world.intake.messages[2].key.empty());
  CHECK(fixture.post("id\n1\n\"2\n", "text/csv", "/").status == 400);
  CHECK(fixture.post("id\n", "text/csv", "/").status == 400);
  CHECK(fixture.world.intake.reports.size() == 2);
  CHECK(fixture.world.intake.messages.size() == 3);
  fixture.world.intake.answer = [](const Inbound&) { return Answer{}; };
  const auto full = fixture.post("id\n1\n", "text/csv", "/");
  CHECK(full.status == 503);
  CHECK(full.headers.get("retry-after") == "10");
}

TEST_CASE("http source: FHIR comes in XML too, and a repeated request is known by its key", "[http][fhir]") {
  SourceFixture fixture("{ port 0; content fhir; split entries }");
  const std::string bundle =
      "<Bundle xmlns=\"http://hl7.org/fhir\"><type value=\"collection\"/><entry><resource><Patient><id value=\"p\"/></Patient>"
      "</resource></entry><entry><resource><Observation><id value=\"o\"/><status value=\"final\"/><code><text value=\"x\"/></code>"
      "<valueQuantity><value value=\"1.50\"/></valueQuantity></Observation></resource></entry></Bundle>";
  const auto first = fixture.post(bundle, "application/fhir+xml; charset=utf-8", "/", "POST", "k1");
  CHECK(first.status == 200);
  REQUIRE(fixture.world.intake.messages.size() == 2);
  const auto& messages = fixture.world.intake.messages;
  CHECK(messages[0].bytes == "{\"resourceType\":\"Patient\",\"id\":\"p\"}");
  CHECK(messages[1].bytes.find("\"value\":1.50") != std::string::npos);
  CHECK(messages[1].name == "Observation/o");
  CHECK(messages[1].kind == ContentKind::fhir);
  fixture.post(bundle, "text/xml", "/", "POST", "k1");
  REQUIRE(messages.size() == 4);
  CHECK(messages[0].key != messages[1].key);
  CHECK(messages[1].key == messages[3].key);
  CHECK(fixture.post("<Patient>", "application/fhir+xml", "/").status == 400);
  CHECK(fixture.post("{}", "application/json", "/").status == 400);
  CHECK(fixture.world.intake.reports.size() == 2);
}

TEST_CASE("http source: outside of its hours, and when it is late, it says when to come again", "[http]") {
  SourceFixture fixture;
  fixture.world.intake.closed = 1234;
  const auto closed = fixture.post(kMessage);
  CHECK(closed.status == 503);
  CHECK(closed.headers.get("retry-after") == "1234");
  CHECK(fixture.world.intake.messages.empty());
  fixture.world.intake.closed.reset();
  fixture.world.intake.answer = [](const Inbound&) { return Answer{Taken::stored, "", true, 7, "late", {}}; };  // `late close`
  const auto late = fixture.post(kMessage);
  CHECK(late.status == 503);
  CHECK(late.headers.get("retry-after") == "10");
  CHECK(late.body.empty());
}

TEST_CASE("http source: what a client sent that gave up while nothing was read is not taken", "[http]") {
  SourceFixture fixture;
  auto& world = fixture.world;
  world.intake.budget = 0;
  const std::string head = "POST /hl7 HTTP/1.1\r\nHost: x\r\nContent-Type: application/hl7-v2\r\nContent-Length: ";
  const std::string request = head + std::to_string(kMessage.size()) + "\r\n\r\n" + kMessage;
  CHECK(test::talk(world, fixture.source->status().port, request, 50).empty());
  world.wait(20);
  world.intake.budget = SIZE_MAX;
  world.wait(50);
  CHECK(world.intake.messages.empty());
  CHECK(test::talk(world, fixture.source->status().port, request, 200).find("200 OK") != std::string::npos);
  CHECK(world.intake.messages.size() == 1);
}

struct Server {
  int status = 200;
  std::string body, type = "application/hl7-v2", retry_after;
  std::vector<base::HttpRequest> requests;
};

base::Task<base::HttpResponse> serve(Server* server, base::HttpRequest request) {
  server->requests.push_back(std::move(request));
  base::HttpResponse out;
  out.status = server->status;
  out.body = server->body;
  out.headers.add("Content-Type", server->type);
  if (!server->retry_after.empty()) out.headers.add("Retry-After", server->retry_after);
  co_return out;
}

struct DestinationFixture {
  test::World world;
  Server server;
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<Destination> destination;
  explicit DestinationFixture(const std::string& more = "") {
    auto handler = [this](base::HttpRequest request) { return serve(&server, std::move(request)); };
    auto started = HttpServer::start(world.net, "127.0.0.1", 0, handler);
    REQUIRE(started);
    http = std::move(*started);
    const auto& spec = *find_connector(ConnectorRole::destination, "http");
    destination = spec.make_destination(
        test::parse(spec, "{ url \"http://127.0.0.1:" + std::to_string(http->port()) + "/in\"; timeout 500ms" + more + " }"),
        world.around());
    REQUIRE(destination->start());
  }
  ~DestinationFixture() {
    world.run(destination->stop());
    if (http) world.run(http->stop());
  }
  SendOutcome send(int status, const std::string& body) {
    server.status = status;
    server.body = body;
    Outgoing message;
    message.bytes = kMessage;
    message.control_id = "ID1";
    return world.send(*destination, message);
  }
};

TEST_CASE("http destination: the acknowledgement decides, whatever the status", "[http]") {
  DestinationFixture fixture;
  const auto sent = fixture.send(200, ack("AA"));
  CHECK((sent.kind == SendOutcome::Kind::sent));
  CHECK(sent.code == "AA");
  CHECK(fixture.server.requests[0].method == "POST");
  CHECK(fixture.server.requests[0].target == "/in");
  CHECK(fixture.server.requests[0].headers.get("content-type") == "application/hl7-v2");
  CHECK(fixture.server.requests[0].body == kMessage);
  for (const int status : {200, 400, 422, 500}) {
    const auto refused = fixture.send(status, ack("AE"));
    CHECK((refused.kind == SendOutcome::Kind::negative));
    CHECK(refused.code == "AE");
  }
  CHECK((fixture.send(200, ack("AA", "OTHER")).error == base::ErrorCode::ack_foreign));
  CHECK((fixture.send(200, "thanks").kind == SendOutcome::Kind::in_doubt));
}

TEST_CASE("http destination: statuses without acknowledgement", "[http]") {
  DestinationFixture fixture;
  fixture.server.retry_after = "7";
  for (const int status : {408, 429, 500, 503}) {
    const auto later = fixture.send(status, "");
    CHECK((later.kind == SendOutcome::Kind::retry));
    CHECK(later.retry_after_ms == 7000);
  }
  CHECK((fixture.send(503, ack("AE")).kind == SendOutcome::Kind::retry));  // not stored there
  CHECK((fixture.send(404, "").kind == SendOutcome::Kind::bad));
  CHECK((fixture.send(204, "").kind == SendOutcome::Kind::sent));
  fixture.world.run(fixture.http->stop());
  CHECK((fixture.send(200, "").kind != SendOutcome::Kind::sent));
}

TEST_CASE("http destination: until status, and as v2.xml", "[http]") {
  DestinationFixture fixture("; until status; encoding xml");
  fixture.server.type = "text/html";
  const auto sent = fixture.send(202, "<p>thanks</p>");
  CHECK((sent.kind == SendOutcome::Kind::sent));
  CHECK(sent.code == "202");
  CHECK(fixture.server.requests[0].headers.get("content-type") == "application/hl7-v2+xml; charset=utf-8");
  CHECK(fixture.server.requests[0].body.find("<MSH.10>ID1</MSH.10>") != std::string::npos);
}

}  // namespace
}  // namespace kiln::channels
