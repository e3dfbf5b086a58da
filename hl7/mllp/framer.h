#pragma once
// MLLP framing without I/O: bytes in, events out (hl7v2.md §12). The same bytes give the same events however
// they are cut into reads.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/limits.h"
#include "engine/base/result.h"

namespace kiln::hl7::mllp {

struct FrameBytes {
  char start = '\x0b';
  char end = '\x1c';
  char trailer = '\x0d';
  bool operator==(const FrameBytes&) const = default;
};

/// An end byte without trailer, then a start byte, the end of input or silence.
enum class MissingTrailer : std::uint8_t { accept, reject };
/// A start byte inside a frame.
enum class StartInFrame : std::uint8_t { restart, data };
/// A run of bytes outside a frame that starts with `MSH`.
enum class Unframed : std::uint8_t { report, accept };

struct FramerOptions {
  FrameBytes bytes;
  std::size_t message_max = base::limits::kMessageBytesMax;  ///< bytes between start and end
  std::size_t garbage_close =
      base::limits::kMllpGarbageCloseBytes;  ///< bytes since the last frame; then protocol_error
  std::size_t garbage_kept = base::limits::kMllpGarbageMax;  ///< bytes of a run kept for the report
  MissingTrailer missing_trailer = MissingTrailer::accept;
  StartInFrame start_in_frame = StartInFrame::restart;
  Unframed unframed = Unframed::report;
};

enum class EventKind : std::uint8_t {
  frame,       ///< `bytes` is a message
  commit_ack,  ///< MLLP release 2: ACK byte alone in a frame
  commit_nak,  ///< MLLP release 2: NAK byte alone in a frame
  keep_alive,  ///< an empty frame
  garbage,     ///< a run outside frames, reported once; `bytes` is its beginning
  lost_frame,  ///< the cut part of a frame that never ended; `bytes` is all of it
  note,        ///< something tolerated; see `code`
  too_large,   ///< the frame exceeds message_max; `bytes` is its beginning, for the header of an AR; close
  protocol_error,  ///< close
};

/// `code` is set for all but frame, commit_* and keep_alive; a message taken without frame carries
/// mllp_garbage. `offset` counts the bytes of the connection from 0.
struct Event {
  EventKind kind = EventKind::frame;
  base::ErrorCode code = base::ErrorCode::internal;
  std::uint64_t offset = 0;  ///< of the first byte of the frame's content, of the run, or of the byte noted
  std::uint64_t size = 0;    ///< bytes the event is about; more than bytes.size() when not all were kept
  std::string bytes;         ///< owned; a frame's buffer is handed over, not copied
};

/// First 32 bytes of garbage as hex, for a report. Garbage may hold patient data: never log more than the
/// count outside a support file.
std::string garbage_hex(std::string_view bytes);

/// One per connection. Not thread-safe. After too_large or protocol_error it ignores all further input. Read
/// the events after each push: they are bounded by the bytes of one push, not by an option.
class Framer {
 public:
  explicit Framer(FramerOptions options = {});

  /// Takes bytes as they came from the socket. Holds at most message_max + 1 bytes of an unfinished frame.
  void push(std::string_view bytes);
  /// The next event, in order of arrival; nullopt = more input is needed.
  std::optional<Event> next();
  /// End of input: ends a garbage run; a frame that waits for its trailer is complete, any other is
  /// lost_frame.
  void finish();
  /// No byte came for 250 ms: completes a frame that waits for its trailer, and ends a run outside frames.
  /// Anything else is left as it is.
  void silence();

  /// True between the start byte and the end of a frame: the frame timeout runs, not the idle one.
  bool in_frame() const { return state_ == State::frame || state_ == State::after_end; }
  /// True when silence() would change something, so that the caller knows to arm the 250 ms timer.
  bool waits_for_silence() const { return state_ == State::after_end || state_ == State::garbage; }
  bool closed() const { return state_ == State::closed; }
  std::size_t buffered() const { return buffer_.size(); }
  /// Bytes dropped without an event: CR, LF, NUL and space between frames, and a start byte straight behind
  /// another.
  std::uint64_t ignored_bytes() const { return ignored_; }

 private:
  enum class State : std::uint8_t { idle, garbage, frame, after_end, closed };
  std::size_t take_idle(std::string_view bytes);
  std::size_t take_garbage(std::string_view bytes);
  std::size_t take_frame(std::string_view bytes);
  std::size_t take_after_end(char byte);
  bool append(std::string_view bytes);
  void start_frame();
  void restart_frame();
  void end_frame();
  void end_untrailed_frame();
  void end_garbage();
  bool unframed_message() const;
  void fail_too_large();
  void emit(EventKind kind, base::ErrorCode code, std::uint64_t size);

  FramerOptions options_;
  State state_ = State::idle;
  std::string buffer_;          ///< content of the frame, or beginning of the garbage run
  std::uint64_t position_ = 0;  ///< bytes of the connection consumed so far
  std::uint64_t begin_ = 0;     ///< position of the frame's content or of the run
  std::uint64_t run_ = 0;       ///< bytes of the garbage run
  std::uint64_t garbage_ = 0;   ///< bytes of garbage since the last frame
  std::uint64_t ignored_ = 0;
  bool separator_noted_ = false;  ///< one note per frame is enough
  std::deque<Event> events_;
};

/// The frame around a message. Error mllp_separator_in_data when a receiver could not read it back: the
/// message holds the start byte, or an end byte that is last or followed by the trailer.
base::Result<std::string> encode_frame(std::string_view message, const FrameBytes& bytes = {});
/// Release 2 commit answers.
std::string commit_frame(bool positive, const FrameBytes& bytes = {});

}  // namespace kiln::hl7::mllp
