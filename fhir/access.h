#pragma once
// Who may do what (fhir.md §14). Implemented by engine/security; the FHIR side asks before every interaction,
// for every Bundle entry and for every type a search touches.

#include <string>
#include <string_view>

namespace kiln::fhir {

/// Who sent a request, as the engine found out.
struct Principal {
  std::string name;       ///< user or client id; empty when nobody authenticated
  bool loopback = false;  ///< the peer is this machine (or the control socket)
};

class Access {
 public:
  virtual ~Access() = default;
  /// `interaction` is an Interaction name ("read", "create", "search", …), `type` a resource type or empty
  /// for the system level, `query` the undecoded query or criteria. False: the caller answers 403 without
  /// saying more. Called on the thread that runs the interaction; must not block.
  virtual bool allow(const Principal& principal, std::string_view interaction, std::string_view type,
                     std::string_view query) const = 0;
};

/// What applies when nothing was configured.
class DenyAll final : public Access {
 public:
  bool allow(const Principal&, std::string_view, std::string_view, std::string_view) const override {
    return false;
  }
};

}  // namespace kiln::fhir
