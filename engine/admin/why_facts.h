#pragma once
// What `why`, `trace` and the timeline are told from: gathered from the journal, by a running engine or by
// the verb itself.

#include "engine/journal/reader.h"
#include "engine/why.h"

namespace kiln::engine {

/// Everything of WhyFacts that the journal knows. Errors: of the reader.
base::Result<WhyFacts> gather_why(JournalReader& reader, MessageId id, base::WallTime now);

/// Of destinations where it waits, what the last attempt came to: code, detail and answer.
void add_answers(JournalReader& reader, MessageSummary& summary);

struct RelatedMessage {
  MessageSummary summary;
  std::string relation;  ///< "this", "original", "replay of", "edited from", "part of", "made of" (handed on by a channel)
  MessageId to = 0;
};
/// The message, what it was made of, and everything made of these; at most 200, by number.
base::Result<std::vector<RelatedMessage>> trace_message(JournalReader& reader, MessageId id);
/// {"root","messages":[summary + "relation","to"]}
std::string print_trace(MessageId root, const std::vector<RelatedMessage>& related);

/// {"events":[{"at","what","destination"?,"text","code"?,"ms"?}]}, in order of time.
std::string print_timeline(const WhyFacts& facts);

/// {"outputs":[…]} of GET /messages/{id}/outputs.
base::Result<std::string> print_outputs(JournalReader& reader, MessageId id);

}  // namespace kiln::engine
