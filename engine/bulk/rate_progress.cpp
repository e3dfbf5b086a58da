#include "engine/bulk/rate_progress.h"

#include <algorithm>
#include <cstdio>

#include "engine/command.h"

namespace kiln::engine {
namespace {

constexpr std::chrono::milliseconds kTerminalEvery{200};
constexpr std::chrono::seconds kPipedEvery{10};

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

RateProgress::RateProgress(std::string what, const base::Clock& clock, bool quiet)
    : what_(std::move(what)),
      clock_(clock),
      quiet_(quiet),
      terminal_(is_terminal(stderr)),
      begin_(clock.mono()),
      last_(begin_) {}

RateProgress::~RateProgress() {
  clear();
}

double RateProgress::seconds() const {
  return std::chrono::duration<double>(clock_.mono() - begin_).count();
}

std::string RateProgress::text(const std::string& what, double seconds, std::uint64_t done, double fraction) {
  std::string line = grouped(done) + " " + what;
  char part[64];
  if (fraction >= 0) {
    std::snprintf(part, sizeof part, ", %.0f %%", fraction * 100);
    line += part;
  }
  if (seconds > 0) line += ", " + grouped(static_cast<std::uint64_t>(static_cast<double>(done) / seconds)) + "/s";
  if (fraction > 0 && fraction < 1) {
    const auto left = static_cast<long long>(seconds / fraction * (1 - fraction) + 0.5);
    std::snprintf(part, sizeof part, ", %02lld:%02lld:%02lld left", left / 3600, left / 60 % 60, left % 60);
    line += part;
  }
  return line;
}

void RateProgress::step(std::uint64_t done, std::uint64_t part, std::uint64_t whole) {
  if (quiet_) return;
  if (!begun_) {  // what an earlier run did says nothing about how fast this one is
    first_part_ = part;
    begun_ = true;
  }
  const base::MonoTime now = clock_.mono();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(kTerminalEvery) : std::chrono::milliseconds(kPipedEvery)))
    return;
  last_ = now;
  const std::uint64_t left = whole > first_part_ ? whole - first_part_ : 0;
  const double fraction = left == 0 ? -1 : static_cast<double>(part - first_part_) / static_cast<double>(left);
  const std::string line = text(what_, seconds(), done, std::min(fraction, 1.0));
  if (terminal_) {
    std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
    shown_ = true;
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
}

void RateProgress::clear() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

}  // namespace kiln::engine
