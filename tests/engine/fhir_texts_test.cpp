// What is kept or skipped in memory so that searches need not walk or read: strings for :contains, members of a resource.
#include <catch2/catch.hpp>
#include <set>

#include "engine/limits.h"
#include "engine/store/body_members.h"
#include "engine/store/text_columns.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;

namespace {

std::set<std::int64_t> with(const engine::TextColumn& column, std::string_view part) {
  std::set<std::int64_t> out;
  column.each_with(part, [&](std::int64_t rid) { out.insert(rid); });
  return out;
}

/// The ids on a page, as a reader of a running server answers.
std::set<std::string> ids_of(test::FhirServer& server, fhir::Store& reader, const std::string& target) {
  base::HttpRequest request;
  request.method = "GET";
  request.target = "/fhir" + target;
  const auto answer = fhir::handle(request, fhir::Principal{"tester", true}, reader, server.context);
  REQUIRE(answer.status == 200);
  std::set<std::string> ids;
  const test::Json bundle(answer.body);
  for (const base::JsonView entry : bundle["entry"]) ids.insert(std::string(entry["resource"]["id"].text()));
  return ids;
}

struct Names {
  test::FhirServer server;
  std::unique_ptr<fhir::Store> reader = std::move(*server.store->open_reader());
  std::map<std::string, std::string> names;  ///< what each patient is called now

  void put(int number, const std::string& name) {
    const std::string id = "p" + std::to_string(number);
    const std::string body = R"({"resourceType":"Patient","id":")" + id + R"(","name":[{"family":")" + name + R"("}]})";
    REQUIRE(server.send("PUT", "/Patient/" + id, body, {{"Content-Type", "application/fhir+json"}}).status <= 201);
    names[id] = name;
  }
  void remove(int number) {
    const std::string id = "p" + std::to_string(number);
    REQUIRE(server.send("DELETE", "/Patient/" + id).status == 204);
    names.erase(id);
  }
  std::set<std::string> expected(const std::string& part) const {
    std::set<std::string> out;
    for (const auto& [id, name] : names)
      if (name.find(part) != name.npos) out.insert(id);
    return out;
  }
  std::set<std::string> found(fhir::Store& store, const std::string& part) {
    return ids_of(server, store, "/Patient?_count=1000&family:contains=" + part);
  }
  void check(const std::string& part) {
    CAPTURE(part);
    REQUIRE(reader->begin());
    CHECK(found(*reader, part) == expected(part));
    reader->rollback();
    CHECK(found(*server.store, part) == expected(part));
  }
};

}  // namespace

TEST_CASE("a column of texts finds parts, and never one that goes over two texts", "[search][texts]") {
  engine::TextColumn column(7);
  for (const auto& [text, rid] : {std::pair{"abara", 1}, {"abara", 4}, {"", 6}, {"barn", 2}, {"ra", 3}, {"x ra", 5}}) CHECK(column.add(text, rid));
  CHECK(column.seq() == 7);
  CHECK(with(column, "bar") == std::set<std::int64_t>{1, 2, 4});
  CHECK(with(column, "ra") == std::set<std::int64_t>{1, 3, 4, 5});
  CHECK(with(column, "arab").empty());
  CHECK(with(column, "rarn").empty());
  CHECK(with(column, "abara") == std::set<std::int64_t>{1, 4});
  CHECK(with(engine::TextColumn(1), "a").empty());
  CHECK_FALSE(engine::TextColumn::can_ask(""));
  CHECK_FALSE(engine::TextColumn::can_ask(std::string_view("a\0b", 3)));
}

