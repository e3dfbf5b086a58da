#pragma once
// The query language of search and replay (operations.md §6): `channel:lab_in state:quarantined type:ORU^R01
// id:M1 since:2h`. Terms are joined by AND; a term may be negated with a leading `-`.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/result.h"
#include "engine/journal/journal.h"

namespace kiln::engine {

struct QueryTerm {
  enum class Field : std::uint8_t {
    channel,  ///< exact name
    type,     ///< beginning of MSH-9 ("ADT", "ADT^A01"), a resource type, or csv
    id,       ///< MSH-10, exact
    msg,      ///< sequence number, or a range 10..20
    state,    ///< of the message: pending, unprocessed, or a delivery state at any destination
    dest,     ///< has an output or outcome for that destination ("adt_in/pas" or "pas")
    code,     ///< outcome code at any destination
    peer,     ///< beginning of the peer address
    replay_of,
    same_id_as,  ///< its MSH-10 was that of an earlier message with another body: the number of that, or a range
    since,  ///< received at or after: 2h, 30m, 7d, or a date/time
    before
  };
  Field field;
  bool negated = false;
  std::string text;
  std::int64_t low = 0, high = 0;  ///< msg: ids; since, before: `low` in micros
};

struct Query {
  std::vector<QueryTerm> terms;  ///< all must hold; none: every message
};

/// Errors: query_syntax with the term as place and the known fields as remedy. `now` anchors `since:2h`.
base::Result<Query> parse_query_text(std::string_view text, base::WallTime now);

/// The help text of the language, one line a field.
const char* query_help();

}  // namespace kiln::engine
