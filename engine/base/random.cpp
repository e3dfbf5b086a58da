#include "engine/base/random.h"

#include <sys/random.h>

#include <chrono>

namespace kiln::base {
namespace {

std::uint64_t splitmix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

std::uint64_t Random::below(std::uint64_t below) { return next() % below; }

SystemRandom::SystemRandom() : state_(0) {
  if (getrandom(&state_, sizeof state_, 0) != static_cast<long>(sizeof state_))
    state_ = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

std::uint64_t SystemRandom::next() { return splitmix(state_); }
std::uint64_t SeededRandom::next() { return splitmix(state_); }

}  // namespace kiln::base
