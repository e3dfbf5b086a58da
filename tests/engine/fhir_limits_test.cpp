// What one request may cost: bytes of a page, time and parts of a question, words of the dictionary; and what
// a link gives away.

#include <catch2/catch.hpp>

#include "engine/base/limits.h"
#include "engine/base/sql/sqlite.h"
#include "engine/base/text.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using test::FhirServer;
using test::Json;

namespace {

void put(FhirServer& server, const std::string& type, const std::string& id, const std::string& members) {
  const auto response = server.send("PUT", "/" + type + "/" + id,
                                    R"({"resourceType":")" + type + R"(","id":")" + id + "\"" +
                                        (members.empty() ? "" : ",") + members + "}");
  REQUIRE(response.status < 300);
}

std::string link_of(const Json& bundle, std::string_view relation) {
  for (const auto link : bundle["link"])
    if (link["relation"].text() == relation) return std::string(link["url"].text());
  return {};
}

std::string below_base(const std::string& url) {
  return url.substr(std::string("http://fhir.test/fhir").size());
}

std::size_t entries_of(const Json& bundle) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto entry : bundle["entry"]) ++count;
  return count;
}

/// All pages of a search or history: number of entries, and the largest page.
struct Walk {
  std::size_t entries = 0, pages = 0, largest = 0;
};
Walk walk(FhirServer& server, std::string target) {
  Walk out;
  while (!target.empty()) {
    const auto response = server.send("GET", target);
    REQUIRE(response.status == 200);
    auto document = base::parse_json(response.body, {64u << 20, 64});
    REQUIRE(document);
    ++out.pages;
    out.largest = std::max(out.largest, response.body.size());
    std::string next;
    for (const auto link : document->root()["link"])
      if (link["relation"].text() == "next") next = below_base(std::string(link["url"].text()));
    for ([[maybe_unused]] const auto entry : document->root()["entry"]) ++out.entries;
    target = next;
    REQUIRE(out.pages < 50);
  }
  return out;
}

std::string data_of(std::size_t bytes) {
  return R"("contentType":"application/octet-stream","data":")" + std::string(bytes / 4 * 4, 'A') + "\"";
}

std::int64_t rows_in(FhirServer& server, const char* table) {
  auto database = base::Database::open({.path = server.options.path, .read_only = true});
  REQUIRE(database);
  auto select = database->prepare(std::string("SELECT count(*) FROM ") + table);
  REQUIRE(select);
  REQUIRE(*select->step());
  return select->integer(0);
}

