#pragma once
#include <cstdint>
#include <span>

namespace kiln::base {

/// Randomness as a seam. Not for keys: those come from OpenSSL in engine/security.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  /// Uniform in [0, below); below > 0.
  std::uint64_t below(std::uint64_t below);
};

/// Seeded from the operating system. Not thread-safe: one per executor.
class SystemRandom final : public Random {
 public:
  SystemRandom();
  std::uint64_t next() override;
 private:
  std::uint64_t state_;
};

/// splitmix64 from a given seed: the same seed gives the same run.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override;
 private:
  std::uint64_t state_;
};

}  // namespace kiln::base
