// What goes over the wire: XML and gzip both ways, parts of resources, Binary in its own format, PATCH.

#include <catch2/catch.hpp>

#include "engine/base/archive.h"
#include "engine/base/gzip.h"
#include "engine/base/text.h"
#include "fhir/interaction.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using test::FhirServer;
using test::Headers;
using test::Json;

namespace {

const std::string kPatient =
    R"({"resourceType":"Patient","id":"p","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Probe</div>"},)"
    R"("identifier":[{"system":"urn:mrn","value":"7"}],"active":true,"name":[{"family":"Probe"}],"maritalStatus":{"text":"m"},)"
    R"("contact":[{"name":{"family":"Next"}}],"link":[{"other":{"reference":"Patient/q"},"type":"seealso"}]})";

std::string issue_of(const base::HttpResponse& response) {
  return std::string(Json(response.body)["issue"].at(0)["code"].text());
}

std::string members(const Json& resource) {
  std::string names;
  for (const auto member : resource.root) names += std::string(member.key()) + " ";
  return names;
}

const Headers kJsonPatch = {{"Content-Type", "application/json-patch+json"}};
const Headers kFhirJson = {{"Content-Type", "application/fhir+json"}};

std::string path_patch(const std::string& path, const std::string& value) {
  return R"({"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},)"
         R"({"name":"path","valueString":")" +
         path + R"("},{"name":"value",)" + value + "}]}]}";
}

}  // namespace

TEST_CASE("XML comes in and goes out; the answer follows _format, Accept and their weights", "[content]") {
  FhirServer server;
  const std::string xml =
      R"(<Patient xmlns="http://hl7.org/fhir"><id value="x"/><active value="true"/><name><family value="Probe"/></name></Patient>)";
  const auto put =
      server.send("PUT", "/Patient/x", xml,
                  {{"Content-Type", "application/fhir+xml"}, {"Accept", "application/fhir+xml"}});
  CHECK(put.status == 201);
  CHECK(put.headers.get("Content-Type") == "application/fhir+xml; charset=UTF-8");
  CHECK(put.body.starts_with(
      "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"x\"/><meta><versionId value=\"1\"/>"));
  const Json json(server.send("GET", "/Patient/x").body);
  CHECK(json["name"].at(0)["family"].text() == "Probe");
  const auto type_of = [&](const std::string& target, const std::string& accept) {
    const auto response = server.send("GET", target, "", {{"Accept", accept}});
    return std::to_string(response.status) + (response.body.starts_with("<") ? " xml" : " json");
  };
  CHECK(type_of("/Patient/x?_format=xml", "application/json") == "200 xml");
  CHECK(type_of("/Patient/x?_format=application/fhir%2Bxml", "") == "200 xml");
  CHECK(type_of("/Patient/x?_format=application/fhir+xml", "") == "200 xml");
  CHECK(type_of("/Patient/x", "application/xml;q=0.9, application/json;q=0.8") == "200 xml");
  CHECK(type_of("/Patient/x", "application/fhir+json;q=0.9, application/fhir+xml;q=0.8") == "200 json");
  CHECK(type_of("/Patient/x", "text/html, application/xhtml+xml, */*;q=0.1") == "200 json");
  CHECK(type_of("/Patient/x", "application/json;q=0, */*") == "200 xml");
  CHECK(type_of("/Patient/never", "application/fhir+xml") == "404 xml");
  CHECK(type_of("/Nonsense/x", "application/fhir+xml") == "404 xml");
  CHECK(type_of("/Patient?_id=x&_format=xml", "") == "200 xml");
  CHECK(type_of("/metadata?_format=xml", "") == "200 xml");
  const auto pretty = server.send("GET", "/Patient/x?_format=xml&_pretty=true");
  CHECK(pretty.body.find("\n  <id value=\"x\"/>") != std::string::npos);
  const auto bad = server.send("POST", "/Patient",
                               "<Patient xmlns=\"http://hl7.org/fhir\"><colour value=\"red\"/></Patient>",
                               {{"Content-Type", "application/fhir+xml"}});
  CHECK(bad.status == 400);
  CHECK(issue_of(bad) == "structure");
  CHECK(server
            .send("POST", "/Patient", "<!DOCTYPE x><Patient xmlns=\"http://hl7.org/fhir\"/>",
                  {{"Content-Type", "application/fhir+xml"}})
            .status == 400);
}

