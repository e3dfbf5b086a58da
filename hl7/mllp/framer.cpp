#include "hl7/mllp/framer.h"

#include <algorithm>
#include <cstring>

#include "engine/base/text.h"

namespace kiln::hl7::mllp {
namespace {

using base::ErrorCode;

constexpr char kCommitAck = '\x06', kCommitNak = '\x15';
constexpr std::string_view kHeader = "MSH";

std::size_t find(std::string_view bytes, char c) {
  if (bytes.empty()) return 0;
  const void* hit = std::memchr(bytes.data(), c, bytes.size());
  return hit == nullptr ? bytes.size()
                        : static_cast<std::size_t>(static_cast<const char*>(hit) - bytes.data());
}

}  // namespace

std::string garbage_hex(std::string_view bytes) {
  return base::hex(bytes.substr(0, 32));
}

Framer::Framer(FramerOptions options) : options_(options) {}

void Framer::push(std::string_view bytes) {
  while (!bytes.empty() && state_ != State::closed) {
    std::size_t taken = 0;
    switch (state_) {
      case State::idle:
        taken = take_idle(bytes);
        break;
      case State::garbage:
        taken = take_garbage(bytes);
        break;
      case State::frame:
        taken = take_frame(bytes);
        break;
      case State::after_end:
        taken = take_after_end(bytes[0]);
        break;
      case State::closed:
        return;
    }
    bytes.remove_prefix(taken);
  }
}

std::optional<Event> Framer::next() {
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void Framer::finish() {
  silence();
  if (state_ == State::frame) emit(EventKind::lost_frame, ErrorCode::mllp_incomplete, buffer_.size());
  state_ = State::closed;
}

void Framer::silence() {
  if (state_ == State::garbage) end_garbage();
  if (state_ == State::after_end) end_untrailed_frame();
}

std::size_t Framer::take_idle(std::string_view bytes) {
  const char c = bytes[0];
  if (c == options_.bytes.start) {
    ++position_;
    start_frame();
  } else if (c == '\r' || c == '\n' || c == '\0' || c == ' ' || c == options_.bytes.trailer) {
    ++position_;
    ++ignored_;
  } else {
    state_ = State::garbage;
    begin_ = position_;
    run_ = 0;
    return 0;
  }
  return 1;
}

bool Framer::unframed_message() const {
  return options_.unframed == Unframed::accept && std::string_view(buffer_).starts_with(kHeader);
}

std::size_t Framer::take_garbage(std::string_view bytes) {
  if (bytes[0] == options_.bytes.start) {
    end_garbage();
    return 0;
  }
  std::size_t size = find(bytes, options_.bytes.start);
  // Byte for byte until it is known whether this is a message without frame, so that chunks do not matter.
  if (run_ < kHeader.size()) size = 1;
  const bool message = unframed_message();
  const std::uint64_t most =
      message ? options_.message_max - std::min(options_.message_max, buffer_.size()) + 1
              : options_.garbage_close - std::min<std::uint64_t>(options_.garbage_close, garbage_) + 1;
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, most));
  const std::size_t kept =
      message ? size
              : std::min(size, options_.garbage_kept - std::min(options_.garbage_kept, buffer_.size()));
  buffer_.append(bytes.substr(0, kept));
  position_ += size;
  run_ += size;
  garbage_ += size;
  if (unframed_message()) {
    if (buffer_.size() > options_.message_max) fail_too_large();
  } else if (garbage_ > options_.garbage_close) {
    end_garbage();
    emit(EventKind::protocol_error, ErrorCode::mllp_garbage, garbage_);
    state_ = State::closed;
  }
  return size;
}

void Framer::end_garbage() {
  const bool message = unframed_message();
  if (message) garbage_ = 0;
  emit(message ? EventKind::frame : EventKind::garbage, ErrorCode::mllp_garbage, run_);
  state_ = State::idle;
}

