// The parts of the FHIR server that need no store.

#include <algorithm>
#include <catch2/catch.hpp>

#include "engine/base/random.h"
#include "fhir/detail/negotiation.h"
#include "fhir/detail/operations.h"
#include "fhir/detail/paging.h"
#include "fhir/ids.h"
#include "fhir/reference.h"
#include "fhir/resource_text.h"
#include "fhir/search/query.h"

using namespace kiln::fhir;
namespace base = kiln::base;

TEST_CASE("folding: case, accents, punctuation, white space") {
  CHECK(fold("MÜLLER") == "muller");
  CHECK(fold("O'Brien") == fold("obrien"));
  CHECK(fold("  Smith-Jones ") == fold("smith  jones"));
  CHECK(fold("Straße") == "strasse");
  CHECK(fold("Łódź Ærø") == "lodz aero");
  CHECK(fold("ΑΘΗΝΑ") == fold("Αθήνα"));
  CHECK(fold("Москва") == fold("МОСКВА"));
  CHECK(fold("e\xCC\x81") == "e");
  CHECK(fold("山田") == "山田");
  CHECK(fold("St. John") == fold("st john"));
}

TEST_CASE("sortable numbers sort like numbers") {
  const std::vector<std::string> ascending = {"-1e10", "-100",  "-99.5", "-1.51",  "-1.5",   "-0.001",
                                              "0",     "1e-20", "0.5",   "1",      "1.0001", "9",
                                              "10",    "99.99", "1e2",   "1000000"};
  for (std::size_t i = 1; i < ascending.size(); ++i)
    CHECK(*sortable_decimal(ascending[i - 1]) < *sortable_decimal(ascending[i]));
  CHECK(sortable_decimal("1.50") == sortable_decimal("1.5"));
  CHECK(sortable_decimal("100") == sortable_decimal("1e2"));
  CHECK(sortable_decimal("-0.0") == sortable_decimal("0"));
  for (const char* bad : {"", "-", "abc", "1e", "1.", "1e99999", "1x"}) CHECK_FALSE(sortable_decimal(bad));
}

TEST_CASE("implied intervals of search#number") {
  const auto interval = implied_interval("100");
  REQUIRE(interval);
  CHECK(interval->low == *sortable_decimal("99.5"));
  CHECK(interval->high == *sortable_decimal("100.5"));
  CHECK(implied_interval("100.00")->low == *sortable_decimal("99.995"));
  CHECK(implied_interval("1e2")->low == *sortable_decimal("95"));
  CHECK(implied_interval("1e2")->high == *sortable_decimal("105"));
  CHECK(implied_interval("-2")->low == *sortable_decimal("-2.5"));
}

TEST_CASE("references are taken apart") {
  using Form = ReferenceParts::Form;
  CHECK(parse_reference("Patient/1").form == Form::relative);
  CHECK(parse_reference("Patient/1/_history/2").version == "2");
  CHECK(parse_reference("http://a/fhir/Patient/1").base == "http://a/fhir");
  CHECK(parse_reference("http://a/fhir/Patient/1", "http://a/fhir").form == Form::relative);
  CHECK(parse_reference("urn:uuid:x").form == Form::urn);
  CHECK(parse_reference("#c1").form == Form::fragment);
  const auto conditional = parse_reference("Patient?identifier=a|b");
  CHECK(conditional.form == Form::conditional);
  CHECK(conditional.query == "identifier=a|b");
  CHECK(parse_reference("Nonsense/1").form == Form::other);
  CHECK(parse_reference("http://loinc.org").form == Form::other);
  CHECK(parse_reference("").form == Form::other);
}

