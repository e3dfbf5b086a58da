#pragma once
// What a site gives up of its protection, in writing: shown by the console, counted in the figures.

#include <string>
#include <vector>

#include "channels/definition.h"

namespace kiln::engine {

struct InsecureSetting {
  std::string place;  ///< "server", "lab_in", "lab_in/pas"
  std::string text;   ///< "health { insecure accept_risk }"
};
/// Every `insecure` that is written, in order; then `loopback open`, a long `idle_logoff`, `durability relaxed`.
std::vector<InsecureSetting> insecure_settings(const channels::Site& site);

}  // namespace kiln::engine
