#pragma once
// Bulk jobs of a running server: each has a folder with its files and a note of how far it is, so that it goes on after
// a stop (fhir.md §12).

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/executor.h"
#include "engine/base/random.h"
#include "engine/bulk/export.h"
#include "fhir/bulk.h"

namespace kiln::engine {

class ExportJobs final : public fhir::BulkJobs {
 public:
  struct Parts {
    base::Env* env = nullptr;
    const base::Clock* clock = nullptr;
    std::string folder;                       ///< made when it is not there
    std::string base_url;
    std::unique_ptr<fhir::Store> reader;      ///< used by `executor` only
    base::Executor* executor = nullptr;       ///< its thread must be idle before this is destroyed
    std::string id_prefix;                    ///< not to be guessed, and unlike that of an earlier start
  };
  /// Finds the jobs of earlier starts and goes on with those that were not done. A job whose note cannot be read is
  /// removed.
  static base::Result<std::unique_ptr<ExportJobs>> open(Parts parts);
  ~ExportJobs() override;

  /// No further page is read; what is under way goes on at the next start.
  void stop() { stopping_ = true; }

  fhir::Answer<std::string> start(fhir::BulkExport request) override;
  fhir::Answer<fhir::BulkStatus> status(const std::string& id, const std::string& owner) override;
  fhir::Answer<void> remove(const std::string& id, const std::string& owner) override;
  fhir::Answer<std::string> file(const std::string& id, const std::string& owner, const std::string& name) override;

 private:
  struct Job;
  explicit ExportJobs(Parts parts) : parts_(std::move(parts)) {}
  void step(const std::shared_ptr<Job>& job);
  base::Status run_page(Job& job);
  base::Status prepare(Job& job);
  base::Status save(const Job& job) const;
  void publish(Job& job);
  void sweep();
  std::shared_ptr<Job> find(const std::string& id, const std::string& owner);
  base::Status load(const std::string& id);
  std::string folder_of(const std::string& id) const;
  void remove_files(const std::string& id) const;

  Parts parts_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Job>> jobs_;
  std::uint64_t next_ = 0;
};

}  // namespace kiln::engine
