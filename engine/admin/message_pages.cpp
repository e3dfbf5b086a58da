#include "engine/admin/message_pages.h"

#include <algorithm>
#include <charconv>

#include "engine/base/text.h"
#include "engine/limits.h"

namespace kiln::engine {
namespace {

constexpr std::size_t kCharacterMax = 4;  ///< bytes of one in UTF-8

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

}  // namespace

base::Result<MessageId> message_id(const Call& call) {
  const std::string_view text = call.value("id");
  MessageId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id == 0)
    return base::fail(base::ErrorCode::message_not_found, "this is no message number");
  return id;
}

base::Result<Reply> body_page(const Call& call, std::string_view bytes) {
  TRY(const std::uint64_t from, call.number("offset", 0, INT64_MAX));
  TRY(const std::uint64_t most, call.number("limit", 64u << 10, limits::kBodyPageBytesMax));
  std::size_t begin = std::min<std::size_t>(from, bytes.size());
  std::size_t end = std::min(bytes.size(), begin + std::max<std::size_t>(most, kCharacterMax));
  // Whole characters: the page begins and ends where one does, if it is text.
  for (std::size_t i = 0; i < kCharacterMax && begin > 0 && begin < bytes.size() && continues(bytes[begin]);
       ++i)
    --begin;
  for (std::size_t i = 0; i < kCharacterMax && end > begin && end < bytes.size() && continues(bytes[end]);
       ++i)
    --end;
  const std::string_view page = bytes.substr(begin, end - begin);
  base::JsonWriter json;
  json.begin_object().key("offset").integer(static_cast<std::int64_t>(begin));
  json.key("size").integer(static_cast<std::int64_t>(bytes.size())).key("end").boolean(end == bytes.size());
  if (base::is_valid_utf8(page))
    json.member("text", page);
  else
    json.member("base64", base::base64_encode(page));
  return json_reply(json.end_object().take());
}

}  // namespace kiln::engine
