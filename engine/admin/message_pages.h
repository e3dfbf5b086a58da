#pragma once
// Parts of a message for a page of the console: what would be too much in one answer comes in pieces.

#include "engine/admin/route.h"
#include "engine/journal/journal.h"

namespace kiln::engine {

/// The {id} of the path. Error: message_not_found.
base::Result<MessageId> message_id(const Call& call);
/// {"offset","size","end","text" | "base64"} of `bytes` by the values `offset` and `limit`; a page of text
/// ends between two characters. Error: bad_value.
base::Result<Reply> body_page(const Call& call, std::string_view bytes);

}  // namespace kiln::engine
