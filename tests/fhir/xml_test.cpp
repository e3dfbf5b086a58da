// FHIR XML: reading, writing, and what is refused. Invented people only.

#include "fhir/model/xml.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "fhir/model/json.h"

using namespace kiln;
using fhir::read_xml;
using fhir::write_xml;

namespace {

constexpr const char* kHead = "<Patient xmlns=\"http://hl7.org/fhir\">";

std::string patient(const std::string& content) {
  return kHead + content + "</Patient>";
}

/// Read and written again; of what is refused "code: text @ place".
std::string again(const std::string& xml, bool pretty = false, const fhir::ReadOptions& options = {}) {
  const auto tree = read_xml(xml, options);
  if (!tree) {
    return std::string(tree.error().info().code) + ": " + tree.error().text + " @ " + tree.error().place;
  }
  const auto text = write_xml(tree->root(), pretty);
  return text ? *text
              : std::string(text.error().info().code) + ": " + text.error().text + " @ " + text.error().place;
}

std::string code_of(const std::string& xml, const fhir::ReadOptions& options = {}) {
  const auto tree = read_xml(xml, options);
  return tree ? "read" : tree.error().info().code;
}

}  // namespace

TEST_CASE("xml: a compact resource is written as it was read", "[fhir][xml]") {
  const std::string texts[] = {
      patient(
          "<id value=\"p1\"/><active value=\"true\"/><name><family value=\"Ødegård\"/><given value=\"A\"/>"
          "<given value=\"B\"/></name><deceasedDateTime value=\"2020-01\"/>"),
      patient("<birthDate id=\"b\" value=\"1970\"><extension url=\"urn:x\"><valueDecimal value=\"1.500\"/>"
              "</extension></birthDate>"),
      patient("<contained><Organization><name value=\"O\"/></Organization></contained>"
              "<managingOrganization><reference value=\"#o\"/></managingOrganization>"),
      patient(
          "<text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\"> <p>a &amp;\n b</p>"
          "<!-- kept --><br/></div></text>"),
      patient("<name><text value=\"a &lt;b&gt; &quot;c&quot;&#10;d&#9;e\"/></name>"),
      patient(
          "<birthDate><extension url=\"urn:absent\"><valueCode value=\"unknown\"/></extension></birthDate>"),
  };
  for (const std::string& text : texts) CHECK(again(text) == text);
}

TEST_CASE("xml: a pretty resource is indented and reads back", "[fhir][xml]") {
  const std::string compact = patient("<name><family value=\"F\"/></name><text2/>");
  CHECK(code_of(compact) == "fhir-unknown-element");
  const std::string pretty = again(patient("<name><family value=\"F\"/></name>"), true);
  CHECK(pretty ==
        "<Patient xmlns=\"http://hl7.org/fhir\">\n  <name>\n    <family value=\"F\"/>\n  "
        "</name>\n</Patient>\n");
  CHECK(again(pretty) == patient("<name><family value=\"F\"/></name>"));
}

TEST_CASE("xml: comments, instructions, prefixes and schema locations are passed over", "[fhir][xml]") {
  CHECK(
      again("\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\"?><!-- c --><?style a?>"
            "<f:Patient xmlns:f='http://hl7.org/fhir' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
            " xsi:schemaLocation='http://hl7.org/fhir fhir.xsd'><f:active\n value = 'true' /><!-- x -->"
            "<f:text><f:status value=\"empty\"/><h:div xmlns:h=\"http://www.w3.org/1999/xhtml\"><h:p "
            "a='\"'>x</h:p>"
            "</h:div></f:text></f:Patient>") ==
      "fhir-wrong-type: the element stands behind one that must follow it @ line 2, column 29, Patient.text");
  CHECK(
      again("<f:Patient xmlns:f='http://hl7.org/fhir'><f:text><f:status value=\"empty\"/>"
            "<h:div xmlns:h=\"http://www.w3.org/1999/xhtml\"><h:p title='\"'>x<h:br/></h:p></h:div></f:text>"
            "</f:Patient>") == patient("<text><status value=\"empty\"/><div "
                                       "xmlns=\"http://www.w3.org/1999/xhtml\"><p title='\"'>x<br></br>"
                                       "</p></div></text>"));
}

