#pragma once
// Which message answers which (std 2.9, the trigger event sections of the domain chapters).

#include <string_view>
#include <vector>

#include "hl7/ack.h"
#include "hl7/dictionary/version.h"
#include "hl7/message.h"

namespace kiln::hl7 {

/// The answers to one message. An empty list: none is defined.
struct Responses {
  std::vector<MessageType> original;     ///< in original mode
  std::vector<MessageType> accept;       ///< the accept acknowledgement of enhanced mode
  std::vector<MessageType> application;  ///< the application acknowledgement of enhanced mode
  bool defined = false;  ///< false: nothing is known of this event, the general acknowledgement is listed
};

/// As 2.9 states it, and for older events as their own version did; only answers whose structure the version
/// has. An event nobody describes gets the general acknowledgement in all three. Nothing answers an ACK.
Responses responses_to(Version version, std::string_view code, std::string_view trigger);
/// By MSH-9 and MSH-12.
Responses responses_to(const Message& message);

}  // namespace kiln::hl7
