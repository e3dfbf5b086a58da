// Profiles: our JSON form, the notation of structures, message profiles in XML.

#include "hl7/profile.h"

#include <catch2/catch.hpp>

#include "hl7/validate.h"

using namespace kiln::hl7;

namespace {

std::string refusal(const std::string& json) {
  const auto profile = read_profile(json);
  if (profile) {
    const auto made = Validator::make(*profile);
    return made ? "" : made.error().text + " | " + made.error().place;
  }
  return profile.error().text + " | " + profile.error().place;
}

std::string with_rule(const std::string& rule, const std::string& more = "") {
  return R"({"profile":"p","version":"2.5.1","structure":"ORU_R01",)" + more + R"("rules":{)" + rule + "}}";
}

std::string structure(const std::string& text) {
  const auto nodes = parse_structure(text);
  return nodes ? print_structure(*nodes) : nodes.error().text + " | " + nodes.error().place;
}

}  // namespace

TEST_CASE("a profile printed and read is the same") {
  const std::string json = R"({
  "profile": "p",
  "description": "words",
  "version": "2.5.1",
  "structure": "ORU_R01",
  "events": ["R01", "R32"],
  "message": "MSH [{SFT}] {RESULT: PID <OBR|RQD|{ITEMS: OBX [NTE]}> (END: DSC ZZZ)}",
  "rules": {
    "RESULT": {
      "min": 2,
      "max": "*"
    },
    "PID-3.1": {
      "usage": "RE",
      "length": 20,
      "value": "x"
    },
    "PID-5": {
      "min": 1,
      "max": 2,
      "length": "2..*"
    },
    "PID-8": {
      "table": "T",
      "if": {
        "any": [
          {
            "path": "PID-7",
            "valued": true
          },
          {
            "not": {
              "path": "PID-3.5",
              "in": ["a", "b"]
            }
          }
        ]
      },
      "then": "R",
      "else": "X"
    },
    "ZZZ-1": {
      "name": "own",
      "type": "NM"
    }
  },
  "tables": {
    "T": {
      "title": "sex",
      "open": true,
      "codes": {
        "F": "female",
        "M": ""
      }
    }
  }
}
)";
  const auto profile = read_profile(json);
  REQUIRE(profile);
  const std::string printed = print_profile(*profile);
  const auto again = read_profile(printed);
  REQUIRE(again);
  CHECK(print_profile(*again) == printed);
  CHECK(again->rules.size() == 5);
  CHECK(again->rules[3].condition->parts[1].parts[0].values.size() == 2);
  CHECK(again->events == std::vector<std::string>{"R01", "R32"});
  CHECK(print_structure(again->message) ==
        "MSH [{SFT}] {RESULT: PID <OBR|RQD|{ITEMS: OBX [NTE]}> (END: DSC ZZZ)}");
  CHECK(Validator::make(*again));
}