TEST_CASE("xml: white space of a value follows the rules of attributes", "[fhir][xml]") {
  const auto tree = read_xml(patient("<name><text value='a\r\nb\tc&#10;d'/></name>"));
  REQUIRE(tree);
  CHECK(tree->root()["name"]["text"].text() == "a b c\nd");
}

TEST_CASE("xml: a DTD and unknown entities are refused", "[fhir][xml]") {
  CHECK(code_of("<!DOCTYPE Patient><Patient xmlns=\"http://hl7.org/fhir\"/>") == "xml-doctype");
  CHECK(code_of("<?xml version=\"1.0\"?><!DOCTYPE Patient [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" +
                patient("<name><text value=\"&x;\"/></name>")) == "xml-doctype");
  std::string laughs = "<!DOCTYPE l [<!ENTITY a \"ha\">";
  for (char c = 'b'; c < 'k'; ++c) {
    laughs += std::string("<!ENTITY ") + c + " \"";
    for (int i = 0; i < 10; ++i) laughs += std::string("&") + static_cast<char>(c - 1) + ";";
    laughs += "\">";
  }
  CHECK(code_of(laughs + "]>" + patient("<name><text value=\"&j;\"/></name>")) == "xml-doctype");
  CHECK(code_of(patient("<name><text value=\"&x;\"/></name>")) == "xml-entity");
  CHECK(code_of(patient("<name><text value=\"a & b\"/></name>")) == "xml-entity");
  CHECK(code_of(patient("<name><text value=\"&#0;\"/></name>")) == "xml-entity");
  CHECK(code_of(patient("<name><text value=\"&#xD800;\"/></name>")) == "xml-entity");
  CHECK(code_of(patient("<name><text value=\"&#x110000;\"/></name>")) == "xml-entity");
  CHECK(code_of(patient(
            "<text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\">&nbsp;</div>"
            "</text>")) == "xml-entity");
}

