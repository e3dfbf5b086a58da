// Validation. Goldens in tests/golden/hl7_validate: NAME.hl7 is a message (LF for CR), NAME.json its profile
// when there is one, NAME.txt what is found. KILN_APPROVE=1 rewrites the .txt files; review the difference.

#include "hl7/validate.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "hl7/path.h"

using namespace kiln::hl7;
namespace fs = std::filesystem;

namespace {

const fs::path kFolder = fs::path(KILN_SOURCE_DIR) / "tests/golden/hl7_validate";

std::string file_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Message message_of(std::string text) {
  for (char& c : text)
    if (c == '\n') c = '\r';
  auto message = Message::parse(std::move(text));
  REQUIRE(message);
  return std::move(*message);
}

std::string severity_name(kiln::base::Severity severity) {
  return severity == kiln::base::Severity::error     ? "error"
         : severity == kiln::base::Severity::warning ? "warning"
                                                     : "note";
}

std::string print(const ValidationReport& report) {
  std::string out = std::to_string(report.errors) + " errors, " + std::to_string(report.warnings) +
                    " warnings, " + std::to_string(report.notes) + " notes\n";
  for (const Finding& f : report.findings) {
    const AckError error = ack_error(f);
    out += severity_name(f.severity) + " " + std::string(name_of(f.rule)) + " " + std::to_string(f.code) +
           " " + f.path + " @" + std::to_string(f.offset) + " ERL " + error.segment;
    for (const std::uint32_t n :
         {error.sequence, error.field, error.repetition, error.component, error.subcomponent})
      out += "^" + (n == 0 ? std::string() : std::to_string(n));
    while (out.ends_with('^')) out.pop_back();
    out += "\n  " + f.text + "\n";
  }
  const ValidationAck ack = ack_of(report);
  return out + "ack " + std::string(name_of(ack.code)) + ", " + std::to_string(ack.errors.size()) + " ERR\n";
}

ValidationReport check(const std::string& text, ValidationPolicy policy = {}) {
  return Validator(std::move(policy)).validate(message_of(text));
}

std::size_t count(const ValidationReport& report, RuleKind kind) {
  std::size_t n = 0;
  for (const Finding& f : report.findings) n += f.rule == kind;
  return n;
}

const std::string kHead = "MSH|^~\\&|LAB|NORD|KIS|SUED|20240131||ADT^A01^ADT_A01|7|P|2.5.1\nEVN||20240131\n";
const std::string kVisit = "PV1||I\n";

}  // namespace

TEST_CASE("findings of a validation: expected texts") {
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".hl7") continue;
    ++files;
    INFO(entry.path().filename().string());
    fs::path profile = entry.path(), golden = entry.path();
    profile.replace_extension(".json");
    golden.replace_extension(".txt");
    Validator validator;
    if (fs::exists(profile)) {
      auto read = read_profile(file_text(profile));
      if (!read) FAIL(read.error().message());
      auto made = Validator::make(std::move(*read));
      if (!made) FAIL(made.error().message());
      validator = std::move(*made);
    }
    const std::string text = print(validator.validate(message_of(file_text(entry.path()))));
    if (std::getenv("KILN_APPROVE") != nullptr) std::ofstream(golden, std::ios::binary) << text;
    CHECK(text == file_text(golden));
  }
  CHECK(files >= 8);
}

TEST_CASE("a finding points at the bytes it is about") {
  const std::string text = kHead + "PID|||17^^^NORD||Muster^Eva||1970-02-30|F\n" + kVisit;
  const Message message = message_of(text);
  const ValidationReport report = Validator().validate(message);
  REQUIRE(report.errors == 1);
  const Finding& f = report.findings.front();
  CHECK(f.rule == RuleKind::datatype);
  CHECK(message.bytes().substr(f.offset, 10) == "1970-02-30");
  CHECK(f.path == "PID-7[1].1");
  CHECK(f.text.find("1970") == f.text.npos);
  const auto path = Path::compile(f.path);
  REQUIRE(path);
  CHECK(path->get(message).offset() == f.offset);
}

