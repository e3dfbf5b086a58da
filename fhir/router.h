#pragma once
// The FHIR HTTP API without sockets and threads: one request in, one response out.

#include <string>

#include "engine/base/clock.h"
#include "engine/base/http_message.h"
#include "engine/base/limits.h"
#include "fhir/access.h"
#include "fhir/ids.h"
#include "fhir/outcome.h"
#include "fhir/store.h"

namespace kiln::fhir {

class Validator;

/// A rule of the engine about what may be written (fhir.md §13); asked inside the write, on the writing thread.
class WriteRule {
 public:
  virtual ~WriteRule() = default;
  /// A failure refuses the write with its status and outcome.
  virtual Answer<void> check(std::string_view type, base::JsonView resource) const = 0;
};

/// What the interactions need besides the store. Pointers are borrowed and outlive every call.
struct ServerContext {
  std::string base_url;  ///< absolute URL of the API without a final '/': "http://localhost:8080/fhir"
  std::string base_path = "/fhir";  ///< what the request target starts with; may be empty
  const base::Clock* clock = nullptr;
  IdSource* ids = nullptr;                          ///< only used by writes, on the writer's thread
  const Access* access = nullptr;                   ///< nullptr denies everything
  std::string security;  ///< CapabilityStatement.rest.security.description: how a client shows who it is
  bool certificates = false;  ///< a client certificate is one of these ways
  std::string software_version;                     ///< for the CapabilityStatement
  base::WallTime started;                           ///< date of the CapabilityStatement
  std::string origin = std::string(kClientOrigin);  ///< recorded with every version
  bool update_create = true;                        ///< PUT to an id that does not exist creates it
  bool skip_identical = true;                       ///< an unchanged PUT makes no version
  bool conditional_delete_multiple = false;
  std::size_t bundle_entries_max = base::limits::kBundleEntriesMax;
  bool strict_search = false;  ///< default of `Prefer: handling`
  bool validate = true;        ///< structural check of what is written
  /// Invariants and profiles of what is written are checked as well (422); needs `validate`.
  bool validate_profiles = false;
  /// With its library: what $validate, the terminology operations and validate_profiles know. nullptr: what is
  /// shipped with the program.
  const Validator* validator = nullptr;
  const WriteRule* write_rule = nullptr;  ///< of every create, update and patch; nullptr: none
};

/// True when the request may write, and so must run on the writing Store inside its own savepoint scope
/// (handle() opens one) of a group commit. False: a reader will do. Unknown or wrong requests are false.
bool is_write(const base::HttpRequest& request, const ServerContext& context);

/// Runs one request. Never fails: every failure is a response with an OperationOutcome. A write is undone by
/// itself unless it succeeded; the answer may be sent only after the surrounding transaction was committed.
base::HttpResponse handle(const base::HttpRequest& request, const Principal& principal, Store& store,
                          const ServerContext& context);

/// The validator of a context, or the one of the shipped definitions.
const Validator& validator_of(const ServerContext& context);

/// A request id of a client that is short and harmless; others are replaced.
bool is_request_id(std::string_view text);

/// The answer to a request that is refused before it reaches an interaction: an OperationOutcome, with Retry-After
/// where trying again can help, and WWW-Authenticate for a 401.
base::HttpResponse refuse(const base::Error& error);

/// The answer to a request that HTTP itself refuses (too large, too slow, malformed), as an OperationOutcome.
base::HttpResponse refuse(int status, const std::string& why);

}  // namespace kiln::fhir
