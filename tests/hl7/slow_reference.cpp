#include "tests/hl7/slow_reference.h"

#include <cctype>

namespace kiln::test {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator && separator != '\0') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool is_blank(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) > 32) return false;
  }
  return true;
}

bool is_name(const std::string& text) {
  return text.size() == 3 && std::isupper(static_cast<unsigned char>(text[0])) != 0 &&
         (std::isupper(static_cast<unsigned char>(text[1])) != 0 ||
          std::isdigit(static_cast<unsigned char>(text[1])) != 0) &&
         (std::isupper(static_cast<unsigned char>(text[2])) != 0 ||
          std::isdigit(static_cast<unsigned char>(text[2])) != 0);
}

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return text;
}

bool is_header(const std::string& name) {
  return upper(name) == "MSH" || upper(name) == "FHS" || upper(name) == "BHS";
}

bool can_separate(char c) {
  return c > 32 && c < 127 && std::isalnum(static_cast<unsigned char>(c)) == 0;
}

std::vector<std::string> split_lines(const std::string& text, char separator) {
  const bool has_cr = text.find('\r') != text.npos;
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool ends = text[i] == '\r' || (text[i] == '\n' && !has_cr);
    if (text[i] == '\n' && has_cr && i + 4 < text.size()) {
      ends = is_name(text.substr(i + 1, 3)) && text[i + 4] == separator;
    }
    if (!ends) {
      lines.back() += text[i];
      continue;
    }
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    lines.emplace_back();
  }
  return lines;
}

SlowField split_field(const std::string& text, const std::string& separators) {
  SlowField field;
  for (const std::string& repetition : split(text, separators[2])) {
    field.emplace_back();
    for (const std::string& component : split(repetition, separators[1])) {
      field.back().emplace_back();
      for (const std::string& leaf : split(component, separators[4])) field.back().back().push_back({leaf});
    }
  }
  return field;
}

void append_code_point(std::string& out, unsigned point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 + point / 64);
    out += static_cast<char>(0x80 + point % 64);
  } else {
    out += static_cast<char>(0xE0 + point / 4096);
    out += static_cast<char>(0x80 + point / 64 % 64);
    out += static_cast<char>(0x80 + point % 64);
  }
}

/// Size of the UTF-8 character at `at`; 0 when there is none (RFC 3629 §4, row by row).
std::size_t utf8_size(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  const auto in = [&](std::size_t i, unsigned low, unsigned high) {
    return byte(i) >= low && byte(i) <= high;
  };
  if (in(0, 0, 0x7F)) return 1;
  if (in(0, 0xC2, 0xDF) && in(1, 0x80, 0xBF)) return 2;
  if (byte(0) == 0xE0 && in(1, 0xA0, 0xBF) && in(2, 0x80, 0xBF)) return 3;
  if (in(0, 0xE1, 0xEC) && in(1, 0x80, 0xBF) && in(2, 0x80, 0xBF)) return 3;
  if (byte(0) == 0xED && in(1, 0x80, 0x9F) && in(2, 0x80, 0xBF)) return 3;
  if (in(0, 0xEE, 0xEF) && in(1, 0x80, 0xBF) && in(2, 0x80, 0xBF)) return 3;
  if (byte(0) == 0xF0 && in(1, 0x90, 0xBF) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF)) return 4;
  if (in(0, 0xF1, 0xF3) && in(1, 0x80, 0xBF) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF)) return 4;
  if (byte(0) == 0xF4 && in(1, 0x80, 0x8F) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF)) return 4;
  return 0;
}

/// Bytes that the escape with this body stands for; false = it stays as written.
bool unescape(const std::string& body, const std::string& separators, std::string& bytes) {
  const std::string letters = "FSREP",
                    order = {separators[0], separators[1], separators[2], separators[3], separators[5]};
  if (body.size() == 1) {
    char c = '\0';
    if (body == "T") c = separators[4];
    if (const auto at = letters.find(body[0]); at != letters.npos) c = order[at];
    if (c != '\0') {
      bytes += c;
      return true;
    }
  }
  if (body[0] != 'X' || body.size() < 3 || body.size() % 2 == 0) return false;
  for (std::size_t i = 1; i < body.size(); ++i) {
    if (std::isxdigit(static_cast<unsigned char>(body[i])) == 0) return false;
  }
  for (std::size_t i = 1; i < body.size(); i += 2)
    bytes += static_cast<char>(std::stoi(body.substr(i, 2), nullptr, 16));
  return true;
}

