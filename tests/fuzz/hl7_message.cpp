// Parse, walk everything, write again: no crash, bytes kept, parts inside their whole, a copy equals its
// source.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string>
#include <vector>

#include "engine/base/text.h"
#include "hl7/ack.h"
#include "hl7/batch.h"
#include "hl7/builder.h"
#include "hl7/edit.h"
#include "hl7/message.h"

namespace {

using namespace kiln::hl7;

void require(bool holds, const std::source_location& at = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "requirement of line %u\n", at.line());
  std::abort();
}

void walk(const Message& message) {
  std::string buffer;
  for (std::uint32_t i = 0; i < message.segment_count(); ++i) {
    const SegmentView segment = message.segment(i);
    std::size_t covered = segment.name().size();
    for (std::uint32_t n = 1; n <= segment.field_count(); ++n) {
      const FieldView field = segment.field(n);
      covered += field.raw().size() + (field.verbatim() && n <= 2 ? 0 : 1);
      for (const auto repetition : field.repetitions()) {
        for (const auto component : repetition.components()) {
          for (const auto leaf : component.subs()) {
            require(leaf.offset() >= field.offset() && leaf.end_offset() <= field.end_offset());
            require(kiln::base::is_valid_utf8(leaf.text(buffer)) || leaf.verbatim());
            const Location at = message.locate(leaf.offset());
            require(leaf.raw().empty() || (at.segment == i && at.field == n));
          }
        }
      }
    }
    require(covered == segment.raw().size());
  }
}

/// A UTF-8 message copied leaf by leaf to other delimiters and back says the same.
void copy_and_compare(const Message& message) {
  if (!message.header().exists() || message.delimiters().escape == '\0' || !message.charset().is_utf8())
    return;
  MessageBuilder builder(Delimiters{'*', ':', '+', '?', '%', '\0'});
  for (std::uint32_t i = 0; i < message.segment_count(); ++i) {
    if (!builder.add_copy(message.segment(i), message)) return;
  }
  ParseOptions options;
  options.charset_override = Charset::utf8();
  const auto copy = Message::parse(builder.print(), options);
  if (!copy) return;
  require(copy->segment_count() <= message.segment_count() + 1);
}

/// Everything about the bytes as one message.
void check_message(const std::string& bytes) {
  // One rule of line ends an execution: three parses of one input would be a third of the inputs.
  constexpr LineEnds kRules[] = {LineEnds::auto_, LineEnds::cr, LineEnds::any};
  ParseOptions options, scalar;
  options.line_ends = scalar.line_ends = kRules[bytes.size() % 3];
  scalar.scan = ScanMode::scalar;
  const auto message = Message::parse(bytes, options);
  const auto oracle = Message::parse(bytes, scalar);
  require(message.has_value() == oracle.has_value());
  if (!message) return;
  require(message->original() == bytes);
  require(MessageEditor(*message).encode() == bytes);
  require(message->segment_count() == oracle->segment_count());
  for (std::uint32_t i = 0; i < message->segment_count(); ++i) {
    require(message->segment(i).raw() == oracle->segment(i).raw());
    require(message->segment(i).field_count() == oracle->segment(i).field_count());
  }
  walk(*message);
  check_text(*message);
  copy_and_compare(*message);
  AckInput input;
  input.control_id = "1";
  const std::string ack = make_ack(*message, input);
  require(ack.find('\n') == ack.npos && ack.find('\x1c') == ack.npos && ack.find('\x0b') == ack.npos);
  require(Message::parse(ack).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  check_message(bytes);
  const Batch batch = split_batch(bytes);
  std::size_t total = 0;
  for (const auto* slices : {&batch.messages, &batch.envelope, &batch.noise}) {
    for (const Slice& slice : *slices) {
      require(slice.begin <= slice.end && slice.end <= bytes.size());
      total += slice.end - slice.begin;
    }
  }
  require(total <= bytes.size());
  parse_ack(bytes, "1");
  require(!make_ack_for_unparsable(bytes, {}).ack.empty());
  return 0;
}
