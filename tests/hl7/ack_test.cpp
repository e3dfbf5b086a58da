// Acknowledgements: the matrix of versions as text, decisions, and reading answers.
// Goldens are in tests/golden/ack; KILN_APPROVE=1 rewrites them.

#include "hl7/ack.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

using namespace kiln::hl7;
using kiln::base::ErrorCode;

namespace {

const kiln::base::PartialDate kTime = *kiln::base::PartialDate::parse_hl7("20240131120000+0100");

AckInput input(AckCode code) {
  AckInput input;
  input.code = code;
  input.control_id = "K17";
  input.time = kTime;
  return input;
}

AckInput refused(AckCode code) {
  AckInput in = input(code);
  in.errors = {
      {"PID", 1, 3, 2, 4, 1, 101, 'E', "assigning authority is missing", "Please send PID-3.4", "X7"},
      {"OBX", 3, 5, 0, 0, 0, 102, 'W', "not a number", "", ""},
      {"", 1, 0, 0, 0, 0, 207, 'I', "", "", ""}};
  return in;
}

std::string visible(std::string text) {
  for (char& c : text) {
    if (c == '\r') c = '\n';
  }
  return text;
}

std::string ack_of(const std::string& bytes, const AckInput& in) {
  const auto message = Message::parse(bytes);
  REQUIRE(message);
  return make_ack(*message, in);
}

void check_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(KILN_SOURCE_DIR) + "/tests/golden/ack/" + name;
  if (std::getenv("KILN_APPROVE") != nullptr) std::ofstream(path, std::ios::binary) << text;
  std::ifstream file(path, std::ios::binary);
  INFO("golden " << name);
  REQUIRE(file);
  std::ostringstream expected;
  expected << file.rdbuf();
  CHECK(text == expected.str());
}

const char* const kVersions[] = {"2.1", "2.2", "2.3",   "2.3.1", "2.4",   "2.5",   "2.5.1",
                                 "2.6", "2.7", "2.7.1", "2.8",   "2.8.1", "2.8.2", "2.9"};

}  // namespace

TEST_CASE("the ACK of every version and code") {
  for (const std::string version : kVersions) {
    std::string text;
    const std::string source = "MSH|^~\\&|LAB|NORD|KIS&1.2&ISO|SUED|20240131||ORU^R01^ORU_R01|M\\T\\1|P|" +
                               version + "||||||UNICODE UTF-8\rPID|1\r";
    for (const AckCode code :
         {AckCode::AA, AckCode::AE, AckCode::AR, AckCode::CA, AckCode::CE, AckCode::CR}) {
      const std::string ack = ack_of(source, is_positive(code) ? input(code) : refused(code));
      text += "# " + std::string(name_of(code)) + "\n" + visible(ack);
      const AckOutcome outcome = parse_ack(ack, "M&1");
      CHECK(name_of(outcome.verdict) == name_of(code));
      CHECK(outcome.error_code == (is_positive(code) ? 0 : 101));
      if (!is_positive(code)) {
        CHECK(outcome.error_place == (version < "2.5" ? "PID-3" : "PID-3[2].4.1"));
      }
      const auto reread = Message::parse(ack);
      REQUIRE(reread);
      CHECK(reread->diagnostics().empty());
      CHECK_FALSE(may_acknowledge(*reread));
    }
    check_golden(version + ".txt", text);
  }
}

TEST_CASE("delimiters, character set and odd values come from the source") {
  const auto demand = [](AckInput in) {
    in.accept_request = "AL";
    in.expected_sequence = "4";
    return in;
  };
  std::string text;
  const auto add = [&](const std::string& title, const std::string& ack) {
    text += "# " + title + "\n" + visible(ack);
  };
  add("own delimiters", ack_of("MSH*:+?%*LAB*NORD*KIS*SUED***ADT:A01*1?R?2*P*2.5\r", refused(AckCode::AE)));
  add("truncation character", ack_of("MSH|^~\\&#|LAB||||||ADT^A01|7|P|2.7\r", input(AckCode::AA)));
  add("no escape character", ack_of("MSH|^~|LAB||||||ADT^A01|a\\b&c|P|2.3\r", refused(AckCode::AE)));
  add("no component character", ack_of("MSH||LAB||||||ADT|7|P|2.5\r", refused(AckCode::AE)));
  add("no version", ack_of("MSH|^~\\&|LAB||||||ADT^A01|7\r", input(AckCode::AA)));
  add("unknown version", ack_of("MSH|^~\\&|LAB||||||ADT^A01|7|P|2.99^DEU\r", input(AckCode::AA)));
  add("no event", ack_of("MSH|^~\\&|LAB||||||ADT|7|P|2.5\r", input(AckCode::AA)));
  add("truncated header", ack_of("MSH|^~\\&|LAB", input(AckCode::AR)));
  add("application ack in enhanced mode",
      ack_of("MSH|^~\\&|LAB||||||ADT^A01|7|P|2.5|||AL|AL\r", demand(input(AckCode::AA))));
  add("batch header", ack_of("BHS|^~\\&|LAB|NORD|KIS|SUED|2024||||B7\r", input(AckCode::AA)));
  check_golden("odd.txt", text);
}