TEST_CASE("xml: what is not well-formed is refused with its place", "[fhir][xml]") {
  const std::string bad[] = {
      "",
      "   ",
      "<",
      "text",
      "<Patient",
      "<Patient xmlns=\"http://hl7.org/fhir\">",
      patient("<active value=\"true\">"),
      patient("<active value=\"true\"/></active>"),
      patient("<active value=true/>"),
      patient("<active value=\"true\"id=\"a\"/>"),
      patient("<active value=\"a\" value=\"b\"/>"),
      patient("<active value=\"<\"/>"),
      patient("<active value=\"\x01\"/>"),
      patient("<x:active value=\"true\"/>"),
      patient("<active x:value=\"true\"/>"),
      patient("<!-- a -- b -->"),
      patient("<!-- a"),
      patient("<?xml version=\"1.0\"?>"),
      patient("<![CDATA[x"),
      patient("]]>"),
      patient("") + patient(""),
      patient("") + "x",
      patient("<active value=\"\xEF\xBF\xBF\"/>"),
      std::string(kHead) + "</patient>",
  };
  for (const std::string& text : bad) {
    INFO(text);
    CHECK(code_of(text) == "xml-syntax");
  }
  CHECK(again("<Patient xmlns=\"http://hl7.org/fhir\">\n <name>\n  <family value='Ö' x='1'></name>")
            .substr(0, 58) == "fhir-unknown-element: unknown attribute @ line 3, column 2");
  CHECK(code_of(patient("<name><text value=\"\xC3\"/></name>")) == "invalid-utf8");
  CHECK(code_of(patient("<name><text value=\"\xED\xA0\x80\"/></name>")) == "invalid-utf8");
  CHECK(code_of("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + patient("")) == "xml-encoding");
  CHECK(code_of(std::string("\xFF\xFE<\0P\0", 6)) == "xml-encoding");
}

TEST_CASE("xml: what is not FHIR is refused with line, column and FHIRPath", "[fhir][xml]") {
  CHECK(again("<Patient/>") ==
        "fhir-unknown-element: the root element is not in the namespace of FHIR @ line 1, column 1");
  CHECK(again("<Pat xmlns=\"http://hl7.org/fhir\"/>") ==
        "fhir-unknown-element: the root element does not name a resource type of FHIR R4 @ line 1, column 1");
  CHECK(again(patient("\n<name>\n <famly value=\"x\"/></name>")) ==
        "fhir-unknown-element: unknown element of HumanName @ line 3, column 2, Patient.name[0].famly");
  CHECK(again(patient("<name><x xmlns=\"urn:y\"/></name>")).find("foreign namespace") != std::string::npos);
  CHECK(code_of(patient("<valueString value=\"x\"/>")) == "fhir-unknown-element");
  CHECK(code_of(patient("<deceased value=\"true\"/>")) == "fhir-unknown-element");
  CHECK(code_of(patient("text")) == "fhir-wrong-type");
  CHECK(code_of(patient("<active value=\"yes\"/>")) == "fhir-wrong-type");
  CHECK(code_of(patient("<multipleBirthInteger value=\"NaN\"/>")) == "fhir-wrong-type");
  CHECK(code_of(patient("<active value=\"true\"/><active value=\"true\"/>")) == "fhir-wrong-type");
  CHECK(code_of(patient("<deceasedBoolean value=\"true\"/><deceasedDateTime value=\"2020\"/>")) ==
        "fhir-wrong-type");
  CHECK(code_of(patient("<birthDate value=\"2020\"/><active value=\"true\"/>")) == "fhir-wrong-type");
  CHECK(code_of(patient("<active/>")) == "fhir-empty");
  CHECK(code_of(patient("<active value=\"\"/>")) == "fhir-empty");
  CHECK(code_of(patient("<name/>")) == "fhir-empty");
  CHECK(code_of(patient("<contained/>")) == "fhir-empty");
  CHECK(code_of(patient("<contained><Foo/></contained>")) == "fhir-unknown-element");
  CHECK(code_of(patient("<contained><Patient/><Patient/></contained>")) == "fhir-wrong-type");
  CHECK(code_of(patient("<name a=\"1\"><family value=\"x\"/></name>")) == "fhir-unknown-element");
}

TEST_CASE("xml: limits of size, depth and attributes hold", "[fhir][xml]") {
  fhir::ReadOptions options;
  options.bytes_max = 60;
  CHECK(code_of(patient("<name><family value=\"xxxxxxxxxxxxxxxxxx\"/></name>"), options) == "limit-exceeded");
  std::string deep;
  for (int i = 0; i < 1'000'000; ++i) deep += "<extension url=\"u\">";
  CHECK(code_of(kHead + deep) == "limit-exceeded");
  std::string many = "<name";
  for (int i = 0; i < 70; ++i) many += " a" + std::to_string(i) + "=\"\"";
  CHECK(code_of(patient(many + "/>")) == "limit-exceeded");
  const std::string large(std::size_t{15} << 20, 'x');
  const auto tree = read_xml(patient("<name><text value=\"" + large + "\"/></name>"));
  REQUIRE(tree);
  CHECK(tree->root()["name"]["text"].text().size() == large.size());
}

TEST_CASE("xml: a narrative that leans on declarations outside is written so that it stands by itself",
          "[fhir][xml]") {
  const std::string xhtml = "http://www.w3.org/1999/xhtml";
  const auto narrative = [](const std::string& head, const std::string& div) {
    return "<Patient xmlns=\"http://hl7.org/fhir\"" + head + "><text><status value=\"generated\"/>" + div +
           "</text></Patient>";
  };
  const std::string whole = narrative(
      "", "<div xmlns=\"" + xhtml + "\" xmlns:q=\"urn:q\"><p q:a=\"1\">a<!-- kept --><br/></p></div>");
  CHECK(again(whole) == whole);
  CHECK(again(narrative(" xmlns:h=\"" + xhtml + "\"",
                        "<div xmlns=\"" + xhtml + "\"><h:p>a</h:p><br/></div>")) ==
        narrative("", "<div xmlns=\"" + xhtml + "\"><p>a</p><br></br></div>"));
  CHECK(
      again(narrative(" xmlns:q='urn:\"'", "<div xmlns=\"" + xhtml + "\"><p q:b='2' q:c='3'>a</p></div>")) ==
      narrative("", "<div xmlns=\"" + xhtml + "\"><p xmlns:q='urn:\"' q:b=\"2\" q:c=\"3\">a</p></div>"));
  CHECK(code_of(narrative(" xmlns:h=\"" + xhtml + "\"", "<h:div><h:a:b/></h:div>")) == "xml-syntax");
  CHECK(code_of(patient("<:active value=\"true\"/>")) == "xml-syntax");
}

TEST_CASE("xml: a carriage return of a narrative and its reference stay apart", "[fhir][xml]") {
  for (const char* text : {"a\\rb", "a&#13;b", "a&#013;b", "a&#0000013;b", "a&#xD;b", "&&#13;",
                           "<!-- &#13; -->x", "<![CDATA[&#013;]]>", "<?a &#13;?>x&#13;"}) {
    const std::string json =
        R"({"resourceType":"Basic","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">)" +
        std::string(text) + R"(</div>"}})";
    INFO(json);
    const auto tree = fhir::read_json(json);
    REQUIRE(tree);
    const auto xml = write_xml(tree->root());
    if (std::string(text).starts_with("&&")) {
      CHECK_FALSE(xml);
      continue;
    }
    REQUIRE(xml);
    const auto back = read_xml(*xml);
    REQUIRE(back);
    CHECK(fhir::write_json(back->root()) == json);
  }
}

