#pragma once
// The query language of search, replay and alerts (operations.md §6): `channel:lab_in (type:ORU^R01 OR type:ORM)
// mrn:12345 NOT state:sent pending>10m`.

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
    channel,     ///< exact name
    type,        ///< beginning of MSH-9 ("ADT", "ADT^A01"), a resource type, or csv
    id,          ///< MSH-10, exact
    msg,         ///< sequence number, or a range 10..20
    state,       ///< of the message: pending, unprocessed, or a delivery state at any destination
    dest,        ///< has an output or outcome for that destination ("adt_in/pas" or "pas")
    code,        ///< outcome code at any destination
    peer,        ///< beginning of the peer address
    replay_of,
    same_id_as,  ///< its MSH-10 was that of an earlier message with another body: the number of that, or a range
    since,       ///< received at or after: 2h, 30m, 7d, or a date/time
    before,
    pending,     ///< pending>10m: waits, and was received before `low`
    attempts,    ///< attempts>3: so many at any destination
    mrn,         ///< PID-3.1 or an identifier of a FHIR resource, exact but for case and blanks
    account,     ///< PID-18.1
    name,        ///< every word of it is a word of PID-5
    text,        ///< every word of it is a word of the message
    path         ///< `name` holds the path or the configured name, `text` the value
  };
  Field field;
  bool negated = false;
  std::string text;
  std::string name;
  std::int64_t low = 0, high = 0;  ///< msg: ids; since, before, pending: `low` in micros; attempts: `low`
};

/// A term, or a list of parts of which all or any must hold. NOT is pushed down to the terms.
struct QueryNode {
  enum class Kind : std::uint8_t { all, any, term } kind = Kind::all;
  QueryTerm term;                ///< of `term`
  std::vector<QueryNode> parts;  ///< of the others; `all` without parts holds always
};

struct Query {
  QueryNode root;
  void add(QueryTerm term);  ///< holds with what is there
};

/// A term about what stands in the message, which no column of the journal holds.
bool is_content(const QueryTerm& term);
bool has_content(const QueryNode& node);

/// Errors: query_syntax with the term as place and the known fields as remedy. `now` anchors `since:2h`.
base::Result<Query> parse_query_text(std::string_view text, base::WallTime now);

/// The help text of the language, one line a field.
const char* query_help();

/// For completion: every field with what it means, and its values where they are a closed list.
struct QueryFieldHelp {
  const char* name;
  const char* help;
  std::vector<std::string> values;
};
std::vector<QueryFieldHelp> query_fields();

}  // namespace kiln::engine
