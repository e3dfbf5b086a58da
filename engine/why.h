#pragma once
// `kiln why`: the path of one message in plain words, from what is on record (operations.md §1 #19). Pure: it
// never runs a map again and never shows content.

#include <optional>
#include <string>
#include <vector>

#include "channels/definition.h"
#include "engine/journal/reader.h"

namespace kiln::engine {

/// What the engine knows of one destination now; nothing when no engine runs.
struct QueueFacts {
  std::string destination;  ///< "adt_in/pas"
  bool blocked = false, paused = false;
  std::string closed;  ///< outside of its hours: when it opens
  MessageId head = 0;
  std::uint64_t pending = 0;
  std::int64_t next_try_ms = -1;
  std::string last_error;
  std::string held = {};  ///< when it is paused: by whom, since when and why; `resume` lets it go on
  std::string resume = {};
};

/// A message made of this one.
struct MadeMessage {
  MessageId id = 0;
  std::string state;  ///< MessageSummary::state()
  bool open = false;  ///< set aside, and nobody has decided
};

struct WhyFacts {
  MessageSummary summary;
  std::string config_hash;   ///< the version it is pinned to
  std::string running_hash;  ///< of the site now; empty: no engine runs
  const channels::ChannelDefinition* channel =
      nullptr;  ///< of today's site; nullptr: it has none of that name
  std::vector<std::pair<std::string, std::vector<Attempt>>> attempts;  ///< by destination
  std::vector<QueueFacts> queues;
  std::vector<MadeMessage> replays, edits, parts;  ///< messages made of this one
  bool made_cut = false;                           ///< there may be more of them
  base::WallTime now;
};

struct WhyStep {
  std::string what;  ///< listener, identity, stored, accept, map, queue, attempt, end, hold
  std::string text;
  std::string place;  ///< "channels/lab.channel:12", may be empty
};

struct WhyAdvice {
  std::string text, command;
  std::string action;  ///< replay, release, resolve, resume, retry-now, edit; may be empty
};

struct Why {
  std::string state;
  base::WallTime since;
  std::vector<std::string> text;  ///< sentences: where it is, why, since when
  std::vector<WhyStep> steps;
  std::string doing;  ///< what Kiln does about it
  std::string next;   ///< what happens next; empty: nothing
  base::WallTime next_try;
  std::vector<WhyAdvice> can;
};

Why explain_state(const WhyFacts& facts);
std::string print_why_json(MessageId id, const Why& why);

}  // namespace kiln::engine
