#include "mappings/language/message_frames.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/base/text.h"

namespace kiln::mappings {

/// One header line; false when there is none yet. The empty line behind a length opens the body.
bool MessageFrames::read_header() {
  const std::size_t end = waiting_.find('\n', begin_);
  if (end == std::string::npos) {
    if (waiting_.size() - begin_ > kHeaderBytesMax) begin_ = waiting_.size();  // no header is that long
    return false;
  }
  const std::string_view line = base::trim(std::string_view(waiting_).substr(begin_, end - begin_));
  begin_ = end + 1;
  if (line.empty()) {
    in_body_ = length_.has_value();
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos ||
      !base::equals_ignore_case(base::trim(line.substr(0, colon)), "content-length"))
    return true;
  const std::string_view digits = base::trim(line.substr(colon + 1));
  std::size_t length = 0;
  const auto [last, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error == std::errc() && last == digits.data() + digits.size()) length_ = length;
  return true;
}

std::optional<MessageFrames::Frame> MessageFrames::next() {
  while (!in_body_) {
    if (!read_header()) {
      waiting_.erase(0, begin_);
      begin_ = 0;
      return std::nullopt;
    }
  }
  const std::size_t here = waiting_.size() - begin_;
  if (*length_ > kMessageBytesMax) {
    if (!too_large_) skip_ = *length_;
    too_large_ = true;
    const std::size_t taken = std::min(skip_, here);
    skip_ -= taken;
    begin_ += taken;
    if (skip_ != 0) {
      waiting_.clear();
      begin_ = 0;
      return std::nullopt;
    }
  } else if (here < *length_) {
    return std::nullopt;
  }
  Frame frame;
  frame.too_large = std::exchange(too_large_, false);
  if (!frame.too_large) {
    frame.text = waiting_.substr(begin_, *length_);
    begin_ += *length_;
  }
  length_.reset();
  in_body_ = false;
  return frame;
}

std::string framed(std::string_view message) {
  return "Content-Length: " + std::to_string(message.size()) + "\r\n\r\n" + std::string(message);
}

}  // namespace kiln::mappings
