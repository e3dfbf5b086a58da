#pragma once
// Maps and input files of the verbs that run a map outside an engine.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/diagnostic.h"
#include "engine/base/result.h"
#include "engine/journal/journal.h"
#include "mappings/compiler.h"
#include "mappings/csv.h"
#include "mappings/lookup.h"
#include "mappings/package.h"
#include "mappings/tables.h"

namespace kiln::engine::detail {

/// A compiled set of maps: the shipped library, a site's files, or single files.
struct MapSet {
  std::shared_ptr<mappings::Library> library;
  mappings::CompiledLibrary compiled;
  std::shared_ptr<const mappings::TableSnapshot> tables;
  std::shared_ptr<mappings::LookupService> lookups;  ///< of the site that was loaded last; never null
  base::Diagnostics diagnostics;
};

/// The messages of an input file: several for an HL7 batch, one otherwise. The kind is told from the content.
struct InputFile {
  channels::ContentKind kind = channels::ContentKind::hl7;
  std::vector<std::string> messages;
};
/// "-" reads standard input.
base::Result<InputFile> read_input(const std::string& path);

/// `load`: site folders and .hmap files; `map` says which shipped package is needed. Of the shipped maps only those
/// are compiled whole that `map` takes an HL7 message of `inputs` to; all of them when `inputs` is empty or holds
/// something else. Errors: unreadable files. Findings are in `diagnostics`.
base::Result<MapSet> load_maps(const std::vector<std::string>& load, const std::string& map,
                               std::span<const InputFile> inputs = {});

/// Format of the csv declaration a map takes.
base::Result<mappings::CsvFormat> csv_format_of(const mappings::Library& library, const std::string& declaration);

}  // namespace kiln::engine::detail
