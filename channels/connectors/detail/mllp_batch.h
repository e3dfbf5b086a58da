#pragma once
// A batch in one MLLP frame: its messages, what is not a message, and the one answer (hl7v2.md §10).

#include <string>
#include <string_view>
#include <vector>

#include "channels/intake.h"
#include "hl7/batch.h"
#include "hl7/mllp/framer.h"

namespace kiln::channels::detail {

/// Begins with the header of a file or batch, and holds a message. Anything else is one message, or none.
bool is_batch(std::string_view bytes);
/// `batch` is of `whole.bytes`, here and below.
std::vector<Inbound> batch_messages(const Inbound& whole, const hl7::Batch& batch);
/// Bytes outside the messages, and trailers whose counts do not agree.
std::vector<Unframed> batch_notes(const Inbound& whole, const hl7::Batch& batch);
/// The answers in an envelope; those of stored messages are left out with `errors_only`. When the counts do not agree there is
/// one more, AE to the control id of the batch.
std::string batch_answer(const Inbound& whole, const hl7::Batch& batch, std::vector<Answer> answers,
                         bool errors_only);

/// The messages of a reply, each in a frame of its own; empty for none. Errors as encode_frame().
base::Result<std::string> encode_reply(std::string_view reply, const hl7::mllp::FrameBytes& bytes);

}  // namespace kiln::channels::detail
