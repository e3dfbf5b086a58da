#pragma once
// AuditEvents and Provenances that Kiln writes itself, by switch (fhir.md §14, security.md §5): in the
// transaction of what they tell about.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/http_message.h"
#include "fhir/access.h"
#include "fhir/ids.h"
#include "fhir/store.h"

namespace kiln::engine {

/// Which are written.
struct AuditRules {
  bool writes = false;  ///< an AuditEvent for each write that was done or forbidden
  bool reads = false;   ///< and for each read and search; its answer leaves when the event is durable
  bool channel_provenance = false;  ///< a Provenance with what a channel writes
  bool client_provenance = false;   ///< and with what a client writes
  bool any() const { return writes || reads || channel_provenance || client_provenance; }
};

/// Who did it.
struct Actor {
  std::string name;     ///< user, or "channel adt_in"; empty: nobody logged in
  std::string address;  ///< of the client; empty for a channel
  std::string source;   ///< number of the message that a channel mapped; empty for a client
};

/// What a request was about.
struct AuditedRequest {
  std::string code;  ///< restful-interaction: "create", "search-type", "transaction", "operation"
  std::string type, id;
  std::string query;  ///< as it came; empty when there is none
  std::string request_id;
  int status = 200;
};

/// nullopt: requests of which nothing is told (the CapabilityStatement, what no interaction answers).
std::optional<AuditedRequest> describe(const base::HttpRequest& request, std::string_view base_path,
                                       int status);

/// Writes on the writing connection, inside the transaction of what it tells about. `before`: last_seq() when
/// that began; everything written since is named. Nothing is told of AuditEvents and Provenances themselves.
/// Errors: of the store; then what it tells about must be undone.
class AuditWriter {
 public:
  AuditWriter(AuditRules rules, const base::Clock& clock, fhir::IdSource& ids)
      : rules_(rules), clock_(clock), ids_(ids) {}
  const AuditRules& rules() const { return rules_; }

  base::Status note_write(fhir::Store& store, const Actor& actor, const AuditedRequest& request,
                          std::int64_t before);
  base::Status note_read(fhir::Store& store, const Actor& actor, const AuditedRequest& request);

 private:
  struct Written {
    std::string reference;  ///< "Patient/p1/_history/2"
    fhir::WriteMethod method;
  };
  static base::Result<std::vector<Written>> written_since(fhir::Store& store, std::int64_t seq);
  std::string print_event(const Actor& actor, const AuditedRequest& request,
                          const std::vector<Written>& written) const;
  std::string print_provenance(const Actor& actor, const std::vector<Written>& written) const;
  base::Status put(fhir::Store& store, std::string_view type, const std::string& text);

  AuditRules rules_;
  const base::Clock& clock_;
  fhir::IdSource& ids_;
};

}  // namespace kiln::engine