TEST_CASE("xml: what stands before or behind a narrative is refused, not lost", "[fhir][xml]") {
  const std::string div = R"(<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>)";
  for (const std::string& text : {div, "\xEF\xBB\xBF" + div, " " + div, div + "\\n", "<!-- c -->" + div,
                                  "<?p q?>" + div, div + "\xEF\xBB\xBF", div + "<!-- c -->"}) {
    const std::string json =
        R"({"resourceType":"Basic","text":{"status":"generated","div":")" + text + R"("}})";
    INFO(json);
    const auto tree = fhir::read_json(json);
    REQUIRE(tree);
    const auto xml = write_xml(tree->root());
    CHECK(xml.has_value() == (text == div));
    if (!xml) continue;
    const auto back = read_xml(*xml);
    REQUIRE(back);
    CHECK(fhir::write_json(back->root()) == json);
  }
}

TEST_CASE("xml: a carriage return that no reference can stand for is refused", "[fhir][xml]") {
  const auto can_be_xml = [](const std::string& inside) {
    INFO(inside);
    const std::string json =
        R"({"resourceType":"Basic","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">)" +
        inside + R"(</div>"}})";
    const auto tree = fhir::read_json(json);
    REQUIRE(tree);
    const auto xml = write_xml(tree->root());
    if (!xml) return false;
    const auto back = read_xml(*xml);
    REQUIRE(back);
    CHECK(fhir::write_json(back->root()) == json);
    return true;
  };
  CHECK(can_be_xml("<b title='x\\ry>'>a\\rb</b>\\r"));
  CHECK_FALSE(can_be_xml("<b\\rtitle='x'>a</b>"));
  CHECK_FALSE(can_be_xml("<b>a</b\\r>"));
  CHECK_FALSE(can_be_xml("<!-- \\r -->"));
  CHECK_FALSE(can_be_xml("<![CDATA[a\\rb]]>"));
  CHECK_FALSE(can_be_xml("<?p \\r?>"));
}

TEST_CASE("xml: what is read can be written as JSON of the same depth", "[fhir][xml]") {
  const auto nested = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "<extension url=\"u\">";
    text += "<valueString value=\"x\"/>";
    for (int i = 0; i < count; ++i) text += "</extension>";
    return patient(text);
  };
  const auto deepest = read_xml(nested(31));
  REQUIRE(deepest);
  CHECK(fhir::read_json(fhir::write_json(deepest->root())));
  CHECK(code_of(nested(32)) == "limit-exceeded");
  // A narrative has a limit of its own.
  std::string div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">";
  for (int i = 0; i < 150; ++i) div += "<p>";
  div += "x";
  for (int i = 0; i < 150; ++i) div += "</p>";
  const std::string deep = patient("<text><status value=\"generated\"/>" + div + "</div></text>");
  CHECK(again(deep) == deep);
}

