#pragma once
// Access to the FHIR API until users and scopes are configured: everything from this machine, nothing from elsewhere
// (fhir.md §14, security.md D18: `fhir.auth = none` is for loopback only).

#include "fhir/access.h"

namespace kiln::engine {

class LoopbackAccess final : public fhir::Access {
 public:
  bool allow(const fhir::Principal& principal, std::string_view interaction, std::string_view type,
             std::string_view query) const override;
};

/// True for 127.0.0.0/8, ::1 and the control socket ("local"), with or without port.
bool is_loopback(std::string_view peer);

}  // namespace kiln::engine
