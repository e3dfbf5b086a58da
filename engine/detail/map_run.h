#pragma once
// One message through a map outside an engine, with everything that explaining the result needs.

#include <memory>
#include <string>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/detail/map_files.h"
#include "hl7/message.h"
#include "mappings/csv.h"
#include "mappings/program.h"

namespace kiln::engine::detail {

/// Keeps the input, the runner and its result together; they refer to each other, so it stays where it is.
class MapRun {
 public:
  MapRun() = default;
  MapRun(const MapRun&) = delete;
  MapRun& operator=(const MapRun&) = delete;

  /// Reads `text` as `kind` and runs the map; `recorded` answers are not asked for again. Errors: a text that cannot be read, or of another kind than the
  /// map takes. Whatever the map decides is in result().
  base::Status run(const MapSet& maps, const mappings::Program& program, channels::ContentKind kind,
                   const std::string& text, const mappings::RunContext& context,
                   std::vector<mappings::LookupAnswer> recorded = {});

  /// The same with the parts of a site; `lookups` may be null.
  base::Status run(const mappings::Library& library, mappings::LookupService* lookups, const mappings::Program& program,
                   channels::ContentKind kind, const std::string& text, const mappings::RunContext& context,
                   std::vector<mappings::LookupAnswer> recorded = {});

  const mappings::RunResult& result() const { return *result_; }
  const mappings::RunInput& input() const { return input_; }
  const mappings::Runner& runner() const { return runner_; }
  /// The message; nullptr when the input is not HL7.
  const hl7::Message* message() const { return message_.get(); }

 private:
  std::unique_ptr<hl7::Message> message_;
  base::JsonDocument document_;
  mappings::CsvFile csv_;
  mappings::RunInput input_;
  mappings::Runner runner_;
  const mappings::RunResult* result_ = nullptr;
};

}  // namespace kiln::engine::detail
