// v2.xml both ways: any bytes as XML are read or refused; any message written as XML comes back with its
// values.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/base/text.h"
#include "hl7/message.h"
#include "hl7/xml.h"

using namespace kiln::hl7;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// Once more through XML nothing changes: the first way may drop trailing delimiters and rewrite escapes.
/// Text of a message that names no set is UTF-8 here; bytes that are none become U+FFFD on the way and are
/// not compared.
void check_message(const std::string& bytes) {
  ParseOptions options;
  options.charset_default = Charset::utf8();
  const auto message = Message::parse(bytes, options);
  if (!message) return;
  const std::string xml = to_xml(*message);
  const auto back = from_xml(xml);
  if (!back) return;
  const auto again = Message::parse(*back, options);
  require(again.has_value());
  const auto twice = from_xml(to_xml(*again));
  require(twice.has_value());
  const bool text = message->charset().is_utf8() && kiln::base::is_valid_utf8(bytes);
  require(!text || *twice == *back);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with("MSH")) {
    check_message(std::string(text));
    return 0;
  }
  const auto read = from_xml(text);
  if (read) check_message(*read);
  const auto all = from_xml_all(text);
  if (read) require(all.has_value());
  return 0;
}
