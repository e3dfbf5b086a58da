// What values, ids, references, requests and policies mean (hmap.md §5, §6, §9, §10, §11), one case each.

#include <catch2/catch.hpp>

#include "engine/base/json.h"
#include "tests/mappings/golden.h"
#include "tests/mappings/runtime_support.h"

namespace kiln::mappings::test {

namespace {

struct Ran {
  Runner runner;
  RunResult result;
  bool wrote(std::string_view part) const { return result.output.find(part) != std::string::npos; }
  bool noted(std::string_view code) const {
    for (const auto& diagnostic : result.diagnostics)
      if (diagnostic.code == code) return true;
    return false;
  }
};

std::string header(const std::string& sent = "20250818112603+0100") {
  return "MSH|^~\\&|A|GHH|B|C|" + sent + "||ADT^A01^ADT_A01|M1|P|2.5.1\r";
}

std::unique_ptr<Ran> run_map(const std::string& text, const std::string& input, const std::string& suffix = ".hl7",
                             const std::string& map = "t.m") {
  const Maps maps("module t\nuse std.v2fhir.datatypes\n" + text);
  const Program program = maps.program(map);
  REQUIRE(program);
  const OwnedInput owned(suffix, input, program);
  auto ran = std::make_unique<Ran>();
  ran->result = ran->runner.run(program, owned.get(), test_context());
  return ran;
}

/// Rules inside `create patient: Patient { … }`, on a PID segment.
std::unique_ptr<Ran> patient(const std::string& rules, const std::string& pid, const std::string& before = "",
                             const std::string& sent = "20250818112603+0100") {
  return run_map("map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\n" + before +
                     "\ncreate patient: Patient {\n" + rules + "\n}\n}",
                 header(sent) + pid + "\r");
}

constexpr const char* kName = "PID|1||P1^^^GHH^MR||EVERYMAN^ADAM||";

}  // namespace

TEST_CASE("semantics: a segment is read where it stands although the structure has no place for it", "[semantics]") {
  const std::string message =
      "MSH|^~\\&|A|GHH|B|C|20250818112603+0100||ORM^O01^ORM_O01|M1|P|2.5.1\rPID|1||P1\rORC|NW|1\rRXO|D1\rRXR|IV\r"
      "ORC|NW|2\rRXO|D2\r";
  const auto map = [](const std::string& declared, const std::string& place) {
    return declared + "map m(msg: hl7 ORM_O01 2.5.1) -> fhir Bundle transaction {\nfor each ORDER {\n" +
           "create order: MedicationRequest {\n status = \"active\"\n intent = \"order\"\n identifier += { value = ORC-2.1 }\n for each ORDER_DETAIL {\n" + place +
           "\n}\n}\n}\n}\n";
  };
  const std::string loop = "for each RXR { dosageInstruction += { route.text = RXR-1.1 } }";
  const auto read = run_map(map("segment RXR { }\n", loop), message);
  CHECK(read->wrote("\"route\":{\"text\":\"IV\"}"));
  CHECK_FALSE(read->noted("unplaced-segment"));
  const auto first = run_map(map("segment RXR { }\n", "dosageInstruction += { route.text = RXR-1.1 }"), message);
  CHECK(first->wrote("\"route\":{\"text\":\"IV\"}"));
  const std::string whole = first->result.output;
  CHECK(whole.find("\"IV\"") == whole.rfind("\"IV\""));  // the other order has none
  const auto unread = run_map(map("", "groupIdentifier.value = RXO-1.1"), message);
  CHECK(unread->noted("unplaced-segment"));
}

TEST_CASE("semantics: nothing, a value and \"\" are three things", "[semantics]") {
  const std::string rules = "active = true\n name += { text = PID-5.1.1 }\n birthDate = PID-7\n language = PID-15.1";
  SECTION("|| says nothing, and nobody notes it") {
    const auto ran = patient(rules, "PID|1||P1||EVERYMAN||");
    CHECK_FALSE(ran->wrote("birthDate"));
    CHECK(ran->result.diagnostics.empty());
  }
  SECTION("|\"\"| deletes: omitted with a note") {
    const auto ran = patient(rules, "PID|1||P1||EVERYMAN||\"\"");
    CHECK_FALSE(ran->wrote("birthDate"));
    CHECK(ran->noted("null-omitted"));
    CHECK(ran->result.outcome == Outcome::ok);
  }
  SECTION("on null absent says that it is not known") {
    const auto ran = patient(rules, "PID|1||P1||EVERYMAN||\"\"", "on null absent");
    CHECK(ran->wrote(R"("_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]})"));
  }
  SECTION("on null delete leaves it out of a PUT") {
    const auto ran = patient(rules, "PID|1||P1||EVERYMAN||\"\"", "on null delete");
    CHECK_FALSE(ran->wrote("birthDate"));
    CHECK_FALSE(ran->wrote("absent"));
  }
}

