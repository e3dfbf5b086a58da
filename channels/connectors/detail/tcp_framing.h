#pragma once
// How messages stand in a stream of bytes, when it is not MLLP: between marks, behind their length, of one size, or one a
// connection. Without I/O.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "channels/connector.h"

namespace kiln::channels::detail {

struct TcpFraming {
  enum class Kind : std::uint8_t { delimited, length, fixed, connection } kind = Kind::delimited;
  std::string start, end;        ///< delimited; start may be empty
  std::size_t length_bytes = 4;  ///< of the number before each message
  bool little = false;           ///< its low byte first
  bool counts_itself = false;    ///< it counts its own bytes too
  std::size_t size = 0;          ///< fixed
  std::size_t max = 16u << 20;   ///< bytes of a message
};

inline constexpr const char* kFramingWords[] = {"delimited", "length", "fixed", "connection"};
inline constexpr const char* kOrderWords[] = {"big", "little"};
inline constexpr FieldSpec kFramingKind{
    .name = "framing",
    .type = FieldType::word,
    .summary = "messages stand between marks, behind their length, have one size, or there is one a connection",
    .default_value = "delimited",
    .words = kFramingWords};
inline constexpr FieldSpec kFramingStart{.name = "start_bytes",
                                         .type = FieldType::string,
                                         .summary = "mark before a message, in hexadecimal; may be empty",
                                         .default_value = "\"02\""};
inline constexpr FieldSpec kFramingEnd{.name = "end_bytes",
                                       .type = FieldType::string,
                                       .summary = "mark behind it; must not stand in a message",
                                       .default_value = "\"03\""};
inline constexpr FieldSpec kFramingLength{.name = "length_bytes",
                                          .type = FieldType::integer,
                                          .summary = "bytes of the length: 1, 2 or 4",
                                          .default_value = "4",
                                          .min = 1,
                                          .max = 4};
inline constexpr FieldSpec kFramingOrder{.name = "length_order",
                                         .type = FieldType::word,
                                         .summary = "which byte of the length comes first",
                                         .default_value = "big",
                                         .words = kOrderWords};
inline constexpr FieldSpec kFramingCounts{.name = "length_counts_itself",
                                          .type = FieldType::boolean,
                                          .summary = "the length counts its own bytes",
                                          .default_value = "false"};
inline constexpr FieldSpec kFramingSize{.name = "size",
                                        .type = FieldType::integer,
                                        .summary = "bytes of every message, with `framing fixed`",
                                        .min = 1,
                                        .max = 1 << 30};

/// As the options say; they have been checked.
TcpFraming tcp_framing(const Options& options);
std::vector<OptionProblem> check_framing(const Options& options);
/// Bytes of "0B1c"; nothing when it is no hexadecimal text.
std::optional<std::string> parse_hex(std::string_view text);

/// The message as it goes out. Errors: cannot_deliver when it holds a mark, has another size, or is too long.
base::Result<std::string> encode_frame(std::string_view message, const TcpFraming& framing);

/// Finds messages in what is pushed.
class TcpFramer {
 public:
  explicit TcpFramer(TcpFraming framing) : framing_(std::move(framing)) {}
  void push(std::string_view bytes) { buffer_ += bytes; }
  /// The next whole message. Bytes outside of marks are counted in lost() and passed over.
  std::optional<std::string> next();
  /// The peer has closed: the message of `framing connection`, or nothing.
  std::optional<std::string> finish();
  bool too_large() const { return too_large_; }  ///< nothing more can be read
  bool in_message() const { return !buffer_.empty(); }
  const std::string& rest() const { return buffer_; }
  std::size_t take_lost() { return std::exchange(lost_, 0); }

 private:
  std::optional<std::string> next_delimited();
  std::optional<std::string> next_counted();
  TcpFraming framing_;
  std::string buffer_;
  std::size_t lost_ = 0;
  std::size_t searched_ = 0;  ///< where the end mark cannot begin before
  bool too_large_ = false;
};

}  // namespace kiln::channels::detail
