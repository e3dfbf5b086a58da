#pragma once

namespace kiln::engine {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace kiln::engine