TEST_CASE("semantics: on null delete writes \"\" to HL7", "[semantics]") {
  const auto ran = run_map(R"(
map m(msg: hl7 ADT_A01 2.5.1) -> hl7 ADT_A08 2.5.1 {
  on null delete
  EVN-2 = MSH-7
  PID-3 += PID-3[*]
  PID-5 += PID-5[*]
  PID-7 = PID-7
  PID-8 = PID-8
  PV1-2 = "N"
})",
                           header() + kName + "\"\"|\r");
  REQUIRE(ran->result.ok());
  CHECK(ran->wrote("|EVERYMAN^ADAM||\"\"\r"));
}

TEST_CASE("semantics: conditions are two-valued", "[semantics]") {
  // PID-8 is absent, PID-7 is null.
  const auto holds = [](const std::string& condition) {
    const auto ran = patient("active = true if " + condition + "\nname += { text = PID-5.1.1 }", std::string(kName) + "\"\"|");
    return ran->wrote("\"active\":true");
  };
  CHECK(holds("PID-8 != \"M\""));
  CHECK_FALSE(holds("PID-8 == \"M\""));
  CHECK_FALSE(holds("PID-8 < \"M\""));
  CHECK_FALSE(holds("PID-8 in [\"M\"]"));
  CHECK_FALSE(holds("PID-8 matches re\".*\""));
  CHECK(holds("PID-8 is not valued"));
  CHECK_FALSE(holds("PID-8 is null"));
  CHECK(holds("PID-7 is null"));
  CHECK_FALSE(holds("PID-7 is valued"));
  CHECK(holds("not (PID-8 == \"M\")"));
  CHECK(holds("PID-8 == \"M\" or PID-5.1.1 == \"EVERYMAN\""));
}

TEST_CASE("semantics: absent is contagious, but not for join and ??", "[semantics]") {
  const auto text = [](const std::string& value) {
    const auto ran = patient("active = true\nname += { text = " + value + " }", std::string(kName) + "|");
    const std::size_t at = ran->result.output.find("\"text\":\"");
    if (at == std::string::npos) return std::string("(none)");
    const std::size_t begin = at + 8;
    return ran->result.output.substr(begin, ran->result.output.find('"', begin) - begin);
  };
  CHECK(text("\"x${PID-8}\"") == "(none)");
  CHECK(text("PID-8 & \"x\"") == "(none)");
  CHECK(text("upper(PID-8)") == "(none)");
  CHECK(text("join(\"-\", PID-5.1.1, PID-8, PID-5.2)") == "EVERYMAN-ADAM");
  CHECK(text("PID-8 ?? PID-5.2") == "ADAM");
  CHECK(text("omit ?? \"y\"") == "y");
  CHECK(text("if PID-8 is valued then \"a\" else \"b\"") == "b");
}

