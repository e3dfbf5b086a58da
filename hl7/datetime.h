#pragma once
// Dates of a message: what base::PartialDate does not know, namely precision components and where an offset
// is from.

#include <cstdint>
#include <optional>

#include "engine/base/partial_date.h"
#include "hl7/message.h"

namespace kiln::hl7 {

enum class OffsetSource : std::uint8_t {
  value,    ///< written in the value
  message,  ///< that of MSH-7 (std 2A.3.22)
  zone,     ///< the channel's time zone at that local time
  none,     ///< not known, or a date without time
};

struct MessageTime {
  base::PartialDate date;  ///< with offset, unless the source is none
  OffsetSource offset_source = OffsetSource::none;
};

/// Reads a DT, DTM or TS value. Of a TS, component 2 (precision Y L D H M S, obsolete) shortens the
/// precision. nullopt when absent, null or not a date ("0", "00000000").
std::optional<base::PartialDate> parse_time(const RepetitionView& value);

/// The same with an offset: that of the value, else of MSH-7, else of `zone` when given.
std::optional<MessageTime> parse_time(const RepetitionView& value, const Message& message,
                                      const base::TimeZone* zone);

}  // namespace kiln::hl7
