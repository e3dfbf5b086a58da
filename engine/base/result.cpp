#include "engine/base/result.h"

#include <array>

namespace kiln::base {
namespace {

constexpr std::array kErrors = {
#define KILN_ERROR(name, code, category, text, http, issue, hl7, retry) \
  ErrorInfo{#name, code, ErrorCategory::category, text, http, issue, hl7, retry},
#include "engine/base/error_codes.def"
#undef KILN_ERROR
};

}  // namespace

const ErrorInfo& error_info(ErrorCode code) { return kErrors[static_cast<std::size_t>(code)]; }

ErrorCode find_error_code(std::string_view code) {
  for (std::size_t i = 0; i < kErrors.size(); ++i)
    if (code == kErrors[i].code) return static_cast<ErrorCode>(i);
  return ErrorCode::internal;
}

std::string Error::message() const {
  std::string out = std::string(info().code) + ": " + (text.empty() ? info().text : text);
  if (!place.empty()) out += " (" + place + ")";
  if (!remedy.empty()) out += "; " + remedy;
  return out;
}

}  // namespace kiln::base
