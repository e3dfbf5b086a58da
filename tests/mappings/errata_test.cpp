// The defects of the v2-to-FHIR guide that hmap.md §19 lists, by number in its order: what the library does
// instead.

#include <catch2/catch.hpp>
#include <vector>

#include "tests/mappings/runtime_support.h"

namespace kiln::mappings::test {
namespace {

std::string header(const std::string& type) {
  return "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|20260302073000+0100||" + type + "|M1|P|2.5.1\r";
}
const std::string kPatient = "PID|1||4711^^^NORTH^MR||Lindqvist^Vera||19610615|F\r";
const std::string kReport = "OBR|1||F2^NORTH|X^Y^L|||20260302070000+0100|||||||||||||||||||F\r";

/// The Bundle that std.v2fhir makes of the message; resources by type, in order.
class Result {
 public:
  explicit Result(const std::string& message) {
    static const Maps maps(
        "module site\nuse std.v2fhir.adt\nuse std.v2fhir.oru\nuse std.v2fhir.orm\nuse std.v2fhir.oml\n"
        "use std.v2fhir.mdm\nuse std.v2fhir.vxu\n");
    const Program program = maps.program("std.v2fhir");
    REQUIRE(program);
    const OwnedInput input(".hl7", message, program);
    Runner runner;
    const RunResult& result = runner.run(program, input.get(), test_context());
    INFO(result.reason);
    REQUIRE(result.ok());
    all_ = result.output;
  }
  const std::string& all() const { return all_; }
  std::vector<std::string> of(const std::string& type) const {
    const std::string begin = "\"resource\":{\"resourceType\":\"";
    std::vector<std::string> out;
    for (std::size_t at = all_.find(begin); at != std::string::npos; at = all_.find(begin, at + 1)) {
      if (all_.compare(at + begin.size(), type.size() + 1, type + "\"") != 0) continue;
      out.push_back(all_.substr(at, all_.find(begin, at + 1) - at));
    }
    return out;
  }
  std::string one(const std::string& type) const {
    const auto found = of(type);
    REQUIRE(found.size() == 1);
    return found.front();
  }

