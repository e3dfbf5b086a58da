#pragma once
// The option schema of connectors and of the `server` block: one table for parsing, checks, documentation and
// the JSON schema (architecture.md §1, hmap.md §20).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kiln::channels {

enum class FieldType : std::uint8_t {
  string,          ///< "text"
  integer,         ///< 2575
  boolean,         ///< true | false
  duration,        ///< 30s                        (milliseconds)
  duration_range,  ///< 1s..5m                     (milliseconds, two values)
  size,            ///< 4MB                        (bytes; powers of 1024)
  address,         ///< 127.0.0.1:8080
  word,            ///< one of `words`; any when these are empty
  words,           ///< one or more of `words`; any when these are empty
  path,            ///< "in/orders", relative to the site
  name_template,   ///< "census/${date(run.received)}.csv": rendered per message, must stay below its folder
  secret,          ///< env("X") | file("/run/secrets/x") | cred("x"); a literal is E0909
  expressions,     ///< by PID-3[1].1, …
  retry,           ///< 20 | forever, then: backoff 1s..5m, jitter, then quarantine | stop
  nak,             ///< AE | AR | CE | CR | timeout | mismatch, then retry | block | quarantine | skip
  block,           ///< { … } of `fields`
  named_block,     ///< name { … } of `fields`
  binding,         ///< "CN=his.example.org" as "HIS"  (text, and what follows in `words`)
  any,             ///< accepted as written; meaning comes with the feature (only in `later` options)
};
const char* name_of(FieldType type);  ///< as documentation shows it: "duration", "size", …

/// One option. All text is static. A value may always be env("X") instead of a literal.
struct FieldSpec {
  const char* name;
  FieldType type = FieldType::string;
  const char* summary = "";
  bool required = false;
  const char* default_value = nullptr;  ///< as it would be written; nullptr: none
  std::span<const char* const> words = {};
  std::span<const FieldSpec> fields = {};
  bool later = false;     ///< known, but not in this version: `check` and `run` refuse it (E0915), tests run
  bool repeated = false;  ///< may stand several times (nak, alert, query)
  std::int64_t min = 0;   ///< integer, duration (ms), size (bytes)
  std::int64_t max = INT64_MAX;
  bool optional_block = false;  ///< of a block: without it there are no defaults of its options
  const char* lead = nullptr;  ///< a word that must stand before the value: charset `default` "8859/1"
};

/// The row of that name, or nullptr.
const FieldSpec* find_field(std::span<const FieldSpec> fields, std::string_view name);

/// A Markdown table of the options: name, type, default, meaning.
std::string print_field_table(std::span<const FieldSpec> fields);
/// A JSON schema (draft 2020-12) object of the options.
std::string print_field_schema(std::span<const FieldSpec> fields);

}  // namespace kiln::channels
