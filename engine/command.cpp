#include "engine/command.h"

#include <charconv>
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

int exit_code(const base::Error& error) {
  // Nothing is wrong with the disk: another program has the port.
  if (error.code == base::ErrorCode::io_failed && error.text.starts_with("cannot listen")) return kExitRetry;
  if (error.code == base::ErrorCode::audit_failed) return kExitIo;
  if (error.code == base::ErrorCode::message_not_found) return kExitFound;  // as a search that finds nothing
  switch (error.info().category) {
    case base::ErrorCategory::usage:
      return kExitUsage;
    case base::ErrorCategory::config:
    case base::ErrorCategory::static_check:
      return kExitConfig;
    case base::ErrorCategory::unavailable:
      return kExitUnreachable;
    case base::ErrorCategory::io:
      return kExitIo;
    case base::ErrorCategory::conflict:  // the same again helps, or other words are needed
      return error.info().retry ? kExitRetry : kExitUsage;
    case base::ErrorCategory::denied:
      return 77;
    case base::ErrorCategory::not_found:
      return kExitUsage;
    case base::ErrorCategory::input:
    case base::ErrorCategory::internal:
      return kExitFound;
  }
  return kExitFound;
}

}  // namespace

int report(const base::Error& given, const Arguments& arguments) {
  std::fflush(stdout);  // so that both streams in one file keep their order
  base::Error error = given;
  if (error.code == base::ErrorCode::file_not_found && error.text.ends_with("No such file or directory")) {
    error.text.clear();  // which call of the system found it out helps nobody
    if (error.remedy.empty()) error.remedy = "is the path right? It is looked for from the current folder";
  }
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
  return exit_code(error);
}

base::Result<std::int64_t> whole_number(const Arguments& arguments, std::string_view option, std::int64_t otherwise, std::int64_t least,
                                        std::int64_t most) {
  if (!arguments.has(option)) return otherwise;
  const std::string text = arguments.text(option);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= least && number <= most) return number;
  return base::fail(base::ErrorCode::usage, std::string(option) + " is no whole number from " + std::to_string(least) + " to " + std::to_string(most),
                    text);
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
