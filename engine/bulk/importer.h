#pragma once
// An import: requests of an ImportReader, several under way at once, repeated while the server is busy, with a note on
// disk of how far it is.

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/http_message.h"
#include "engine/base/json.h"
#include "engine/base/network.h"
#include "engine/bulk/import_reader.h"

namespace kiln::engine {

struct ImportProgress {
  std::uint64_t accepted = 0, refused = 0;  ///< resources of this run
  std::uint64_t bytes = 0, bytes_total = 0;  ///< of the files as stored, what an earlier run did included
};

/// Sends one request and gives its answer. The worker that has it uses it for one request at a time.
using ImportSend = std::function<base::Task<base::Result<base::HttpResponse>>(base::HttpRequest)>;

/// How far an import is, kept in a file. An empty path keeps nothing.
class ImportPosition {
 public:
  /// What the file says about these inputs; nothing when it is not there. Errors: import_position when it is about
  /// other files, or the inputs changed; io_failed.
  static base::Result<ImportPosition> open(base::Env& env, std::string path, std::vector<ImportFile> files);

  const std::vector<std::uint64_t>& done() const { return done_; }
  /// All units of the reader up to this one are known: what is settled in a row moves the position on.
  void settle(const ImportUnit& unit);
  base::Status write(base::Env& env);

 private:
  std::string path_;
  std::vector<ImportFile> files_;
  std::vector<std::uint64_t> done_;
  std::uint64_t next_ = 0;  ///< number of the first unit that is not settled
  std::map<std::uint64_t, std::pair<std::size_t, std::uint64_t>> ahead_;  ///< settled beyond it: file and line
};

class Importer {
 public:
  struct Options {
    std::vector<ImportFile> files;
    bool server_ids = false;
    std::size_t parallel = 4;
    std::string path;   ///< of the base URL: "/fhir"
    std::string token;  ///< sent as bearer token; empty: none
    std::function<ImportSend()> connect;  ///< called once a worker
    std::function<void(const ImportProblem&)> problem;
    std::function<void(const ImportProgress&)> progress;
    base::Env* env = nullptr;
    const base::Clock* clock = nullptr;
  };
  /// `executor` runs everything; it and the position outlive the importer.
  Importer(base::TimerExecutor& executor, Options options, ImportPosition& position);

  /// To the end of the input, or to the first thing that makes going on useless.
  base::Task<void> run();
  const ImportProgress& progress() const { return progress_; }
  /// Why it ended early.
  const base::Status& status() const { return status_; }

 private:
  enum class Verdict { done, again, later };
  base::Task<void> work(std::size_t worker);
  base::Task<void> deliver(ImportSend send, ImportUnit unit);
  bool take(ImportUnit& unit);
  Verdict judge(const ImportUnit& unit, const base::Result<base::HttpResponse>& response);
  void judge_entries(const ImportUnit& unit, base::JsonView bundle);
  void refuse(const ImportUnit& unit, std::string place, base::JsonView outcome, int status);
  std::string place_of(const ImportUnit& unit, std::size_t entry) const;
  void settle(const ImportUnit& unit);
  base::HttpRequest request_of(const ImportUnit& unit) const;

  Options options_;
  ImportPosition& position_;
  base::TimerExecutor& executor_;
  ImportReader reader_;
  base::Event pause_;
  base::Completion<bool> round_;
  std::size_t working_ = 0;
  bool reading_ = true;             ///< units come from the files; else from due_
  std::deque<ImportUnit> due_;      ///< refused for what another request may have brought since
  std::deque<ImportUnit> later_;    ///< the same, for the next round
  std::uint64_t later_bytes_ = 0;
  base::MonoTime written_{};
  std::uint64_t wait_ms_ = 0;
  bool answered_ = false;  ///< the server has answered once
  ImportProgress progress_;
  base::Status status_;
};

}  // namespace kiln::engine
