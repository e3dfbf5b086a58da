#include "hl7/batch_stream.h"

#include <algorithm>

#include "hl7/builder.h"

namespace kiln::hl7 {

void BatchReader::push(std::string_view bytes) {
  buffer_ += bytes;
  for (;;) {
    const std::size_t cut = buffer_.find_first_of("\r\n", scanned_);
    if (cut == buffer_.npos) break;
    lines_.set_window(buffer_, base_);
    if (!skipping_) lines_.line(line_, base_ + cut);
    skipping_ = false;
    line_ = base_ + cut + 1;
    scanned_ = cut + 1;
    take_found();
  }
  scanned_ = buffer_.size();
  const std::uint64_t end = base_ + buffer_.size();
  lines_.set_window(buffer_, base_);
  if (skipping_) {
    forget(end);
    return;
  }
  if (lines_.in_noise() && line_ - lines_.keep_from(line_) > kNoiseBytes) {
    lines_.flush_noise(line_);
    take_found();
  }
  // The line that has not ended may be the next header: only whole lines count for a message.
  const bool line_too_long = end - line_ > message_bytes_max_;
  if (line_too_long || line_ - lines_.keep_from(line_) > message_bytes_max_) {
    lines_.give_up(line_);
    take_found();
    skipping_ = line_too_long;
    forget(line_too_long ? end : line_);
    return;
  }
  forget(lines_.keep_from(line_));
}

void BatchReader::finish() {
  lines_.set_window(buffer_, base_);
  const std::uint64_t end = base_ + buffer_.size();
  if (!skipping_ && line_ < end) lines_.line(line_, end);
  lines_.finish(end);
  take_found();
  line_ = end;
  forget(end);
}

std::optional<BatchEvent> BatchReader::next() {
  if (events_.empty()) return std::nullopt;
  BatchEvent event = std::move(events_.front());
  events_.pop_front();
  waiting_bytes_ -= event.text.capacity();
  messages_ += event.kind == BatchEvent::Kind::message;
  return event;
}

void BatchReader::take_found() {
  for (const auto& found : lines_.take()) {
    BatchEvent event;
    event.kind = static_cast<BatchEvent::Kind>(found.kind);
    event.offset = found.begin;
    event.delimiters = found.delimiters;
    const char* problem = found.problem;
    auto code = found.code;
    if (event.kind == BatchEvent::Kind::message && found.end - found.begin > message_bytes_max_) {
      event.kind = BatchEvent::Kind::problem;
      problem = "a message has more bytes than allowed";
      code = base::ErrorCode::limit_exceeded;
    }
    if (problem != nullptr) {
      event.error = {code, problem, "byte " + std::to_string(found.begin), {}};
    } else {
      event.text = buffer_.substr(found.begin - base_, found.end - found.begin);
    }
    waiting_bytes_ += event.text.capacity();
    events_.push_back(std::move(event));
  }
}

/// Drops what stands before `from`: all at once, because moving the rest costs its bytes.
void BatchReader::forget(std::uint64_t from) {
  const auto bytes = static_cast<std::size_t>(from - base_);
  if (bytes == 0) return;
  buffer_.erase(0, bytes);
  base_ = from;
  line_ = std::max(line_, from);
  scanned_ = buffer_.size();
}

base::Result<std::string> BatchWriter::begin(const Message& first) {
  field_ = first.delimiters().field;
  std::string out;
  for (const char* name : {"FHS", "BHS"}) {
    if (name[0] == 'F' && !header_.file_level) continue;
    MessageBuilder builder(first.delimiters());
    SegmentBuilder& segment = builder.add(name);
    for (std::uint32_t field = 3; field <= 6; ++field)
      TRY_VOID(segment.copy(field, first.header().field(field), first));
    TRY_VOID(segment.set(7, header_.time.print_hl7()));
    TRY_VOID(segment.set(11, header_.control_id));
    TRY(const std::string line, builder.print(first.charset(), Unencodable::replace));
    out += line;
  }
  return out;
}

std::string BatchWriter::add(std::string_view message) {
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x1c'; };
  while (!message.empty() && blank(message.back())) message.remove_suffix(1);
  std::string out(message);
  if (out.find('\r') == out.npos) std::replace(out.begin(), out.end(), '\n', '\r');
  ++messages_;
  return out + '\r';
}

std::string BatchWriter::end() const {
  const auto trailer = [&](const char* name, std::uint64_t count) {
    return std::string(name) + field_ + std::to_string(count) + "\r";
  };
  return trailer("BTS", messages_) + (header_.file_level ? trailer("FTS", 1) : "");
}

}  // namespace kiln::hl7
