#pragma once
// The certificates a site shows, for the console and the alarm before they expire.

#include <string>
#include <vector>

#include "channels/definition.h"
#include "engine/base/clock.h"

namespace kiln::engine {

struct CertificateInfo {
  std::string where;            ///< "http", "console", "channel lab", "destination lab/archive"
  std::string subject, issuer;  ///< RFC 2253
  base::WallTime from, expires;
};

/// Of every `tls { cert … }` of the resolved site, the first of each chain. What cannot be read is left out.
std::vector<CertificateInfo> certificates_of(const channels::Site& site);

}  // namespace kiln::engine
