#pragma once
// The lookups of a site (hmap.md §8): rows of SQLite databases and PostgreSQL servers (`query` of kiln.conf) and of
// csv files, fetched before a map runs.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "channels/definition.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/sql/sql_link.h"
#include "mappings/lookup.h"

namespace kiln::engine {

/// `query NAME { file "…"; sql "…" }` of kiln.conf, or with `postgres { … }` instead of the file.
struct LookupQuery {
  std::string file;  ///< relative to the site
  std::string sql;   ///< parameters by name: `:mrn`
  std::optional<base::PostgresOptions> postgres;
};
/// `server` is resolved where passwords are needed; `folder` is the site's.
std::map<std::string, LookupQuery> lookup_queries(const channels::Options& server, const std::string& folder);

/// Whoever gives the processor the lookups of a site.
class LookupProvider {
 public:
  virtual ~LookupProvider() = default;
  /// Valid as long as the provider and the site; null: the site cannot ask anything.
  virtual mappings::LookupService* lookups(const channels::Site& site) = 0;
};

/// Answers from databases and files. A server that does not answer, a file that is missing, locked, broken or of another form answers with
/// State::failed and one line in the log; it is opened again at the next message. A changed file is noticed at
/// the next message. One thread at a time; a query ends after kLookupStepsMax steps of the database.
class SiteLookups final : public mappings::LookupService {
 public:
  SiteLookups(std::map<std::string, LookupQuery> queries, std::string folder, base::Env& env,
              const base::Clock& clock);
  ~SiteLookups() override;

  std::vector<mappings::LookupAnswer> fetch(const mappings::ir::Unit& unit,
                                            std::span<const mappings::LookupKey> keys) override;
  /// Whether the source can be asked and has the columns. Errors: E0411, E0412, file_not_found, those of the
  /// database and of the CSV reader.
  base::Status check(const mappings::LookupShape& shape);

 private:
  struct Source;
  Source& source_of(const mappings::ir::Unit& unit, const std::string& lookup);
  base::Status open(Source& source);
  base::Status open_database(Source& source, const std::string& path);
  base::Status open_file(Source& source, const std::string& path);
  base::Status open_server(Source& source, const LookupQuery& query);
  mappings::LookupAnswer ask(Source& source, const mappings::LookupKey& key);
  base::Result<mappings::LookupAnswer> ask_database(Source& source, const mappings::LookupKey& key);
  void complain(Source& source, const base::Error& error);

  std::map<std::string, LookupQuery> queries_;
  std::string folder_;
  base::Env& env_;
  const base::Clock& clock_;
  std::unordered_map<std::string, std::unique_ptr<Source>> sources_;
};

/// The services of all sites that one processor serves.
class LookupPool final : public LookupProvider {
 public:
  LookupPool(base::Env& env, const base::Clock& clock) : env_(env), clock_(clock) {}
  mappings::LookupService* lookups(const channels::Site& site) override;
  /// Closes what was opened for sites; what is still used is opened again.
  void forget() { by_site_.clear(); }

 private:
  base::Env& env_;
  const base::Clock& clock_;
  std::map<std::string, std::unique_ptr<SiteLookups>> by_site_;  ///< by hash of the site
};

}  // namespace kiln::engine