TEST_CASE("a decimal keeps its digits through XML and JSON", "[content]") {
  FhirServer server;
  const std::string xml =
      R"(<Observation xmlns="http://hl7.org/fhir"><id value="o"/><status value="final"/><code><text value="x"/></code>)"
      R"(<valueQuantity><value value="1.5000"/></valueQuantity></Observation>)";
  REQUIRE(server.send("PUT", "/Observation/o", xml, {{"Content-Type", "application/xml"}}).status == 201);
  CHECK(server.send("GET", "/Observation/o").body.find("\"value\":1.5000") != std::string::npos);
  CHECK(server.send("GET", "/Observation/o?_format=xml").body.find("<value value=\"1.5000\"/>") !=
        std::string::npos);
}

TEST_CASE("gzip in and out", "[content]") {
  FhirServer server;
  std::string large =
      R"({"resourceType":"Patient","id":"l","name":[{"family":")" + std::string(5000, 'x') + "\"}]}";
  REQUIRE(server.send("PUT", "/Patient/l", base::gzip(large), {{"Content-Encoding", "gzip"}}).status == 201);
  const auto packed = server.send("GET", "/Patient/l", "", {{"Accept-Encoding", "br, gzip;q=0.5"}});
  CHECK(packed.headers.get("Content-Encoding") == "gzip");
  CHECK(packed.body.size() < 1000);
  const auto text = base::gunzip(packed.body, 100'000);
  REQUIRE(text);
  CHECK(*text == server.send("GET", "/Patient/l").body);
  CHECK_FALSE(server.send("GET", "/Patient/l", "", {{"Accept-Encoding", "gzip;q=0"}})
                  .headers.has("Content-Encoding"));
  CHECK(server.send("PUT", "/Patient/l", "not gzip", {{"Content-Encoding", "gzip"}}).status == 400);
  CHECK(server.send("PUT", "/Patient/l", large, {{"Content-Encoding", "br"}}).status == 415);
  const std::string bomb = base::gzip(std::string(base::limits::kMessageBytesMax + 1, ' '));
  CHECK(server.send("PUT", "/Patient/l", bomb, {{"Content-Encoding", "gzip"}}).status == 413);
}

TEST_CASE("HEAD says how long the body of GET is", "[content]") {
  FhirServer server;
  server.send("PUT", "/Patient/p", kPatient);
  const auto head = server.send("HEAD", "/Patient/p");
  CHECK(head.body.empty());
  CHECK(head.headers.get("Content-Length") == std::to_string(server.send("GET", "/Patient/p").body.size()));
}

TEST_CASE("_summary and _elements give a part that says so, and that cannot be stored", "[content]") {
  FhirServer server;
  REQUIRE(server.send("PUT", "/Patient/p", kPatient).status == 201);
  const auto part = [&](const std::string& parameters) {
    return Json(server.send("GET", "/Patient/p?" + parameters).body);
  };
  CHECK(members(part("_summary=true")) == "resourceType id meta identifier active name link ");
  CHECK(members(part("_summary=text")) == "resourceType id meta text ");
  CHECK(members(part("_summary=data")) ==
        "resourceType id meta identifier active name maritalStatus contact link ");
  CHECK(members(part("_summary=false")) == members(part("")));
  CHECK(members(part("_elements=maritalStatus,Patient.contact")) ==
        "resourceType id meta active maritalStatus contact link ");
  const Json subset = part("_elements=name");
  CHECK(subset["meta"]["tag"].at(0)["code"].text() == "SUBSETTED");
  CHECK(subset["meta"]["versionId"].text() == "1");
  CHECK_FALSE(part("")["meta"]["tag"]);
  const auto stored = server.send("PUT", "/Patient/p", base::print_json(subset.root));
  CHECK(stored.status == 422);
  CHECK(Json(stored.body)["issue"].at(0)["expression"].at(0).text() == "Patient.meta.tag");
  CHECK(server.send("GET", "/Patient/p?_summary=most").status == 400);
  CHECK(server.send("GET", "/Patient/p?colour=red", "", {{"Prefer", "handling=strict"}}).status == 400);
  CHECK(members(Json(server.send("GET", "/Patient/p/_history/1?_elements=name").body)) ==
        "resourceType id meta active name link ");
}

