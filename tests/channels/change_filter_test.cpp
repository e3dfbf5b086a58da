#include "channels/change_filter.h"

#include <catch2/catch.hpp>

using namespace kiln;
using channels::Change;
using channels::ChangeFilter;

namespace {

Change change(const std::string& resource, const char* type = "Patient") {
  Change out;
  out.type = type;
  out.id = "p1";
  out.resource = resource;
  return out;
}

ChangeFilter filter(const std::vector<std::string>& criteria) {
  auto parsed = ChangeFilter::parse(criteria, "http://kiln/fhir");
  REQUIRE(parsed);
  return std::move(*parsed);
}

constexpr const char* kAda =
    R"({"resourceType":"Patient","id":"p1","active":true,"gender":"female","birthDate":"1970-06","name":[{"family":"Ada"}],)"
    R"("managingOrganization":{"reference":"http://kiln/fhir/Organization/o1"}})";

}  // namespace

TEST_CASE("a filter asks one version as a search would") {
  const auto [criteria, expected] =
      GENERATE(table<const char*, bool>({{"Patient", true},
                                         {"Patient?gender=female", true},
                                         {"Patient?gender=male", false},
                                         {"Patient?gender=male,female&active=true", true},
                                         {"Patient?name=ad", true},
                                         {"Patient?name:exact=ad", false},
                                         {"Patient?birthdate=lt1971", true},
                                         {"Patient?birthdate=gt1970-07", false},
                                         {"Patient?organization=Organization/o1", true},
                                         {"Patient?_id=p1", true},
                                         {"Patient?death-date:missing=true", true},
                                         {"Observation", false}}));
  CAPTURE(criteria);
  CHECK(filter({criteria}).matches(change(kAda)) == expected);
}

TEST_CASE("one of several criteria is enough; none at all takes everything") {
  CHECK(filter({"Patient?gender=male", "Patient?active=true"}).matches(change(kAda)));
  CHECK_FALSE(filter({"Patient?gender=male", "Observation"}).matches(change(kAda)));
  CHECK(filter({}).matches(change(kAda)));
  CHECK_FALSE(filter({"Patient?gender=male"}).matches(change("no JSON")));
}

TEST_CASE("what one version cannot tell is refused by name") {
  const char* criteria =
      GENERATE("Nothing", "Patient?no-such=1", "Patient?organization.name=x", "Patient?_lastUpdated=gt2020",
               "Patient?_has:Observation:patient:code=x", "Patient?gender:above=x&_count=3");
  CAPTURE(criteria);
  const auto parsed = ChangeFilter::parse({criteria});
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().text.find(criteria) != std::string::npos);
}
