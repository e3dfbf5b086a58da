// Anonymizing: nothing that identifies stays, everything else does, the same becomes the same.

#include "hl7/anonymize.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "engine/base/partial_date.h"
#include "hl7/structure.h"

using namespace kiln::hl7;

namespace {

constexpr const char* kKey = "a key that only this test has";
constexpr const char* kSample =
    "MSH|^~\\&|LAB|NORD|EHR|NORD|20240131120000||ADT^A01^ADT_A01|MSG00471|P|2.5.1||||||UNICODE UTF-8\r"
    "PID|1||70041^6^M10^HOSP&1.2.3&ISO^MR~70-041-AB^^^STATE^SS||Brandt^Ilse^Maria^JR^DR||19610612|F||2106-3^White^CDCREC|"
    "17 Lomu Street^Flat 3^Brisbane^QLD^4001^AUS^H||^PRN^PH^^7^555^0142~^NET^Internet^ilse@brandt.example|||M||AC900^^^HOSP|"
    "123-45-6789\r"
    "NK1|1|Brandt^Otto|SPO^Spouse^HL70063\r"
    "PV1|1|I|W2^201^B^HOSP||||4411^Doctor^Who^^^DR\r"
    "OBX|1|NM|2345-7^Glucose^LN|1|5.5|mmol/L^^UCUM|3.9-5.6|N|||F|||20240130113000\r"
    "OBX|2|TX|NOTE^Ilse was here^L||Ilse Brandt called from 555 0142||||||F\r"
    "OBX|3|ED|DOC^x^L||LAB^AP^PDF^Base64^SWxzZSBCcmFuZHQ=||||||F\r"
    "ZPI|Ilse Brandt|70041|19610612\r";

std::string anonymize(const std::string& text, AnonymizeOptions options = {kKey}, AnonymizeReport* out = nullptr) {
  const auto message = Message::parse(text);
  REQUIRE(message);
  AnonymizeReport report;
  const auto result = Anonymizer(std::move(options)).apply(*message, report);
  REQUIRE(result);
  if (out != nullptr) *out = report;
  return *result;
}

std::string field(const std::string& text, const char* segment, std::uint32_t n) {
  const auto message = Message::parse(text);
  return std::string(message->field(segment, n).raw());
}

}  // namespace

TEST_CASE("anonymize: nothing that identifies is left") {
  const std::string out = anonymize(kSample);
  for (const char* secret : {"Brandt", "Ilse", "Otto", "Maria", "70041", "70-041-AB", "Lomu", "Brisbane", "4001", "0142",
                             "brandt.example", "123-45-6789", "19610612", "20240131", "20240130", "AC900", "MSG00471", "4411",
                             "Doctor", "SWxzZ", "called", "W2^201"})
    CHECK(out.find(secret) == std::string::npos);
}

TEST_CASE("anonymize: structure, codes and numbers stay") {
  const std::string out = anonymize(kSample);
  for (const char* kept : {"MSH|^~\\&|LAB|NORD|EHR|NORD|", "ADT^A01^ADT_A01", "|P|2.5.1||||||UNICODE UTF-8\r", "HOSP&1.2.3&ISO^MR",
                           "^JR^DR||", "|F||2106-3^White^CDCREC|", "^QLD^", "^AUS^H||", "SPO^Spouse^HL70063",
                           "|NM|2345-7^Glucose^LN|1|5.5|mmol/L^^UCUM|3.9-5.6|N|||F|", "LAB^AP^PDF^Base64^UkVEQUNURUQ=",
                           "@example.org"})
    CHECK(out.find(kept) != std::string::npos);
  const auto before = Message::parse(kSample), after = Message::parse(out);
  REQUIRE(before->segment_count() == after->segment_count());
  for (std::uint32_t i = 0; i < before->segment_count(); ++i) {
    CHECK(before->segment(i).field_count() == after->segment(i).field_count());
    for (std::uint32_t n = 1; n <= before->segment(i).field_count(); ++n)
      CHECK(before->segment(i).field(n).repetition_count() == after->segment(i).field(n).repetition_count());
  }
}

TEST_CASE("anonymize: the key decides, and the same value becomes the same value") {
  const std::string one = anonymize(kSample);
  CHECK(one == anonymize(kSample));
  CHECK(one != anonymize(kSample, {"another key of sixteen"}));
  const auto message = Message::parse(one);
  CHECK(message->field("PID", 5).component(1).to_text() == message->field("NK1", 2).component(1).to_text());
  CHECK(field(one, "ZPI", 2) == message->field("PID", 3).component(1).to_text());
}

