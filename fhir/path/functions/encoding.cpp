// encode, decode, escape, unescape of the FHIRPath additions (STU §5.6).

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "fhir/path/detail/evaluator.h"

namespace kiln::fhir {
namespace {

using namespace detail;

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string to_base64(std::string_view bytes, std::string_view alphabet) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const std::size_t size = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < size ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i) out += i <= size ? alphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text, std::string_view alphabet) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out += static_cast<char>(bits >> have & 0xff);
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int byte = 0;
    for (const char c : text.substr(i, 2)) {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return std::nullopt;
      byte = byte * 16 + digit;
    }
    out += static_cast<char>(byte);
  }
  return out;
}

constexpr std::pair<char, std::string_view> kEntities[] = {
    {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

std::string to_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    std::string_view entity;
    for (const auto& [plain, name] : kEntities)
      if (plain == c) entity = name;
    if (entity.empty())
      out += c;
    else
      out += entity;
  }
  return out;
}

std::string from_html(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t size = 0;
    for (const auto& [plain, name] : kEntities) {
      if (!text.substr(at).starts_with(name)) continue;
      out += plain;
      size = name.size();
    }
    if (size == 0) {
      out += text[at];
      size = 1;
    }
    at += size;
  }
  return out;
}

std::string to_json(std::string_view text) {
  std::string out;
  base::append_json_string(out, text);
  return out.substr(1, out.size() - 2);
}

std::optional<std::string> from_json(std::string_view text) {
  std::string quoted = "\"";
  // A quote that is not escaped would end the string.
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      quoted += text[i++];
      quoted += text[i];
    } else if (text[i] == '"') {
      quoted += "\\\"";
    } else {
      quoted += text[i];
    }
  }
  const auto parsed = base::parse_json(quoted + "\"");
  if (!parsed) return std::nullopt;
  return std::string(parsed->root().text());
}

/// Input and form; `found` false when one is missing.
bool prepare(PathCall& call, std::string_view& text, std::string_view& form, bool& found) {
  bool has_form = false;
  if (!call.input_text(text, found) || !call.arg_text(0, form, has_form)) return false;
  found = found && has_form;
  return !found || (call.ev.step(text.size() / 8) && call.ev.may_make(text.size() * 6));
}

bool encode(PathCall& call) {
  std::string_view text, form;
  bool found = false;
  if (!prepare(call, text, form, found)) return false;
  if (!found) return true;
  if (form == "base64") return call.give_text(to_base64(text, kBase64));
  if (form == "urlbase64") return call.give_text(to_base64(text, kBase64Url));
  if (form == "hex") return call.give_text(base::hex(text));
  return true;
}

bool decode(PathCall& call) {
  std::string_view text, form;
  bool found = false;
  if (!prepare(call, text, form, found)) return false;
  if (!found) return true;
  std::optional<std::string> out;
  if (form == "base64") out = from_base64(text, kBase64);
  if (form == "urlbase64") out = from_base64(text, kBase64Url);
  if (form == "hex") out = from_hex(text);
  // What is no text is no String.
  return !out || !base::is_valid_utf8(*out) || call.give_text(*out);
}

bool escape(PathCall& call) {
  std::string_view text, form;
  bool found = false;
  if (!prepare(call, text, form, found)) return false;
  if (!found) return true;
  if (form == "html") return call.give_text(to_html(text));
  return form != "json" || call.give_text(to_json(text));
}

bool unescape(PathCall& call) {
  std::string_view text, form;
  bool found = false;
  if (!prepare(call, text, form, found)) return false;
  if (!found) return true;
  if (form == "html") return call.give_text(from_html(text));
  if (form != "json") return true;
  const auto out = from_json(text);
  return !out || call.give_text(*out);
}

}  // namespace

const PathFunctionGroup& encoding_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"encode", 1, 1, 0, S::text, S::text, encode},
      {"decode", 1, 1, 0, S::text, S::text, decode},
      {"escape", 1, 1, 0, S::text, S::text, escape},
      {"unescape", 1, 1, 0, S::text, S::text, unescape},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
