// What answers what: choreography, sequence numbers, batches of answers.

#include <catch2/catch.hpp>

#include "hl7/ack.h"
#include "hl7/batch.h"
#include "hl7/choreography.h"
#include "hl7/dictionary/dictionary.h"
#include "hl7/sequence.h"
#include "hl7/structure.h"

using namespace kiln::hl7;

namespace {

std::string names(const std::vector<MessageType>& types) {
  std::string out;
  for (const MessageType& type : types)
    out += (out.empty() ? "" : " ") + type.code + "^" + type.trigger + "^" + type.structure;
  return out;
}

std::string answers(Version version, const char* code, const char* trigger) {
  const Responses responses = responses_to(version, code, trigger);
  return names(responses.original) + " | " + names(responses.accept) + " | " + names(responses.application) +
         (responses.defined ? "" : " | undefined");
}

Message numbered(const std::string& number) {
  auto message = Message::parse("MSH|^~\\&|A|B|C|D|2024||ADT^A01|1|P|2.5.1|" + number + "\r");
  REQUIRE(message);
  return std::move(*message);
}

}  // namespace

TEST_CASE("which message answers which") {
  CHECK(answers(Version::v2_9, "ADT", "A01") == "ACK^A01^ACK | ACK^A01^ACK | ACK^A01^ACK");
  CHECK(answers(Version::v2_9, "OML", "O21") ==
        "ORL^O22^ORL_O22 ORL^O53^ORL_O53 OSU^O52^OSU_O52 | ACK^O21^ACK | ORL^O22^ORL_O22 ORL^O53^ORL_O53 "
        "OSU^O52^OSU_O52");
  CHECK(answers(Version::v2_5_1, "OML", "O21") == "ORL^O22^ORL_O22 | ACK^O21^ACK | ORL^O22^ORL_O22");
  CHECK(answers(Version::v2_5_1, "ORM", "O01") == "ORR^O02^ORR_O02 | ACK^O01^ACK | ORR^O02^ORR_O02");
  CHECK(answers(Version::v2_3, "ORM", "O01") == "ORR^O02^ORR_O02 | ACK^O01^ACK | ORR^O02^ORR_O02");
  CHECK(answers(Version::v2_4, "QRY", "A19") == "ADR^A19^ADR_A19 | ACK^A19^ACK | ADR^A19^ADR_A19");
  CHECK(answers(Version::v2_5_1, "QBP", "Q22") == "RSP^K22^RSP_K21 | ACK^Q22^ACK | RSP^K22^RSP_K21");
  CHECK(answers(Version::v2_5_1, "ZZZ", "Z01") == "ACK^Z01^ACK | ACK^Z01^ACK | ACK^Z01^ACK | undefined");
  CHECK(answers(Version::v2_5_1, "ACK", "A01") == " |  | ");
  const Responses none = responses_to(Version::v2_9, "MFK", "M02");
  CHECK(none.original.empty());
  CHECK(names(none.accept) == "ACK^M02^ACK");
}

