#include "channels/connectors/detail/mllp_batch.h"

#include "engine/base/limits.h"
#include "hl7/builder.h"
#include "hl7/message.h"

namespace kiln::channels::detail {

namespace {

Unframed note(const Inbound& whole, std::string_view bytes, std::string text) {
  Unframed what;
  what.kind = Unframed::Kind::garbage;
  what.bytes = bytes.size();
  what.head = bytes.substr(0, base::limits::kMllpGarbageMax);
  what.peer = whole.peer;
  what.detail = std::move(text);
  what.received_at = whole.received_at;
  return what;
}

/// The answer to a batch of which something is not there: AE with its control id.
std::string refusal_of(const Inbound& whole, const hl7::Batch& batch, const hl7::BatchAckInput& input) {
  const auto header = hl7::Message::parse(std::string(batch.envelope.front().of(whole.bytes)));
  if (!header) return {};
  const hl7::SegmentView from = header->header();
  const hl7::Delimiters& delimiters = batch.envelope_delimiters.front();
  hl7::SegmentBuilder head("MSH", delimiters), answer("MSA", delimiters);
  constexpr std::uint32_t kTo[] = {3, 4, 5, 6}, kFrom[] = {5, 6, 3, 4};
  for (std::size_t i = 0; i < std::size(kTo); ++i)
    if (!from.field(kFrom[i]).raw().empty()) static_cast<void>(head.set_raw(kTo[i], from.field(kFrom[i]).raw()));
  static_cast<void>(head.set(7, input.time.print_hl7()));
  static_cast<void>(head.set(9, "ACK"));
  static_cast<void>(head.set(10, input.control_id));
  const auto first = hl7::Message::parse(std::string(batch.messages.front().of(whole.bytes)));
  for (const std::uint32_t field : {11U, 12U})
    if (first && !first->header().field(field).raw().empty())
      static_cast<void>(head.set(field, first->header().field(field).to_text()));
  static_cast<void>(answer.set(1, "AE"));
  static_cast<void>(answer.set(2, from.field(11).to_text()));
  static_cast<void>(answer.set(3, "the counts of the batch do not agree with what came"));
  std::string out;
  head.print(out);
  out += '\r';
  answer.print(out);
  return out + '\r';
}

}  // namespace

bool is_batch(std::string_view bytes) {
  const std::size_t begin = bytes.find_first_not_of(std::string_view(" \t\r\n\0", 5));
  if (begin == bytes.npos) return false;
  const std::string_view name = bytes.substr(begin, 3);
  return (name == "FHS" || name == "BHS") && !hl7::split_batch(bytes).messages.empty();
}

std::vector<Inbound> batch_messages(const Inbound& whole, const hl7::Batch& batch) {
  std::vector<Inbound> out;
  for (const hl7::Slice& slice : batch.messages) {
    Inbound message;
    message.bytes = slice.of(whole.bytes);
    message.kind = whole.kind;
    message.peer = whole.peer;
    message.received_at = whole.received_at;
    message.framing_fault = whole.framing_fault;
    out.push_back(std::move(message));
  }
  return out;
}

std::vector<Unframed> batch_notes(const Inbound& whole, const hl7::Batch& batch) {
  std::vector<Unframed> out;
  for (const hl7::Slice& noise : batch.noise)
    out.push_back(note(whole, noise.of(whole.bytes), "bytes of a batch outside its messages"));
  for (const base::Error& problem : batch.problems)
    out.push_back(note(whole, {},
                       "batch: " + (problem.text.empty() ? std::string(problem.info().text) : problem.text)));
  return out;
}

std::string batch_answer(const Inbound& whole, const hl7::Batch& batch, std::vector<Answer> answers,
                         bool errors_only) {
  std::vector<std::string> replies;
  for (Answer& answer : answers) {
    std::string reply =
        errors_only && answer.taken == Taken::stored ? std::string() : std::move(answer.reply);
    if (const std::size_t at = reply.find(kReplySeparator); at != reply.npos)
      reply.erase(at, kReplySeparator.size());
    replies.push_back(std::move(reply));
  }
  hl7::BatchAckInput input;
  input.control_id = "KB" + std::to_string(whole.received_at.micros);
  input.time = base::PartialDate::from_wall(whole.received_at);
  if (!batch.counts_agree && !batch.messages.empty()) input.refusal = refusal_of(whole, batch, input);
  return hl7::make_batch_ack(whole.bytes, batch, replies, input);
}

base::Result<std::string> encode_reply(std::string_view reply, const hl7::mllp::FrameBytes& bytes) {
  std::string out;
  while (!reply.empty()) {
    const std::size_t at = reply.find(kReplySeparator);
    TRY(const std::string frame, hl7::mllp::encode_frame(reply.substr(0, at), bytes));
    out += frame;
    reply = at == reply.npos ? std::string_view() : reply.substr(at + kReplySeparator.size());
  }
  return out;
}

}  // namespace kiln::channels::detail
