#pragma once
// FHIR JSON ⇄ Tree (fhir.md M2–M6; json.html). Strict: what is not valid FHIR JSON is refused with line,
// column and FHIRPath; nothing is dropped, no number passes through a binary floating point type.

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/result.h"
#include "fhir/model/tree.h"

namespace kiln::fhir {

enum class UnknownElements : std::uint8_t {
  refuse,
  keep,  ///< kept as untyped nodes and written again
};

/// What a reader found wrong and could read over. `code`: fhir_unknown_element, fhir_wrong_type, fhir_empty
/// or json_duplicate_key.
struct ReadIssue {
  base::ErrorCode code = base::ErrorCode::fhir_invalid;
  std::string text;  ///< what is wrong; never a value
  std::string path;  ///< FHIRPath of the element
  std::size_t offset = 0;
};

struct ReadOptions {
  bool typed = true;
  /// What the document is when it is no resource ("HumanName"); nullptr: a resource, by its resourceType.
  const TypeDef* type = nullptr;
  UnknownElements unknown = UnknownElements::refuse;
  std::size_t bytes_max = base::limits::kMessageBytesMax;
  std::size_t depth_max = base::limits::kJsonDepthMax;
  /// When set, what can be read over is appended here (at most kValidationIssuesMax) and does not refuse the
  /// document: the node is kept as it is written, with the type that belongs there. For validation.
  std::vector<ReadIssue>* issues = nullptr;
};

/// Errors: json_syntax, json_duplicate_key, invalid_utf8, limit_exceeded, fhir_unknown_element,
/// fhir_wrong_type, fhir_empty, each with "line L, column C" and, when known, the FHIRPath as place; never
/// with a value. Memory is bounded by a small multiple of the text, time is linear in it. A byte order mark
/// at the start is skipped. In an untyped read only JSON itself, duplicate names and the limits are checked.
base::Result<Tree> read_json(std::string_view text, const ReadOptions& options = {});

/// Canonical: `resourceType` first, then the order of the tree; numbers as they were written; `x` / `_x` with
/// null padding. write(read(x)) == x for compact input in that form. Pretty: two spaces, a final newline.
std::string write_json(Node node, bool pretty = false);
/// The same, behind what is in `out`.
void append_json(std::string& out, Node node, bool pretty = false);

}  // namespace kiln::fhir