 private:
  std::string all_;
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Result order_numbers(const std::string& orc) {
  return Result(
      header("ORU^R01^ORU_R01") + kPatient + orc +
      "OBR|1|P2^NORTH|F2^NORTH|718-7^Hemoglobin^LN\rOBX|1|NM|718-7^Hemoglobin^LN||13.4|g/dL|||||F\r");
}

}  // namespace

TEST_CASE("library erratum 1: numbers of ORC and OBR do not exclude each other", "[library][errata]") {
  const std::string both = order_numbers("ORC|RE|P1^NORTH|F1^NORTH\r").one("DiagnosticReport");
  CHECK(holds(both, "\"value\":\"P1\""));
  CHECK(holds(both, "\"value\":\"F1\""));
  const std::string other = order_numbers("ORC|RE\r").one("DiagnosticReport");
  CHECK(holds(other, "\"value\":\"P2\""));
  CHECK(holds(other, "\"value\":\"F2\""));
}

TEST_CASE("library erratum 2: an observation of a vaccination needs no datatype NA", "[library][errata]") {
  const Result made(
      header("VXU^V04^VXU_V04") + kPatient +
      "ORC|RE||65930^DCS\rRXA|0|1|20260302||08^HepB^CVX|0.5\r"
      "OBX|1|ST|30956-7^Lot^LN||A1||||||F\rOBX|2|CWE|69764-9^Document^LN||x^X^L~y^Y^L||||||F\r");
  const auto observations = made.of("Observation");
  REQUIRE(observations.size() == 2);
  CHECK(holds(observations[0], "\"valueString\":\"A1\""));
  CHECK(holds(observations[1], "\"component\":["));
}

TEST_CASE("library erratum 3: a structured number is one thing only", "[library][errata]") {
  std::string message = header("ORU^R01^ORU_R01") + kPatient + kReport;
  int set = 0;
  for (const char* const value : {"^1^:^128", "^10^-^20", ">^100", "<>^5", "^2^+"}) {
    const std::string number = std::to_string(++set);
    message += "OBX|" + number + "|SN|X" + number + "^Y^L||" + value + "|mg/L^^UCUM|||||F\r";
  }
  const auto found = Result(message).of("Observation");
  REQUIRE(found.size() == 5);
  const char* const wanted[] = {"\"valueRatio\":{", "\"valueRange\":{", "\"comparator\":\">\"",
                                "\"valueString\":\"<> 5 mg/L\"", "\"valueString\":\"2 + mg/L\""};
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(holds(found[i], wanted[i]));
    std::size_t values = 0;
    for (const char* const kind :
         {"\"valueQuantity\"", "\"valueRatio\"", "\"valueRange\"", "\"valueString\""})
      values += holds(found[i], kind) ? 1 : 0;
    CHECK(values == 1);
  }
}

TEST_CASE("library erratum 4: a cell phone is a use of a phone, no system", "[library][errata]") {
  const std::string patient = Result(header("ADT^A01^ADT_A01") +
                                     "PID|1||4711^^^NORTH^MR||Lindqvist^Vera||19610615|F|\rNK1|1|Lindqvist^"
                                     "Jan|SPO||^^CP^^46^70^1234567\r"
                                     "PV1|1|I\r")
                                  .one("RelatedPerson");
  CHECK(holds(patient, "\"system\":\"phone\""));
  CHECK(holds(patient, "\"use\":\"mobile\""));
}

TEST_CASE("library erratum 5: producer, laboratory and director are performers of their own",
          "[library][errata]") {
  const Result made(
      header("ORU^R01^ORU_R01") + kPatient + kReport +
      "OBX|1|NM|X^Y^L||1|g|||||F||||PROD^Producer^L||||||||LABO^^^^^NORTH^XX^^^LAB1|Road 1^^Town|"
      "DIR^Director^Dora^^^^^^NORTH\r");
  CHECK(made.of("Organization").size() == 2);
  const std::string role = made.one("PractitionerRole");
  CHECK(holds(role, "\"code\":\"MDIR\""));
  CHECK(holds(role, "\"organization\":{"));
  const std::string observation = made.one("Observation");
  const std::size_t begin = observation.find("\"performer\":[");
  REQUIRE(begin != std::string::npos);
  const std::string performers = observation.substr(begin, observation.find(']', begin) - begin);
  std::size_t count = 1;
  for (std::size_t at = performers.find("},{"); at != std::string::npos; at = performers.find("},{", at + 1))
    ++count;
  CHECK(count == 3);
}

TEST_CASE("library erratum 6: the observer of components is there once", "[library][errata]") {
  const Result made(header("ORU^R01^ORU_R01") + kPatient + kReport +
                    "OBX|1|NM|X^Y^L||1~2|g|||||F|||||OBS^Observer^Otto^^^^^^NORTH\r");
  const std::string role = made.one("PractitionerRole");
  CHECK(role.find("\"practitioner\"") == role.rfind("\"practitioner\""));
  CHECK(holds(role, "\"code\":\"responsibleObserver\""));
  CHECK(made.of("Practitioner").size() == 1);
}

TEST_CASE("library erratum 7: the role of PV1-8 has the system of roles", "[library][errata]") {
  const Result made(header("ADT^A01^ADT_A01") + kPatient + "PV1|1|I||||||REF1^Referrer^Rolf^^^^^^NORTH\r");
  CHECK(holds(made.one("Encounter"),
              R"({"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"REF")"));
}

TEST_CASE("library erratum 8: only a deleted diagnosis was entered in error", "[library][errata]") {
  const Result made(header("ADT^A01^ADT_A01") + kPatient +
                    "PV1|1|I\rDG1|1||I10^Hypertension^I10|||A|||||||||||||||A\r"
                    "DG1|2||I11^Heart^I10|||A|||||||||||||||D\r");
  const auto conditions = made.of("Condition");
  REQUIRE(conditions.size() == 2);
  CHECK_FALSE(holds(conditions[0], "entered-in-error"));
  CHECK(holds(conditions[1], "entered-in-error"));
}

TEST_CASE("library erratum 9: OBX-29 has the system of table 0936", "[library][errata]") {
  const Result made(header("ORU^R01^ORU_R01") + kPatient + kReport +
                    "OBX|1|NM|X^Y^L||1|g|||||F||||||||||||||||||QST\r");
  CHECK(holds(made.one("Observation"),
              R"({"system":"http://terminology.hl7.org/CodeSystem/v2-0936","code":"QST"})"));
}

TEST_CASE("library erratum 10: prefix and name of the partner are two extensions", "[library][errata]") {
  const std::string patient =
      Result(header("ADT^A01^ADT_A01") + "PID|1||4711^^^NORTH^MR||Lindqvist&von&Berg&de&Haan^Vera\rPV1|1|I\r")
          .one("Patient");
  const std::string url = "{\"url\":\"http://hl7.org/fhir/StructureDefinition/humanname-";
  CHECK(holds(patient, url + "partner-prefix\",\"valueString\":\"de\"}"));
  CHECK(holds(patient, url + "partner-name\",\"valueString\":\"Haan\"}"));
}

TEST_CASE("library erratum 11: a language keeps the code it was sent with", "[library][errata]") {
  const std::string patient =
      Result(header("ADT^A01^ADT_A01") +
             "PID|1||4711^^^NORTH^MR||Lindqvist^Vera||19610615|F|||||||de^German^ISO639\rPV1|1|I\r")
          .one("Patient");
  CHECK(holds(patient, R"("communication":[{"language":{"coding":[{)"));
  CHECK(holds(patient, R"("code":"de","display":"German")"));
}

TEST_CASE("library erratum 12: the detail of an order belongs to its order", "[library][errata]") {
  const Result made(header("ORM^O01^ORM_O01") + kPatient +
                    "ORC|NW|P1^NORTH\rOBR|1|P1^NORTH||718-7^Hemoglobin^LN\r"
                    "ORC|NW|P2^NORTH\rOBR|2|P2^NORTH||2345-7^Glucose^LN\rNTE|1||fasting\r");
  const auto orders = made.of("ServiceRequest");
  REQUIRE(orders.size() == 2);
  CHECK(holds(orders[0], "718-7"));
  CHECK_FALSE(holds(orders[0], "fasting"));
  CHECK(holds(orders[1], "2345-7"));
  CHECK(holds(orders[1], "fasting"));
}

TEST_CASE("library erratum 13: no URL is missing or malformed", "[library][errata]") {
  const Result made(header("ORU^R01^ORU_R01") +
                    "PID|1||4711^^^NORTH^MR||Lindqvist^Vera||19610615|F|||||||||||900-11-2222\r" + kReport +
                    "OBX|1|NM|X^Y^L||1|g|||||F||||||||20260302060000+0100\r");
  CHECK(holds(made.one("Patient"), R"("system":"http://hl7.org/fhir/sid/us-ssn","value":"900-11-2222")"));
  CHECK_FALSE(holds(made.one("Observation"), "\"url\":\"\""));
  const Result planned(header("ADT^A01^ADT_A01") + kPatient + "PV1|1|I\rPV2|||||||||20260309\r");
  CHECK(holds(planned.one("Encounter"),
              "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedEndDate"));
}

TEST_CASE("library erratum 14: elements are spelled as R4 spells them", "[library][errata]") {
  const Result insured(header("ADT^A01^ADT_A01") + kPatient +
                       "ROL|1|AD|PP^Primary^HL70443|DOC^Doctor^Dora^^^^^^NORTH\r"
                       "PV1|1|I\rIN1|1|PL1|INS1^^^NORTH|Insurer\r");
  CHECK(holds(insured.one("Coverage"), "\"payor\":["));                     // Coverage.payer
  CHECK(holds(insured.one("PractitionerRole"), "\"practitioner\":{"));      // PractitionerRole.practioner
  CHECK(holds(insured.one("Patient"), R"("type":{"coding":[{"system":)"));  // Identifier.type.coding.sytem
  const Result ordered(
      header("OML^O21^OML_O21") + kPatient +
      "ORC|NW|P1^NORTH\rTQ1|1||BID||||20260303|20260310\rOBR|1|P1^NORTH||718-7^Hemoglobin^LN\r");
  // ServiceRequest.occurneceTiming; Timing.boundsPeriod outside of repeat
  CHECK(holds(ordered.one("ServiceRequest"), R"("occurrenceTiming":{"repeat":{"boundsPeriod":{)"));
  const Result document(header("MDM^T02^MDM_T02") + "EVN||20260302073000+0100\r" + kPatient +
                        "PV1|1|I\rTXA|1|DS|TX|20260302||||||||D1^NORTH|||||AU\r"
                        "OBX|1|ED|DOC^Doc^L||^TEXT^plain^A^hello||||||F\r");
  // DocumentReference.content.data without attachment
  CHECK(holds(document.one("DocumentReference"), R"("content":[{"attachment":{)"));
  for (const char* const wrong : {"sytem", "practioner", "occurnece", "SampedData", "\"payer\"", "\"uri\":"})
    CHECK_FALSE(holds(insured.all() + ordered.all() + document.all(), wrong));
}

}  // namespace kiln::mappings::test
