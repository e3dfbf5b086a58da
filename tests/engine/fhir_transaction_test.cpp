// Transactions and batches (fhir.md §8).

#include <algorithm>
#include <catch2/catch.hpp>

#include "engine/base/text.h"
#include "tests/engine/fhir_fixture.h"
#include "tests/engine/golden.h"

using namespace kiln;
using base::JsonView;
using test::FhirServer;
using test::Json;

namespace {

struct Entry {
  std::string method, url, resource, full_url, more;
};

std::string bundle(const std::string& type, const std::vector<Entry>& entries) {
  std::string text = R"({"resourceType":"Bundle","type":")" + type + R"(","entry":[)";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    text += i > 0 ? ",{" : "{";
    if (!entry.full_url.empty()) text += R"("fullUrl":")" + entry.full_url + "\",";
    if (!entry.resource.empty()) text += R"("resource":)" + entry.resource + ",";
    text += R"("request":{"method":")" + entry.method + R"(","url":")" + entry.url + "\"" +
            (entry.more.empty() ? "" : "," + entry.more) + "}}";
  }
  return text + "]}";
}

std::string patient(const std::string& mrn, const std::string& more = {}) {
  return R"({"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":")" + mrn + "\"}]" + more +
         "}";
}
std::string observation(const std::string& subject, const std::string& more = {}) {
  return R"({"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":")" +
         subject + "\"}" + more + "}";
}

const std::string kUuid = "urn:uuid:11111111-2222-3333-4444-555555555555";

std::string status_of(const Json& response, std::size_t index) {
  return std::string(response["entry"].at(index)["response"]["status"].text());
}

void check_refused(FhirServer& server, const std::string& golden, const std::string& text, int status) {
  const auto before = server.store->counts()->versions;
  const auto response = server.send("POST", "/", text);
  CHECK(response.status == status);
  test::check_golden(
      "tests/golden/fhir/transaction_" + golden + ".txt",
      std::to_string(response.status) + "\n" + base::print_json(Json(response.body).root, true));
  CHECK(server.store->counts()->versions == before);
}

/// Everything stored, as sorted lines without ids, stamps and version numbers.
std::vector<std::string> content(FhirServer& server) {
  std::vector<std::string> lines;
  const auto changes = server.store->changes_since(0, 1000);
  for (const auto& change : *changes) {
    const auto current = server.store->read(change.type, change.id);
    if ((*current)->seq != change.seq || change.deleted()) continue;
    lines.push_back(change.body.substr(change.body.find("},") + 2));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace

TEST_CASE("references to fullUrls become references to the new resources") {
  FhirServer server;
  const std::string narrative =
      R"(,"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\")" +
      kUuid + R"(\">p</a><img src='cid:1' alt=''/></div>"})";
  const auto response = server.send(
      "POST", "/",
      bundle("transaction",
             {{"POST",
               "Observation",
               observation(kUuid, narrative + R"(,"identifier":[{"system":"urn:ietf:rfc:3986","value":")" +
                                      kUuid + "\"}]"),
               {},
               {}},
              {"POST", "Patient", patient("1"), kUuid, {}}}));
  REQUIRE(response.status == 200);
  const Json json(response.body);
  CHECK(json["type"].text() == "transaction-response");
  CHECK(status_of(json, 0) == "201 Created");
  const std::string patient_id(json["entry"].at(1)["resource"]["id"].text());
  const JsonView stored = json["entry"].at(0)["resource"];
  CHECK(stored["subject"]["reference"].text() == "Patient/" + patient_id);
  CHECK(stored["text"]["div"].text().find("href=\"Patient/" + patient_id + "\"") != std::string::npos);
  CHECK(stored["text"]["div"].text().find("src='cid:1'") != std::string::npos);
  CHECK(stored["identifier"].at(0)["value"].text() == kUuid);  // a string, not a uri
  CHECK(json["entry"].at(1)["response"]["location"].text() ==
        "http://fhir.test/fhir/Patient/" + patient_id + "/_history/1");
  const Json found(server.send("GET", "/Observation?subject=Patient/" + patient_id).body);
  CHECK(found["total"].text() == "1");
}

