// Profiles from samples: what they say, that their samples keep them, and that nothing of a patient is in
// them.

#include "hl7/profile_infer.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "hl7/validate.h"

using namespace kiln::hl7;

namespace {

std::string sample(int n) {
  const std::string number = std::to_string(n);
  return "MSH|^~\\&|LAB|NORD|KIS|NORD|2024013108150" + number + "||ORU^R01^ORU_R01|M" + number +
         "|P|2.5.1\rPID|1||47" + number + "^^^NORD^MR" + (n % 2 == 0 ? "~99" + number + "^^^KASSE^NI" : "") +
         "||Brandt" + number + "^Ilse||19700203|" + (n % 2 == 0 ? "F" : "M") + "\rOBR|1||B" + number +
         "|58410-2^Blood^LN\rOBX|1|NM|718-7^Hb^LN||1" + number +
         ".5|g/dL^^UCUM|||||F\rOBX|2|NM|6690-2^Leuko^LN||" + number + "|10*3/uL^^UCUM|||||F\r";
}

std::vector<Message> samples() {
  std::vector<Message> messages;
  for (int n = 1; n <= 4; ++n) {
    auto message = Message::parse(sample(n));
    REQUIRE(message);
    messages.push_back(std::move(*message));
  }
  return messages;
}

const ProfileRule* rule_of(const Profile& profile, const std::string& path) {
  for (const ProfileRule& rule : profile.rules)
    if (rule.path == path) return &rule;
  return nullptr;
}

Profile inferred(bool strict) {
  InferOptions options;
  options.strict = strict;
  ProfileInference inference(options);
  for (const Message& message : samples()) REQUIRE(inference.add(message));
  auto profile = inference.result("lab");
  REQUIRE(profile);
  return std::move(*profile);
}

}  // namespace

TEST_CASE("a profile inferred from samples says what they have in common") {
  const Profile profile = inferred(false);
  CHECK(profile.structure == "ORU_R01");
  CHECK(profile.events == std::vector<std::string>{"R01"});
  CHECK(profile.version == Version::v2_5_1);
  REQUIRE(rule_of(profile, "PATIENT_RESULT.PATIENT"));
  CHECK(rule_of(profile, "PATIENT_RESULT.PATIENT")->usage == Usage::required);
  CHECK(rule_of(profile, "PATIENT_RESULT")->max == 1);
  CHECK(rule_of(profile, "PID-3")->max == 2);
  CHECK(rule_of(profile, "PID-3.4")->usage == Usage::required);
  CHECK(rule_of(profile, "PID-3.1")->length_max == 3);
  CHECK(rule_of(profile, "OBX-2")->one_of == std::vector<std::string>{"NM"});
  CHECK(rule_of(profile, "MSH-3.1")->one_of == std::vector<std::string>{"LAB"});
  CHECK(rule_of(profile, "PID-8")->table == "PID-8");
  REQUIRE(profile.tables.size() >= 2);
  bool found = false;
  for (const ProfileTable& table : profile.tables) {
    if (table.id != "PID-8") continue;
    found = true;
    CHECK(table.codes ==
          std::vector<std::pair<std::string, std::string>>{{"F", "seen 2 times"}, {"M", "seen 2 times"}});
  }
  CHECK(found);
  CHECK(rule_of(profile, "PID-10") == nullptr);
  CHECK(rule_of(inferred(true), "PID-10")->usage == Usage::not_supported);
}

TEST_CASE("samples keep the profile inferred from them, also when it has been printed and read") {
  for (const bool strict : {false, true}) {
    const auto read = read_profile(print_profile(inferred(strict)));
    REQUIRE(read);
    const auto validator = Validator::make(*read);
    REQUIRE(validator);
    for (const Message& message : samples()) {
      for (const Finding& finding : validator->validate(message).findings) {
        INFO(finding.path << ": " << finding.text);
        CHECK(finding.severity != kiln::base::Severity::error);
      }
    }
    auto other = Message::parse(
        "MSH|^~\\&|LAB|NORD|KIS|NORD|20240131||ORU^R01^ORU_R01|X|P|2.5.1\rPID|1||4||B^I\r"
        "OBR|1||B1|1^x^LN\rOBX|1|ST|a^b^LN||x|||||F\r");
    CHECK_FALSE(validator->validate(*other).ok());
  }
}

TEST_CASE("an inferred profile holds no name, number or text of a message") {
  const std::string text = print_profile(inferred(true));
  for (const char* secret : {"Brandt", "Ilse", "471", "992", "19700203", "\"B1\"", "11.5", "M1"}) {
    INFO(secret);
    CHECK(text.find(secret) == text.npos);
  }
}

TEST_CASE("messages of another structure or version are not counted, few samples say little") {
  ProfileInference inference;
  CHECK_FALSE(inference.result("none"));
  const auto first = Message::parse(sample(1));
  CHECK(inference.add(*first));
  CHECK_FALSE(inference.add(*Message::parse("MSH|^~\\&|a||||||ADT^A01|1|P|2.5.1\rPID|1\r")));
  CHECK_FALSE(inference.add(*Message::parse("MSH|^~\\&|a||||||ORU^R01|1|P|2.3\rPID|1\r")));
  CHECK_FALSE(inference.add(*Message::parse("MSH|^~\\&|a||||||XXX^Y99|1|P|2.5.1\r")));
  CHECK(inference.messages() == 1);
  CHECK(inference.result("one")->rules.empty());
}