TEST_CASE("the ACK is in the source's character set and frameable") {
  const std::string latin =
      ack_of("MSH|^~\\&|K\xFCste||||||ADT^A01|\xE4|P|2.5||||||8859/1\r", input(AckCode::AA));
  CHECK(latin.find("|||K\xFCste|") != latin.npos);
  CHECK(latin.find("MSA|AA|\xE4\r") != latin.npos);
  AckInput in = input(AckCode::AE);
  in.text =
      "Gr\xC3\xB6\xC3\x9F"
      "e \xE2\x82\xAC";
  CHECK(ack_of("MSH|^~\\&|||||||ADT^A01|1|P|2.5||||||8859/1\r", in)
            .find("Gr\xF6\xDF"
                  "e ?") != std::string::npos);
  const std::string control = ack_of("MSH|^~\\&|||||||ADT^A01|a\x1c\nb|P|2.5\r", input(AckCode::AA));
  CHECK(control.find("MSA|AA|a\\X1C\\\\X0A\\b\r") != control.npos);
  CHECK(parse_ack(control, "a\x1c\nb").verdict == AckVerdict::application_accept);
  // Standard delimiters where the source's cannot express the id.
  const std::string poor = ack_of(
      "MSH|^~|||||||ADT^A01|a\x1c"
      "b|P|2.5\r",
      input(AckCode::AA));
  CHECK(poor.substr(0, 8) == "MSH|^~\\&");
  CHECK(parse_ack(poor,
                  "a\x1c"
                  "b")
            .verdict == AckVerdict::application_accept);
}

TEST_CASE("MSA-2 is the id at full length") {
  const std::string id(500, 'i');
  const std::string ack = ack_of("MSH|^~\\&|||||||ADT^A01|" + id + "|P|2.3\r", input(AckCode::AA));
  CHECK(parse_ack(ack, id).verdict == AckVerdict::application_accept);
}

TEST_CASE("at most ten problems are reported") {
  AckInput in = input(AckCode::AE);
  in.errors.resize(kiln::base::limits::kAckErrorsMax + 1, {"PID", 1, 3, 0, 0, 0, 101, 'E', "", "", ""});
  const auto count = [](const std::string& text, std::string_view what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
    return n;
  };
  CHECK(count(ack_of("MSH|^~\\&|||||||ADT^A01|1|P|2.5\r", in), "\rERR|") == 10);
  const std::string old = ack_of("MSH|^~\\&|||||||ADT^A01|1|P|2.4\r", in);
  CHECK(count(old, "\rERR|") == 1);
  CHECK(count(old, "101&Required") == 10);
}

TEST_CASE("errors of the engine become ERR with the table's code and place") {
  const auto message = Message::parse("MSH|^~\\&|a\rOBX|1\rOBX|2||x\r");
  REQUIRE(message);
  const AckError error = ack_error({ErrorCode::bad_date, {}, {}, {}}, &*message, {2, 3, 1, 1, 0});
  CHECK(error.segment == "OBX");
  CHECK(error.sequence == 2);
  CHECK(error.field == 3);
  CHECK(error.code == 102);
  CHECK(error.text == "not a date or time");
  CHECK(ack_error({ErrorCode::internal, {}, {}, {}}).segment.empty());
}

TEST_CASE("bytes that are no message get an answer as far as they can be read") {
  std::string text;
  const auto add = [&](const std::string& title, std::string_view bytes, AckCode code, bool header) {
    const Unparsable answer = make_ack_for_unparsable(bytes, input(code));
    CHECK(answer.header == header);
    text += "# " + title + "\n" + visible(answer.ack);
  };
  add("nothing", "", AckCode::AR, false);
  add("garbage, asked for AA", "\x01\x02 hello", AckCode::AA, false);
  add("header behind garbage", "@@@MSH|^~\\&|LAB|NORD|KIS|SUED|2024||ADT^A01|77|P|2.4\rPID", AckCode::AE,
      true);
  add("cut header", "xMSH|^~\\&|LAB|NORD", AckCode::AR, true);
  add("unsupported character set", "MSH|^~\\&|LAB||||||ADT^A01|78|P|2.5||||||BIG-5\rPID|\xA4\x5C\r",
      AckCode::AR, true);
  add("no usable header", "MSHxyz", AckCode::AR, false);
  check_golden("unparsable.txt", text);
  CHECK_FALSE(make_ack_for_unparsable(std::string(5000, ' ') + "MSH|^~\\&|LAB\r", input(AckCode::AR)).header);
}