TEST_CASE("uri elements are rewritten, canonical ones are not; versions of references stay") {
  FhirServer server;
  const std::string communication =
      R"({"resourceType":"Communication","status":"completed","instantiatesUri":[")" + kUuid +
      R"("],"instantiatesCanonical":[")" + kUuid + R"("],"subject":{"reference":")" + kUuid +
      R"(/_history/1"}})";
  const auto response = server.send("POST", "/",
                                    bundle("transaction", {{"POST", "Communication", communication, {}, {}},
                                                           {"POST", "Patient", patient("1"), kUuid, {}}}));
  REQUIRE(response.status == 200);
  const Json json(response.body);
  const std::string identity = "Patient/" + std::string(json["entry"].at(1)["resource"]["id"].text());
  const JsonView stored = json["entry"].at(0)["resource"];
  CHECK(stored["instantiatesUri"].at(0).text() == identity);
  CHECK(stored["instantiatesCanonical"].at(0).text() == kUuid);
  CHECK(stored["subject"]["reference"].text() == identity + "/_history/1");
}

TEST_CASE("relative and absolute references resolve against the base of their entry") {
  FhirServer server;
  const auto response = server.send(
      "POST", "/",
      bundle("transaction",
             {{"POST", "Patient", patient("1"), "http://other.test/r4/Patient/9", {}},
              {"POST", "Observation", observation("Patient/9"), "http://other.test/r4/Observation/1", {}},
              {"POST",
               "Observation",
               observation("http://other.test/r4/Patient/9"),
               "urn:uuid:21111111-2222-3333-4444-555555555555",
               {}},
              {"POST",
               "Observation",
               observation("Patient/9"),
               "urn:uuid:31111111-2222-3333-4444-555555555555",
               {}}}));
  REQUIRE(response.status == 200);
  const Json json(response.body);
  const std::string identity = "Patient/" + std::string(json["entry"].at(0)["resource"]["id"].text());
  CHECK(json["entry"].at(1)["resource"]["subject"]["reference"].text() == identity);
  CHECK(json["entry"].at(2)["resource"]["subject"]["reference"].text() == identity);
  CHECK(json["entry"].at(3)["resource"]["subject"]["reference"].text() == "Patient/9");  // of this server
}

TEST_CASE("conditional references find stored resources and those of the bundle") {
  FhirServer server;
  server.send("POST", "/",
              bundle("transaction",
                     {{"POST",
                       "Practitioner",
                       R"({"resourceType":"Practitioner","identifier":[{"system":"urn:npi","value":"5"}]})",
                       {},
                       {}}}));
  const std::string performer = R"(,"performer":[{"reference":"Practitioner?identifier=urn:npi|5"}])";
  const auto response = server.send(
      "POST", "/",
      bundle("transaction",
             {{"POST", "Observation", observation("Patient?identifier=urn:mrn|1", performer), {}, {}},
              {"POST",
               "Patient",
               patient("1", R"(,"generalPractitioner":[{"reference":"Practitioner?identifier=urn:npi|5"}])"),
               {},
               {}}}));
  REQUIRE(response.status == 200);
  const Json json(response.body);
  const JsonView stored = json["entry"].at(0)["resource"];
  CHECK(stored["subject"]["reference"].text() ==
        "Patient/" + std::string(json["entry"].at(1)["resource"]["id"].text()));
  CHECK(stored["performer"].at(0)["reference"].text().substr(0, 13) == "Practitioner/");
  check_refused(server, "reference_none",
                bundle("transaction",
                       {{"POST", "Observation", observation("Patient?identifier=urn:mrn|none"), {}, {}}}),
                412);
  server.send("POST", "/Patient", patient("1"));
  check_refused(
      server, "reference_many",
      bundle("transaction", {{"POST", "Observation", observation("Patient?identifier=urn:mrn|1"), {}, {}}}),
      412);
  check_refused(server, "reference_criteria",
                bundle("transaction", {{"POST", "Observation", observation("Patient?colour=red"), {}, {}}}),
                400);
  check_refused(server, "reference_unresolved",
                bundle("transaction", {{"POST", "Patient", patient("2"), {}, {}},
                                       {"POST", "Observation", observation(kUuid), {}, {}}}),
                400);
}

