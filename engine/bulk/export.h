#pragma once
// NDJSON of what a store held at one moment, by type, in files of bounded size. Memory is that of one page.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "fhir/search/query.h"
#include "fhir/store.h"

namespace kiln::engine {

/// What an export is about.
struct ExportScope {
  std::vector<std::string> types;       ///< sorted; empty: every type the store holds
  std::optional<base::WallTime> since;  ///< what changed then or later, with what was deleted
  std::int64_t up_to_seq = 0;           ///< the moment; 0: now, when the export begins
  /// Which resources: nothing is all; else those in the compartment of a patient, …
  bool patients = false;
  /// … and, when given, of one of these.
  std::optional<std::set<std::string>> patient_ids;
  /// Of a type with filters: what meets one of them.
  std::map<std::string, std::vector<fhir::SearchQuery>> filters;
};

/// A finished file.
struct ExportedFile {
  std::string type;
  std::string name;  ///< "Patient.1.ndjson"
  std::uint64_t count = 0, bytes = 0;
  bool deleted = false;  ///< its lines are transaction Bundles of deletions (bulk data, `deleted`)
};

/// Where an export is, so that it can go on after a stop.
struct ExportState {
  std::size_t type = 0;        ///< index in ExportScope::types
  std::int64_t after_rid = 0;  ///< in it
  std::vector<ExportedFile> files;  ///< the last one of each kind may still grow
  std::uint64_t resources = 0;
};

struct ExportOptions {
  std::string folder;
  bool gzip = false;                ///< each page becomes a member of its file
  std::uint64_t file_bytes_max = 0;  ///< 0: one file a type
};

/// True when the resource belongs to the compartment of a patient; `ids`: of one of these.
bool is_of_patient(std::string_view type, std::string_view id, std::string_view body,
                   const std::optional<std::set<std::string>>& ids, const std::string& own_base);

/// One page at a time.
class Exporter {
 public:
  /// `scope.types` and `scope.up_to_seq` are filled in. All are borrowed.
  static base::Result<Exporter> start(fhir::Store& store, base::Env& env, ExportOptions options, ExportScope& scope,
                                      ExportState state, std::string base_url);
  /// Reads and writes one page. False when it was the last one; everything is then on disk.
  base::Result<bool> step();
  const ExportState& state() const { return state_; }
  /// Makes what state() says durable.
  base::Status sync();

 private:
  struct Open {
    std::unique_ptr<base::AppendFile> file;
    std::size_t index = 0;  ///< in state_.files
    std::string text;
    std::uint64_t lines = 0;
  };
  Exporter(fhir::Store& store, base::Env& env, ExportOptions options, ExportScope& scope, ExportState state,
           std::string base_url);
  base::Status put(Open& open, bool deleted);
  base::Status open_file(Open& open, bool deleted);
  base::Result<bool> is_wanted(const fhir::StoredVersion& version);

  fhir::Store* store_;
  base::Env* env_;
  ExportOptions options_;
  ExportScope* scope_;
  ExportState state_;
  std::string base_url_;
  Open present_, deleted_;
};

}  // namespace kiln::engine
