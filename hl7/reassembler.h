#pragma once
// The fragments of messages that came in several (std 2.10.2) until the last one is there. Sans-I/O: the
// caller stores what it adds, tells the time, and adds again in the same order after a restart.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/result.h"
#include "hl7/continuation.h"
#include "hl7/message.h"

namespace kiln::hl7 {

/// All of one reassembler, because a sender may call itself anything.
struct ReassemblerLimits {
  std::size_t fragments = base::limits::kFragmentsMax;          ///< of one message
  std::size_t message_bytes = base::limits::kMessageBytesMax;   ///< of one message, headers included
  std::size_t messages = base::limits::kFragmentedMessagesMax;  ///< that are waited for
  std::size_t bytes = base::limits::kFragmentedBytesMax;        ///< of all fragments kept
  std::int64_t wait_ms = base::limits::kFragmentWaitMs;         ///< for the next fragment
};

/// "MSH-3|MSH-4" as received: whose fragments belong together.
std::string sender_of(const Message& message);

/// Joins what belongs together: fragments of one sender, where DSC-1 of one is MSH-14 of the next. Not for
/// use from several threads at once.
class Reassembler {
 public:
  enum class State : std::uint8_t {
    whole,     ///< no fragment: nothing was kept
    waiting,   ///< kept; more must come
    complete,  ///< the last one: `text` is the message
    refused,   ///< cannot be joined; nothing of it is kept
  };
  /// Fragments that nobody waits for any more, and why.
  struct GivenUp {
    std::vector<std::uint64_t> ids;  ///< in order
    base::Error error;
  };
  struct Outcome {
    State state = State::whole;
    std::vector<std::uint64_t> ids;  ///< complete, refused: all fragments of the message, this one last
    std::string text;                ///< complete: as received, with the header of the first fragment
    base::Error error;               ///< refused: bad_batch or limit_exceeded
    /// A message that the same sender began anew at the same pointer: what was kept of it before.
    std::optional<GivenUp> replaced;
  };

  /// `options`: how the fragments were parsed, and are again when they are joined.
  explicit Reassembler(ParseOptions options = {}, ReassemblerLimits limits = {})
      : options_(std::move(options)), limits_(limits) {}

  /// `id`: the caller's name of this fragment; `now_ms`: any clock that does not go back.
  Outcome add(std::uint64_t id, std::string_view sender, const Message& message, std::int64_t now_ms);
  /// Gives up what has waited too long.
  std::vector<GivenUp> overdue(std::int64_t now_ms);
  /// When overdue() will have something to do; nothing while nothing waits.
  std::optional<std::int64_t> deadline() const;

  std::size_t waiting() const { return chains_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  using Key = std::pair<std::string, std::string>;  ///< sender and the pointer of the next fragment
  struct Chain {
    std::vector<std::uint64_t> ids;
    std::vector<std::string> texts;
    std::size_t bytes = 0;
    std::int64_t deadline = 0;
  };
  using Chains = std::map<Key, Chain>;

  Chain take(Chains::iterator place);
  std::optional<base::Error> excess(const Chain& chain) const;
  base::Result<std::string> join(const Chain& chain) const;

  ParseOptions options_;
  ReassemblerLimits limits_;
  Chains chains_;
  std::size_t bytes_ = 0;
};

}  // namespace kiln::hl7
