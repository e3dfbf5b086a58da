#include "fhir/ids.h"

namespace kiln::fhir {
namespace {

constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

}  // namespace

std::string IdSource::next() {
  const std::int64_t wall = clock_->wall().micros / 1000;
  const std::uint64_t now = wall > 0 ? static_cast<std::uint64_t>(wall) : 0;
  if (now > millis_) {
    millis_ = now;
    high_ = random_->next() & 0x7FFF;  // the top bit stays free, so that counting up has room
    low_ = random_->next();
  } else if (++low_ == 0 && ++high_ > 0xFFFF) {
    ++millis_;
    high_ = 0;
  }
  // 48 bits of time are 10 characters, 16 + 64 random bits are 16.
  std::string out(26, '0');
  std::uint64_t time = millis_;
  for (std::size_t i = 10; i-- > 0; time >>= 5) out[i] = kAlphabet[time & 31];
  std::uint64_t high = high_, low = low_;
  for (std::size_t i = 26; i-- > 10;) {
    out[i] = kAlphabet[low & 31];
    low = (low >> 5) | (high << 59);
    high >>= 5;
  }
  return out;
}

}  // namespace kiln::fhir