TEST_CASE("xml: hostile documents end in an error, soon", "[fhir][xml]") {
  CHECK(code_of("<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"" + std::string(100u << 20, 'x') +
                "\"/></Patient>") == "limit-exceeded");
  std::string text = kHead;
  for (int i = 0; i < 1'000'000; ++i) text += "<extension url=\"u\">";
  CHECK(code_of(text) == "limit-exceeded");
  text =
      kHead + std::string("<text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\">");
  for (int i = 0; i < 1'000'000; ++i) text += "<p>";
  CHECK(code_of(text) == "limit-exceeded");
  text = "<Patient xmlns=\"http://hl7.org/fhir\"";
  for (int i = 0; i < 200'000; ++i) text += " xmlns:a" + std::to_string(i) + "=\"u\"";
  CHECK(code_of(text + "/>") == "limit-exceeded");
  // Half of a pair, and a pair of halves: neither is a character.
  CHECK(code_of(patient("<name><text value=\"&#xDC00;\"/></name>")) == "xml-entity");
  CHECK(code_of(patient("<name><text value=\"&#xD83D;&#xDE00;\"/></name>")) == "xml-entity");
  CHECK(code_of(patient("<name><text value=\"&#x1F600;\"/></name>")) == "read");
  // A million references, and a million errors.
  text.clear();
  for (int i = 0; i < 1'000'000; ++i) text += "&amp;";
  CHECK(code_of(patient("<name><text value=\"" + text + "\"/></name>")) == "read");
  text.clear();
  for (int i = 0; i < 1'000'000; ++i) text += "<nme/>";
  std::vector<fhir::ReadIssue> issues;
  fhir::ReadOptions collect;
  collect.issues = &issues;
  CHECK(code_of(patient(text), collect) == "read");
  CHECK(issues.size() == base::limits::kValidationIssuesMax);
}

TEST_CASE("xml: numbers that JSON cannot carry are refused", "[fhir][xml]") {
  const auto decimal = [](const std::string& number) {
    return code_of(
        "<Observation xmlns=\"http://hl7.org/fhir\"><status value=\"final\"/><code><text value=\"x\"/></code>"
        "<valueQuantity><value value=\"" +
        number + "\"/></valueQuantity></Observation>");
  };
  for (const std::string number : {"NaN", "INF", "-INF", "Infinity", "+1", "01", "1.", ".5", "0x10", "1e",
                                   "1e1e1", " 1 ", "1,5", "1e301", "-1E+99999999999999999999"})
    CHECK(number + " " + decimal(number) == number + " fhir-wrong-type");
  CHECK(decimal(std::string(301, '9')) == "fhir-wrong-type");
  for (const std::string& number : {std::string("1e300"), std::string("-0"), std::string("1E-99999"),
                                    std::string(300, '9'), "0." + std::string(10'000, '3')}) {
    CHECK(number + " " + decimal(number) == number + " read");
    const std::string json =
        R"({"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":)" +
        number + "}}";
    const auto tree = fhir::read_json(json);
    REQUIRE(tree);
    const auto xml = write_xml(tree->root());
    REQUIRE(xml);
    CHECK(read_xml(*xml));
  }
}

TEST_CASE("xml: issues are collected and the rest is read", "[fhir][xml]") {
  std::vector<fhir::ReadIssue> issues;
  fhir::ReadOptions options;
  options.issues = &issues;
  const auto tree =
      read_xml(patient("<active value=\"yes\"/><foo value=\"1\"/><name/><birthDate value=\"\"/>"), options);
  REQUIRE(tree);
  std::string found;
  for (const auto& issue : issues)
    found += std::string(base::error_info(issue.code).code) + " " + issue.path + "; ";
  CHECK(found ==
        "fhir-wrong-type Patient.active; fhir-unknown-element Patient.foo; fhir-empty Patient.name[0]; "
        "fhir-empty Patient.birthDate; ");
  CHECK(tree->root()["active"].text() == "yes");
}

TEST_CASE("xml: what XML cannot carry is not written", "[fhir][xml]") {
  CHECK(fhir::check_xhtml_form("<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>").empty());
  CHECK_FALSE(fhir::check_xhtml_form("<div>a</div>").empty());
  CHECK_FALSE(fhir::check_xhtml_form("<div xmlns=\"http://www.w3.org/1999/xhtml\">a<br></div>").empty());
  CHECK_FALSE(fhir::check_xhtml_form("<p xmlns=\"http://www.w3.org/1999/xhtml\">a</p>").empty());
  CHECK_FALSE(fhir::check_xhtml_form("").empty());
}