TEST_CASE("Binary in its own format", "[content]") {
  FhirServer server;
  const std::string bytes("\x89PNG\0\x01", 6);
  const auto put = server.send("PUT", "/Binary/b", bytes,
                               {{"Content-Type", "image/png"}, {"X-Security-Context", "Patient/p"}});
  REQUIRE(put.status == 201);
  CHECK(Json(put.body)["contentType"].text() == "image/png");
  const auto native = server.send("GET", "/Binary/b", "", {{"Accept", "image/*"}});
  CHECK(native.status == 200);
  CHECK(native.body == bytes);
  CHECK(native.headers.get("Content-Type") == "image/png");
  CHECK(native.headers.get("X-Security-Context") == "Patient/p");
  CHECK(native.headers.get("Content-Disposition") == "attachment");
  CHECK(
      Json(server.send("GET", "/Binary/b", "", {{"Accept", "application/fhir+json"}}).body)["data"].text() ==
      base::base64_encode(bytes));
  CHECK(server.send("POST", "/Binary", "plain", {{"Content-Type", "text/plain"}}).status == 201);
  CHECK(server.send("POST", "/Patient", "plain", {{"Content-Type", "text/plain"}}).status == 415);
  CHECK(server.send("GET", "/Binary/none", "", {{"Accept", "image/png"}}).status == 404);
}

TEST_CASE("PATCH with a JSON Patch", "[patch]") {
  FhirServer server;
  REQUIRE(server.send("PUT", "/Patient/p", kPatient).status == 201);
  const auto done =
      server.send("PATCH", "/Patient/p", R"([{"op":"replace","path":"/active","value":false}])", kJsonPatch);
  CHECK(done.status == 200);
  CHECK(done.headers.get("ETag") == "W/\"2\"");
  const Json patched(done.body);
  CHECK(patched["active"].text() == "false");
  CHECK_FALSE(patched["text"]);  // generated from the old data
  const Json history(server.send("GET", "/Patient/p/_history").body);
  CHECK(history["entry"].at(0)["request"]["method"].text() == "PATCH");
  const auto status = [&](const std::string& target, const std::string& patch, Headers headers = kJsonPatch) {
    return server.send("PATCH", target, patch, headers).status;
  };
  CHECK(status("/Patient/p", R"([{"op":"test","path":"/active","value":true}])") == 422);
  CHECK(status("/Patient/p", R"([{"op":"remove","path":"/birthDate"}])") == 422);
  CHECK(status("/Patient/p", R"([{"op":"add","path":"/colour","value":"red"}])") == 422);
  CHECK(status("/Patient/p", R"([{"op":"replace","path":"/id","value":"q"}])") == 422);
  CHECK(status("/Patient/p", R"([{"op":"add","path":"/gender","value":"x"}])") == 422);
  CHECK(status("/Patient/p", R"({"op":"add"})") == 400);
  CHECK(status("/Patient/p", "[") == 400);
  CHECK(status("/Patient/none", "[]") == 404);
  CHECK(status("/Patient/p", "[]", {{"Content-Type", "application/merge-patch+json"}}) == 415);
  CHECK(status("/Patient/p", "[]", {}) == 415);
  Headers old = kJsonPatch;
  old.emplace_back("If-Match", "W/\"1\"");
  CHECK(status("/Patient/p", R"([{"op":"remove","path":"/active"}])", old) == 412);
  old.back().second = "W/\"2\"";
  CHECK(status("/Patient/p", R"([{"op":"remove","path":"/active"}])", old) == 200);
  CHECK(status("/Patient/p", R"([{"op":"test","path":"/name/0/family","value":"Probe"}])") == 200);
  CHECK(server.send("GET", "/Patient/p").headers.get("ETag") == "W/\"3\"");  // nothing changed
  server.send("DELETE", "/Patient/p");
  CHECK(status("/Patient/p", "[]") == 410);
}

