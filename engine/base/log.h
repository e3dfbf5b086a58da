#pragma once
// The log façade (operations.md §8). It takes event names, numbers, enums and configured names; it cannot take message
// text: only Safe values are accepted, and a Safe string is made from a literal or from a name out of the site's files.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace kiln::base {

enum class LogLevel : std::uint8_t { debug, info, warn, error };

/// A string that is known to hold no patient data.
class Safe {
 public:
  template <std::size_t N>
  Safe(const char (&literal)[N]) : text_(literal, N - 1) {}  // NOLINT(google-explicit-constructor)
  /// Names of channels, destinations, connectors, files of the site, peer addresses.
  static Safe name(std::string_view configured) { return Safe(configured, 0); }
  static Safe code(ErrorCode code) { return Safe(error_info(code).code, 0); }
  std::string_view text() const { return text_; }

 private:
  Safe(std::string_view text, int) : text_(text) {}
  std::string_view text_;
};

struct LogField {
  const char* key;
  enum class Kind : std::uint8_t { text, integer } kind;
  Safe text;
  std::int64_t integer = 0;
  LogField(const char* k, Safe value) : key(k), kind(Kind::text), text(value) {}
  LogField(const char* k, std::int64_t value) : key(k), kind(Kind::integer), text(""), integer(value) {}
};

/// One JSON line to stderr: ts, level, event, then the fields. Thread-safe, never blocks on a full pipe for long.
void log(LogLevel level, Safe event, std::initializer_list<LogField> fields = {});
void set_log_level(LogLevel level);

}  // namespace kiln::base
