#pragma once
// JSON Patch (RFC 6902), XML Patch (RFC 5261) and FHIRPath Patch (fhirpatch.html) over resources (fhir.md §9). A patch is applied
// whole or not at all; the input is never changed.

#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "fhir/model/tree.h"

namespace kiln::fhir {

/// RFC 6902 over any JSON document: add, remove, replace, move, copy, test. Numbers keep their text; `test`
/// compares them by value, exactly. Gives compact JSON. Errors: those of read_json() for either text;
/// fhir_patch (the patch itself is malformed); fhir_patch_failed (a path that does not exist, a `test` that
/// does not hold); limit_exceeded (kPatchOperationsMax, or a result that is too large or too deep). The place
/// names the operation ("operation 3, /name/0").
base::Result<std::string> apply_json_patch(std::string_view document, std::string_view patch);

/// The same for a resource: the result must be a valid resource of the same type. Also refused
/// (fhir_patch_failed): changes of `id` and meta.versionId.
base::Result<Tree> apply_json_patch(Node resource, std::string_view patch);

/// RFC 5261 over any XML document: add, replace, remove. `sel` is a path of steps to children with positions and
/// comparisons (`f:Patient/f:name[f:use/@value='official']/f:family/@value`), and gives one node. Comments, processing
/// instructions and namespace declarations are no targets. Errors: those of read_xml() for either text; fhir_patch (the
/// patch, or a path, is malformed); fhir_patch_failed (a path that leads to nothing or to several); limit_exceeded.
base::Result<std::string> apply_xml_patch(std::string_view document, std::string_view patch);

/// The same for a resource, as apply_json_patch(): the result must be a valid resource with its elements in order. A
/// narrative that is not touched stays as it is, byte for byte.
base::Result<Tree> apply_xml_patch(Node resource, std::string_view patch);

/// fhir_patch_failed when the type, the id or meta.versionId is another one.
base::Status check_same_resource(Node before, Node after);

/// `parameters`: a Parameters resource whose parameters named "operation" are applied in order: add, insert,
/// delete, replace, move. Each path must give one element (insert and move: the items of one list; delete may
/// give none). An element that is left without content goes with it. Values must be of the type of the
/// element. Errors: fhir_patch, fhir_patch_failed, those of FHIRPath, limit_exceeded.
base::Result<Tree> apply_path_patch(Node resource, Node parameters);

}  // namespace kiln::fhir
