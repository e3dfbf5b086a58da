// Answers that are read, and answers to what cannot be read.

#include <algorithm>

#include "hl7/ack.h"

namespace kiln::hl7 {
namespace {

constexpr std::size_t kHeaderSearchBytes = 4096;

int read_number(std::string_view text) {
  int n = 0;
  for (const char c : text.substr(0, 6)) {
    if (c < '0' || c > '9') return 0;
    n = n * 10 + (c - '0');
  }
  return n;
}

/// "PID-3[1].4" of location components: segment, sequence, field, repetition, component, subcomponent.
std::string read_place(const RepetitionView& location, std::uint32_t components) {
  std::string buffer;
  const std::string_view segment = location.text(buffer);
  if (segment_id(segment) == 0) return {};
  std::string place(segment);
  static constexpr std::string_view kBefore[] = {"[", "-", "[", ".", "."};
  static constexpr std::string_view kBehind[] = {"]", "", "]", "", ""};
  for (std::uint32_t i = 0; i + 1 < components; ++i) {
    const int n = read_number(location.component(i + 2).text(buffer));
    if (n == 0 && i != 0) break;
    if (n == 0 || (i == 0 && n == 1)) continue;
    place.append(kBefore[i]).append(std::to_string(n)).append(kBehind[i]);
  }
  return place;
}

void read_first_error(const Message& message, AckOutcome& outcome) {
  const SegmentView err = message.find("ERR");
  if (!err) return;
  std::string buffer;
  outcome.error_code = read_number(err.field(3).text(buffer));
  if (outcome.error_code != 0) {
    outcome.error_place = read_place(err.field(2).repetition(1), 6);
    return;
  }
  // Before 2.5: all in ERR-1.
  outcome.error_code = read_number(err.field(1).component(4).text(buffer));
  outcome.error_place = read_place(err.field(1).repetition(1), 3);
}

AckVerdict verdict_of(AckCode code) {
  switch (code) {
    case AckCode::AA:
      return AckVerdict::application_accept;
    case AckCode::AE:
      return AckVerdict::application_error;
    case AckCode::AR:
      return AckVerdict::application_reject;
    case AckCode::CA:
      return AckVerdict::accept;
    case AckCode::CE:
      return AckVerdict::accept_error;
    case AckCode::CR:
      return AckVerdict::accept_reject;
  }
  return AckVerdict::unreadable;
}

/// The header line, from wherever it starts in the first bytes.
base::Result<Message> guess_header(std::string_view bytes) {
  bytes = bytes.substr(0, kHeaderSearchBytes);
  const std::size_t begin = bytes.find("MSH");
  if (begin == bytes.npos) return base::fail(base::ErrorCode::no_header);
  std::string_view line = bytes.substr(begin);
  line = line.substr(0, line.find_first_of("\r\n\x1c"));
  ParseOptions options;
  options.charset_override = Charset::ascii();
  return Message::parse(std::string(line), options);
}

}  // namespace

std::string_view name_of(AckVerdict verdict) {
  switch (verdict) {
    case AckVerdict::application_accept:
      return "AA";
    case AckVerdict::application_error:
      return "AE";
    case AckVerdict::application_reject:
      return "AR";
    case AckVerdict::accept:
      return "CA";
    case AckVerdict::accept_error:
      return "CE";
    case AckVerdict::accept_reject:
      return "CR";
    case AckVerdict::foreign:
      return "foreign";
    case AckVerdict::unreadable:
      return "unreadable";
  }
  return "unreadable";
}

Unparsable make_ack_for_unparsable(std::string_view bytes, const AckInput& input) {
  AckInput negative = input;
  if (is_positive(input.code)) negative.code = AckCode::AR;
  if (const auto header = guess_header(bytes)) return {make_ack(*header, negative), true};
  const auto built = Message::parse("MSH|^~\\&|||||||||P|2.5.1");
  return {built ? make_ack(*built, negative) : std::string(), false};
}

AckOutcome parse_ack(std::string_view bytes, std::string_view expected_control_id) {
  AckOutcome outcome;
  const auto message = Message::parse(std::string(bytes));
  if (!message) return outcome;
  const SegmentView msa = message->find("MSA");
  std::string buffer;
  const auto code = ack_code(msa.field(1).text(buffer));
  outcome.control_id = msa.field(2).to_text();
  if (!code) return outcome;
  read_first_error(*message, outcome);
  outcome.verdict = outcome.control_id == expected_control_id ? verdict_of(*code) : AckVerdict::foreign;
  return outcome;
}

}  // namespace kiln::hl7
