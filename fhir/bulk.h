#pragma once
// Bulk Data export (the guide http://hl7.org/fhir/uv/bulkdata) as the interactions see it. Implemented by engine/bulk.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "fhir/outcome.h"

namespace kiln::fhir {

struct BulkExport {
  std::string owner;                    ///< Principal::name of who asked: nobody else may see the job
  std::string request;                  ///< the kick-off URL
  std::vector<std::string> types;       ///< sorted, at least one
  std::optional<base::WallTime> since;
  std::vector<std::string> filters;     ///< of _typeFilter: "Patient?gender=female", still encoded
  bool patients = false;                ///< only what is in the compartment of a patient, …
  std::optional<std::set<std::string>> patient_ids;  ///< … of these
};

struct BulkFile {
  std::string type, name;
  std::uint64_t count = 0;
  bool deleted = false;
};

struct BulkStatus {
  enum class State { running, done, failed } state = State::running;
  std::string progress;              ///< while it runs: at most 100 characters
  std::string request;
  base::WallTime transaction_time;   ///< nothing that changed later is in it
  base::WallTime expires;            ///< of a finished job
  std::vector<BulkFile> files;       ///< when it is done
  std::string problem;               ///< when it failed
};

/// Jobs that go on after their request was answered, also after a restart. Thread-safe. `owner`: a job of somebody
/// else is fhir_not_found, like one that was cancelled or has expired.
class BulkJobs {
 public:
  virtual ~BulkJobs() = default;
  /// The id of the job. Errors: bulk_busy, io_failed, disk_full.
  virtual Answer<std::string> start(BulkExport request) = 0;
  virtual Answer<BulkStatus> status(const std::string& id, const std::string& owner) = 0;
  /// Ends a running job, and removes what a finished one left.
  virtual Answer<void> remove(const std::string& id, const std::string& owner) = 0;
  /// A file of a finished job.
  virtual Answer<std::string> file(const std::string& id, const std::string& owner, const std::string& name) = 0;
};

}  // namespace kiln::fhir
