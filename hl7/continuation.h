#pragma once
// One message in several (std 2.10.2): ADD continues a segment, DSC and MSH-14 continue a message. Pure
// functions; reassembler.h keeps fragments until the last one came.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "hl7/message.h"

namespace kiln::hl7 {

/// The message with the text of every ADD segment appended to the segment before it. Error bad_batch when an
/// ADD stands directly behind the header. Bytes of a message without ADD are unchanged; else segments end in
/// CR. In the character set of the message, as received.
base::Result<std::string> join_additions(const Message& message);

/// Where a message stands in a chain of fragments. Texts are decoded.
struct Continuation {
  std::string from;  ///< MSH-14: the pointer of the fragment before; empty = this is the first
  std::string to;    ///< DSC-1: the pointer of the next fragment; empty = this is the last
  bool fragment() const { return !from.empty() || !to.empty(); }
};
/// A DSC that asks for the continuation of a query (DSC-2 = I) is the application's and does not count.
Continuation continuation_of(const Message& message);

/// The whole message of fragments in order: the header of the first without MSH-14, all segments without DSC,
/// and segments that were cut in two joined. Errors bad_batch: no fragments, a pointer that does not lead to
/// the next one, a first or last one that continues, or different delimiters; limit_exceeded beyond
/// kMessageBytesMax. In the character set of the first one, as received.
base::Result<std::string> join_fragments(const std::vector<const Message*>& fragments);

/// Cuts a message into fragments of at most `bytes_max` bytes each, at segments where possible. Fragment n >
/// 1 has `id.n` for MSH-10 `id`, and every pointer is `id.n` of the fragment it leads to. One element, the
/// bytes as they are, when they fit. Errors: bad_value when the header alone leaves no room, when the message
/// is a fragment already or was converted on entry.
base::Result<std::vector<std::string>> split_message(const Message& message, std::size_t bytes_max);

}  // namespace kiln::hl7