std::size_t Framer::take_frame(std::string_view bytes) {
  std::size_t size = find(bytes, options_.bytes.end);
  if (options_.start_in_frame == StartInFrame::restart)
    size = find(bytes.substr(0, size), options_.bytes.start);
  if (size > 0) {
    if (!append(bytes.substr(0, size))) return size;
  }
  if (size == bytes.size()) return size;
  ++position_;
  if (bytes[size] == options_.bytes.end) {
    state_ = State::after_end;
  } else {
    restart_frame();
  }
  return size + 1;
}

std::size_t Framer::take_after_end(char byte) {
  if (byte == options_.bytes.trailer) {
    ++position_;
    end_frame();
    return 1;
  }
  if (byte == options_.bytes.start) {
    end_untrailed_frame();
    return 0;
  }
  state_ = State::frame;
  if (!separator_noted_) {
    separator_noted_ = true;
    events_.push_back({EventKind::note, ErrorCode::mllp_separator_in_data, position_ - 1, 1, {}});
  }
  // The end byte was counted when it was read.
  --position_;
  append({&options_.bytes.end, 1});
  return 0;
}

/// False when the frame became too large.
bool Framer::append(std::string_view bytes) {
  const std::size_t room = options_.message_max - std::min(options_.message_max, buffer_.size());
  buffer_.append(bytes.substr(0, room + 1));
  position_ += std::min(bytes.size(), room + 1);
  if (buffer_.size() <= options_.message_max) return true;
  fail_too_large();
  return false;
}

void Framer::start_frame() {
  state_ = State::frame;
  begin_ = position_;
  garbage_ = 0;
  separator_noted_ = false;
}

void Framer::restart_frame() {
  if (buffer_.empty()) {
    ++ignored_;
  } else {
    emit(EventKind::lost_frame, ErrorCode::mllp_lost_end, buffer_.size());
  }
  start_frame();
}

void Framer::end_frame() {
  EventKind kind = EventKind::frame;
  if (buffer_.empty()) kind = EventKind::keep_alive;
  if (buffer_.size() == 1 && buffer_[0] == kCommitAck) kind = EventKind::commit_ack;
  if (buffer_.size() == 1 && buffer_[0] == kCommitNak) kind = EventKind::commit_nak;
  emit(kind, ErrorCode::internal, buffer_.size());
  state_ = State::idle;
}

void Framer::end_untrailed_frame() {
  if (options_.missing_trailer == MissingTrailer::reject) {
    emit(EventKind::lost_frame, ErrorCode::mllp_missing_trailer, buffer_.size());
    state_ = State::idle;
    return;
  }
  events_.push_back({EventKind::note, ErrorCode::mllp_missing_trailer, position_, 0, {}});
  end_frame();
}

void Framer::fail_too_large() {
  const std::size_t size = buffer_.size();
  buffer_.resize(std::min(size, options_.garbage_kept));
  emit(EventKind::too_large, ErrorCode::mllp_frame_too_large, size);
  state_ = State::closed;
}

/// Hands the buffer over.
void Framer::emit(EventKind kind, ErrorCode code, std::uint64_t size) {
  events_.push_back({kind, code, begin_, size, std::move(buffer_)});
  buffer_.clear();
}

base::Result<std::string> encode_frame(std::string_view message, const FrameBytes& bytes) {
  bool readable = message.find(bytes.start) == message.npos;
  for (std::size_t at = message.find(bytes.end); readable && at != message.npos;
       at = message.find(bytes.end, at + 1)) {
    readable = at + 1 < message.size() && message[at + 1] != bytes.trailer;
  }
  if (!readable) {
    return base::fail(ErrorCode::mllp_separator_in_data,
                      "the message holds bytes that would end its MLLP frame early");
  }
  std::string frame;
  frame.reserve(message.size() + 3);
  frame += bytes.start;
  frame += message;
  frame += bytes.end;
  frame += bytes.trailer;
  return frame;
}

std::string commit_frame(bool positive, const FrameBytes& bytes) {
  return {bytes.start, positive ? kCommitAck : kCommitNak, bytes.end, bytes.trailer};
}

}  // namespace kiln::hl7::mllp