TEST_CASE("conditional create and update inside a transaction") {
  FhirServer server;
  const std::string once = R"("ifNoneExist":"identifier=urn:mrn|1")";
  const std::string text =
      bundle("transaction", {{"POST", "Patient", patient("1"), kUuid, once},
                             {"PUT",
                              "Observation?identifier=urn:o|1",
                              observation(kUuid, R"(,"identifier":[{"system":"urn:o","value":"1"}])"),
                              {},
                              {}}});
  const Json first(server.send("POST", "/", text).body);
  CHECK(status_of(first, 0) == "201 Created");
  CHECK(status_of(first, 1) == "201 Created");
  const Json second(server.send("POST", "/", text).body);
  CHECK(status_of(second, 0) == "200 OK");
  CHECK(status_of(second, 1) == "200 OK");
  CHECK(second["entry"].at(1)["response"]["etag"].text() == "W/\"1\"");  // identical: no new version
  CHECK(second["entry"].at(0)["resource"]["id"].text() == first["entry"].at(0)["resource"]["id"].text());
  CHECK(server.store->counts()->versions == 2);
}

TEST_CASE("overlaps are refused, both entries named") {
  FhirServer server;
  server.send("PUT", "/Patient/a",
              R"({"resourceType":"Patient","id":"a","identifier":[{"system":"urn:mrn","value":"a"}]})");
  const std::string a =
      R"({"resourceType":"Patient","id":"a","identifier":[{"system":"urn:mrn","value":"a"}],"active":true})";
  check_refused(server, "overlap_put_put",
                bundle("transaction", {{"PUT", "Patient/a", a, {}, {}}, {"PUT", "Patient/a", a, {}, {}}}),
                400);
  check_refused(server, "overlap_put_delete",
                bundle("transaction", {{"PUT", "Patient/a", a, {}, {}}, {"DELETE", "Patient/a", {}, {}, {}}}),
                400);
  check_refused(server, "overlap_conditional",
                bundle("transaction", {{"PUT", "Patient?identifier=urn:mrn|a", patient("a"), {}, {}},
                                       {"PUT", "Patient/a", a, {}, {}}}),
                400);
  check_refused(server, "overlap_new",
                bundle("transaction", {{"PUT", "Patient?identifier=urn:mrn|n", patient("n"), {}, {}},
                                       {"PUT", "Patient?identifier=urn:mrn|n", patient("n"), {}, {}}}),
                400);
  check_refused(server, "overlap_create",
                bundle("transaction",
                       {{"POST", "Patient", patient("n"), {}, {}},
                        {"POST", "Patient", patient("n"), {}, R"("ifNoneExist":"identifier=urn:mrn|n")"}}),
                400);
  check_refused(server, "overlap_full_url",
                bundle("transaction", {{"POST", "Patient", patient("n"), kUuid, {}},
                                       {"POST", "Patient", patient("m"), kUuid, {}}}),
                400);
}