TEST_CASE("semantics: a date keeps its precision and its offset", "[semantics]") {
  const auto birth = [](const std::string& value) {
    const auto ran = patient("birthDate = PID-7\nactive = true if PID-5.1.1 is valued", std::string(kName) + value);
    const std::size_t at = ran->result.output.find("\"birthDate\":\"");
    return at == std::string::npos ? std::string("(none)")
                                   : ran->result.output.substr(at + 13, ran->result.output.find('"', at + 13) - at - 13);
  };
  CHECK(birth("1961") == "1961");
  CHECK(birth("196106") == "1961-06");
  CHECK(birth("19610615") == "1961-06-15");
  CHECK(birth("196106150730") == "1961-06-15");
  CHECK(birth("19611315") == "(none)");
  const auto deceased = [](const std::string& value, const std::string& sent) {
    const auto ran = patient("deceased = PID-29 as dateTime\nactive = true if PID-5.1.1 is valued",
                             std::string(kName) + "||||||||||||||||||||||" + value, "", sent);
    const std::size_t at = ran->result.output.find("\"deceasedDateTime\":\"");
    return at == std::string::npos ? std::string("(none)")
                                   : ran->result.output.substr(at + 20, ran->result.output.find('"', at + 20) - at - 20);
  };
  CHECK(deceased("2025", "20250818+0100") == "2025");
  CHECK(deceased("20250818", "20250818+0100") == "2025-08-18");
  CHECK(deceased("202508181126-0500", "20250818112603+0100") == "2025-08-18T11:26:00-05:00");
  CHECK(deceased("20250818112603", "20250818112603+0100") == "2025-08-18T11:26:03+01:00");
  CHECK(deceased("20250818112603.120", "20250818112603+0100") == "2025-08-18T11:26:03.120+01:00");
}

TEST_CASE("semantics: an instant needs seconds, and is bad without", "[semantics]") {
  const std::string rules =
      "active = true\nmeta.lastUpdated = PID-33 as instant\nname += { text = PID-5.1.1 }";
  const std::string pid = std::string(kName) + "||||||||||||||||||||||||||";
  CHECK(patient(rules, pid + "20250818112603+0100")->wrote(R"("lastUpdated":"2025-08-18T11:26:03+01:00")"));
  const auto coarse = patient(rules, pid + "202508181126+0100");
  CHECK_FALSE(coarse->wrote("lastUpdated"));
  CHECK(coarse->noted("bad-value"));
}

TEST_CASE("semantics: decimals are exact and valid JSON", "[semantics]") {
  const auto number = [](const std::string& written) {
    const auto ran = run_map(R"(
map m(msg: hl7 ORU_R01 2.5.1) -> fhir Bundle transaction {
  for each PATIENT_RESULT { for each ORDER_OBSERVATION { for each OBSERVATION {
    create obs: Observation { status = "final"  code = { text = OBX-3.1 }  value = { value = OBX-5.1 as decimal } as Quantity }
  } } }
})",
                             "MSH|^~\\&|A|B|C|D|20250818||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||P\rOBR|1\rOBX|1|NM|K||" + written + "\r");
    const std::size_t at = ran->result.output.find("\"value\":");
    return at == std::string::npos ? std::string("(none)")
                                   : ran->result.output.substr(at + 8, ran->result.output.find('}', at) - at - 8);
  };
  CHECK(number("5.40") == "5.40");
  CHECK(number("007.10") == "7.10");
  CHECK(number("+5") == "5");
  CHECK(number(".5") == "0.5");
  CHECK(number("-0.0") == "-0.0");
  CHECK(number("123456789012345678901234567890.123456789") == "123456789012345678901234567890.123456789");
  CHECK(number("5,4") == "(none)");
  CHECK(number("NaN") == "(none)");
  CHECK(number("<5") == "(none)");
}

TEST_CASE("semantics: constants alone never make an object exist; an object of constants only is written",
          "[semantics]") {
  const auto ran = patient(R"(
    name += { text = PID-5.1.1 }
    maritalStatus = { coding += { system = "http://x"  code = PID-16.1 } }
    contact += { relationship += { text = "next of kin" }  name = { text = PID-6[1].1.1 } }
    communication += { language = { text = "always" } })",
                           std::string(kName) + "|");
  CHECK_FALSE(ran->wrote("http://x"));
  CHECK_FALSE(ran->wrote("next of kin"));
  CHECK(ran->wrote(R"("communication":[{"language":{"text":"always"}}])"));
}