TEST_CASE("a profile that cannot be used is refused with its place") {
  CHECK(refusal("{}") == "a profile has a name | profile");
  CHECK(refusal(R"({"profile":"p","version":"3"})") == "a version from 2.1 to 2.9 is expected | version");
  CHECK(refusal(R"({"profile":"p","version":"2.5","rulez":{}})") ==
        "unknown member, did you mean `rules`? | rulez");
  CHECK(refusal(with_rule(R"("PID-3":{"usage":"Q"})")) ==
        "a usage is expected: R, RE, O, C, X, B or W | rules / PID-3 / usage");
  CHECK(refusal(with_rule(R"("PID-3":{"max":-1})")) ==
        "a number from 0 on or \"*\" is expected | rules / PID-3 / max");
  CHECK(refusal(with_rule(R"("PID-3":{"length":"9..3"})")) ==
        "a length is expected: 20 or \"1..20\" | rules / PID-3 / length");
  CHECK(refusal(with_rule(R"("PID-3":{"min":3,"max":2})")) == "min is above max | rules / PID-3");
  CHECK(refusal(with_rule(R"("PID-3.11":{"usage":"R"})")) ==
        "datatype CX has no such component | rules / PID-3.11");
  CHECK(refusal(with_rule(R"("PID-3.4.1.1":{"usage":"R"})")) ==
        "not a path of a profile | rules / PID-3.4.1.1");
  CHECK(refusal(with_rule(R"("PID-3":{"type":"QQ"})")) == "the version has no datatype QQ | rules / PID-3");
  CHECK(refusal(with_rule(R"("PID-8":{"table":"QQ"})")) == "there is no table QQ | rules / PID-8");
  CHECK(refusal(with_rule(R"("NOWHERE":{"max":1})")) == "the structure has no such place | rules / NOWHERE");
  CHECK(refusal(with_rule(R"("OBSERVATION.PID-3":{"max":1})")) ==
        "the structure has no such place | rules / OBSERVATION.PID-3");
  CHECK(refusal(with_rule(R"("PID":{"length":1})")) ==
        "a segment or group has no type, table, length or constant | rules / PID");
  CHECK(refusal(with_rule(R"("PID-8":{"then":"R"})")) == "`then` and `else` need `if` | rules / PID-8");
  CHECK(refusal(with_rule(R"("PID-8":{"if":{"path":"PID"}})")) ==
        "a path and one of valued, is, in are expected | rules / PID-8 / if");
  CHECK(refusal(with_rule(R"("PID-8":{"if":{"path":"x-1","is":"y"}})")) ==
        "condition: `x-1` is not a plain path | rules / PID-8");
  CHECK(refusal(with_rule("", R"("message":"MSH [PID",)")) == "`]` is missing | message / column 9");
  CHECK(refusal(R"({"profile":"p","version":"2.5.1","structure":"QQQ_Q01"})") ==
        "the version has no such structure | structure");
}

TEST_CASE("the notation of structures") {
  for (const auto* same : {"MSH", "MSH [PID]", "MSH {PID}", "MSH [{PID}]", "MSH {G: PID [NTE]}", "(G: PID)",
                           "MSH <PID|OBR>", "[{<{A: PID OBR}|NTE>}]", "[{A: [{B: [{C: ZZZ}]}]}]", ""})
    CHECK(structure(same) == same);
  CHECK(structure(" MSH\n[ {PID } ]") == "MSH [{PID}]");
  CHECK(structure("{[PID]}") == "[{PID}]");
  CHECK(structure("MSH ]") == "a segment, a group or a bracket is expected | column 5");
  CHECK(structure("{PID OBR}") ==
        "several segments in brackets need a group name: { ORDER: ORC OBR } | column 10");
  CHECK(structure("pid2") == "`pid2` is not the name of a segment | column 1");
  CHECK(structure("<PID") == "`|` or `>` is missing | column 5");
  CHECK(structure("G: PID") == "a group stands first in its brackets: { ORDER: ORC OBR } | column 1");
  CHECK(structure("[]") == "empty brackets | column 3");
  CHECK(structure(std::string(5000, '[')).starts_with("nested too deeply"));
  CHECK(structure(std::string(5000, '<')).starts_with("nested too deeply"));
}

namespace {

const std::string kXml = R"(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HL7v2xConformanceProfile [<!ENTITY big "value">]>
<HL7v2xConformanceProfile HL7Version="2.5.1" ProfileType="Constrainable">
  <MetaData Name="orders of NORD" OrgName="NORD"/>
  <Encodings><Encoding>ER7</Encoding></Encodings>
  <DynamicDef AccAck="NE" AppAck="AL" MsgAckMode="Deferred"/>
  <HL7v2xStaticDef MsgType="ORM" EventType="O01" MsgStructID="ORM_O01" EventDesc="order" Role="Receiver">
    <MetaData Name="ORM of NORD"/>
    <Segment Name="MSH" LongName="Message Header" Usage="R" Min="1" Max="1">
      <Field Name="Field Separator" Usage="R" Min="1" Max="1" Datatype="ST" Length="1" ItemNo="00001"/>
      <Field Name="Encoding Characters" Usage="R" Min="1" Max="1" Datatype="ST" Length="4"/>
      <Field Name="Sending Application" Usage="R" Min="1" Max="1" Datatype="HD" Length="227" Table="0361">
        <Component Name="Namespace ID" Usage="R" Datatype="IS" Length="20" Table="0300" ConstantValue="KIS"/>
        <Component Name="Universal ID" Usage="X" Datatype="ST" Length="199"/>
      </Field>
    </Segment>
    <Segment Name="NTE" LongName="Notes" Usage="X" Min="0" Max="0"/>
    <SegGroup Name="PATIENT" LongName="" Usage="R" Min="1" Max="1">
      <Segment Name="PID" LongName="" Usage="R" Min="1" Max="1">
        <Field Name="Set ID" Usage="X" Min="0" Max="0" Datatype="SI" Length="4"/>
        <Field Name="Patient ID" Usage="X" Min="0" Max="0" Datatype="CX" Length="20"/>
        <Field Name="Patient Identifier List" Usage="R" Min="1" Max="3" Datatype="CX" Length="250">
          <Component Name="ID Number" Usage="R" Datatype="ST" Length="9"/>
          <Component Name="Check Digit" Usage="O" Datatype="ST" Length="1"/>
          <Component Name="Check Digit Scheme" Usage="O" Datatype="ID" Length="3" Table="0061"/>
          <Component Name="Assigning Authority" Usage="R" Datatype="HD" Length="227" Table="0363">
            <SubComponent Name="Namespace ID" Usage="R" Datatype="IS" Length="20" Table="0300"/>
          </Component>
        </Field>
        <Field Name="Alternate" Usage="CE" Min="0" Max="*" Datatype="CX" Length="20">
          <Predicate>when the patient came by ambulance</Predicate>
        </Field>
      </Segment>
      <Segment Name="NTE" LongName="Notes" Usage="O" Min="0" Max="2"/>
    </SegGroup>
    <SegGroup Name="ORDER" LongName="" Usage="R" Min="1" Max="*">
      <Segment Name="ORC" LongName="" Usage="R" Min="1" Max="1">
        <Field Name="Order Control" Usage="R" Min="1" Max="1" Datatype="ID" Length="2" Table="9901"/>
        <Field Name="Placer" Usage="R" Min="1" Max="1" Datatype="QQ" Length="22" Table="7777"/>
      </Segment>
      <Segment Name="ZOR" LongName="own" Usage="O" Min="0" Max="1">
        <Field Name="Rack" Usage="R" Min="1" Max="1" Datatype="NM" Length="3"/>
      </Segment>
    </SegGroup>
  </HL7v2xStaticDef>
</HL7v2xConformanceProfile>
)";
const std::string kTables = R"(<Specification><hl7tables>
<hl7table id="9901" name="order control of NORD" type="HL7"><tableElement code="NW" displayName="new"/>
<tableElement code="CA" description="cancel"/></hl7table></hl7tables></Specification>)";

}  // namespace

