#pragma once
// Errors as values. A function that can fail for a reason outside the program returns Result<T>; exceptions are
// for start-up failures and bugs only, and are caught at task borders.

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace kiln::base {

/// What kind of failure this is; decides retry, exit status and who has to act.
enum class ErrorCategory : std::uint8_t {
  usage, config, input, conflict, not_found, unavailable, io, internal, denied, static_check
};

/// Every code of error_codes.def, in table order.
enum class ErrorCode : std::uint16_t {
#define KILN_ERROR(name, code, category, text, http, issue, hl7, retry) name,
#include "engine/base/error_codes.def"
#undef KILN_ERROR
};

/// One row of error_codes.def. All pointers are to static storage.
struct ErrorInfo {
  const char* name;        ///< identifier in error_codes.def
  const char* code;        ///< stable code shown to people and machines
  ErrorCategory category;
  const char* text;        ///< one line, no values
  int http_status;
  const char* issue_type;  ///< FHIR OperationOutcome.issue.code
  int hl7_0357;            ///< HL7 table 0357 code for ERR-3
  bool retry;              ///< the same attempt may succeed later
};

const ErrorInfo& error_info(ErrorCode code);
/// By its stable code ("disk-full"); `internal` for a code this version does not know.
ErrorCode find_error_code(std::string_view code);

/// A failure. `text`, `place` and `remedy` never hold patient data: they name where and what kind, not the value.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string text;    ///< what happened; empty means the table's text
  std::string place;   ///< file:line:col, an HL7 path, a FHIRPath, or empty
  std::string remedy;  ///< what to do about it, or empty

  const ErrorInfo& info() const { return error_info(code); }
  /// "code: text (place); remedy" on one line.
  std::string message() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string text = {}, std::string place = {},
                                  std::string remedy = {}) {
  return tl::unexpected<Error>(Error{code, std::move(text), std::move(place), std::move(remedy)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace kiln::base

#define KILN_CONCAT_(a, b) a##b
#define KILN_CONCAT(a, b) KILN_CONCAT_(a, b)
/// TRY(auto x, f()): declares x from the Result f(), or returns its error.
#define TRY(declaration, expression) TRY_(declaration, expression, KILN_CONCAT(try_result_, __COUNTER__))
#define TRY_(declaration, expression, temporary)                            \
  auto temporary = (expression);                                            \
  if (!temporary) return ::tl::unexpected(std::move(temporary).error());    \
  declaration = std::move(*temporary)
/// TRY_VOID(f()): returns the error of a Status, if any.
#define TRY_VOID(expression)                                                \
  do {                                                                      \
    auto try_status = (expression);                                         \
    if (!try_status) return ::tl::unexpected(std::move(try_status).error()); \
  } while (false)