TEST_CASE("original or enhanced mode, and what to answer when") {
  const auto demand = [](const std::string& fields, AckCondition empty_is = AckCondition::never) {
    const auto message = Message::parse("MSH|^~\\&|||||||ADT^A01|1|P|2.5|||" + fields + "\r");
    REQUIRE(message);
    return ack_demand(*message, empty_is);
  };
  for (const auto* fields : {"", "|", "\"\"|\"\""}) {
    CHECK(demand(fields).mode == AckMode::original);
    CHECK(demand(fields).accept == AckCondition::never);
    CHECK(demand(fields).application == AckCondition::always);
  }
  CHECK(demand("AL|NE").mode == AckMode::enhanced);
  CHECK(demand("AL|NE").accept == AckCondition::always);
  CHECK(demand("AL|NE").application == AckCondition::never);
  CHECK(demand("ER|SU").accept == AckCondition::on_error);
  CHECK(demand("ER|SU").application == AckCondition::on_success);
  CHECK(demand("|AL").accept == AckCondition::never);
  CHECK(demand("|AL", AckCondition::always).accept == AckCondition::always);
  CHECK(demand("AL").application == AckCondition::never);
  CHECK(demand("??|NE").unknown_condition);
  CHECK(demand("??|NE").accept == AckCondition::always);
  for (const AckCode code : {AckCode::CA, AckCode::CE, AckCode::CR, AckCode::AA, AckCode::AE, AckCode::AR}) {
    CHECK(wanted(AckCondition::always, code));
    CHECK_FALSE(wanted(AckCondition::never, code));
    CHECK(wanted(AckCondition::on_success, code) == is_positive(code));
    CHECK(wanted(AckCondition::on_error, code) == !is_positive(code));
  }
}

TEST_CASE("an ACK is never acknowledged") {
  const auto may = [](const std::string& bytes) {
    const auto message = Message::parse(bytes);
    REQUIRE(message);
    return may_acknowledge(*message);
  };
  CHECK(may("MSH|^~\\&|||||||ADT^A01|1|P|2.5\r"));
  CHECK_FALSE(may("MSH|^~\\&|||||||ACK|1|P|2.5\rMSA|AA|1\r"));
  CHECK_FALSE(may("MSH|^~\\&|||||||ACK^A01^ACK|1|P|2.5|||AL\r"));
  CHECK_FALSE(may("MSH|^~\\&|||||||RSP^K22|1|P|2.5\rMSA|AA|1\r"));
  CHECK(may("MSH|^~\\&|||||||RSP^K22|1|P|2.5|||AL|NE\rMSA|AA|1\r"));
}

TEST_CASE("reading answers") {
  const auto verdict = [](const std::string& msa, const std::string& id = "7") {
    return parse_ack("MSH|^~\\&|||||||ACK|1|P|2.5\rMSA|" + msa + "\r", id).verdict;
  };
  CHECK(verdict("AA|7") == AckVerdict::application_accept);
  CHECK(verdict("AE|7") == AckVerdict::application_error);
  CHECK(verdict("AR|7") == AckVerdict::application_reject);
  CHECK(verdict("CA|7") == AckVerdict::accept);
  CHECK(verdict("CE|7") == AckVerdict::accept_error);
  CHECK(verdict("CR|7") == AckVerdict::accept_reject);
  CHECK(verdict("AA|8") == AckVerdict::foreign);
  CHECK(verdict("AA|07") == AckVerdict::foreign);
  CHECK(verdict("AA|7 ") == AckVerdict::foreign);
  CHECK(verdict("AA|") == AckVerdict::foreign);
  CHECK(verdict("AA|a\\T\\b", "a&b") == AckVerdict::application_accept);
  CHECK(verdict("aa|7") == AckVerdict::unreadable);
  CHECK(verdict("|7") == AckVerdict::unreadable);
  CHECK(parse_ack("MSH|^~\\&|||||||ACK|1|P|2.5\r", "7").verdict == AckVerdict::unreadable);
  CHECK(parse_ack("", "7").verdict == AckVerdict::unreadable);
  CHECK(parse_ack("garbage", "7").verdict == AckVerdict::unreadable);
}
