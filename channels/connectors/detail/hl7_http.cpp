#include "channels/connectors/detail/hl7_http.h"

#include "engine/base/text.h"
#include "hl7/ack.h"
#include "hl7/message.h"
#include "hl7/xml.h"

namespace kiln::channels::detail {

std::optional<Hl7Encoding> hl7_encoding(std::string_view content_type, bool plain_text) {
  const std::string type = base::lower_ascii(base::trim(content_type.substr(0, content_type.find(';'))));
  std::string_view name = type;
  if (name.starts_with("x-")) name.remove_prefix(2);
  if (name == "application/hl7-v2" || name == "application/hl7-v2+er7") return Hl7Encoding::er7;
  if (name == "application/hl7-v2+xml") return Hl7Encoding::xml;
  if (plain_text && type == "text/plain") return Hl7Encoding::er7;
  return std::nullopt;
}

base::Result<std::string> hl7_from_body(std::string body, Hl7Encoding encoding) {
  if (encoding == Hl7Encoding::er7) return body;
  return hl7::from_xml(body);
}

std::string hl7_to_body(std::string message, Hl7Encoding encoding) {
  if (encoding == Hl7Encoding::er7) return message;
  const auto parsed = hl7::Message::parse(message);
  return parsed ? hl7::to_xml(*parsed) : message;
}

int status_of_acknowledgement(std::string_view acknowledgement) {
  const auto parsed = hl7::Message::parse(std::string(acknowledgement));
  if (!parsed) return 200;
  const auto code = hl7::ack_code(parsed->field("MSA", 1).to_text());
  if (!code || hl7::is_positive(*code)) return 200;
  return *code == hl7::AckCode::AR || *code == hl7::AckCode::CR ? 400 : 422;
}

}  // namespace kiln::channels::detail