TEST_CASE("anonymize: identifiers keep their form and never fall together") {
  const detail::Pseudonyms pseudonyms(kKey);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string number = std::to_string(i + 1000).substr(1);
    const std::string pseudonym = pseudonyms.identifier(number);
    CHECK(pseudonym.find_first_not_of("0123456789") == std::string::npos);
    seen.insert(pseudonym);
  }
  CHECK(seen.size() == 1000);
  const std::string mixed = pseudonyms.identifier("AB-12.x\xC3\xA4");
  REQUIRE(mixed.size() == 8);
  CHECK(mixed[2] == '-');
  CHECK(mixed[5] == '.');
}

TEST_CASE("anonymize: check digits are right again") {
  const auto message = Message::parse(anonymize(kSample));
  const RepetitionView id = message->field("PID", 3).repetition(1);
  const std::string number = id.component(1).to_text(), check = id.component(2).to_text();
  int sum = 0;
  for (std::size_t i = 0; i < number.size(); ++i) {
    const int digit = number[number.size() - 1 - i] - '0';
    sum += i % 2 == 0 ? (digit * 2) / 10 + (digit * 2) % 10 : digit;
  }
  CHECK((sum + std::stoi(check)) % 10 == 0);
}

TEST_CASE("anonymize: dates of a patient move together and keep time, precision and offset") {
  const auto days = [](const std::string& text) {
    return kiln::base::PartialDate::parse_hl7(text)->lowest_micros() / 86'400'000'000;
  };
  const std::string out = anonymize(kSample);
  const auto message = Message::parse(out);
  const auto moved = days("19610612") - days(message->field("PID", 7).to_text());
  CHECK(moved >= 1);
  CHECK(moved <= 365);
  CHECK(days("20240131") - days(message->field("MSH", 7).to_text().substr(0, 8)) == moved);
  CHECK(message->field("MSH", 7).to_text().substr(8) == "120000");
  CHECK(field(anonymize("MSH|^~\\&|L||||202401||ADT|7|P|2.5.1\rPID|||1\rPV1|||||||||||||||||||||||||||||||||||||||||||||2023\r"),
              "PV1", 44) == "");
  const std::string old = anonymize("MSH|^~\\&|L||||20240101||ADT|7|P|2.5.1\rPID|||1||||19010203\r");
  CHECK(std::stoi(field(old, "PID", 7).substr(0, 4)) >= 1932);
}

TEST_CASE("anonymize: policies for local segments and for text") {
  AnonymizeReport report;
  CHECK(anonymize(kSample, {.key = kKey, .local = AnonymizeLocal::remove}, &report).find("ZPI") == std::string::npos);
  CHECK(report.at({"ZPI", AnonymizeRule::local}) == 1);
  CHECK(anonymize(kSample, {.key = kKey, .local = AnonymizeLocal::keep}).find("ZPI|Ilse Brandt|70041|19610612") !=
        std::string::npos);
  CHECK(anonymize(kSample, {.key = kKey, .text = AnonymizeText::keep}).find("called from 555") != std::string::npos);
  CHECK(field(anonymize(kSample), "ZPI", 1) == "REDACTED");
}

TEST_CASE("anonymize: the report says what was done where") {
  AnonymizeReport report;
  anonymize(kSample, {kKey}, &report);
  CHECK(report.at({"PID-3.1", AnonymizeRule::identifier}) == 2);
  CHECK(report.at({"PID-5.1", AnonymizeRule::name}) == 1);
  CHECK(report.at({"PID-7.1", AnonymizeRule::date}) == 1);
  CHECK(report.at({"PID-11.1", AnonymizeRule::address}) == 1);
  CHECK(report.at({"OBX-5.5", AnonymizeRule::document}) == 1);
  CHECK(report.at({"OBX-5", AnonymizeRule::text}) == 1);
  CHECK(report.at({"PV1-3.1", AnonymizeRule::location}) == 1);
}

TEST_CASE("anonymize: a null stays a null, an escape is written right") {
  const std::string out = anonymize("MSH|^~\\&|L|||||ADT|7|P|2.5.1\rPID|||\"\"||\"\"\rNTE|1||a\\T\\b\r");
  CHECK(out.find("PID|||\"\"||\"\"\r") != std::string::npos);
  CHECK(out.find("NTE|1||REDACTED\r") != std::string::npos);
}