TEST_CASE("semantics: ids come from the identity and its authority, else from the message", "[semantics]") {
  const auto id_of = [](const std::string& identity, const std::string& pid, const std::string& control = "M1", const std::string& sender = "") {
    const Maps maps("module t\nuse std.v2fhir.datatypes\nmap m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\ncreate p: Patient " +
                    identity + " { name += { text = PID-5.1.1 } }\n}");
    const Program program = maps.program("m");
    std::string message = header() + pid + "\r";
    message.replace(message.find("|M1|"), 4, "|" + control + "|");
    if (!sender.empty()) message.replace(8, 3, "|" + sender + "|");  // MSH-3
    const OwnedInput input(".hl7", message, program);
    Runner runner;
    const std::string output = runner.run(program, input.get(), test_context()).output;
    return output.substr(output.find("urn:uuid:"), 45);
  };
  const std::string by_mr = "identity PID-3[1]";
  const std::string a = "PID|1||P1^^^GHH&1.2.3&ISO^MR||X", b = "PID|1||P1^^^XYZ&1.2.4&ISO^MR||X";
  CHECK(id_of(by_mr, a) == id_of(by_mr, a, "M2"));
  CHECK(id_of(by_mr, a) != id_of(by_mr, b));
  CHECK(id_of("", a) == id_of("", a));
  CHECK(id_of("", a) != id_of("", a, "M2"));
  CHECK(id_of(by_mr, a)[23] == '5');  // a version 5 UUID
  // A counter that starts again, another patient: nothing of the first one is written over.
  CHECK(id_of("", a) != id_of("", b));
  // One number of two authorities that have only names, and of two senders that name none.
  CHECK(id_of(by_mr, "PID|1||P1^^^NORTH^MR||X") != id_of(by_mr, "PID|1||P1^^^SOUTH^MR||X"));
  const std::string bare = "PID|1||P1||X";
  CHECK(id_of(by_mr, bare) == id_of(by_mr, bare, "M2"));
  CHECK(id_of(by_mr, bare, "M1", "LAB") != id_of(by_mr, bare, "M1", "OTHER"));
}

TEST_CASE("semantics: one identity is one entry, and both handles mean it", "[semantics]") {
  const auto ran = run_map(R"(
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create one: Practitioner identity PV1-7[1] { name += { family = PV1-7[1].2.1 } }
  create two: Practitioner identity PV1-8[1] { gender = "male"  name += { family = PV1-8[1].2.1 } }
  create visit: Encounter {
    status = "planned"  class = { code = PV1-2 }
    participant += { individual = ref two }
    participant += { individual = ref one }
  }
})",
                           header() + "PV1|1|I|||||77^WHITE^^^^^^^GHH|77^WHITE^^^^^^^GHH\r");
  REQUIRE(ran->result.ok());
  const std::string& out = ran->result.output;
  std::size_t count = 0;
  for (std::size_t at = out.find("\"resourceType\":\"Practitioner\""); at != std::string::npos;
       at = out.find("\"resourceType\":\"Practitioner\"", at + 1))
    ++count;
  CHECK(count == 1);
  const std::size_t first = out.find("\"reference\":\"urn:uuid:"), second = out.find("\"reference\":\"urn:uuid:", first + 1);
  REQUIRE(second != std::string::npos);
  CHECK(out.substr(first, 58) == out.substr(second, 58));
}

TEST_CASE("semantics: a reference may come before what it refers to; without it it elides", "[semantics]") {
  const std::string map = R"(
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient if PID-8 == "M" { name += { text = PID-5.1.1 } }
  create visit: Encounter { status = "planned"  class = { code = PV1-2 }  subject = ref patient }
})";
  const std::string pv1 = "PV1|1|I\r";
  const auto there = run_map(map, header() + kName + "|M\r" + pv1);
  CHECK(there->wrote("\"subject\""));
  const auto gone = run_map(map, header() + kName + "|F\r" + pv1);
  CHECK(gone->result.ok());
  CHECK_FALSE(gone->wrote("\"subject\""));
  CHECK(gone->noted("elided-reference"));
}

