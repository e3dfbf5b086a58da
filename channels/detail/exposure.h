#pragma once
// What a site shows or sends without protection although nobody wrote that it may (security.md D1): asked by the check of the
// files, and again when env(), file() and cred() are filled in.

#include <optional>
#include <string>
#include <vector>

#include "channels/definition.h"

namespace kiln::channels::detail {

struct Exposure {
  base::ErrorCode code;  ///< E0910, E0911
  base::Span span;
  std::string message, help;
};
/// Of the server block: listeners of HTTP, console and health beyond loopback, secrets of alert routes. What is not resolved is
/// left out.
std::vector<Exposure> find_exposures(const Options& server);
/// The same of a channel's listener.
std::optional<Exposure> find_exposure(const ChannelDefinition& channel);

}  // namespace kiln::channels::detail