TEST_CASE("what the policy says by kind and by path") {
  const std::string text = kHead + "PID|||17||Muster||1970-02-30|Q\n" + kVisit;
  CHECK(check(text).errors == 1);
  CHECK(check(text).warnings == 1);
  ValidationPolicy policy;
  policy.set(RuleKind::datatype, RuleLevel::warning);
  CHECK(check(text, policy).errors == 0);
  CHECK(check(text, policy).warnings == 2);
  REQUIRE(policy.set("PID", std::nullopt, RuleLevel::off));
  CHECK(check(text, policy).findings.empty());
  REQUIRE(policy.set("PID-8", RuleKind::user_table, RuleLevel::error));
  CHECK(check(text, policy).errors == 1);
  REQUIRE(policy.set("PID-8", RuleKind::user_table, RuleLevel::note));
  CHECK(check(text, policy).notes == 1);
  policy.set_all(RuleLevel::off);
  REQUIRE(policy.set("PID-7.1", std::nullopt, RuleLevel::error));
  const ValidationReport only = check(text, policy);
  CHECK(only.errors == 1);
  CHECK(only.findings.front().path == "PID-7[1].1");
  CHECK_FALSE(policy.set("PID-3[2]", std::nullopt, RuleLevel::off));
  CHECK_FALSE(policy.set("PID--3", std::nullopt, RuleLevel::off));
  for (std::size_t i = 0; i < kRuleKindCount; ++i) {
    const auto kind = static_cast<RuleKind>(i);
    CHECK(rule_kind(name_of(kind)) == kind);
  }
  CHECK_FALSE(rule_kind("tables"));
  CHECK(rule_level("off") == RuleLevel::off);
}

TEST_CASE("datatypes: which texts fit") {
  const auto ok = [](const std::string& type, const std::string& value) {
    const std::string text =
        "MSH|^~\\&|LAB|NORD|KIS|SUED|20240131||ORU^R01^ORU_R01|7|P|2.5.1\nOBR|1||F1|C^T^L\nOBX|1|" + type +
        "|X^Y^L||" + value + "||||||F\n";
    return count(check(text), RuleKind::datatype) == 0;
  };
  for (const auto* good : {"1", "+1", "-1.5", "1.", ".5", "007", "\"\""}) CHECK(ok("NM", good));
  for (const auto* bad : {"x", "1,5", "--1", "1.2.3", ".", "1e5", "- 1", "<5"}) CHECK_FALSE(ok("NM", bad));
  for (const auto* good : {"20240229", "2024", "202401"}) CHECK(ok("DT", good));
  for (const auto* bad : {"20230229", "0", "2024-01-01", "202401011200", "20241301"})
    CHECK_FALSE(ok("DT", bad));
  for (const auto* good : {"12", "1230", "123059", "123059.1234", "1230+0100"}) CHECK(ok("TM", good));
  for (const auto* bad : {"25", "1260", "12:30", "123", "123059.", "1230+1", "1230+1500"})
    CHECK_FALSE(ok("TM", bad));
  for (const auto* good : {"20240131120000", "20240131120000.1+0100", "202401311260^"}) {
    if (std::string(good) == "202401311260^") {
      CHECK_FALSE(ok("TS", good));
      continue;
    }
    CHECK(ok("TS", good));
  }
  for (const auto* good : {"^5", ">^5", "^1^-^2", "<=^3", "<>^4^/^5"}) CHECK(ok("SN", good));
  for (const auto* bad : {"x^5", "^a", "^1^~^2", "^1^x^2"})
    if (std::string(bad) != "^1^~^2") CHECK_FALSE(ok("SN", bad));
  for (const auto* any : {"ST", "TX", "FT"}) CHECK(ok(any, "anything 12:30"));
  CHECK(ok("QQ", "x"));  // an unknown type is a finding of OBX-2, its value is not looked into
}

TEST_CASE("codes: which tables a coded value answers to") {
  const auto in = [](const std::string& value) {
    const std::string text = kHead + "PID|||17||Muster|||||" + value + "\n" + kVisit;
    return count(check(text), RuleKind::user_table) + count(check(text), RuleKind::table) == 0;
  };
  CHECK(in("2106-3"));  // table 0005
  CHECK(in("2106-3^White^HL70005"));
  CHECK_FALSE(in("WHITE"));
  CHECK_FALSE(in("WHITE^^HL70005"));
  CHECK(in("WHITE^Weiss^L"));               // another system: not of this table
  CHECK(in("W^^HL70005^2106-3^^HL70005"));  // the alternate is right
  CHECK(in("\"\""));
}