TEST_CASE("a message profile in XML becomes rules where it differs from the standard") {
  const auto imported = import_profile_xml(kXml, kTables);
  if (!imported) FAIL(imported.error().message());
  const Profile& profile = imported->profile;
  CHECK(profile.name == "ORM of NORD");
  CHECK(profile.structure == "ORM_O01");
  CHECK(profile.events == std::vector<std::string>{"O01"});
  CHECK(print_structure(profile.message) == "MSH [NTE] (PATIENT: PID [{NTE}]) {ORDER: ORC [ZOR]}");
  std::string rules;
  for (const ProfileRule& rule : profile.rules) {
    rules += rule.path;
    if (rule.usage) rules += " " + std::string(name_of(*rule.usage));
    if (rule.min) rules += " min " + std::to_string(*rule.min);
    if (rule.max) rules += " max " + std::to_string(*rule.max);
    if (rule.length_max) rules += " length " + std::to_string(*rule.length_max);
    if (!rule.type.empty()) rules += " type " + rule.type;
    if (!rule.table.empty()) rules += " table " + rule.table;
    for (const auto& value : rule.one_of) rules += " = " + value;
    rules += "\n";
  }
  CHECK(rules ==
        "MSH-3 R\n"
        "MSH-3.1 R = KIS\n"
        "MSH-3.2 X\n"
        "ORM_O01.NTE X\n"
        "PID-1 X\n"
        "PID-2 X\n"
        "PID-3 max 3\n"
        "PID-3.1 R length 9\n"
        "PID-3.4 R\n"
        "PID-3.4.1 R\n"
        "PID-4 C\n"
        "ORM_O01.PATIENT.NTE max 2\n"
        "ORC-1 table 9901\n"
        "ORC-2 R\n"
        "ZOR-1 R length 3 type NM\n");
  std::string notes;
  for (const auto& note : imported->notes) notes += note + "\n";
  CHECK(notes ==
        "PID-4: the condition of usage CE is not applied: when the patient came by ambulance\n"
        "ORC-2: datatype QQ is not of this version, left out\n"
        "ORC-2: table 7777 is not known, left out\n"
        "DynamicDef: acknowledgement conditions are settings of a channel, not of a profile\n");
  const auto again = read_profile(print_profile(profile));
  REQUIRE(again);
  CHECK(print_profile(*again) == print_profile(profile));
}