/// Whether an escape that is not decoded is one whole sequence, or its first character stands alone.
bool is_sequence(const std::string& body) {
  if (body[0] == '.') {
    for (const char* const command : {".sp", ".br", ".fi", ".nf", ".in", ".ti", ".sk", ".ce"}) {
      if (body.rfind(command, 0) != 0) continue;
      std::size_t at = 3;
      while (at < body.size() && body[at] == ' ') ++at;
      if (at < body.size() && (body[at] == '+' || body[at] == '-')) ++at;
      if (body.size() - at > 6) return false;
      while (at < body.size() && std::isdigit(static_cast<unsigned char>(body[at])) != 0) ++at;
      return at == body.size();
    }
    return false;
  }
  if (body[0] == 'Z' && body.size() <= 64) {
    for (const char c : body) {
      if (c < ' ') return false;
    }
    return true;
  }
  if (std::isalpha(static_cast<unsigned char>(body[0])) == 0 || body.size() > 16) return false;
  for (const char c : body) {
    if (static_cast<unsigned char>(c) > 127) return false;
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '+' && c != '-') return false;
  }
  return true;
}

}  // namespace

std::optional<SlowMessage> slow_parse(const std::string& bytes) {
  std::size_t start = 0;
  for (;;) {
    if (start < bytes.size() && static_cast<unsigned char>(bytes[start]) <= 32) {
      ++start;
    } else if (bytes.compare(start, 3, "\xEF\xBB\xBF") == 0) {
      start += 3;
    } else {
      break;
    }
  }
  const std::string text = bytes.substr(start);
  if (text.size() < 4 || !is_header(text.substr(0, 3)) || !can_separate(text[3])) return std::nullopt;
  SlowMessage message;
  message.separators = std::string(1, text[3]) + std::string(5, '\0');
  for (std::size_t i = 0; i < 5 && 4 + i < text.size(); ++i) {
    const char c = text[4 + i];
    if (c == text[3] || c == '\r' || c == '\n') break;
    if (can_separate(c) && message.separators.find(c) == std::string::npos) message.separators[1 + i] = c;
  }
  for (const std::string& line : split_lines(text, text[3])) {
    if (is_blank(line)) continue;
    SlowSegment segment;
    segment.raw = line;
    std::vector<std::string> parts = split(line, text[3]);
    segment.name = parts[0];
    const bool header = is_header(parts[0]) && parts.size() > 1;
    if (header) segment.fields.push_back({{{{std::string(1, text[3])}}}});
    for (std::size_t i = 1; i < parts.size(); ++i) {
      if (header && i == 1) {
        segment.fields.push_back({{{{parts[i]}}}});
      } else {
        segment.fields.push_back(split_field(parts[i], message.separators));
      }
    }
    message.segments.push_back(std::move(segment));
  }
  return message;
}

std::string slow_text(const std::string& raw, const std::string& separators, bool latin1, bool utf8) {
  if (raw == "\"\"") return {};
  const char escape = separators[3];
  std::string bytes;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const std::size_t close = escape == '\0' || raw[i] != escape ? raw.npos : raw.find(escape, i + 1);
    if (close == raw.npos || close == i + 1) {
      bytes += raw[i];
      continue;
    }
    const std::string body = raw.substr(i + 1, close - i - 1);
    if (unescape(body, separators, bytes)) {
      i = close;
    } else if (is_sequence(body)) {
      bytes += raw.substr(i, close - i + 1);
      i = close;
    } else {
      bytes += raw[i];
    }
  }
  std::string text;
  for (std::size_t i = 0; i < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    const std::size_t size = utf8 ? utf8_size(bytes, i) : byte < 0x80 ? 1 : 0;
    if (size > 0) {
      text += bytes.substr(i, size);
    } else {
      append_code_point(text, latin1 ? byte : 0xFFFD);
    }
    i += size > 0 ? size : 1;
  }
  return text;
}

}  // namespace kiln::test
