#pragma once
// Batch files of any size, read and written piece by piece (std 2.10.3). Sans-I/O: the caller reads and
// writes.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/limits.h"
#include "engine/base/partial_date.h"
#include "hl7/charset.h"
#include "hl7/detail/batch_lines.h"
#include "hl7/message.h"

namespace kiln::hl7 {

struct BatchEvent {
  enum class Kind : std::uint8_t {
    message,   ///< `text`: from its MSH to before the next header or trailer, line ends included
    envelope,  ///< `text`: FHS, BHS, BTS or FTS without line end
    noise,     ///< `text`: bytes that belong to nobody, in pieces of at most kNoiseBytes
    problem,   ///< `error`: bad_batch (a count does not agree, a trailer is missing), limit_exceeded
  };
  Kind kind = Kind::message;
  std::uint64_t offset = 0;  ///< of the whole file
  std::string text;
  Delimiters delimiters;  ///< of the nearest FHS or BHS; for reading trailers with ParseOptions::headerless
  base::Error error;
};

/// Finds what split_batch() finds, in the order of the file, whatever the pieces are that it is given.
/// Memory: the message it is in, at most `message_bytes_max` and the last piece, and the events nobody asked
/// for yet. A longer message is a problem and counts; the next header starts cleanly. Work is linear in the
/// bytes. One thread at a time.
class BatchReader {
 public:
  static constexpr std::size_t kNoiseBytes = 64u << 10;

  explicit BatchReader(std::size_t message_bytes_max = base::limits::kMessageBytesMax)
      : message_bytes_max_(message_bytes_max) {}

  void push(std::string_view bytes);
  /// No more bytes come. What is open ends here.
  void finish();
  /// The next event; nothing when more bytes are needed.
  std::optional<BatchEvent> next();

  std::uint64_t messages() const { return messages_; }  ///< handed out so far
  std::size_t memory_bytes() const { return buffer_.capacity() + waiting_bytes_; }

 private:
  void take_found();
  void forget(std::uint64_t from);

  detail::BatchLines lines_;
  std::string buffer_;
  std::uint64_t base_ = 0;   ///< offset of buffer_[0]
  std::uint64_t line_ = 0;   ///< where the current line starts
  std::size_t scanned_ = 0;  ///< bytes of buffer_ without a line end of the current line
  std::deque<BatchEvent> events_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t messages_ = 0;
  std::size_t message_bytes_max_;
  bool skipping_ = false;  ///< the rest of a line that is too long
};

/// What the envelope of a written batch says of itself.
struct BatchHeader {
  std::string control_id;  ///< FHS-11 and BHS-11
  base::PartialDate time;  ///< FHS-7 and BHS-7
  bool file_level = true;  ///< FHS and FTS around BHS and BTS
};

/// Writes one batch: begin(), add() for each message, end(). Each gives the bytes to write next, nothing is
/// kept but the count. The order of calls is the caller's to keep.
class BatchWriter {
 public:
  explicit BatchWriter(BatchHeader header) : header_(std::move(header)) {}

  /// FHS and BHS with delimiters, sender, receiver and character set of the first message. Errors of the
  /// builder.
  base::Result<std::string> begin(const Message& first);
  /// A message ends with CR, whatever it ended with; without any CR its LF become CR. The rest keeps its
  /// bytes.
  std::string add(std::string_view message);
  /// BTS and FTS with the counts.
  std::string end() const;

  std::uint64_t messages() const { return messages_; }

 private:
  BatchHeader header_;
  char field_ = '|';
  std::uint64_t messages_ = 0;
};

}  // namespace kiln::hl7
