#pragma once
// The FHIR server of a data folder without sockets, for verbs that write into a store while no engine runs.

#include <memory>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/executor.h"
#include "engine/base/random.h"
#include "engine/command.h"
#include "engine/detail/data_lock.h"
#include "engine/fhir_service.h"

namespace kiln::engine {

/// Where a store is, and the rules it is written by.
struct LocalStore {
  std::string folder;
  std::string base_url = "http://127.0.0.1:8080/fhir";
  FhirRules rules;

  /// From --site or --data. Errors: those of reading kiln.conf.
  static base::Result<LocalStore> find(const Arguments& arguments, base::Env& env);
  std::string path() const { return base::join_path(folder, "fhir.db"); }
};

/// Whoever may open the files of a store may do everything with it.
class OwnerAccess final : public fhir::Access {
 public:
  bool allow(const fhir::Principal&, std::string_view, std::string_view, std::string_view) const override {
    return true;
  }
};

class LocalServer {
 public:
  /// Answers come on `home`, which outlives it. Makes the folder and the store when they are not there. Errors:
  /// data_in_use when an engine runs on the folder; those of open_store().
  static base::Result<std::unique_ptr<LocalServer>> open(LocalStore store, base::Env& env, base::TimerExecutor& home);
  ~LocalServer();

  FhirService& service() { return *service_; }
  /// Moves what was written into the file itself; after the last answer.
  void checkpoint();

 private:
  LocalServer() = default;
  detail::DataLock lock_;
  base::SystemClock clock_;
  base::SystemRandom random_;
  OwnerAccess access_;
  fhir::Store* writer_ = nullptr;
  std::unique_ptr<FhirService> service_;
  base::ThreadExecutor writing_{"kiln-store"}, reading_{"kiln-read"};  // joined before the service is gone
};

}  // namespace kiln::engine
