#include "engine/command.h"

#include <unistd.h>

#include <cstdlib>

#include "engine/base/json.h"

namespace kiln::engine {

std::string Arguments::text(std::string_view name, std::string_view otherwise) const {
  const auto at = values.find(name);
  return at == values.end() || at->second.empty() ? std::string(otherwise) : at->second.front();
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  const auto at = values.find(name);
  return at == values.end() ? std::vector<std::string>() : at->second;
}

bool is_terminal(std::FILE* stream) {
  return ::isatty(::fileno(stream)) != 0 && std::getenv("NO_COLOR") == nullptr;
}

namespace {

int exit_code(base::ErrorCategory category) {
  switch (category) {
    case base::ErrorCategory::usage:
      return kExitUsage;
    case base::ErrorCategory::config:
    case base::ErrorCategory::static_check:
      return kExitConfig;
    case base::ErrorCategory::unavailable:
      return kExitUnreachable;
    case base::ErrorCategory::io:
      return kExitIo;
    case base::ErrorCategory::conflict:
      return kExitRetry;
    case base::ErrorCategory::denied:
      return 77;
    case base::ErrorCategory::input:
    case base::ErrorCategory::not_found:
    case base::ErrorCategory::internal:
      return kExitFound;
  }
  return kExitFound;
}

}  // namespace

int report(const base::Error& error, const Arguments& arguments) {
  std::fflush(stdout);  // so that both streams in one file keep their order
  if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().key("error").begin_object();
    json.member("code", error.info().code)
        .member("text", error.text.empty() ? error.info().text : error.text);
    if (!error.place.empty()) json.member("place", error.place);
    if (!error.remedy.empty()) json.member("remedy", error.remedy);
    json.end_object().end_object();
    std::fprintf(stderr, "%s\n", json.str().c_str());
  } else {
    std::fprintf(stderr, "kiln: %s\n", error.message().c_str());
  }
  return exit_code(error.info().category);
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

Progress::Progress(std::string what) : what_(std::move(what)) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void Progress::step(std::size_t done, std::size_t total) {
  if (!is_terminal(stderr)) return;
  if (total == 0) {  // nobody knows how many there will be
    constexpr std::size_t kEvery = 1000;
    if (done % kEvery != 0) return;
    shown_ = true;
    std::fprintf(stderr, "\r%s %zu\x1b[K", what_.c_str(), done);
    return;
  }
  const std::size_t percent = done * 100 / total;
  if (shown_ && percent == last_) return;
  shown_ = true;
  last_ = percent;
  std::fprintf(stderr, "\r%s %zu/%zu (%zu %%)\x1b[K", what_.c_str(), done, total, percent);
}

}  // namespace kiln::engine