TEST_CASE("ids are valid, and rise even when the clock does not") {
  base::ManualClock clock({1'714'557'600'000'000});
  base::SeededRandom random(1);
  IdSource ids(clock, random);
  std::string last;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = ids.next();
    REQUIRE(id.size() == 26);
    REQUIRE(id > last);
    last = id;
    if (i == 500) clock.advance(std::chrono::milliseconds(5));
    if (i == 700) clock.set_wall({0});
  }
}

TEST_CASE("HTTP dates and instants") {
  const base::WallTime time{1'714'557'600'123'000};
  CHECK(print_instant(time) == "2024-05-01T10:00:00.123Z");
  CHECK(print_http_date(time) == "Wed, 01 May 2024 10:00:00 GMT");
  base::WallTime parsed;
  REQUIRE(parse_http_date("Wed, 01 May 2024 10:00:00 GMT", parsed));
  CHECK(parsed.micros == 1'714'557'600'000'000);
  for (const char* bad : {"", "Wed, 01 Mai 2024 10:00:00 GMT", "Wed, 31 Feb 2024 10:00:00 GMT",
                          "Wednesday, 01-May-24 10:00:00 GMT"})
    CHECK_FALSE(parse_http_date(bad, parsed));
}

TEST_CASE("ETags") {
  CHECK(detail::etag(3) == "W/\"3\"");
  CHECK(detail::parse_etag("W/\"3\"") == 3);
  CHECK(detail::parse_etag("\"12\"") == 12);
  for (const char* bad : {"", "*", "3", "W/3", "\"x\"", "W/\"\""}) CHECK_FALSE(detail::parse_etag(bad));
}

TEST_CASE("page tokens open only for what they were made for") {
  const std::string token = detail::make_page_token("secret", "Patient?a=1", {5, -7, 9});
  CHECK(token.find_first_of("+/=") == std::string::npos);
  const auto kept = detail::open_page_token("secret", "Patient?a=1", token);
  REQUIRE(kept);
  CHECK(*kept == std::vector<std::int64_t>{5, -7, 9});
  CHECK_FALSE(detail::open_page_token("secret", "Patient?a=2", token));
  CHECK_FALSE(detail::open_page_token("other", "Patient?a=1", token));
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string altered = token;
    altered[i] = altered[i] == 'x' ? 'y' : 'x';
    const auto opened = detail::open_page_token("secret", "Patient?a=1", altered);
    // The last character may carry bits that do not count.
    CHECK((!opened || i + 1 == token.size()));
  }
  CHECK_FALSE(detail::open_page_token("secret", "Patient?a=1", ""));
  CHECK_FALSE(detail::open_page_token("secret", "Patient?a=1", "!!!"));
}

TEST_CASE("the stored text keeps what was sent") {
  const auto document = base::parse_json(
      R"({"id":"x","meta":{"tag":[{"code":"t"}],"versionId":"8","lastUpdated":"2000-01-01T00:00:00Z"},"resourceType":"Basic","n":[1.0e1,1.50,-0]})");
  REQUIRE(document);
  const ResourceText text(document->root(), "b", {});
  const base::WallTime time{1'714'557'600'123'000};
  const std::string body = text.with_version(12, time);
  CHECK(
      body ==
      R"({"resourceType":"Basic","id":"b","meta":{"versionId":"12","lastUpdated":"2024-05-01T10:00:00.123Z","tag":[{"code":"t"}]},"n":[1.0e1,1.50,-0]})");
  CHECK(text.is(body, 12, time));
  CHECK_FALSE(text.is(body, 13, time));
  const auto empty = base::parse_json(R"({"resourceType":"Basic"})");
  CHECK(
      ResourceText(empty->root(), "b", {}).with_version(1, time) ==
      R"({"resourceType":"Basic","id":"b","meta":{"versionId":"1","lastUpdated":"2024-05-01T10:00:00.123Z"}})");
}

TEST_CASE("criteria are strict and never empty") {
  CHECK(parse_criteria("Patient", "identifier=a|b", ""));
  for (const char* bad :
       {"", "identifier=", "colour=red", "_count=1", "identifier=a&_sort=_id", "name:fuzzy=a"})
    CHECK(parse_criteria("Patient", bad, "").error().status() == 400);
  const auto escaped = parse_criteria("Patient", "identifier=urn:x|a%5C,b%5C|c", "");
  REQUIRE(escaped);
  CHECK(escaped->clauses[0].values.size() == 1);
  CHECK(escaped->clauses[0].values[0].code == "a,b|c");
}

TEST_CASE("most search parameters are in the path subset") {
  std::size_t with_expression = 0, compiled = 0;
  for (const TypeDef& type : all_types()) {
    if (find_resource_type(type.name()) != &type) continue;
    const TypeParameters* parameters = type_parameters(type.name());
    REQUIRE(parameters);
    for (const SearchParameter& parameter : search_parameters(type)) {
      if (parameter.expression().empty() || parameter.type() == SearchType::composite ||
          parameter.type() == SearchType::special)
        continue;
      ++with_expression;
      if (parameters->find(parameter.code()))
        ++compiled;
      else
        UNSCOPED_INFO("not compiled: " << type.name() << "." << parameter.code());
    }
  }
  INFO(compiled << " of " << with_expression);
  CHECK(compiled * 100 >= with_expression * 99);
}