TEST_CASE("an imported profile validates") {
  const auto imported = import_profile_xml(kXml, kTables);
  REQUIRE(imported);
  const auto validator = Validator::make(imported->profile);
  if (!validator) FAIL(validator.error().message());
  const auto findings = [&](const std::string& body) {
    const auto message = Message::parse("MSH|^~\\&|KIS|||||||||\r" + body);
    REQUIRE(message);
    std::string out;
    for (const Finding& f : validator->validate(*message).findings)
      if (f.segment != "MSH") out += std::string(name_of(f.rule)) + " " + f.path + "\n";
    return out;
  };
  CHECK(findings("PID|||123^^^NORD||Muster\rNTE|1\rORC|NW|P1\rZOR|12\r").empty());
  CHECK(findings("NTE|1\rPID|1||1234567890^^^&1.2&ISO||Muster\rORC|XX\rZOR|abcd\r") ==
        "usage NTE\n"
        "usage PID-1\n"
        "length PID-3[1].1\n"
        "required PID-3[1].4.1\n"
        "table ORC-1[1]\n"
        "required ORC-2\n"
        "length ZOR-1[1]\n"
        "datatype ZOR-1[1]\n");
  CHECK(findings("PID|||1^^^N||M\rNTE|1\rNTE|2\rNTE|3\rORC|NW|P1\r") == "cardinality NTE[3]\n");
}

TEST_CASE("XML that is no profile is refused") {
  const auto refused = [](const std::string& xml, const std::string& tables = "") {
    const auto made = import_profile_xml(xml, tables);
    return made ? std::string("taken") : made.error().text + " | " + made.error().place;
  };
  CHECK(refused("<a>\n<b></a>") == "profile: Start-end tags mismatch | line 2");
  CHECK(refused("<a/>") == "the root is not HL7v2xConformanceProfile | a");
  CHECK(refused("<HL7v2xConformanceProfile HL7Version='2.5'/>") ==
        "there is no HL7v2xStaticDef | HL7v2xConformanceProfile");
  CHECK(refused("<HL7v2xConformanceProfile HL7Version='2.5'><HL7v2xStaticDef/></HL7v2xConformanceProfile>") ==
        "there is no Segment | HL7v2xStaticDef");
  CHECK(refused("").starts_with("profile: "));
  CHECK(refused(kXml, "<a>").starts_with("tables: "));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<SegGroup Name='G'>";
  for (int i = 0; i < 100; ++i) deep += "</SegGroup>";
  CHECK(refused("<HL7v2xConformanceProfile HL7Version='2.5'><HL7v2xStaticDef>" + deep +
                "</HL7v2xStaticDef></HL7v2xConformanceProfile>") == "groups nested too deeply | SegGroup");
  std::string open;
  for (int i = 0; i < 200'000; ++i) open += "<a>";
  CHECK(refused(open) != "taken");
}