TEST_CASE("PATCH with a FHIRPath Patch, in JSON and XML", "[patch]") {
  FhirServer server;
  REQUIRE(server.send("PUT", "/Patient/p", kPatient).status == 201);
  CHECK(server
            .send("PATCH", "/Patient/p", path_patch("Patient.name[0].family", R"("valueString":"New")"),
                  kFhirJson)
            .status == 200);
  CHECK(Json(server.send("GET", "/Patient/p").body)["name"].at(0)["family"].text() == "New");
  const std::string xml =
      R"(<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/><part><name value="type"/><valueCode value="delete"/></part>)"
      R"(<part><name value="path"/><valueString value="Patient.maritalStatus"/></part></parameter></Parameters>)";
  CHECK(server.send("PATCH", "/Patient/p", xml, {{"Content-Type", "application/fhir+xml"}}).status == 200);
  CHECK_FALSE(Json(server.send("GET", "/Patient/p").body)["maritalStatus"]);
  CHECK(server.send("PATCH", "/Patient/p", path_patch("Patient.colour", R"("valueString":"New")"), kFhirJson)
            .status >= 400);
  CHECK(server.send("PATCH", "/Patient/p", R"({"resourceType":"Patient"})", kFhirJson).status == 400);
}

TEST_CASE("PATCH with an XML Patch, also in a transaction", "[patch]") {
  FhirServer server;
  REQUIRE(server.send("PUT", "/Patient/p", kPatient).status == 201);
  const Headers kXmlPatch = {{"Content-Type", "application/xml-patch+xml; charset=utf-8"}};
  const auto diff = [](const std::string& operation) {
    return R"(<?xml version="1.0"?><diff xmlns:f="http://hl7.org/fhir">)" + operation + "</diff>";
  };
  const auto send = [&](const std::string& operation) { return server.send("PATCH", "/Patient/p", diff(operation), kXmlPatch); };
  const auto done = send(R"(<replace sel="f:Patient/f:name[1]/f:family/@value">New</replace>)");
  INFO(done.body);
  REQUIRE(done.status == 200);
  CHECK(done.headers.get("ETag") == "W/\"2\"");
  const Json patched(done.body);
  CHECK(patched["name"].at(0)["family"].text() == "New");
  CHECK_FALSE(patched["text"]);  // generated from the old data
  CHECK(send(R"(<remove sel="f:Patient/f:colour"/>)").status == 422);
  CHECK(send(R"(<replace sel="f:Patient/f:id/@value">q</replace>)").status == 422);
  CHECK(send(R"(<add sel="f:Patient"><active xmlns="http://hl7.org/fhir" value="maybe"/></add>)").status == 422);
  CHECK(send(R"(<replace sel="//f:family/@value">X</replace>)").status == 400);
  CHECK(server.send("PATCH", "/Patient/p", "<diff", kXmlPatch).status == 400);
  CHECK(server.send("PATCH", "/Patient/p", "", kXmlPatch).status == 400);
  CHECK(server.send("PATCH", "/Patient?identifier=urn:mrn|7", diff(R"(<replace sel="f:Patient/f:name[1]/f:family/@value">Newer</replace>)"), kXmlPatch).status == 200);
  const auto transaction = server.send("POST", "/", R"({"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Binary","contentType":"application/xml-patch+xml","data":")" +
      base::base64_encode(diff(R"(<replace sel="f:Patient/f:name[1]/f:family/@value">Newest</replace>)")) + R"("},"request":{"method":"PATCH","url":"Patient/p"}}]})");
  INFO(transaction.body);
  CHECK(transaction.status == 200);
  CHECK(Json(server.send("GET", "/Patient/p").body)["name"].at(0)["family"].text() == "Newest");
}