TEST_CASE("lengths are counted in characters, escapes decoded") {
  ValidationPolicy policy;
  policy.set_all(RuleLevel::off);
  policy.set(RuleKind::length, RuleLevel::error);
  const auto fits = [&](const std::string& id) {
    return check("MSH|^~\\&|LAB|||||||" + id + "|P|2.5.1||||||UNICODE UTF-8\n", policy).findings.empty();
  };
  CHECK(fits(std::string(20, 'x')));
  CHECK_FALSE(fits(std::string(21, 'x')));
  CHECK(fits(std::string(19, 'x') + "\\T\\"));
  CHECK_FALSE(fits(std::string(20, 'x') + "\\T\\"));
  std::string wide;
  for (int i = 0; i < 20; ++i) wide += "\xC3\xA4";
  CHECK(fits(wide));
  CHECK_FALSE(fits(wide + "a"));
}

TEST_CASE("findings are capped and counted") {
  std::string text = kHead + "PID|||17||Muster\n" + kVisit;
  for (int i = 0; i < 300; ++i) text += "AL1|x||\n";
  const ValidationReport report = check(text);
  CHECK(report.findings.size() == kiln::base::limits::kHl7FindingsMax);
  CHECK(report.errors == 600);  // Set ID of 2.5.1 is SI, AL1-3 is required
  CHECK(report.dropped == report.errors + report.warnings - report.findings.size());
  CHECK(ack_of(report).errors.size() == kiln::base::limits::kAckErrorsMax);
}

TEST_CASE("an error is listed however many warnings came before it") {
  std::string text = kHead + "PID|||17||Muster\n" + kVisit;
  for (int i = 0; i < 200; ++i) text += "QRD|x\n";
  text += "AL1|1|DA\n";
  const ValidationReport report = check(text);
  CHECK(report.errors == 1);
  CHECK(report.warnings == 200);
  CHECK(ack_of(report).code == AckCode::AE);
  REQUIRE(ack_of(report).errors.size() == 1);
  CHECK(ack_of(report).errors.front().segment == "AL1");
}

TEST_CASE("what cannot be taken at all is AR, the rest AE") {
  const auto ack = [](const std::string& head) {
    return ack_of(check(head + "EVN||2024\nPID|||1||M\nPV1||I\n"));
  };
  CHECK(ack("MSH|^~\\&|||||20240131||ADT^A01^ADT_A01|1|P|2.5.1\n").code == AckCode::AA);
  CHECK(ack("MSH|^~\\&|||||20240131||ADT^A01^ADT_A01|1|Q|2.5.1\n").code == AckCode::AR);
  CHECK(ack("MSH|^~\\&|||||20240131||ADT^A01^ADT_A01|1||2.5.1\n").code == AckCode::AR);
  CHECK(ack("MSH|^~\\&|||||20240131||QQQ^A01|1|P|2.5.1\n").code == AckCode::AR);
  CHECK(ack("MSH|^~\\&|||||20240131||ADT^QQQ^ADT_A01|1|P|2.5.1\n").errors.front().code == 201);
  CHECK(ack("MSH|^~\\&|||||||ADT^A01^ADT_A01|1|P|2.5.1\n").code == AckCode::AE);
}

TEST_CASE("every message of the corpora can be validated") {
  const fs::path corpus = fs::path(KILN_SOURCE_DIR) / "../shared/corpus";
  if (!fs::exists(corpus)) {
    std::cout << "skipped: no shared corpus\n";
    return;
  }
  Validator validator;
  ValidationReport report;
  std::size_t messages = 0;
  for (const auto& entry : fs::recursive_directory_iterator(corpus)) {
    if (!entry.is_regular_file()) continue;
    const auto message = Message::parse(file_text(entry.path()));
    if (!message) continue;
    ++messages;
    validator.validate(*message, report);
    for (const Finding& f : report.findings) {
      REQUIRE(f.offset <= message->bytes().size());
      REQUIRE_FALSE(f.text.empty());
      REQUIRE(f.code >= 100);
      REQUIRE(f.location.segment < message->segment_count());
    }
    REQUIRE(report.errors + report.warnings + report.notes == report.findings.size() + report.dropped);
  }
  CHECK(messages > 500);
}
