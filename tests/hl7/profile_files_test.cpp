// Profiles in three files: message, constraints, value sets.

#include <catch2/catch.hpp>
#include <string>

#include "hl7/profile.h"
#include "hl7/validate.h"

using namespace kiln::hl7;

namespace {

const std::string kProfile = R"xml(<ConformanceProfile ID="p1" HL7Version="2.5.1" Type="Constrainable">
<MetaData Name="lab of NORD"/>
<Messages><Message ID="m1" Type="ORU" Event="R01" StructID="ORU_R01" Description="results">
 <Segment Ref="s-msh" Usage="R" Min="1" Max="1"/>
 <Group ID="g1" Name="PATIENT_RESULT" Usage="R" Min="1" Max="1">
  <Segment Ref="s-pid" Usage="R" Min="1" Max="1"/>
  <Group ID="g2" Name="ORU_R01.ORDER_OBSERVATION" Usage="R" Min="1" Max="*">
   <Segment Ref="s-obr" Usage="R" Min="1" Max="1"/><Segment Ref="s-obx" Usage="RE" Min="0" Max="3"/>
  </Group></Group></Message></Messages>
<Segments>
 <Segment ID="s-msh" Name="MSH"><Field Name="Separator" DataType="d-st" Usage="R"/></Segment>
 <Segment ID="s-pid" Name="PID"><Field Name="Set" DataType="d-si" Usage="X"/><Field Name="External" DataType="d-cx" Usage="X"/>
  <Field Name="Identifiers" DataType="d-cx" Usage="R" Min="1" Max="2"/></Segment>
 <Segment ID="s-obr" Name="OBR"><Field Name="Set" DataType="d-si" Usage="RE" MinLength="1" MaxLength="2"/></Segment>
 <Segment ID="s-obx" Name="OBX"><Field Name="Set" DataType="d-si" Usage="R"/>
  <Field Name="Type" DataType="d-id" Usage="R" Binding="NORD_TYPES"/><Field Name="Code" DataType="d-cwe" Usage="R"/>
  <Field Name="Sub" DataType="d-st" Usage="C(R/X)"/><Field Name="Value" DataType="varies" Usage="C(R/O)"/></Segment>
</Segments>
<Datatypes><Datatype ID="d-st" Name="ST"/><Datatype ID="d-si" Name="SI"/><Datatype ID="d-id" Name="ID"/>
 <Datatype ID="d-cx" Name="CX"><Component Name="Number" Datatype="d-st" Usage="R"/></Datatype>
 <Datatype ID="d-cwe" Name="CWE"><Component Name="Code" Datatype="d-st" Usage="R"/></Datatype></Datatypes>
</ConformanceProfile>)xml";

const std::string kConstraints = R"xml(<ConformanceContext><Predicates><Segment><ByID ID="s-obx">
 <Predicate Target="4[1]" TrueUsage="R" FalseUsage="X"><Description>grouped values</Description>
  <Condition><AND><PlainText Path="2[1]" Text="CE" IgnoreCase="false"/><NOT><Presence Path="8[1]"/></NOT></AND></Condition></Predicate>
 <Predicate Target="5[1]" TrueUsage="R" FalseUsage="O"><Description>by count</Description><Condition><SetID Path="1[1]"/></Condition></Predicate>
</ByID></Segment></Predicates>
<Constraints><Segment><ByID ID="s-obx"><Constraint ID="NORD-1"><Description>final only</Description>
  <Assertion><StringList Path="11[1]" CSV="F,C"/></Assertion></Constraint></ByID></Segment>
 <Datatype><ByID ID="d-cx"><Constraint ID="NORD-2"><Description>kind of number</Description>
  <Assertion><PlainText Path="5[1]" Text="MR" IgnoreCase="false"/></Assertion></Constraint></ByID></Datatype>
 <Message><ByID ID="m1"><Constraint ID="NORD-3"><Description>whole message</Description><Assertion><Presence Path="1[1]"/></Assertion></Constraint></ByID></Message>
</Constraints></ConformanceContext>)xml";

const std::string kSets =
    R"xml(<ValueSetLibrary><ValueSetDefinitions Group="x"><ValueSetDefinition BindingIdentifier="NORD_TYPES" Name="types" Extensibility="Closed">
 <ValueElement Value="NM" DisplayName="number" Usage="R"/><ValueElement Value="CE" DisplayName="code" Usage="R"/>
 <ValueElement Value="ST" DisplayName="text" Usage="E"/></ValueSetDefinition></ValueSetDefinitions></ValueSetLibrary>)xml";

std::string message(const std::string& pid_3, const std::string& obx) {
  return "MSH|^~\\&|A|B|C|D|20240131||ORU^R01^ORU_R01|1|P|2.5.1\rPID|||" + pid_3 + "||B^I\rOBR|1||1|a^b^L\r" +
         obx + "\r";
}

}  // namespace

TEST_CASE("a profile in three files becomes rules, tables and notes") {
  const auto imported = import_profile_files({kProfile, kConstraints, kSets, ""});
  REQUIRE(imported);
  const Profile& profile = imported->profile;
  CHECK(profile.name == "lab of NORD");
  CHECK(profile.structure == "ORU_R01");
  CHECK(print_structure(profile.message) == "MSH (PATIENT_RESULT: PID {ORDER_OBSERVATION: OBR [{OBX}]})");
  std::string notes;
  for (const std::string& note : imported->notes) notes += note + "\n";
  CHECK(notes ==
        "Segment s-obx, 5[1]: not applied: by count\n"
        "Message m1, NORD-3: not applied: whole message\n"
        "PATIENT_RESULT.ORDER_OBSERVATION.OBX-5: conditional, but its condition is not applied\n");
  const auto validator = Validator::make(*read_profile(print_profile(profile)));
  REQUIRE(validator);
  const auto errors = [&](const std::string& text) {
    std::string all;
    const auto parsed = Message::parse(text);
    for (const Finding& finding : validator->validate(*parsed).findings)
      if (finding.severity == kiln::base::Severity::error || finding.rule == RuleKind::usage)
        all += finding.path + " ";
    return all;
  };
  CHECK(errors(message("4711^^^N^MR", "OBX|1|NM|a^b^L||1||||||F")) == "");
  CHECK(errors(message("4711^^^N^XX", "OBX|1|NM|a^b^L||1||||||F")) == "PID-3[1].5 ");
  CHECK(errors(message("4711^^^N^MR", "OBX|1|ST|a^b^L||1||||||F")) == "OBX-2[1] ");
  CHECK(errors(message("4711^^^N^MR", "OBX|1|NM|a^b^L||1||||||P")) == "OBX-11[1] ");
  CHECK(errors(message("4711^^^N^MR", "OBX|1|CE|a^b^L||1||||||F")) == "OBX-4 ");
  CHECK(errors(message("4711^^^N^MR", "OBX|1|CE|a^b^L|1|1||||||F")) == "");
}

TEST_CASE("files that are no profile in three files are refused") {
  CHECK_FALSE(import_profile_files({"<x/>", "", "", ""}));
  CHECK_FALSE(import_profile_files({"<ConformanceProfile>", "", "", ""}));
  CHECK_FALSE(import_profile_files({"<ConformanceProfile/>", "", "", ""}));
  CHECK_FALSE(import_profile_files({kProfile, "<x/>", "", ""}));
  CHECK_FALSE(import_profile_files({kProfile, kConstraints, kSets, "m2"}));
  CHECK(import_profile_files({kProfile, "", "", "m1"}));
}