TEST_CASE("conditional PATCH: one match, none, many", "[patch]") {
  FhirServer server;
  REQUIRE(server.send("PUT", "/Patient/p", kPatient).status == 201);
  const std::string patch = R"([{"op":"replace","path":"/active","value":false}])";
  const auto done = server.send("PATCH", "/Patient?identifier=urn:mrn|7", patch, kJsonPatch);
  CHECK(done.status == 200);
  CHECK(Json(done.body)["id"].text() == "p");
  CHECK(server.send("PATCH", "/Patient?identifier=urn:mrn|8", patch, kJsonPatch).status == 404);
  CHECK(server.send("PATCH", "/Patient", patch, kJsonPatch).status == 400);
  CHECK(server.send("PATCH", "/Patient?_sort=_id", patch, kJsonPatch).status == 400);
  server.send("POST", "/Patient", kPatient);
  CHECK(server.send("PATCH", "/Patient?identifier=urn:mrn|7", patch, kJsonPatch).status == 412);
}

TEST_CASE("PATCH as an entry of a transaction and of a batch", "[patch]") {
  FhirServer server;
  REQUIRE(server.send("PUT", "/Patient/p", kPatient).status == 201);
  const std::string binary =
      R"({"resourceType":"Binary","contentType":"application/json-patch+json","data":")" +
      base::base64_encode(R"([{"op":"replace","path":"/active","value":false}])") + "\"}";
  const auto bundle = [](const std::string& type, const std::string& entries) {
    return R"({"resourceType":"Bundle","type":")" + type + R"(","entry":[)" + entries + "]}";
  };
  const auto entry = [](const std::string& resource, const std::string& url, const std::string& more = {}) {
    return R"({"resource":)" + resource + R"(,"request":{"method":"PATCH","url":")" + url + "\"" + more +
           "}}";
  };
  const auto done = server.send(
      "POST", "/",
      bundle(
          "transaction",
          entry(binary, "Patient/p") + "," +
              R"({"fullUrl":"urn:uuid:6fd5ab5c-0a7f-4e2e-9c3c-111111111111","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}})"));
  REQUIRE(done.status == 200);
  CHECK(Json(done.body)["entry"].at(0)["response"]["etag"].text() == "W/\"2\"");
  CHECK(Json(done.body)["entry"].at(0)["resource"]["active"].text() == "false");
  // The value of a patch may refer to what the same transaction creates.
  const auto linked = server.send(
      "POST", "/",
      bundle(
          "transaction",
          entry(
              path_patch("Patient.link[0].other",
                         R"("valueReference":{"reference":"urn:uuid:6fd5ab5c-0a7f-4e2e-9c3c-222222222222"})"),
              "Patient?identifier=urn:mrn|7") +
              "," +
              R"({"fullUrl":"urn:uuid:6fd5ab5c-0a7f-4e2e-9c3c-222222222222","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}})"));
  INFO(linked.body);
  REQUIRE(linked.status == 200);
  const std::string made(Json(linked.body)["entry"].at(1)["resource"]["id"].text());
  CHECK(Json(server.send("GET", "/Patient/p").body)["link"].at(0)["other"]["reference"].text() ==
        "Patient/" + made);
  CHECK(server.send("POST", "/", bundle("transaction", entry(binary, "Patient/none"))).status == 404);
  CHECK(server.send("POST", "/", bundle("transaction", entry(binary, "Patient/p", R"(,"ifMatch":"W/\"1\"")")))
            .status == 412);
  CHECK(server.send("POST", "/", bundle("transaction", entry(R"({"resourceType":"Patient"})", "Patient/p")))
            .status == 400);
  CHECK(server
            .send("POST", "/",
                  bundle("transaction",
                         entry(binary, "Patient/p") + "," + entry(binary, "Patient?identifier=urn:mrn|7")))
            .status == 400);
  const Json batch(
      server
          .send("POST", "/",
                bundle("batch", entry(binary, "Patient/p") + "," + entry(binary, "Patient/none")))
          .body);
  CHECK(batch["entry"].at(0)["response"]["status"].text() == "200 OK");
  CHECK(batch["entry"].at(1)["response"]["status"].text() == "404");
}

TEST_CASE("operations: $validate, $meta, $convert", "[operation]") {
  FhirServer server;
  REQUIRE(server.send("PUT", "/Patient/p", kPatient).status == 201);
  const auto valid = server.send("POST", "/Patient/$validate", kPatient);
  CHECK(valid.status == 200);
  CHECK(Json(valid.body)["resourceType"].text() == "OperationOutcome");
  const auto wrong = server.send("POST", "/Patient/$validate", R"({"resourceType":"Patient","gender":"x"})");
  CHECK(wrong.status == 200);
  CHECK(wrong.body.find("\"severity\":\"error\"") != std::string::npos);
  CHECK(valid.body.find("\"severity\":\"error\"") == std::string::npos);
  const auto other = server.send("POST", "/Observation/$validate", kPatient);
  CHECK(Json(other.body)["issue"].at(0)["severity"].text() == "error");
  const auto wrapped = server.send(
      "POST", "/Patient/$validate",
      R"({"resourceType":"Parameters","parameter":[{"name":"mode","valueCode":"create"},{"name":"resource","resource":)" +
          kPatient + "}]}");
  CHECK(wrapped.status == 200);
  CHECK(server.send("GET", "/Patient/p/$validate").status == 200);
  CHECK(server.send("GET", "/Patient/none/$validate").status == 404);
  CHECK(server.send("POST", "/Patient/$validate?mode=sideways", kPatient).status == 400);
  CHECK(server.store->counts()->versions == 1);  // nothing was stored

  const Json meta(server.send("GET", "/Patient/p/$meta").body);
  CHECK(meta["parameter"].at(0)["valueMeta"]["versionId"].text() == "1");
  CHECK(server.send("POST", "/Patient/p/$meta").status == 200);

  const auto xml = server.send("POST", "/$convert", kPatient, {{"Accept", "application/fhir+xml"}});
  CHECK(xml.status == 200);
  const auto back = server.send("POST", "/$convert", xml.body, {{"Content-Type", "application/fhir+xml"}});
  CHECK(back.body == kPatient);
  CHECK(server.send("GET", "/$convert").status == 405);
  CHECK(server.send("GET", "/$convert").headers.get("Allow") == "POST");
  CHECK(server.send("POST", "/$nonsense", kPatient).status == 404);
  CHECK(server.send("POST", "/Patient/$convert", kPatient).status == 404);
  for (const fhir::Interaction* operation : fhir::all_operation_files()) {
    CHECK(operation->name.starts_with("$"));
    CHECK_FALSE(operation->summary.empty());
    CHECK_FALSE(operation->examples.empty());
  }
}

TEST_CASE("what HTTP refuses by itself is an OperationOutcome too", "[content]") {
  const auto refused = fhir::refuse(413, "the body is too large");
  CHECK(refused.status == 413);
  CHECK(refused.headers.get("Content-Type") == "application/fhir+json; charset=UTF-8");
  CHECK(issue_of(refused) == "too-long");
  CHECK(issue_of(fhir::refuse(400, "folded header line")) == "structure");
  CHECK(issue_of(fhir::refuse(408, "the request took too long")) == "timeout");
}
