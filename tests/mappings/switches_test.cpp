// `extend const`: what a site says the constants of a package are, and what becomes of the shipped switches.

#include <catch2/catch.hpp>

#include "engine/base/text.h"
#include "mappings/lock.h"
#include "tests/mappings/runtime_support.h"

namespace kiln::mappings::test {
namespace {

constexpr const char* kHeader = "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|20260302073000+0100||";
const std::string kAdmission = std::string(kHeader) +
                               "ADT^A01^ADT_A01|M1|P|2.5.1\rEVN|A01|20260302073000+0100\r"
                               "PID|1||4711^^^NORTH^MR||Lindqvist^Vera||19610615|F" +
                               std::string(32, '|') + "^NET^Internet^vera@example.org\rPV1|1|I\r";
const std::string kResult = std::string(kHeader) +
                            "ORU^R01^ORU_R01|M1|P|2.5.1\rPID|1||4711^^^NORTH^MR||Lindqvist^Vera\r"
                            "ORC|RE|P1^NORTH|F1^NORTH\rOBR|1|P1^NORTH|F1^NORTH|718-7^Hemoglobin^LN\r"
                            "OBX|1|NM|718-7^Hemoglobin^LN||13.4|g/dL|||||F\r";

const std::string kReplacement = std::string(kHeader) +
                                 "MDM^T10^MDM_T02|M1|P|2.5.1\rEVN||20260302073000+0100\r"
                                 "PID|1||4711^^^NORTH^MR||Lindqvist^Vera\rPV1|1|I\r"
                                 "TXA|1|DS|TX|||||||||D2^NORTH|D1^NORTH||||AU\rOBX|1|TX|8648-8^Course^LN||well||||||F\r";
const std::string kMerge = std::string(kHeader) +
                           "ADT^A40^ADT_A39|M1|P|2.5.1\rEVN|A40|20260302073000+0100\r"
                           "PID|1||4711^^^NORTH^MR||Lindqvist^Vera\rMRG|4712^^^NORTH^MR\r";

std::string bundle(const Maps& maps, const std::string& message) {
  const Program program = maps.program("std.v2fhir");
  REQUIRE(program);
  const OwnedInput input(".hl7", message, program);
  Runner runner;
  const RunResult& result = runner.run(program, input.get(), test_context());
  INFO(result.reason);
  REQUIRE(result.ok());
  return result.output;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct Checked {
  base::Diagnostics diagnostics;
  std::vector<OverriddenRule> overridden;
  std::string text;
};

Checked check(const std::string& text, const std::string& lock = {}) {
  Checked out;
  Library library;
  library.add_text("site.hmap", text, out.diagnostics);
  if (!lock.empty()) library.add_lock(lock, out.diagnostics);
  library.link(out.diagnostics);
  out.overridden = compile(library, out.diagnostics).overridden;
  out.text = base::render(out.diagnostics, library.sources());
  return out;
}

}  // namespace

TEST_CASE("switches: each switch of the library is set by a site", "[extend]") {
  struct Switch {
    const char* name;
    bool as_shipped;
    const std::string& message;
    const char* makes;  ///< while it is true
  };
  const Switch switches[] = {
      {"std.v2fhir.segments.createMessageHeader", true, kAdmission, "\"resourceType\":\"MessageHeader\""},
      {"std.v2fhir.segments.createProvenance", true, kAdmission, "\"resourceType\":\"Provenance\""},
      {"std.v2fhir.segments.createServiceRequest", true, kResult, "\"resourceType\":\"ServiceRequest\""},
      {"std.v2fhir.segments.keepMessage", false, kAdmission, "\"resourceType\":\"DocumentReference\""},
      {"std.v2fhir.segments.patchOthers", false, kReplacement, "\"method\":\"PATCH\""},
      {"std.v2fhir.datatypes.laterFields", true, kAdmission, "vera@example.org"},
  };
  const Maps shipped("module site\n");
  std::string same = "module site\n";
  for (const Switch& one : switches) {
    INFO(one.name);
    CHECK(holds(bundle(shipped, one.message), one.makes) == one.as_shipped);
    const std::string set = std::string("extend const ") + one.name + " = ";
    const Maps site("module site\n" + set + (one.as_shipped ? "false\n" : "true\n"));
    const std::string other = bundle(site, one.message);
    CHECK(holds(other, one.makes) != one.as_shipped);
    CHECK(holds(other, "\"resourceType\":\"Patient\""));
    same += set + (one.as_shipped ? "true\n" : "false\n");
  }
  const Maps on(same);
  for (const std::string* message : {&kAdmission, &kResult, &kMerge, &kReplacement})
    CHECK(bundle(on, *message) == bundle(shipped, *message));
}

TEST_CASE("switches: the message is kept where a site says so", "[extend]") {
  const Maps kept("module site\nextend const std.v2fhir.segments.keepMessage = true\n");
  const std::string with = bundle(kept, kResult);
  CHECK(holds(with, "\"contentType\":\"x-application/hl7-v2+er7\""));
  CHECK(holds(with, base::base64_encode(kResult)));
  CHECK(holds(with, "\"entity\":[{\"role\":\"source\""));
  CHECK_FALSE(holds(bundle(Maps("module site\n"), kResult), "x-application/hl7-v2+er7"));
}

// MRG says too little of the victim to replace it: it is made where it is not known, and changed where it is.
TEST_CASE("switches: a merge keeps what is known of the victim", "[extend]") {
  const std::string merged = bundle(Maps("module site\n"), kMerge);
  const char* const victim = "identifier=urn%3Akiln%3Aauthority%3ANORTH%7C4712";
  CHECK(holds(merged, std::string("\"method\":\"POST\",\"url\":\"Patient\",\"ifNoneExist\":\"") + victim));
  CHECK(holds(merged, std::string("\"method\":\"PATCH\",\"url\":\"Patient?") + victim));
  CHECK(holds(merged,
              base::base64_encode("[{\"op\":\"add\",\"path\":\"/active\",\"value\":false}").substr(0, 56)));
  CHECK_FALSE(holds(merged, std::string("\"method\":\"PUT\",\"url\":\"Patient?") + victim));
  // One resource, two requests: the fullUrl is that of the one that may create it.
  CHECK(holds(merged, "{\"resource\":{\"resourceType\":\"Binary\""));
}

TEST_CASE("switches: ADT writes the patient whole, or what changed", "[extend]") {
  const auto update = [](const std::string& event, const std::string& rest) {
    return std::string(kHeader) + "ADT^" + event + "^ADT_A01|U1|P|2.5.1\rEVN||20260302073000+0100\r" +
           "PID|1||4711^^^NORTH^MR||Lindqvist^Vera" + rest + "\rPV1|1|I\r";
  };
  const char* const whole = "\"method\":\"PUT\",\"url\":\"Patient?identifier=";
  const char* const made = "\"ifNoneExist\":\"identifier=urn%3Akiln%3Aauthority%3ANORTH%7C4711";
  const char* const changed = "\"method\":\"PATCH\",\"url\":\"Patient?identifier=";
  const Maps shipped("module site\n");
  CHECK(holds(bundle(shipped, update("A08", "||19610615|F")), whole));
  CHECK(holds(bundle(shipped, update("A08", "||\"\"")), whole));  // what is deleted was sent
  CHECK(holds(bundle(shipped, update("A08", "")), made));         // number and name alone replace nobody
  const Maps site("module site\nextend const std.v2fhir.segments.snapshot = false\n");
  CHECK(holds(bundle(site, update("A01", "||19610615|F")), whole));
  const std::string patched = bundle(site, update("A08", "||\"\"|F"));
  CHECK(holds(patched, changed));
  CHECK_FALSE(holds(patched, whole));
  const std::size_t data = patched.find("\"data\":\"") + 8;
  std::string patch;
  REQUIRE(base::base64_decode(patched.substr(data, patched.find('"', data) - data), patch));
  INFO(patch);
  CHECK(holds(patch, "{\"op\":\"add\",\"path\":\"/gender\",\"value\":\"female\"}"));
  CHECK(holds(patch, "/birthDate"));
  CHECK_FALSE(holds(patch, "/identifier"));
}

TEST_CASE("switches: the name of an imported constant needs no package, texts and lists work too",
          "[extend]") {
  const Maps site(
      "module site\nuse std.v2fhir.segments\nextend const createProvenance = false\n"
      "extend const placeIds = \"urn:example:places\"\nextend const contactRoles = [\"E\"]\n");
  const std::string off = bundle(site, kAdmission.substr(0, kAdmission.size() - 1) + "|W1^101^A\r");
  CHECK_FALSE(holds(off, "\"resourceType\":\"Provenance\""));
  CHECK(holds(off, "urn:example:places"));
  CHECK_FALSE(holds(off, "urn:kiln:location"));
}

TEST_CASE("switches: an unknown name and another kind of value are errors of the check", "[extend]") {
  const Checked unknown = check("module site\nextend const std.v2fhir.segments.createProvenence = false\n");
  CHECK(holds(unknown.text, "E0305"));
  CHECK(holds(unknown.text, "did you mean `std.v2fhir.segments.createProvenance`?"));
  const Checked kind = check("module site\nextend const std.v2fhir.segments.createProvenance = \"no\"\n");
  CHECK(holds(kind.text, "E0704"));
  CHECK(holds(kind.text, "constant std.v2fhir.segments.createProvenance is boolean, this is string"));
  const Checked twice = check(
      "module site\nextend const std.v2fhir.segments.createProvenance = false\n"
      "extend const std.v2fhir.segments.createProvenance = true\n");
  CHECK(holds(twice.text, "E0705"));
}

TEST_CASE("switches: hmap.lock knows the constant that a site sets, and notices when it changes",
          "[extend]") {
  const std::string site = "module site\nextend const std.v2fhir.segments.createProvenance = false\n";
  const Checked first = check(site);
  CHECK(first.diagnostics.errors() == 0);
  CHECK(holds(first.text, "W0703"));
  CHECK(holds(first.text, "`extend const` sets 1 constant that hmap.lock does not know"));
  REQUIRE(first.overridden.size() == 1);
  CHECK(first.overridden[0].rule == "std.v2fhir.segments:createProvenance");
  CHECK(first.overridden[0].text == "const createProvenance = true");
  const std::string lock = Lock::of(first.overridden).print();
  CHECK_FALSE(holds(check(site, lock).text, "0703"));

  std::vector<OverriddenRule> older = first.overridden;
  older[0].text = "const createProvenance = false";
  older[0].hash = std::string(64, '0');
  const Checked drifted = check(site, Lock::of(older).print());
  CHECK(holds(drifted.text, "E0702"));
  CHECK(holds(drifted.text, "was: const createProvenance = false"));
  CHECK(holds(drifted.text, "now: const createProvenance = true"));
}

}  // namespace kiln::mappings::test
