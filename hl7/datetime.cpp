#include "hl7/datetime.h"

#include <string>

namespace kiln::hl7 {
namespace {

using base::DatePrecision;

std::optional<DatePrecision> precision_of(std::string_view code) {
  if (code == "Y") return DatePrecision::year;
  if (code == "L") return DatePrecision::month;
  if (code == "D") return DatePrecision::day;
  if (code == "H") return DatePrecision::hour;
  if (code == "M") return DatePrecision::minute;
  if (code == "S") return DatePrecision::second;
  return std::nullopt;
}

}  // namespace

std::optional<base::PartialDate> parse_time(const RepetitionView& value) {
  std::string buffer;
  if (!value.leaf().valued()) return std::nullopt;
  auto date = base::PartialDate::parse_hl7(value.text(buffer));
  if (!date) return std::nullopt;
  if (const auto precision = precision_of(value.component(2).text(buffer)))
    return date->truncated(*precision);
  return date;
}

std::optional<MessageTime> parse_time(const RepetitionView& value, const Message& message,
                                      const base::TimeZone* zone) {
  const auto date = parse_time(value);
  if (!date) return std::nullopt;
  MessageTime time{*date, OffsetSource::none};
  if (date->has_offset) {
    time.offset_source = OffsetSource::value;
    return time;
  }
  if (!date->has_time()) return time;
  const auto sent = parse_time(message.header().field(7).repetition(1));
  if (sent && sent->has_offset) {
    time.date.offset_minutes = sent->offset_minutes;
    time.offset_source = OffsetSource::message;
  } else if (zone != nullptr) {
    time.date.offset_minutes = static_cast<std::int16_t>(zone->offset_minutes(*date));
    time.offset_source = OffsetSource::zone;
  } else {
    return time;
  }
  time.date.has_offset = true;
  return time;
}

}  // namespace kiln::hl7
