// v2.xml: what is written, what comes back, what is refused.

#include "hl7/xml.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "hl7/batch.h"
#include "hl7/diff.h"
#include "hl7/message.h"

using namespace kiln::hl7;
using kiln::base::ErrorCode;

namespace {

constexpr const char* kHeader = "MSH|^~\\&|LAB|NORD|||20240131||ADT^A01^ADT_A01|7|P|2.5.1\r";

std::string xml_of(const std::string& er7) {
  const auto message = Message::parse(er7);
  REQUIRE(message);
  return to_xml(*message, {.pretty = false, .declaration = false});
}

/// What stands between the MSH element and the end of the root.
std::string body_of(const std::string& segments) {
  const std::string xml = xml_of(kHeader + segments);
  const auto begin = xml.find("</MSH>") + 6;
  return xml.substr(begin, xml.rfind("</") - begin);
}

std::string back(const std::string& er7) {
  const auto text = from_xml(xml_of(er7));
  INFO(xml_of(er7));
  REQUIRE(text);
  return *text;
}

std::string same(const std::string& segments) {
  const std::string er7 = kHeader + segments;
  return back(er7).substr(std::string(kHeader).size());
}

std::string error_of(std::string_view xml) {
  const auto text = from_xml(xml);
  REQUIRE_FALSE(text);
  return std::string(text.error().info().code) + ": " + text.error().text;
}

std::string in_pid(const std::string& field) {
  return "<ADT_A01 xmlns=\"urn:hl7-org:v2xml\"><MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2></MSH><PID>" +
         field + "</PID></ADT_A01>";
}

}  // namespace

TEST_CASE("v2.xml: the header and a composite field") {
  CHECK(xml_of("MSH|^~\\&|LAB^1.2^ISO||||||ADT^A01^ADT_A01|7|P|2.5.1\r") ==
        "<ADT_A01 "
        "xmlns=\"urn:hl7-org:v2xml\"><MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2><MSH.3><HD.1>LAB</HD.1>"
        "<HD.2>1.2</HD.2><HD.3>ISO</HD.3></MSH.3><MSH.9><MSG.1>ADT</MSG.1><MSG.2>A01</MSG.2><MSG.3>ADT_A01</"
        "MSG.3></MSH.9><MSH.10>7</MSH.10><MSH.11>"
        "<PT.1>P</PT.1></MSH.11><MSH.12><VID.1>2.5.1</VID.1></MSH.12></MSH></ADT_A01>");
}

TEST_CASE("v2.xml: subcomponents, repetitions and parts without a type") {
  CHECK(body_of("PID|||A^^^N&1.2&ISO~B\r") ==
        "<PID><PID.3><CX.1>A</CX.1><CX.4><HD.1>N</HD.1><HD.2>1.2</HD.2><HD.3>ISO</HD.3></CX.4></PID.3>"
        "<PID.3><CX.1>B</CX.1></PID.3></PID>");
  CHECK(body_of("PID|||A~~B\r") ==
        "<PID><PID.3><CX.1>A</CX.1></PID.3><PID.3/><PID.3><CX.1>B</CX.1></PID.3></PID>");
  CHECK(body_of("ZAB|x|a^b&c\r") ==
        "<ZAB><ZAB.1>x</ZAB.1><ZAB.2><ZAB.2.1>a</ZAB.2.1><ZAB.2.2><ZAB.2.2.1>b</ZAB.2.2.1><ZAB.2.2.2>c</"
        "ZAB.2.2.2>"
        "</ZAB.2.2></ZAB.2></ZAB>");
  CHECK(body_of("PID||||||||F^x\r") == "<PID><PID.8><PID.8.1>F</PID.8.1><PID.8.2>x</PID.8.2></PID.8></PID>");
}

TEST_CASE("v2.xml: groups of the structure") {
  CHECK(body_of("EVN|A01\rPID|1\rPV1|1\rPR1|1\rROL|1\rPR1|2\rGT1|1\r") ==
        "<EVN><EVN.1>A01</EVN.1></EVN><PID><PID.1>1</PID.1></PID><PV1><PV1.1>1</PV1.1></PV1>"
        "<ADT_A01.PROCEDURE><PR1><PR1.1>1</PR1.1></PR1><ROL><ROL.1><EI.1>1</EI.1></ROL.1></ROL></"
        "ADT_A01.PROCEDURE>"
        "<ADT_A01.PROCEDURE><PR1><PR1.1>2</PR1.1></PR1></ADT_A01.PROCEDURE><GT1><GT1.1>1</GT1.1></GT1>");
}