TEST_CASE("every answer named for an event is a message of its version") {
  std::size_t events = 0, own = 0;
  for (const Version version : kVersions)
    for (const auto event : Dictionary(version).events()) {
      const std::size_t bar = event.event.find('_');
      if (bar == event.event.npos) continue;
      const Responses responses =
          responses_to(version, event.event.substr(0, bar), event.event.substr(bar + 1));
      ++events;
      for (const auto* list : {&responses.original, &responses.accept, &responses.application})
        for (const MessageType& type : *list) {
          INFO(event.event << " " << version_text(version) << " " << type.structure);
          REQUIRE((type.code == "ACK" || Structure::find(version, type.structure) != nullptr));
          own += type.code != "ACK";
        }
    }
  CHECK(events > 4'000);
  CHECK(own > 1'000);
}

TEST_CASE("point 24: the sequence number protocol") {
  const auto decide = [](const SequenceState& state, const std::string& number) {
    return check_sequence(state, numbered(number));
  };
  const SequenceState fresh, after7{7, false, false}, frozen{7, false, true};
  // No number: not counted.
  CHECK(decide(after7, "").verdict == SequenceVerdict::unnumbered);
  CHECK(decide(after7, "").take);
  CHECK(decide(after7, "\"\"").reply.empty());
  // 0 asks where to go on.
  CHECK(decide(fresh, "0").verdict == SequenceVerdict::start);
  CHECK(decide(fresh, "0").reply == "-1");
  CHECK(decide(after7, "0").reply == "8");
  CHECK_FALSE(decide(after7, "0").take);
  CHECK(decide(after7, "0").next == after7);
  // The expected one is taken and echoed.
  const SequenceDecision next = decide(after7, "8");
  CHECK(next.verdict == SequenceVerdict::expected);
  CHECK(next.reply == "8");
  CHECK((next.next == SequenceState{8, false, false}));
  CHECK(decide(fresh, "12").next.last == 12);
  // One that was accepted: the stored answer again.
  CHECK(decide(after7, "7").verdict == SequenceVerdict::repeated);
  CHECK(decide(after7, "3").verdict == SequenceVerdict::repeated);
  CHECK_FALSE(decide(after7, "7").take);
  CHECK(decide(after7, "7").positive);
  // Any other: refused with the expected one, and nothing more is taken.
  const SequenceDecision gap = decide(after7, "9");
  CHECK(gap.verdict == SequenceVerdict::unexpected);
  CHECK_FALSE(gap.positive);
  CHECK(gap.reply == "8");
  CHECK(gap.next.frozen);
  CHECK(decide(frozen, "8").verdict == SequenceVerdict::unexpected);
  CHECK_FALSE(decide(frozen, "").take);
  // -1: the sender names its own number next.
  const SequenceDecision resync = decide(frozen, "-1");
  CHECK(resync.verdict == SequenceVerdict::resync);
  CHECK(resync.reply == "-1");
  CHECK_FALSE(resync.take);
  CHECK(decide(resync.next, "3").verdict == SequenceVerdict::expected);
  CHECK((decide(resync.next, "3").next == SequenceState{3, false, false}));
  // What is no such number.
  for (const auto* bad : {"x", "-2", "1.5", "1234567890123456", "-", "1 "}) {
    CHECK(decide(after7, bad).verdict == SequenceVerdict::malformed);
    CHECK_FALSE(decide(after7, bad).positive);
    CHECK(decide(after7, bad).next == after7);
  }
}

TEST_CASE("point 24: the answer to a batch is a batch") {
  const auto answer = [](const std::string& file, const std::vector<std::string>& answers) {
    BatchAckInput input{"K5", *kiln::base::PartialDate::parse_hl7("20240131120000")};
    std::string text = make_batch_ack(file, split_batch(file), answers, input);
    for (char& c : text)
      if (c == '\r') c = '\n';
    return text;
  };
  const std::string a = "MSH|^~\\&|||||||ACK\rMSA|AA|1\r", b = "MSH|^~\\&|||||||ACK\rMSA|AE|2\r";
  const std::string message = "MSH|^~\\&|A|B|C|D|2024||ADT^A01|1|P|2.5.1\rPID|1\r";
  CHECK(answer("FHS|^~\\&|A|B|C|D|2024||||F7\rBHS|^~\\&|A|B|C|D|2024||||B7\r" + message + message +
                   "BTS|2\rFTS|1\r",
               {a, b}) ==
        "FHS|^~\\&|C|D|A|B|20240131120000||||K5|F7\nBHS|^~\\&|C|D|A|B|20240131120000||||K5|B7\n"
        "MSH|^~\\&|||||||ACK\nMSA|AA|1\nMSH|^~\\&|||||||ACK\nMSA|AE|2\nBTS|2\nFTS|1\n");
  // Errors only: the good one has no answer.
  CHECK(answer("BHS#:~\\&#A#B#C#D#2024####B7\r" + message + message, {"", b}) ==
        "BHS#:~\\&#C#D#A#B#20240131120000####K5#B7\nMSH|^~\\&|||||||ACK\nMSA|AE|2\nBTS#1\n");
  CHECK(answer("BHS|^~\\&|A\r" + message + "BTS|1\r", {""}) ==
        "BHS|^~\\&|||A||20240131120000||||K5\nBTS|0\n");
  CHECK(answer(message + message, {a, b}) ==
        "MSH|^~\\&|||||||ACK\nMSA|AA|1\nMSH|^~\\&|||||||ACK\nMSA|AE|2\n");
  // Two batches, each with its own count; the second is not ended.
  const std::string two =
      answer("BHS|^~\\&|A\r" + message + "BTS|1\rBHS|^~\\&|X\r" + message + message, {a, a, b});
  CHECK(two.find("BTS|1\nBHS|^~\\&|||X|") != two.npos);
  CHECK(two.ends_with("BTS|2\n"));
}

TEST_CASE("point 22: the ACK answers in the sender's own terms, and never an ACK") {
  const auto ack = [](const std::string& bytes, AckCode code = AckCode::AA) {
    const auto message = Message::parse(bytes);
    REQUIRE(message);
    AckInput input;
    input.code = code;
    input.control_id = "K9";
    input.time = *kiln::base::PartialDate::parse_hl7("20240131120000");
    if (code != AckCode::AA) input.errors = {{"PID", 2, 3, 1, 4, 0, 101, 'E', "missing", "", ""}};
    return make_ack(*message, input);
  };
  // Own time and id, applications exchanged, processing id and version copied, MSA-2 as it came.
  CHECK(ack("MSH|^~\\&|LAB|NORD|KIS|SUED|2023||ORU^R01^ORU_R01|A\\T\\1|D|2.5.1\r") ==
        "MSH|^~\\&|KIS|SUED|LAB|NORD|20240131120000||ACK^R01^ACK|K9|D|2.5.1\rMSA|AA|A\\T\\1\r");
  // Its delimiters are those of the sender; MSA-2 is escaped with them.
  CHECK(ack("MSH#*~!&#LAB####2023##ADT*A01#A!S!1#P#2.3\r") ==
        "MSH#*~!&###LAB##20240131120000##ACK*A01#K9#P#2.3\rMSA#AA#A!S!1\r");
  // ERR in the form of the version.
  CHECK(ack("MSH|^~\\&|||||2023||ADT^A01|1|P|2.4\r", AckCode::AE)
            .ends_with("ERR|PID^2^3^101&Required field missing&HL70357\r"));
  CHECK(ack("MSH|^~\\&|||||2023||ADT^A01|1|P|2.6\r", AckCode::AE)
            .find("ERR||PID^2^3^1^4|101^Required field missing^HL70357|E|||missing\r") != std::string::npos);
  for (const auto* answer : {"MSH|^~\\&|||||2023||ACK^A01|1|P|2.5\rMSA|AA|0\r",
                             "MSH|^~\\&|||||2023||RSP^K22|1|P|2.5\rMSA|AA|0\r"}) {
    const auto message = Message::parse(answer);
    REQUIRE(message);
    CHECK_FALSE(may_acknowledge(*message));
  }
  // What cannot be parsed is refused, with MSA-2 as far as it could be read.
  AckInput refused;
  refused.code = AckCode::AR;
  CHECK(make_ack_for_unparsable("no header at all", refused).ack.find("MSA|AR\r") != std::string::npos);
  CHECK(make_ack_for_unparsable("\x01MSH|^~\\&|LAB||||2023||ADT^A01|77", refused).ack.find("MSA|AR|77\r") !=
        std::string::npos);
}

TEST_CASE("an answer of its own type has the type of the choreography") {
  const auto message = Message::parse("MSH|^~\\&|KIS||LAB||2023||ORM^O01^ORM_O01|5|P|2.5.1\r");
  REQUIRE(message);
  AckInput input;
  input.control_id = "K1";
  input.type = responses_to(*message).original.front();
  CHECK(make_ack(*message, input).find("|ORR^O02^ORR_O02|K1|") != std::string::npos);
}
