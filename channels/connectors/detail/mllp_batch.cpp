#include "channels/connectors/detail/mllp_batch.h"

#include "engine/base/limits.h"

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