TEST_CASE("v2.xml: the type of OBX-5 is that of OBX-2") {
  CHECK(body_of("OBX|1|CE|a||x^y\r").find("<OBX.5><CE.1>x</CE.1><CE.2>y</CE.2></OBX.5>") !=
        std::string::npos);
  CHECK(body_of("OBX|1|ST|a||x\r").find("<OBX.5>x</OBX.5>") != std::string::npos);
}

TEST_CASE("v2.xml: escapes become text, formatting becomes elements") {
  CHECK(body_of("NTE|1||a\\T\\b\\S\\c\r") == "<NTE><NTE.1>1</NTE.1><NTE.3>a&amp;b^c</NTE.3></NTE>");
  CHECK(body_of("NTE|1||a\\.br\\b\\H\\c\\N\\\r") ==
        "<NTE><NTE.1>1</NTE.1><NTE.3>a<escape V=\".br\"/>b<escape V=\"H\"/>c<escape V=\"N\"/></NTE.3></NTE>");
  CHECK(body_of("NTE|1||\\X41\\\\X0D\\\r") ==
        "<NTE><NTE.1>1</NTE.1><NTE.3>A<escape V=\"X0D\"/></NTE.3></NTE>");
  CHECK(body_of("NTE|1||\"\"\r") == "<NTE><NTE.1>1</NTE.1><NTE.3>&quot;&quot;</NTE.3></NTE>");
  CHECK(body_of("NTE|1||\\X2222\\\r") == "<NTE><NTE.1>1</NTE.1><NTE.3><escape V=\"X2222\"/></NTE.3></NTE>");
  CHECK(body_of("NTE|1||4\\5\r") == "<NTE><NTE.1>1</NTE.1><NTE.3>4\\5</NTE.3></NTE>");
}

TEST_CASE("v2.xml and back gives the same bytes for clean text") {
  for (const char* segments :
       {"PID|1||A^^^N&1.2&ISO~~B||\"\"^X\r", "NTE|1||a\\T\\b\\.br\\c\\Zq\\ \\X0D0A\\ d\r",
        "ZAB|x|a^b&c||\"\"\r", "EVN|A01\rPID|1\rPV1|1\rPR1|1\rROL|1\rPR1|2\rGT1|1\rPID|2\rZZZ|1\rAL1|1\r",
        "OBX|1|TX|a||  two  spaces \r", "PV1\r", "NTE|1||<a b=\"c\">&amp;</a>\r"})
    CHECK(same(segments) == segments);
  const std::string slash = "MSH/*+!?/LAB///20240131//ADT*A01/7/P/2.5.1\rPID/1//A*B?C+D///x!F!y\r";
  CHECK(back(slash) == slash);
  const std::string latin = "MSH|^~\\&|LAB|||||||7|P|2.5.1||||||8859/1\rPID|||||M\xFCller\r";
  CHECK(back(latin) == latin);
}

TEST_CASE("v2.xml: a line without a segment name comes back") {
  CHECK(same("PID|1\rno name here\rNTE|1\r") == "PID|1\rno name here\rNTE|1\r");
}

TEST_CASE("v2.xml: missing groups, prefixes and other names of parts are read") {
  const auto text = from_xml(
      "<h:ADT_A01 xmlns:h='urn:hl7-org:v2xml'>\n "
      "<h:MSH><h:MSH.1>|</h:MSH.1><h:MSH.2>^~\\&amp;</h:MSH.2></h:MSH>\n"
      " <h:PR1><h:PR1.3> <h:FOO.1>a</h:FOO.1> <h:BAR.3><![CDATA[x|y]]></h:BAR.3> "
      "</h:PR1.3></h:PR1></h:ADT_A01>");
  REQUIRE(text);
  CHECK(*text == "MSH|^~\\&\rPR1|||a^^x\\F\\y\r");
}

TEST_CASE("v2.xml: what is no message is refused with its reason") {
  CHECK(error_of("") == "bad-v2xml: there is no message");
  CHECK(error_of("<a>") == "xml-syntax: Start-end tags mismatch");
  CHECK(error_of("<a/>") == "bad-v2xml: there is no MSH");
  CHECK(error_of(in_pid("<PV1.3>x</PV1.3>")) == "bad-v2xml: a field of PID is expected");
  CHECK(error_of(in_pid("<PID.0>x</PID.0>")) == "bad-v2xml: a field of PID is expected");
  CHECK(error_of(in_pid("<PID.1001>x</PID.1001>")) == "bad-v2xml: a field of PID is expected");
  CHECK(error_of(in_pid("text")) == "bad-v2xml: text between fields");
  CHECK(error_of(in_pid("<PID.3><CX.1>a</CX.1>b</PID.3>")) == "bad-v2xml: text beside elements");
  CHECK(error_of(in_pid("<PID.3><CX.1>a</CX.1><CX.1>b</CX.1></PID.3>")) == "bad-v2xml: a part stands twice");
  CHECK(error_of(in_pid("<PID.3><CX.1><A.1><B.1>x</B.1></A.1></CX.1></PID.3>")) ==
        "bad-v2xml: an element below a subcomponent");
  CHECK(error_of(in_pid("<PID.3><CX>a</CX></PID.3>")) ==
        "bad-v2xml: the element's name does not end with a number");
  CHECK(error_of(in_pid("<PID.3>a<escape V=\".br|\"/></PID.3>")) ==
        "bad-v2xml: the escape cannot be written");
  CHECK(error_of(in_pid("") + in_pid("")) == "bad-v2xml: there is more than one message");
}