/// Every look at it finds that eleven seconds have passed.
class HastyClock final : public base::Clock {
 public:
  base::WallTime wall() const override { return {1'714'557'600'123'000}; }
  base::MonoTime mono() const override { return now_ += std::chrono::seconds(11); }

 private:
  mutable base::MonoTime now_{0};
};

}  // namespace

TEST_CASE("fhir: a page ends early when its resources are large, and the next one goes on",
          "[fhir][limits]") {
  FhirServer server;
  constexpr std::size_t kOne = 3u << 20;
  for (int i = 0; i < 12; ++i) put(server, "Binary", "b" + std::to_string(i), data_of(kOne));
  const std::size_t most = base::limits::kPageBytesMax + (1u << 20);
  for (const char* target :
       {"/Binary?_count=1000", "/Binary?_count=1000&_sort=-_lastUpdated", "/Binary/_history?_count=1000",
        "/_history?_count=1000", "/?_type=Binary,Basic&_count=1000"}) {
    INFO(target);
    const Walk all = walk(server, target);
    CHECK(all.entries == 12);
    CHECK(all.pages == 3);
    CHECK(all.largest < most);
  }
  const Walk sorted = walk(server, "/Binary?_count=1000&_sort=-_id");
  CHECK(sorted.entries == 12);
  CHECK(sorted.largest < most);
}

TEST_CASE("fhir: a resource that is larger than a page still goes out", "[fhir][limits]") {
  FhirServer server;
  // With its meta it is larger than a page, and than what a client may send.
  put(server, "Binary", "large", data_of(base::limits::kPageBytesMax - 120));
  put(server, "Binary", "small", data_of(8));
  CHECK(walk(server, "/Binary").entries == 2);
  CHECK(walk(server, "/Binary/_history").entries == 2);
  put(server, "Binary", "large", data_of(8));
  CHECK(walk(server, "/Binary").pages == 1);
}

TEST_CASE("fhir: what is included is bounded, and said to be cut", "[fhir][limits]") {
  FhirServer server;
  put(server, "Patient", "p", "");
  for (int i = 0; i < 8; ++i)
    put(server, "DocumentReference", "d" + std::to_string(i),
        R"("status":"current","subject":{"reference":"Patient/p"},"content":[{"attachment":{"contentType":"text/plain","data":")" +
            std::string(kiln::base::limits::kPageBytesMax / 8, 'A') + R"("}}])");
  const auto response = server.send("GET", "/Patient?_revinclude=DocumentReference:subject");
  CHECK(response.body.size() < base::limits::kPageBytesMax + base::limits::kSearchIncludedBytesMax);
  const auto document = base::parse_json(response.body, {64u << 20, 64});
  REQUIRE(document);
  for (int i = 8; i < 12; ++i)
    put(server, "DocumentReference", "d" + std::to_string(i),
        R"("status":"current","subject":{"reference":"Patient/p"},"content":[{"attachment":{"contentType":"text/plain","data":")" +
            std::string(kiln::base::limits::kPageBytesMax / 8, 'A') + R"("}}])");
  const auto more = server.send("GET", "/Patient?_revinclude=DocumentReference:subject");
  CHECK(more.body.find("the rest is left out") != std::string::npos);
  CHECK(more.body.size() < base::limits::kPageBytesMax + base::limits::kSearchIncludedBytesMax);
}

TEST_CASE("fhir: a batch does not multiply pages", "[fhir][limits]") {
  FhirServer server;
  for (int i = 0; i < 5; ++i) put(server, "Binary", "b" + std::to_string(i), data_of(3u << 20));
  std::string entries;
  for (int i = 0; i < 20; ++i)
    entries += std::string(i ? "," : "") + R"({"request":{"method":"GET","url":"Binary"}})";
  const auto response =
      server.send("POST", "/", R"({"resourceType":"Bundle","type":"batch","entry":[)" + entries + "]}");
  CHECK(response.status == 200);
  CHECK(response.body.find("\"413\"") != std::string::npos);
  CHECK(response.body.size() < 3 * base::limits::kPageBytesMax);
}

TEST_CASE("fhir: a paging link tells nothing about the patients", "[fhir][limits]") {
  FhirServer server;
  for (const char* name : {"Secretname", "Other", "Third"})
    put(server, "Patient", std::string("p") + name[0], std::string(R"("name":[{"family":")") + name + "\"}]");
  const Json first(server.send("GET", "/Patient?_sort=family&_count=2").body);
  const std::string next = link_of(first, "next");
  std::string token = next.substr(next.find("_page=") + 6), bytes;
  for (char& c : token) c = c == '-' ? '+' : c == '_' ? '/' : c;
  token.append((4 - token.size() % 4) % 4, '=');
  REQUIRE(base::base64_decode(base::percent_decode(token, false), bytes));
  for (const char* part : {"secret", "other", "third"}) CHECK(bytes.find(part) == std::string::npos);
  const Json second(server.send("GET", below_base(next)).body);
  CHECK(entries_of(second) == 1);
  // The row that ended the page may change or go: the next page goes on where it was.
  put(server, "Patient", "pS", R"("name":[{"family":"Aaa"}])");
  put(server, "Patient", "pO", R"("name":[{"family":"Zzz"}])");
  CHECK(server.send("GET", below_base(next)).status == 200);
}

