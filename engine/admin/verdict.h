#pragma once
// What is wrong, by how much it matters to patients, in one line each (operations.md §3 Overview). Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/json.h"

namespace kiln::engine {

struct Problem {
  enum class Level : std::uint8_t { warn, bad } level = Level::warn;
  std::string channel, destination;  ///< empty: of the whole
  std::string text;                  ///< what is wrong
  std::string doing;                 ///< what Kiln does about it
  std::string can;                   ///< what a human can do
  std::string command;               ///< `kiln …` for it, may be empty
  std::uint64_t waiting = 0;         ///< messages that are held up
};

/// Worst first: bad before warn, then by messages held up.
void sort_problems(std::vector<Problem>& problems);
/// Members "verdict" and "problems" of an object.
void write_problems(base::JsonWriter& json, const std::vector<Problem>& problems);
/// "14 min", "2 h 5 min", "3 d".
std::string print_age(std::int64_t seconds);

}  // namespace kiln::engine