// "Make it where it is not known, change it where it is": what the maps of merges ask for.
TEST_CASE("a conditional create with a patch under the same condition") {
  FhirServer server;
  const std::string once = R"("ifNoneExist":"identifier=urn:mrn|1")";
  const std::string change = R"({"resourceType":"Binary","contentType":"application/json-patch+json","data":")" +
                             base::base64_encode(R"([{"op":"add","path":"/active","value":false}])") + R"("})";
  const std::string text =
      bundle("transaction", {{"POST", "Patient", patient("1"), kUuid, once},
                             {"PATCH", "Patient?identifier=urn:mrn|1", change, {}, {}},
                             {"POST", "Observation", observation(kUuid), {}, {}}});
  const Json fresh(server.send("POST", "/", text).body);
  CHECK(status_of(fresh, 0) == "201 Created");
  CHECK(status_of(fresh, 1) == "200 OK");
  CHECK(fresh["entry"].at(0)["resource"]["active"].text() == "false");  // created as the patch has it
  CHECK(fresh["entry"].at(1)["resource"]["id"].text() == fresh["entry"].at(0)["resource"]["id"].text());
  CHECK(server.store->counts()->versions == 2);

  server.send("PUT", "/Patient?identifier=urn:mrn|1",
              patient("1", R"(,"active":true,"address":[{"city":"Uppsala"}])"));
  const Json known(server.send("POST", "/", text).body);
  CHECK(status_of(known, 0) == "200 OK");
  CHECK(status_of(known, 1) == "200 OK");
  const auto now = known["entry"].at(1)["resource"];
  CHECK(now["active"].text() == "false");
  CHECK(now["address"].at(0)["city"].text() == "Uppsala");

  // A patch that nothing is created for is refused as before.
  const auto alone = server.send(
      "POST", "/", bundle("transaction", {{"POST", "Patient", patient("2"), {}, R"("ifNoneExist":"identifier=urn:mrn|2")"},
                                          {"PATCH", "Patient?identifier=urn:mrn|3", change, {}, {}}}));
  CHECK(alone.status == 404);
  // If-Match names a version, and there is none yet.
  const std::string other = R"("ifNoneExist":"identifier=urn:mrn|4")";
  const auto named = server.send("POST", "/", bundle("transaction", {{"POST", "Patient", patient("4"), {}, other},
                                                                     {"PATCH", "Patient?identifier=urn:mrn|4", change, {}, R"("ifMatch":"W/\"1\"")"}}));
  CHECK(named.status == 412);
}

TEST_CASE("two conditional creates that match one stored resource are both answered with it") {
  FhirServer server;
  server.send("POST", "/Patient", patient("1"));
  const std::string once = R"("ifNoneExist":"identifier=urn:mrn|1")";
  const auto response = server.send("POST", "/",
                                    bundle("transaction", {{"POST", "Patient", patient("1"), {}, once},
                                                           {"POST", "Patient", patient("1"), {}, once}}));
  REQUIRE(response.status == 200);
  CHECK(status_of(Json(response.body), 1) == "200 OK");
  CHECK(server.store->counts()->versions == 1);
}

TEST_CASE("a failing entry undoes the whole transaction and is named") {
  FhirServer server;
  server.send("PUT", "/Patient/a", R"({"resourceType":"Patient","id":"a","active":true})");
  const std::string a = R"({"resourceType":"Patient","id":"a","active":false})";
  const Entry good{"POST", "Patient", patient("1"), {}, {}}, gone{"DELETE", "Patient/a", {}, {}, {}};
  check_refused(server, "if_match",
                bundle("transaction", {good, {"PUT", "Patient/a", a, {}, R"("ifMatch":"W/\"7\"")"}}), 412);
  check_refused(server, "get_missing", bundle("transaction", {good, gone, {"GET", "Patient/a", {}, {}, {}}}),
                410);
  check_refused(server, "invalid",
                bundle("transaction",
                       {good, {"POST", "Patient", R"({"resourceType":"Patient","gender":"blue"})", {}, {}}}),
                400);
  check_refused(
      server, "no_request",
      R"({"resourceType":"Bundle","type":"transaction","entry":[{"resource":)" + patient("1") + "}]}", 400);
  check_refused(server, "bad_url", bundle("transaction", {good, {"PUT", "Patient", patient("1"), {}, {}}}),
                400);
  check_refused(server, "bad_method", bundle("transaction", {{"LINK", "Patient/a", a, {}, {}}}), 400);
  check_refused(server, "unknown_type", bundle("transaction", {{"DELETE", "Nonsense/a", {}, {}, {}}}), 404);
  check_refused(
      server, "nested",
      bundle("transaction", {{"POST", "Bundle", R"({"resourceType":"Bundle","type":"batch"})", {}, {}}}),
      400);
  check_refused(server, "criteria_many_none",
                bundle("transaction", {{"POST", "Patient", patient("1"), {}, R"("ifNoneExist":"")"}}), 400);
  check_refused(server, "wrong_bundle", R"({"resourceType":"Bundle","type":"collection"})", 400);
  CHECK(server.send("GET", "/Patient/a").headers.get("ETag") == "W/\"1\"");
}

TEST_CASE("deletions come first, reads last, answers in request order") {
  FhirServer server;
  server.send("PUT", "/Patient/a",
              R"({"resourceType":"Patient","id":"a","identifier":[{"system":"urn:mrn","value":"1"}]})");
  const auto response = server.send(
      "POST", "/",
      bundle("transaction", {{"GET", "Patient?identifier=urn:mrn|1", {}, {}, {}},
                             {"POST", "Patient", patient("1"), {}, R"("ifNoneExist":"identifier=urn:mrn|1")"},
                             {"DELETE", "Patient?identifier=urn:mrn|1", {}, {}, {}}}));
  REQUIRE(response.status == 200);
  const Json json(response.body);
  CHECK(json["entry"].at(0)["resource"]["total"].text() == "1");
  CHECK(status_of(json, 1) == "201 Created");
  CHECK(status_of(json, 2) == "204 No Content");
  CHECK(server.send("GET", "/Patient/a").status == 410);
}

TEST_CASE("the result does not depend on the order of the entries") {
  std::vector<Entry> entries = {
      {"POST", "Patient", patient("1"), kUuid, R"("ifNoneExist":"identifier=urn:mrn|1")"},
      {"PUT",
       "Patient?identifier=urn:mrn|2",
       patient("2", R"(,"link":[{"other":{"reference":")" + kUuid + R"("},"type":"seealso"}])"),
       {},
       {}},
      {"PUT", "Patient/fix", R"({"resourceType":"Patient","id":"fix","active":true})", {}, {}},
      {"DELETE", "Patient?identifier=urn:mrn|old", {}, {}, {}},
      {"POST", "Observation", observation("Patient?identifier=urn:mrn|old2"), {}, {}},
      {"POST", "Observation", observation("Patient/fix", R"(,"note":[{"text":"n"}])"), {}, {}}};
  std::vector<std::string> expected;
  base::SeededRandom random(11);
  for (int round = 0; round < 30; ++round) {
    FhirServer server;
    server.send("PUT", "/Patient/old",
                R"({"resourceType":"Patient","id":"old","identifier":[{"system":"urn:mrn","value":"old"}]})");
    server.send(
        "PUT", "/Patient/old2",
        R"({"resourceType":"Patient","id":"old2","identifier":[{"system":"urn:mrn","value":"old2"}]})");
    server.send("PUT", "/Patient/one",
                R"({"resourceType":"Patient","id":"one","identifier":[{"system":"urn:mrn","value":"1"}]})");
    for (std::size_t i = entries.size(); i > 1; --i) std::swap(entries[i - 1], entries[random.below(i)]);
    REQUIRE(server.send("POST", "/", bundle("transaction", entries)).status == 200);
    const auto found = content(server);
    if (expected.empty()) expected = found;
    CHECK(found == expected);
  }
  CHECK(expected.size() == 6);
}

TEST_CASE("batch entries stand for themselves") {
  FhirServer server;
  const auto response = server.send(
      "POST", "/",
      bundle("batch",
             {{"POST", "Patient", patient("1"), kUuid, {}},
              {"POST", "Patient", R"({"resourceType":"Patient","colour":"red"})", {}, {}},
              {"GET", "Patient?identifier=urn:mrn|1", {}, {}, {}},
              {"GET", "Patient/none", {}, {}, {}},
              {"POST", "Observation", observation(kUuid), {}, {}},
              {"DELETE", "Patient/none", {}, {}, {}},
              {"PUT", "Patient/p", R"({"resourceType":"Patient","id":"p"})", {}, R"("ifMatch":"W/\"1\"")"},
              {"POST", "/", bundle("batch", {}), {}, {}},
              {"BREW", "Patient", {}, {}, {}}}));
  CHECK(response.status == 200);
  const Json json(response.body);
  std::string statuses;
  for (std::size_t i = 0; i < json["entry"].size(); ++i) statuses += status_of(json, i).substr(0, 3) + " ";
  CHECK(statuses == "201 400 200 404 400 204 412 400 405 ");
  CHECK(json["entry"].at(1)["response"]["outcome"]["resourceType"].text() == "OperationOutcome");
  CHECK(json["entry"].at(2)["resource"]["total"].text() == "1");
  CHECK(server.store->counts()->resources ==
        std::vector<std::pair<std::string, std::int64_t>>{{"Patient", 1}});
}

TEST_CASE("Prefer decides what a transaction answers with") {
  FhirServer server;
  const std::string text = bundle("transaction", {{"POST", "Patient", patient("1"), {}, {}}});
  CHECK(Json(server.send("POST", "/", text).body)["entry"].at(0)["resource"]);
  CHECK_FALSE(
      Json(server.send("POST", "/", text, {{"Prefer", "return=minimal"}}).body)["entry"].at(0)["resource"]);
  CHECK(Json(server.send("POST", "/", text, {{"Prefer", "return=OperationOutcome"}}).body)["entry"].at(
      0)["response"]["outcome"]);
  CHECK(server.send("POST", "/", R"({"resourceType":"Bundle","type":"transaction"})").status == 200);
}

TEST_CASE("a channel applies bundles and single resources without HTTP") {
  FhirServer server;
  fhir::ApplyOptions options;
  const std::string origin = fhir::channel_origin("adt");
  options.origin = origin;
  server.context.access = nullptr;  // a channel's own delivery is not asked
  const Json text(bundle("transaction", {{"PUT", "Patient?identifier=urn:mrn|1", patient("1"), kUuid, {}},
                                         {"POST", "Observation", observation(kUuid), {}, {}}}));
  const auto applied = fhir::apply_bundle(*server.store, text.root, server.context, options);
  REQUIRE(applied);
  REQUIRE(applied->entries.size() == 2);
  CHECK(applied->entries[0].status == 201);
  CHECK(applied->entries[0].type == "Patient");
  CHECK(applied->entries[1].vid == 1);
  const Json single(R"({"resourceType":"Patient","id":"x","active":true})");
  CHECK(fhir::apply_bundle(*server.store, single.root, server.context, options)->entries[0].status == 201);
  CHECK(fhir::apply_bundle(*server.store, single.root, server.context, options)->entries[0].unchanged);
  const auto changes = server.store->changes_since(0, 10);
  REQUIRE(changes);
  for (const auto& change : *changes) CHECK(change.origin == "channel:adt");
  const Json broken(bundle("transaction", {{"POST", "Observation", observation("urn:uuid:none"), {}, {}}}));
  const auto refused = fhir::apply_bundle(*server.store, broken.root, server.context, options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().status() == 400);
  CHECK(fhir::print_outcome(refused.error()).find("Bundle.entry[0].resource.subject.reference") !=
        std::string::npos);
}
