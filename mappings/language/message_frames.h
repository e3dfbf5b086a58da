#pragma once
// The base protocol of a language server: a header with Content-Length, an empty line, that many bytes.

#include <optional>
#include <string>
#include <string_view>

namespace kiln::mappings {

/// Cuts a stream into messages, whatever its pieces are. Not thread-safe.
class MessageFrames {
 public:
  /// One message may have as many bytes as a map file, escaped.
  static constexpr std::size_t kMessageBytesMax = 16u << 20;
  static constexpr std::size_t kHeaderBytesMax = 4096;

  void feed(std::string_view bytes) { waiting_.append(bytes); }
  struct Frame {
    std::string text;
    bool too_large = false;  ///< longer than kMessageBytesMax: left out, `text` is empty
  };
  /// The next whole message; nothing when more bytes are needed. Lines that are no header are skipped.
  std::optional<Frame> next();

 private:
  bool read_header();
  std::string waiting_;
  std::size_t begin_ = 0;  ///< of what is not used yet
  bool in_body_ = false;
  bool too_large_ = false;
  std::optional<std::size_t> length_;
  std::size_t skip_ = 0;  ///< bytes of a message that is too large
};

/// A message with its header.
std::string framed(std::string_view message);

}  // namespace kiln::mappings
