#include "fhir/detail/patching.h"

#include "engine/base/text.h"
#include "fhir/detail/content.h"
#include "fhir/detail/negotiation.h"
#include "fhir/detail/operations.h"
#include "fhir/model/json.h"
#include "fhir/model/tree_builder.h"
#include "fhir/patch/patch.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::string_view kJsonPatch = "application/json-patch+json", kXmlPatch = "application/xml-patch+xml";

base::Result<Tree> apply_document(Node resource, const PatchDocument& patch) {
  if (!patch.xml_patch.empty()) return apply_xml_patch(resource, patch.xml_patch);
  if (!patch.parameters) return apply_json_patch(resource, patch.json_patch);
  TRY(const Tree parameters, read_json(base::print_json(patch.parameters)));
  return apply_path_patch(resource, parameters.root());
}

Answer<Tree> patched_tree(Node resource, const PatchDocument& patch) {
  auto result = apply_document(resource, patch);
  if (result) return std::move(*result);
  base::Error error = std::move(result).error();
  // The request is well-formed; it is the result that would be no resource.
  if (error.code == ErrorCode::fhir_unknown_element || error.code == ErrorCode::fhir_wrong_type ||
      error.code == ErrorCode::fhir_empty)
    error.code = ErrorCode::fhir_patch_failed;
  return fail(std::move(error));
}

/// True when the narrative is generated from the data and was not touched by the patch.
bool has_stale_narrative(Node before, Node after) {
  const Node text = after["text"];
  if (!text || text["status"].text() != "generated") return false;
  return before["text"] && write_json(before["text"]) == write_json(text) &&
         write_json(before) != write_json(after);
}

std::string print_without_narrative(Node resource) {
  TreeBuilder out;
  out.open_root(resource.type());
  for (const Node child : resource)
    if (child.name() != "text") out.copy(child);
  out.close();
  const Tree tree = out.finish();
  return write_json(tree.root());
}

}  // namespace

Answer<PatchDocument> patch_of_body(const Call& call, base::JsonDocument& document) {
  const std::string_view content_type = call.headers->get("Content-Type");
  PatchDocument patch;
  if (media_type(content_type) == kJsonPatch) {
    patch.json_patch = call.raw_body;
    return patch;
  }
  if (media_type(content_type) == kXmlPatch) {
    patch.xml_patch = call.raw_body;
    if (patch.xml_patch.empty()) return fail(ErrorCode::fhir_patch, "the body is empty");
    return patch;
  }
  const auto format = body_format(content_type);
  if (!format || base::trim(content_type).empty())
    return fail(
        ErrorCode::fhir_media_type, "the Content-Type is no patch format", {},
        "application/json-patch+json, application/xml-patch+xml, or Parameters as application/fhir+json or application/fhir+xml");
  TRY(document, parse_body(call.raw_body, *format));
  patch.parameters = document.root();
  if (patch.parameters["resourceType"].text() != "Parameters")
    return fail(ErrorCode::fhir_patch, "a FHIRPath Patch is a Parameters resource");
  return patch;
}

Answer<PatchDocument> patch_of_entry(base::JsonView resource) {
  PatchDocument patch;
  const std::string_view type = resource["resourceType"].text();
  if (type == "Parameters") {
    patch.parameters = resource;
    return patch;
  }
  const std::string format = media_type(resource["contentType"].text());
  if (type != "Binary" || (format != kJsonPatch && format != kXmlPatch))
    return fail(ErrorCode::fhir_patch,
                "a PATCH entry holds Parameters, or a Binary of type application/json-patch+json or application/xml-patch+xml",
                "resource");
  std::string& into = format == kXmlPatch ? patch.xml_patch : patch.json_patch;
  if (!base::base64_decode(std::string(resource["data"].text()), into) || into.empty())
    return fail(ErrorCode::fhir_patch, "the data of the Binary is not base64", "resource.data");
  return patch;
}

Answer<base::JsonDocument> apply_patch(const StoredVersion& current, const PatchDocument& patch,
                                       const ServerContext& server) {
  ReadOptions keep;
  keep.unknown = UnknownElements::keep;
  TRY(const Tree before, read_json(current.body, keep));
  TRY(const Tree after, patched_tree(before.root(), patch));
  const std::string text = has_stale_narrative(before.root(), after.root())
                               ? print_without_narrative(after.root())
                               : write_json(after.root());
  TRY(base::JsonDocument document, base::parse_json(text));
  auto checked = check_resource(document.root(), current.type, current.type, server);
  if (!checked) {
    // The request is well-formed; it is the result that breaks a rule.
    Failure failure = std::move(checked).error();
    failure.issues = failure.shown();
    failure.error.code = ErrorCode::fhir_patch_failed;
    return tl::unexpected(std::move(failure));
  }
  return document;
}

Answer<Reply> run_patch(const Call& call, const std::string& id) {
  TRY(const auto current, call.store->read(call.type, id));
  if (!current) return fail(ErrorCode::fhir_not_found);
  if (current->deleted()) return tl::unexpected(gone(*current));
  TRY_VOID(check_if_match(call.headers->get("If-Match"), current));
  base::JsonDocument parameters;
  TRY(const PatchDocument patch, call.body ? patch_of_entry(call.body) : patch_of_body(call, parameters));
  TRY(const base::JsonDocument document, apply_patch(*current, patch, *call.server));
  const base::JsonView resource = document.root();
  const WriteRequest request{call.type, id, resource, {}, {}, {}, WriteMethod::patch};
  TRY(const WriteResult result, update(*call.store, request, *call.server));
  return write_reply(call, call.type, id, result);
}

}  // namespace kiln::fhir::detail