TEST_CASE("fhir: pages can be walked back", "[fhir][limits]") {
  FhirServer server;
  for (char c = 'a'; c < 'a' + 7; ++c) put(server, "Basic", std::string(1, c), R"("code":{"text":"x"})");
  const auto ids = [](const Json& bundle) {
    std::string text;
    for (const auto entry : bundle["entry"]) text += std::string(entry["resource"]["id"].text());
    return text;
  };
  for (const char* target : {"/Basic?_count=3", "/Basic?_count=3&_sort=-_lastUpdated"}) {
    INFO(target);
    const Json first(server.send("GET", target).body);
    CHECK(link_of(first, "previous").empty());
    const Json second(server.send("GET", below_base(link_of(first, "next"))).body);
    const Json third(server.send("GET", below_base(link_of(second, "next"))).body);
    CHECK(link_of(third, "next").empty());
    const Json back(server.send("GET", below_base(link_of(third, "previous"))).body);
    CHECK(ids(back) == ids(second));
    const Json start(server.send("GET", below_base(link_of(back, "previous"))).body);
    CHECK(ids(start) == ids(first));
    CHECK(link_of(start, "previous").empty());
    const Json again(server.send("GET", below_base(link_of(start, "next"))).body);
    CHECK(ids(again) == ids(second));
  }
}

TEST_CASE("fhir: a paging link outlives a restart, not a day", "[fhir][limits]") {
  FhirServer server;
  for (int i = 0; i < 5; ++i) put(server, "Patient", "p" + std::to_string(i), R"("gender":"male")");
  const std::string next = below_base(link_of(Json(server.send("GET", "/Patient?gender=male&_count=2").body), "next"));
  REQUIRE_FALSE(next.empty());
  CHECK(next.size() < 512);
  server.open();
  const auto page = server.send("GET", next);
  REQUIRE(page.status == 200);
  CHECK(entries_of(Json(page.body)) == 2);
  server.clock.advance(std::chrono::hours(23));
  CHECK(server.send("GET", next).status == 200);
  server.clock.advance(std::chrono::hours(2));
  const auto late = server.send("GET", next);
  CHECK(late.status == 410);
  CHECK(late.body.find("OperationOutcome") != std::string::npos);
  CHECK(server.send("GET", "/Patient?gender=male&_count=2").status == 200);
}

TEST_CASE("fhir: a question that takes too long is ended with 503 too-costly", "[fhir][limits]") {
  FhirServer server;
  for (int i = 0; i < 400; ++i)
    put(server, "Patient", "p" + std::to_string(i),
        R"("name":[{"family":"Family)" + std::to_string(i) + "\"}]");
  const char* slow = "/Patient?family:contains=9&_total=accurate";
  CHECK(server.send("GET", slow).status == 200);
  HastyClock hasty;
  server.options.clock = &hasty;
  server.open();
  const auto response = server.send("GET", slow);
  CHECK(response.status == 503);
  CHECK(response.body.find("too-costly") != std::string::npos);
  CHECK(response.headers.has("Retry-After"));
  CHECK(server.send("GET", "/Patient/p1").status == 200);
}

TEST_CASE("fhir: a question is ended when nobody wants its answer", "[fhir][limits]") {
  FhirServer server;
  for (int i = 0; i < 400; ++i)
    put(server, "Patient", "p" + std::to_string(i),
        R"("name":[{"family":"Family)" + std::to_string(i) + "\"}]");
  server.store->set_stop([] { return true; });
  CHECK(server.send("GET", "/Patient?family:contains=9").status == 503);
  CHECK(server.send("PUT", "/Patient/p1", R"({"resourceType":"Patient","id":"p1"})").status == 200);
  server.store->set_stop({});
  CHECK(server.send("GET", "/Patient?family:contains=9").status == 200);
}

