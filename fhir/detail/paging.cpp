#include "fhir/detail/paging.h"

#include <algorithm>
#include <charconv>

#include "engine/base/text.h"

namespace kiln::fhir::detail {
namespace {

constexpr std::size_t kTagBytes = 16;

/// HMAC-SHA256 (RFC 2104) over a length-prefixed pair, cut to kTagBytes.
std::string tag_of(std::string_view secret, std::string_view bound_to, std::string_view payload) {
  std::string inner(64, '\x36'), outer(64, '\x5c');
  for (std::size_t i = 0; i < secret.size() && i < 64; ++i) {
    inner[i] = static_cast<char>(inner[i] ^ secret[i]);
    outer[i] = static_cast<char>(outer[i] ^ secret[i]);
  }
  inner.append(std::to_string(payload.size())).append(":").append(payload).append(bound_to);
  return base::sha256(outer + base::sha256(inner)).substr(0, kTagBytes);
}

std::string url_safe(std::string_view bytes) {
  std::string text = base::base64_encode(bytes);
  text.erase(text.find_last_not_of('=') + 1);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

}  // namespace

std::string make_page_token(std::string_view secret, std::string_view bound_to, const PageToken& token) {
  std::string payload;
  for (const std::int64_t number : token) payload += std::to_string(number) + ",";
  return url_safe(tag_of(secret, bound_to, payload) + payload);
}

std::optional<PageToken> open_page_token(std::string_view secret, std::string_view bound_to,
                                         std::string_view token) {
  std::string text(token), bytes;
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  if (token.size() > 512 || !base::base64_decode(text, bytes) || bytes.size() <= kTagBytes)
    return std::nullopt;
  const std::string payload = bytes.substr(kTagBytes);
  const std::string wanted = tag_of(secret, bound_to, payload);
  unsigned different = 0;  // compared in constant time
  for (std::size_t i = 0; i < kTagBytes; ++i) different |= static_cast<unsigned char>(wanted[i] ^ bytes[i]);
  if (different != 0) return std::nullopt;
  PageToken opened;
  for (const std::string_view part : base::split(payload, ',')) {
    std::int64_t number = 0;
    if (part.empty()) continue;
    std::from_chars(part.data(), part.data() + part.size(), number);
    opened.push_back(number);
  }
  return opened;
}

namespace {

std::int64_t seconds_now(const Call& call) {
  return call.server->clock ? call.server->clock->wall().micros / 1'000'000 : 0;
}

}  // namespace

std::string issue_page_token(const Call& call, std::string_view bound_to, PageToken token) {
  token.push_back(seconds_now(call));
  return make_page_token(call.store->page_secret(), bound_to, token);
}

Answer<PageToken> read_page_token(const Call& call, std::string_view bound_to, std::string_view token,
                                  std::size_t count) {
  auto opened = open_page_token(call.store->page_secret(), bound_to, token);
  if (!opened || opened->size() != count + 1) return base::fail(base::ErrorCode::fhir_page_invalid);
  if (seconds_now(call) - opened->back() > kPageLinkSeconds) return base::fail(base::ErrorCode::fhir_page_expired);
  opened->pop_back();
  return std::move(*opened);
}

}  // namespace kiln::fhir::detail
