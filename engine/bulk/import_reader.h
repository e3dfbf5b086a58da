#pragma once
// From files to requests: NDJSON lines are gathered into batches, Bundles go as they are. What is sent may be sent
// again without harm: a resource without an id gets one that depends on nothing but its file.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/packed_file.h"

namespace kiln::engine {

/// A file of an import.
struct ImportFile {
  std::string path;
  std::uint64_t size = 0;  ///< bytes as stored
  bool lines = false;      ///< NDJSON
};

/// The files that names stand for: files, or folders with their .ndjson and .json files (also .gz and .zst), sorted by
/// name. Errors: file_not_found, io_failed, usage (a file with another ending).
base::Result<std::vector<ImportFile>> find_import_files(base::Env& env, const std::vector<std::string>& names);

/// Something that was not taken in.
struct ImportProblem {
  std::string place;  ///< "patients.ndjson:17", or "bundle.json: Bundle.entry[3]"
  std::string code;   ///< stable code of this program, or what the server called it
  std::string text;
  std::string remedy;
  bool fatal = false;  ///< the import cannot go on
};

/// One request of an import: a Bundle to POST to the base of a server.
struct ImportUnit {
  std::uint64_t number = 0;          ///< in the order of the input, from 0
  std::size_t file = 0;              ///< index
  std::string body;                  ///< Bundle
  /// What of its file is done with it and all before it: a line; of a file that is one document 1, or 0 when more of
  /// it follows.
  std::uint64_t last_line = 0;
  std::vector<std::uint64_t> lines;  ///< of the entries; of a file that is one document: none
  std::size_t first_entry = 0;       ///< position in its Bundle of the first of them
  std::size_t entries = 0;
  std::uint64_t bytes = 0;  ///< of the stored file that were read for it
  bool whole = false;       ///< a transaction: all entries, or none
};

/// Reads units one after the other; memory is that of one unit, or one Bundle file.
class ImportReader {
 public:
  struct Options {
    std::vector<ImportFile> files;
    std::vector<std::uint64_t> done;  ///< lines of each file that are not sent again
    bool server_ids = false;  ///< resources without an id are created, and get ids from the server
    std::function<void(ImportProblem)> problem;
  };
  explicit ImportReader(Options options) : options_(std::move(options)) {}

  /// False at the end. What cannot be read or parsed is told to `problem`, and the rest goes on.
  bool next(ImportUnit& unit);

 private:
  bool next_of_lines(ImportUnit& unit);
  void read_document(const std::string& path);
  bool add_line(ImportUnit& unit, std::string_view line, std::uint64_t number);
  void add_bundle(std::string_view text, std::uint64_t line);
  void tell(std::string place, base::Error error) const;

  Options options_;
  std::size_t file_ = 0;
  std::unique_ptr<base::LineReader> lines_;
  std::uint64_t line_base_ = 0;      ///< position of the file when the unit began
  std::vector<ImportUnit> waiting_;  ///< made of one document, in reverse order
  std::uint64_t units_ = 0;
};

}  // namespace kiln::engine