TEST_CASE("columns of texts take a bounded memory", "[search][texts]") {
  const std::string text(1000, 'x');
  auto large = std::make_shared<engine::TextColumn>(1);
  while (large->add(text + std::to_string(large->bytes()), 1)) CHECK(large->bytes() <= engine::limits::kTextColumnBytesMax);
  CHECK(large->is_too_large());
  CHECK(large->bytes() == 0);
  engine::TextColumns columns;
  for (std::int64_t param = 1; param <= 5; ++param) {
    auto column = std::make_shared<engine::TextColumn>(param);
    while (column->bytes() < engine::limits::kTextColumnsBytes / 3) column->add(text + std::to_string(column->bytes()), 1);
    columns.keep(param, column);
    CHECK(columns.find(1) != nullptr);  // asked for again and again, so it stays
  }
  std::size_t kept = 0;
  for (std::int64_t param = 1; param <= 5; ++param)
    if (const auto column = columns.find(param)) kept += column->bytes();
  CHECK(kept <= engine::limits::kTextColumnsBytes);
  columns.keep(1, std::make_shared<engine::TextColumn>(0));
  CHECK(columns.find(1)->seq() == 1);  // an older one does not take its place
}

TEST_CASE("parts of strings are found while resources change", "[search][texts]") {
  Names all;
  base::SeededRandom random(11);
  const auto draw = [&](std::uint64_t n) { return static_cast<int>(random.next() % n); };
  const auto name = [&] {
    std::string out;
    for (int i = 0, n = 3 + draw(4); i < n; ++i) out += static_cast<char>('a' + draw(4));
    return out;
  };
  for (int n = 0; n < 60; ++n) all.put(n, name());
  all.check("ab");  // the column is made here
  for (int round = 0; round < 40; ++round) {
    for (int i = draw(4); i >= 0; --i) all.put(draw(80), name());
    if (draw(3) == 0) all.remove(draw(60));
    all.check(name().substr(0, 2));
  }
  // More than are looked at one by one: a new column.
  for (std::size_t i = 0; i <= engine::limits::kTextColumnChangesMax; ++i) all.put(static_cast<int>(i), name());
  all.check("cd");
  all.check("a");
}

TEST_CASE("a reader that sees an older moment finds what was there then", "[search][texts]") {
  Names all;
  all.put(1, "before");
  const auto old = std::move(*all.server.store->open_reader());
  REQUIRE(old->begin());
  CHECK(all.found(*old, "efor") == std::set<std::string>{"p1"});  // its moment is fixed here
  all.put(1, "after");
  for (int n = 2; n < 300; ++n) all.put(n, "more");
  all.check("fte");  // a newer column
  CHECK(all.found(*old, "efor") == std::set<std::string>{"p1"});
  CHECK(all.found(*old, "fte").empty());
  CHECK(all.found(*old, "mor").empty());
  old->rollback();
  CHECK(all.found(*old, "fte") == std::set<std::string>{"p1"});
}

TEST_CASE("members of a stored resource are found without reading it", "[search][texts]") {
  using Names = std::vector<std::string_view>;
  const std::string body =
      R"({"resourceType":"Patient","text":{"div":"<a b=\"}],\\\">","x":[1,{"birthDate":"no"}]},"birthDate":"1990","n":1.50,"ok":true,"name":[{"family":"a,\"b\\"}]})";
  CHECK(engine::members_of_body(body, Names{"birthDate"}) == R"({"birthDate":"1990"})");
  CHECK(engine::members_of_body(body, Names{"name", "n"}) == R"({"n":1.50,"name":[{"family":"a,\"b\\"}]})");
  CHECK(engine::members_of_body(body, Names{"ok", "resourceType"}) == R"({"resourceType":"Patient","ok":true})");
  CHECK(engine::members_of_body(body, Names{"family"}) == "{}");
  CHECK(engine::members_of_body(R"({"a":1})", Names{"a"}) == R"({"a":1})");
  for (const std::string wrong : {"", "{", "{}", "[1]", R"({"a")", R"({"a":)", R"({"a":"x)", R"({"a":{)", R"({"a":1]})", R"({"a":1} )",
                                  R"({ "a":1})", R"({"\u0061":1})", R"({"a":1,})"})
    CHECK_FALSE(engine::members_of_body(wrong, Names{"a"}));
  for (std::size_t cut = 0; cut < body.size(); ++cut) CHECK_FALSE(engine::members_of_body(body.substr(0, cut), Names{"name"}));
}