TEST_CASE("semantics: every kind of request", "[semantics]") {
  const auto request = [](const std::string& kind, const std::string& identity = "identity { system = \"urn:x\"  value = PID-3[1].1 }",
                          const std::string& pid = kName) {
    const auto ran = run_map("map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\ncreate p: Patient " + identity +
                                 " " + kind + " { name += { text = PID-5.1.1 } }\n}",
                             header() + pid + "\r");
    const std::size_t at = ran->result.output.find("\"request\":");
    return at == std::string::npos ? std::string("(none)")
                                   : ran->result.output.substr(at, ran->result.output.find("}", at) - at);
  };
  CHECK(request("request create").find(R"("method":"POST","url":"Patient")") != std::string::npos);
  CHECK(request("request create").find("ifNoneExist") == std::string::npos);
  CHECK(request("request ensure").find(R"("ifNoneExist":"identifier=urn%3Ax%7CP1")") != std::string::npos);
  CHECK(request("request update").find(R"("method":"PUT","url":"Patient/)") != std::string::npos);
  CHECK(request("").find(R"("method":"PUT","url":"Patient/)") != std::string::npos);
  CHECK(request("request upsert").find(R"("method":"PUT","url":"Patient?identifier=urn%3Ax%7CP1")") != std::string::npos);
  CHECK(request("request patch").find(R"("method":"PATCH")") != std::string::npos);
  CHECK(request("request none") == "(none)");
  // A number without a system could be anybody's: it is never looked for.
  const std::string bare = "identity { value = PID-3[1].1 }";
  CHECK(request("request upsert", bare).find(R"("method":"PUT","url":"Patient/)") != std::string::npos);
  CHECK(request("request ensure", bare).find("ifNoneExist") == std::string::npos);
  // Without identity there is nothing to look for.
  CHECK(request("request upsert", "identity { system = \"urn:x\"  value = PID-2.1 }").find(R"("method":"PUT","url":"Patient/)") !=
        std::string::npos);
  CHECK(request("request ensure", "identity { system = \"urn:x\"  value = PID-2.1 }").find("ifNoneExist") == std::string::npos);
}

TEST_CASE("semantics: policies are inherited from map to block to rule", "[semantics]") {
  const auto outcome = [](const std::string& map_policy, const std::string& block_policy, const std::string& rule_policy) {
    return patient(block_policy + "\nbirthDate = PID-7 " + rule_policy + "\nname += { text = PID-5.1.1 }",
                   std::string(kName) + "nodate", map_policy)
        ->result.outcome;
  };
  CHECK(outcome("", "", "") == Outcome::ok_with_warnings);
  CHECK(outcome("on bad omit", "", "") == Outcome::ok);
  CHECK(outcome("on bad quarantine", "", "") == Outcome::quarantined);
  CHECK(outcome("on bad quarantine", "on bad omit", "") == Outcome::ok);
  CHECK(outcome("on bad omit", "on bad reject AE 102", "") == Outcome::rejected);
  CHECK(outcome("on bad quarantine", "on bad reject AE 102", "on bad omit") == Outcome::ok);
  const auto unmapped = [](const std::string& map_policy, const std::string& rule_else) {
    return run_map("table T { \"M\" => \"male\" }\nmap m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\n" + map_policy +
                       "\ncreate patient: Patient { gender = PID-8 via T " + rule_else + "\nname += { text = PID-5.1.1 } }\n}",
                   header() + kName + "|X\r")
        ->result.outcome;
  };
  CHECK(unmapped("on unmapped omit", "") == Outcome::ok);
  CHECK(unmapped("on unmapped warn omit", "") == Outcome::ok_with_warnings);
  CHECK(unmapped("on unmapped quarantine", "") == Outcome::quarantined);
  CHECK(unmapped("on unmapped quarantine", "else \"unknown\"") == Outcome::ok);
  CHECK(unmapped("", "else reject AR 103 \"no\"") == Outcome::rejected);
}

TEST_CASE("semantics: require says where and why", "[semantics]") {
  const auto ran = patient("name += { text = PID-5.1.1 }", "PID|1||P1~^^^X^MR",
                           "require PID-3[2].1 is valued else reject AE 101 \"PID-3 needs a number\"");
  CHECK(ran->result.outcome == Outcome::rejected);
  CHECK(ran->result.ack_code == "AE");
  CHECK(ran->result.error_code == 101);
  CHECK(ran->result.reason == "PID-3 needs a number");
  CHECK(ran->result.location == "PID-3[2].1");
  const auto skipped = patient("require PID-8 is valued else skip \"no sex\"\nname += { text = PID-5.1.1 }", kName);
  CHECK(skipped->result.ok());
  CHECK_FALSE(skipped->wrote("EVERYMAN"));
}

TEST_CASE("semantics: HL7 to HL7 keeps composites, escapes and formatting, in the order of the structure",
          "[semantics]") {
  const std::string map = R"(
map m(msg: hl7 ORU_R01 2.5.1) -> hl7 ORU_R01 2.5.1 {
  MSH-3 = MSH-4
  for each PATIENT_RESULT {
    add PATIENT_RESULT {
      PID-5 += PID-5[*]
      PID-3 += PID-3[*]
      for each ORDER_OBSERVATION {
        add ORDER_OBSERVATION {
          OBR-4 = OBR-4
          for each OBSERVATION {
            add OBSERVATION {
              OBX-5 += OBX-5[*]
              OBX-2 = OBX-2
              OBX-3 = OBX-3
              OBX-11 = OBX-11
            }
          }
        }
      }
    }
  }
})";
  const std::string body =
      "PID|1||P1^^^GHH&1.2.3&ISO^MR~P2||VAN\\T\\DAM^JEAN\r"
      "OBR|1|||GLU^Glucose^L\r"
      "OBX|1|CE|K^Potassium^L||a\\F\\b^text \\H\\bold\\N\\^L~c||||||F\r"
      "OBX|2|FT|N^Note^L||one\\.br\\two \\X41\\||||||F\r";
  const auto same = run_map(map, "MSH|^~\\&|A|B^1.2^ISO|C|D|20250818||ORU^R01^ORU_R01|1|P|2.5.1\r" + body);
  REQUIRE(same->result.ok());
  CHECK(same->wrote("MSH|^~\\&|B^1.2^ISO|"));
  CHECK(same->wrote("PID|||P1^^^GHH&1.2.3&ISO^MR~P2||VAN\\T\\DAM^JEAN\r"));
  CHECK(same->wrote("OBR||||GLU^Glucose^L\r"));
  CHECK(same->wrote("OBX||CE|K^Potassium^L||a\\F\\b^text \\H\\bold\\N\\^L~c||||||F\r"));
  CHECK(same->wrote("one\\.br\\two A"));
  CHECK(same->result.output.find("PID|") < same->result.output.find("OBR|"));
  // The same message with other delimiters gives the same result.
  std::string other = "MSH#*%!@#A#B*1.2*ISO#C#D#20250818##ORU*R01*ORU_R01#1#P#2.5.1\r";
  for (const char c : body)
    other += c == '|' ? '#' : c == '^' ? '*' : c == '~' ? '%' : c == '\\' ? '!' : c == '&' ? '@' : c;
  const auto foreign = run_map(map, other);
  REQUIRE(foreign->result.ok());
  CHECK(foreign->wrote("PID|||P1^^^GHH&1.2.3&ISO^MR~P2||VAN@DAM^JEAN\r"));  // its own \T\ is an @
  CHECK(foreign->wrote("OBX||CE|K^Potassium^L||a#b^text \\H\\bold\\N\\^L~c||||||F\r"));
  CHECK(foreign->wrote("one\\.br\\two A"));
}

TEST_CASE("semantics: declared Z segments are written behind the others", "[semantics]") {
  const auto ran = run_map(R"(
segment ZPI { 1 setId : SI  3 bedCode : CWE  4 kind : ID * }
map m(msg: hl7 ADT_A01 2.5.1) -> hl7 ADT_A01 2.5.1 {
  ZPI-3 = ZPI-3
  add ZPI { ZPI-1 = 2  ZPI-4 += "a|b"  ZPI-4 += "c" }
  EVN-2 = MSH-7
  PID-3 += PID-3[*]
  PID-5 += PID-5[*]
  PV1-2 = "N"
})",
                           header() + kName + "\rZPI|1||B12^Bed 12\r");
  REQUIRE(ran->result.ok());
  CHECK(ran->result.output.ends_with("PV1||N\rZPI|||B12^Bed 12\rZPI|2|||a\\F\\b~c\r"));
}

TEST_CASE("semantics: tables of files, concept maps and HL7 tables, with the hash of what a message saw", "[semantics]") {
  const auto ran = run_map(R"(
table Sex = hl7table "0001" else omit
map m(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient {
    maritalStatus = PID-8 via Sex
    name += { text = Sex[PID-8].display }
  }
})",
                           header() + kName + "|F\r");
  REQUIRE(ran->result.ok());
  CHECK(ran->wrote(R"("system":"http://terminology.hl7.org/CodeSystem/v2-0001","code":"F","display":"Female")"));
  CHECK(ran->wrote(R"("text":"Female")"));
  CHECK(ran->result.tables_hash.empty());
}

}  // namespace kiln::mappings::test