TEST_CASE("v2.xml: hostile documents stay small") {
  // Entities are never expanded, and a document type is skipped.
  const auto entity = from_xml("<!DOCTYPE a [<!ENTITY x \"boom\">]>" + in_pid("<PID.3>&x;</PID.3>"));
  REQUIRE(entity);
  CHECK(entity->find("boom") == std::string::npos);
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  CHECK_FALSE(from_xml(deep));
  std::string nested;
  for (int i = 0; i < 40; ++i) nested += "<G.G>";
  nested += "<MSH/>";
  for (int i = 0; i < 40; ++i) nested += "</G.G>";
  CHECK_FALSE(from_xml(nested));
  std::string wide;
  for (int i = 0; i < 3'000; ++i) wide += "<PID.3><CX.9999>x</CX.9999></PID.3>";
  CHECK(error_of(in_pid(wide)).starts_with("limit-exceeded"));
  XmlReadOptions small;
  small.bytes_max = 10;
  CHECK(from_xml(in_pid(""), small).error().code == ErrorCode::limit_exceeded);
}

TEST_CASE("v2.xml and back keeps every value of the shared corpora") {
  const std::filesystem::path root = std::filesystem::path(KILN_SOURCE_DIR) / "../shared/corpus";
  if (!std::filesystem::exists(root)) {
    std::cout << "shared corpora are not here: skipped\n";
    return;
  }
  std::size_t messages = 0, damaged = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = entry.path().string();
    if (!entry.is_regular_file() || name.find("hl7v2") == name.npos || name.ends_with(".md") ||
        name.ends_with(".tsv") || entry.file_size() > (4u << 20))
      continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    const std::string bytes = text.str();
    for (const Slice& slice : split_batch(bytes).messages) {
      // Without MSH-18 the bytes are whatever they are; what comes back is UTF-8.
      ParseOptions read, reread;
      const bool utf8 = Charset::utf8().valid(slice.of(bytes));
      read.charset_default = utf8 ? Charset::utf8() : Charset::latin1();
      reread.charset_default = Charset::utf8();
      const auto message = Message::parse(std::string(slice.of(bytes)), read);
      if (!message || message->header().id() != segment_id("MSH")) continue;
      const std::string xml = to_xml(*message);
      XmlReadOptions options;
      options.unencodable = Unencodable::replace;
      const auto again = from_xml(xml, options);
      INFO(name << "\n" << xml.substr(0, 2000));
      INFO((again ? std::string() : again.error().message()));
      REQUIRE(again);
      const auto parsed = Message::parse(*again, reread);
      REQUIRE(parsed);
      ++messages;
      // Bytes that are no characters become U+FFFD, and an empty MSH-2 the usual one.
      const auto notes = check_text(*message);
      if (message->header().field(2).raw().empty() ||
          std::any_of(notes.begin(), notes.end(),
                      [](const auto& note) { return note.code == ErrorCode::bad_charset_bytes; })) {
        ++damaged;
        continue;
      }
      const MessageDifference values = diff(*message, *parsed);
      std::string first;
      if (!values.equal_values() && !values.segments[0].values.empty())
        first = values.segments[0].values[0].before_text + " -> " + values.segments[0].values[0].after_text;
      INFO(first);
      CHECK(values.equal_values());
    }
  }
  CHECK(messages > 1000);
  CHECK(damaged < 10);
}

TEST_CASE("XML whose header states encoding characters but no separator is read with the usual ones") {
  const auto text =
      from_xml("<ADT_A01><MSH><MSH.2>^~\\&amp;</MSH.2></MSH><NTE><NTE.3>a</NTE.3></NTE></ADT_A01>");
  INFO((text ? std::string() : text.error().message()));
  REQUIRE(text);
  CHECK(*text == "MSH|^~\\&\rNTE|||a\r");
}
