#pragma once
// What the MLLP listener keeps per connection.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/network.h"
#include "engine/base/task.h"
#include "hl7/mllp/framer.h"

namespace kiln::channels::detail {

/// An answer's place in the order of arrival.
struct MllpSlot {
  bool ready = false;
  bool close = false;
  bool durable = false;  ///< what the commit answer of release 2 says
  bool begun = false;    ///< the accept acknowledgement is out, or on its way: what follows has a place of its own
  bool follows = false;  ///< such a place: the commit answer of release 2 was with the first
  std::string reply;

  /// The accept acknowledgement leaves before the rest is known.
  void begin(std::string accept) {
    reply = std::move(accept);
    begun = durable = ready = true;
  }
};

/// One sender. Lives as long as its loops do.
struct MllpConnection {
  base::StreamPtr stream;
  hl7::mllp::Framer framer;
  std::deque<std::shared_ptr<MllpSlot>> unanswered;
  std::size_t running = 0;  ///< messages and reports the intake works on
  /// Frames without their last answer: one whose accept acknowledgement left may still wait for the other.
  std::size_t busy() const { return std::max(unanswered.size(), running); }
  bool writing = false;
  bool read_ended = false;     ///< nothing more is read; closes when all answers are out
  bool framing_fault = false;  ///< of the frame that comes next
  base::MonoTime frame_began{0};
  std::uint64_t frame_bytes = 0;
  std::size_t held = 0;  ///< bytes of the unfinished frame that the intake counts
  base::Event drained;   ///< fewer busy() frames
  std::vector<std::string> applications;  ///< of a listener with `allow`: which MSH-3 the certificate may send

  MllpConnection(base::StreamPtr s, const hl7::mllp::FramerOptions& options, base::TimerExecutor& executor)
      : stream(std::move(s)), framer(options), drained(executor) {}
  /// The place of what follows an accept acknowledgement that has left.
  std::shared_ptr<MllpSlot> follow() {
    unanswered.push_back(std::make_shared<MllpSlot>());
    unanswered.back()->follows = true;
    return unanswered.back();
  }
  void close() {
    read_ended = true;
    stream->close();
  }
};
/// The address of a peer without its port.
inline std::string host_of(const std::string& peer) {
  return peer.substr(0, peer.rfind(':'));
}

}  // namespace kiln::channels::detail
