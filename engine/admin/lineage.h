#pragma once
// Where each value of a map's result came from, as JSON (mappings/explain.h): of stored messages, of the
// playground's samples, and of `kiln explain`.

#include <string>
#include <vector>

#include "channels/definition.h"
#include "engine/base/json.h"
#include "mappings/explain.h"
#include "mappings/lookup.h"

namespace kiln::engine {

void write_lineage_source(base::JsonWriter& json, const mappings::ExplainedSource& source);
void write_lineage_value(base::JsonWriter& json, const mappings::ExplainedValue& value);
void write_run_note(base::JsonWriter& json, const mappings::RunDiagnostic& note);

struct LineageRequest {
  mappings::Program program;
  std::vector<std::string> maps;  ///< what else could have been asked for
  channels::ContentKind kind = channels::ContentKind::hl7;
  std::string text;
  std::string channel;
  base::WallTime received;
  std::string lookups;     ///< answers kept with the message
  std::string path, from;  ///< only values there, or from there; empty: all
};

/// {"map","maps","outcome","reason"?,"kind","output","values":[…],"unread":[…],"notes":[…],"lookups"}.
/// `service` may be null: what is not kept is then not answered. Any thread, with a service of that thread.
/// Errors: of reading the text.
base::Result<std::string> print_lineage(const channels::Site& site, mappings::LookupService* service,
                                        const LineageRequest& request);

/// Members "diff" ([{"path","before"?,"after"?}]) and "outcome" of an object: what the map makes of `after`
/// and not of `before`. Errors: as print_lineage().
base::Status write_difference(base::JsonWriter& json, const channels::Site& site,
                              const LineageRequest& before, const LineageRequest& after);

/// The maps of a channel that take content of that kind, as (name, program).
std::vector<std::pair<std::string, mappings::Program>> maps_of(const channels::ChannelDefinition& channel,
                                                               channels::ContentKind kind);

}  // namespace kiln::engine