TEST_CASE("fhir: searches add nothing to the store", "[fhir][limits]") {
  FhirServer server;
  put(server, "Patient", "a", R"("identifier":[{"system":"urn:known","value":"1"}])");
  const auto words = rows_in(server, "word"), types = rows_in(server, "type"),
             params = rows_in(server, "param");
  std::string entries;
  for (int i = 0; i < 50; ++i)
    entries += std::string(i ? "," : "") +
               R"({"request":{"method":"GET","url":"Patient?identifier=urn:junk:)" + std::to_string(i) +
               R"(|x&organization=Organization/)" + std::to_string(i) +
               R"("}},{"request":{"method":"GET","url":"Observation?value-quantity=1|urn:u)" +
               std::to_string(i) + R"(|mg"}})";
  // On the connection that writes.
  CHECK(server.send("POST", "/", R"({"resourceType":"Bundle","type":"batch","entry":[)" + entries + "]}")
            .status == 200);
  CHECK(server.send("DELETE", "/Patient?identifier=urn:junk:x%7C1").status == 204);
  CHECK(rows_in(server, "word") == words);
  CHECK(rows_in(server, "type") == types);
  CHECK(rows_in(server, "param") == params);
}

TEST_CASE("fhir: a search has a bounded number of parts", "[fhir][limits]") {
  FhirServer server;
  std::string target = "/Patient?";
  for (int i = 0; i < 6; ++i) {
    target += i ? "&identifier=" : "identifier=";
    for (int j = 0; j < 450; ++j) target += (j ? ",v" : "v") + std::to_string(i * 1000 + j);
  }
  CHECK(server.send("GET", target).status == 400);
}

TEST_CASE("fhir: history of a moment, and only its size", "[fhir][limits]") {
  FhirServer server;
  put(server, "Patient", "a", R"("gender":"male")");
  server.clock.advance(std::chrono::hours(24));
  put(server, "Patient", "a", R"("gender":"female")");
  server.clock.advance(std::chrono::hours(24));
  REQUIRE(server.send("DELETE", "/Patient/a").status == 204);
  const auto versions = [&](const std::string& query) {
    const Json bundle(server.send("GET", "/Patient/a/_history" + query).body);
    std::string text;
    for (const auto entry : bundle["entry"]) text += std::string(entry["response"]["etag"].text());
    return text;
  };
  CHECK(versions("?_at=2024-05-01") == "W/\"1\"");
  CHECK(versions("?_at=2024-05-01T09:59:59Z") == "");
  CHECK(versions("?_at=2024-05-01T10:00:00Z") == "W/\"1\"");
  CHECK(versions("?_at=2024-05-01T12:00:00Z") == "W/\"1\"");
  CHECK(versions("?_at=2024-05-02") == "W/\"2\"W/\"1\"");
  CHECK(versions("?_at=2024-05-02T12:00:00Z") == "W/\"2\"");
  CHECK(versions("?_at=2024-06") == "W/\"3\"");
  CHECK(versions("?_at=2023") == "");
  CHECK(server.send("GET", "/Patient/a/_history?_at=x").status == 400);
  for (const char* target :
       {"/Patient/a/_history?_count=0", "/Patient/_history?_count=0", "/_history?_count=0"}) {
    INFO(target);
    const Json bundle(server.send("GET", target).body);
    CHECK(bundle["total"].text() == "3");
    CHECK(entries_of(bundle) == 0);
  }
}

TEST_CASE("fhir: a Bundle of reads needs no writer", "[fhir][limits]") {
  FhirServer server;
  base::HttpRequest request;
  request.method = "POST";
  request.target = "/fhir";
  request.body =
      R"({"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient"}}]})";
  CHECK_FALSE(fhir::is_write(request, server.context));
  auto reader = server.store->open_reader();
  REQUIRE(reader);
  CHECK(fhir::handle(request, {"t", true}, **reader, server.context).status == 200);
  for (const char* method : {"PUT", "P\\u0055T", "DELETE"}) {
    request.body = std::string(R"({"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":")") +
                   method + R"("}}]})";
    CHECK(fhir::is_write(request, server.context));
  }
}
