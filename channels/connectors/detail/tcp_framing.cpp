#include "channels/connectors/detail/tcp_framing.h"

#include <algorithm>

namespace kiln::channels::detail {

using base::ErrorCode;
using Kind = TcpFraming::Kind;

std::optional<std::string> parse_hex(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

TcpFraming tcp_framing(const Options& options) {
  TcpFraming out;
  const std::string kind = options.text("framing");
  out.kind = kind == "length"       ? Kind::length
             : kind == "fixed"      ? Kind::fixed
             : kind == "connection" ? Kind::connection
                                    : Kind::delimited;
  out.start = parse_hex(options.text("start_bytes")).value_or("");
  out.end = parse_hex(options.text("end_bytes")).value_or("");
  out.length_bytes = static_cast<std::size_t>(options.number("length_bytes"));
  out.little = options.text("length_order") == "little";
  out.counts_itself = options.flag("length_counts_itself");
  out.size = static_cast<std::size_t>(options.number("size"));
  if (find_field(options.fields(), "max_message") != nullptr) out.max = static_cast<std::size_t>(options.number("max_message"));
  return out;
}

std::vector<OptionProblem> check_framing(const Options& options) {
  std::vector<OptionProblem> out;
  for (const char* name : {"start_bytes", "end_bytes"})
    if (!parse_hex(options.text(name)))
      out.push_back({ErrorCode::E0917, name, "an even number of hexadecimal digits is expected", "\"0B\""});
  const std::string kind = options.text("framing");
  if (kind == "delimited" && options.text("end_bytes").empty())
    out.push_back({ErrorCode::E0905, "end_bytes", "`framing delimited` needs a mark behind each message", "end_bytes \"03\""});
  if ((kind == "fixed") != options.has("size"))
    out.push_back({ErrorCode::E0905, options.has("size") ? "size" : "framing", "`size` belongs to `framing fixed`", "framing fixed; size 80"});
  if (options.number("length_bytes") == 3)
    out.push_back({ErrorCode::E0917, "length_bytes", "1, 2 or 4 is expected", "length_bytes 4"});
  return out;
}

base::Result<std::string> encode_frame(std::string_view message, const TcpFraming& framing) {
  const auto refuse = [](const char* why) { return base::fail(ErrorCode::cannot_deliver, why); };
  switch (framing.kind) {
    case Kind::delimited:
      if (message.find(framing.end) != message.npos || (!framing.start.empty() && message.find(framing.start) != message.npos))
        return refuse("the message holds the bytes that mark its end or its beginning");
      return framing.start + std::string(message) + framing.end;
    case Kind::fixed:
      if (message.size() != framing.size) return refuse("the message has another size than `size`");
      return std::string(message);
    case Kind::connection:
      return std::string(message);
    case Kind::length:
      break;
  }
  const std::uint64_t length = message.size() + (framing.counts_itself ? framing.length_bytes : 0);
  if (framing.length_bytes < 8 && length >> (8 * framing.length_bytes) != 0)
    return refuse("the message is too long for its length");
  std::string head;
  for (std::size_t i = 0; i < framing.length_bytes; ++i) {
    const std::size_t at = framing.little ? i : framing.length_bytes - 1 - i;
    head += static_cast<char>((length >> (8 * at)) & 0xff);
  }
  return head + std::string(message);
}

std::optional<std::string> TcpFramer::next_delimited() {
  if (!framing_.start.empty()) {
    const std::size_t begin = buffer_.find(framing_.start);
    // A mark that has come in part is kept.
    const std::size_t junk = begin != buffer_.npos ? begin : buffer_.size() - std::min(buffer_.size(), framing_.start.size() - 1);
    if (junk != 0 && searched_ == 0) {
      lost_ += junk;
      buffer_.erase(0, junk);
    }
    if (!buffer_.starts_with(framing_.start)) return std::nullopt;
  }
  const std::size_t head = framing_.start.size();
  const std::size_t end = buffer_.find(framing_.end, std::max(head, searched_));
  if (end == buffer_.npos) {
    searched_ = std::max(head, buffer_.size() - std::min(buffer_.size(), framing_.end.size() - 1));
    too_large_ = buffer_.size() > head + framing_.max + framing_.end.size();
    return std::nullopt;
  }
  searched_ = 0;
  std::string out = buffer_.substr(head, end - head);
  too_large_ = out.size() > framing_.max;
  if (too_large_) return std::nullopt;
  buffer_.erase(0, end + framing_.end.size());
  return out;
}

std::optional<std::string> TcpFramer::next_counted() {
  std::size_t head = 0, size = framing_.size;
  if (framing_.kind == Kind::length) {
    head = framing_.length_bytes;
    if (buffer_.size() < head) return std::nullopt;
    size = 0;
    for (std::size_t i = 0; i < head; ++i)
      size = size << 8 | static_cast<unsigned char>(buffer_[framing_.little ? head - 1 - i : i]);
    if (framing_.counts_itself && size < head) {
      too_large_ = true;  // a length that cannot be: nothing behind it can be read
      return std::nullopt;
    }
    if (framing_.counts_itself) size -= head;
  }
  too_large_ = size > framing_.max;
  if (too_large_ || buffer_.size() < head + size) return std::nullopt;
  std::string out = buffer_.substr(head, size);
  buffer_.erase(0, head + size);
  return out;
}

std::optional<std::string> TcpFramer::next() {
  if (too_large_ || buffer_.empty()) return std::nullopt;
  if (framing_.kind == Kind::delimited) return next_delimited();
  if (framing_.kind != Kind::connection) return next_counted();
  too_large_ = buffer_.size() > framing_.max;
  return std::nullopt;
}

std::optional<std::string> TcpFramer::finish() {
  if (framing_.kind != Kind::connection || buffer_.empty() || too_large_) return std::nullopt;
  return std::exchange(buffer_, {});
}

}  // namespace kiln::channels::detail
