#include <algorithm>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/model/detail/xml_scanner.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"
#include "fhir/patch/detail/xml_value.h"
#include "fhir/patch/patch.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;
using detail::XmlPath;
using detail::XmlValue;

/// Elements that all paths of a patch may look at.
constexpr std::size_t kLooksMax = 5'000'000;
constexpr std::size_t kNodesMax = 100'000;  ///< elements and texts of a patch; each takes about 250 bytes

std::size_t nodes_of(const XmlValue& value) {
  std::size_t out = 1;
  for (const auto& child : value.children) out += nodes_of(*child);
  return out;
}

std::string attribute_of(const XmlValue& element, std::string_view name) {
  for (const auto& [key, value] : element.attributes)
    if (key == name) return value;
  return {};
}

bool is_space(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == text.npos;
}

class XmlPatcher {
 public:
  XmlPatcher(XmlValue& document, detail::NamespaceOf namespace_of)
      : document_(document), namespace_of_(std::move(namespace_of)) {}

  Status apply(const XmlValue& operations) {
    for (const auto& operation : operations.children) {
      if (operation->is_text) {
        if (is_space(operation->text)) continue;
        return base::fail(ErrorCode::fhir_patch, "text between the operations");
      }
      ++number_;
      if (number_ > base::limits::kPatchOperationsMax)
        return base::fail(ErrorCode::limit_exceeded, "the patch has too many operations");
      TRY_VOID(apply_one(*operation));
    }
    if (number_ == 0) return base::fail(ErrorCode::fhir_patch, "the patch has no operation", {}, "<add>, <replace> or <remove>");
    return {};
  }

 private:
  tl::unexpected<base::Error> refuse(ErrorCode code, std::string why) const {
    return base::fail(code, std::move(why), "operation " + std::to_string(number_));  // a path may hold a patient's data
  }
  tl::unexpected<base::Error> malformed(std::string why) const { return refuse(ErrorCode::fhir_patch, std::move(why)); }
  tl::unexpected<base::Error> impossible(std::string why) const {
    return refuse(ErrorCode::fhir_patch_failed, std::move(why));
  }

  Status apply_one(const XmlValue& operation) {
    const std::string sel = attribute_of(operation, "sel");
    if (sel.empty()) return malformed("`sel` is missing");
    auto path = detail::parse_xml_path(sel, namespace_of_);
    if (!path) return malformed(path.error().text + " (" + path.error().place + ")");
    TRY(const auto found, detail::find_elements(document_, *path, budget_));
    if (found.empty()) return impossible("the path leads to nothing");
    if (found.size() > 1) return impossible("the path leads to several elements");
    XmlValue& target = *found.front();
    if (operation.name == "add") return add(operation, *path, target);
    if (operation.name == "replace") return replace(operation, *path, target);
    if (operation.name == "remove") return remove(*path, target);
    return malformed("the operation is none of add, replace, remove");
  }

  /// Elements in no namespace are those of FHIR: others there are none.
  static void give_namespace(XmlValue& value) {
    if (value.ns.empty()) value.ns = kFhirNamespace;
    for (const auto& child : value.children) give_namespace(*child);
  }

  /// The nodes that an operation brings; space around elements is none.
  static std::vector<std::unique_ptr<XmlValue>> content_of(const XmlValue& operation) {
    const bool has_elements =
        std::any_of(operation.children.begin(), operation.children.end(), [](const auto& one) { return !one->is_text; });
    std::vector<std::unique_ptr<XmlValue>> out;
    for (const auto& child : operation.children)
      if (!has_elements || !child->is_text || !is_space(child->text)) out.push_back(detail::copy_of(*child));
    for (const auto& one : out) give_namespace(*one);
    return out;
  }

  Status add(const XmlValue& operation, const XmlPath& path, XmlValue& target) {
    if (path.target != XmlPath::Target::element) return malformed("`add` names an element");
    if (const std::string type = attribute_of(operation, "type"); !type.empty()) {
      if (!type.starts_with('@') || type.size() == 1) return malformed("`type` is \"@name\"; namespaces cannot be added");
      if (std::any_of(target.attributes.begin(), target.attributes.end(), [&](const auto& one) { return one.first == type.substr(1); }))
        return impossible("the element has that attribute");
      target.attributes.emplace_back(type.substr(1), operation.string_value());
      target.touch();
      return {};
    }
    const std::string pos = attribute_of(operation, "pos");
    if (!pos.empty() && pos != "prepend" && pos != "before" && pos != "after")
      return malformed("`pos` is none of prepend, before, after");
    auto content = content_of(operation);
    if (content.empty()) return malformed("`add` brings nothing");
    const bool beside = pos == "before" || pos == "after";
    if (beside && target.parent == &document_) return impossible("nothing stands beside the document element");
    XmlValue& parent = beside ? *target.parent : target;
    const std::size_t at = beside ? target.place() + (pos == "after" ? 1 : 0) : pos == "prepend" ? 0 : target.children.size();
    parent.insert(at, std::move(content));
    return {};
  }

  /// The text that a path with text() names; the number of children when there is none.
  static std::size_t text_at(const XmlPath& path, const XmlValue& target) {
    std::size_t seen = 0;
    for (std::size_t i = 0; i < target.children.size(); ++i)
      if (target.children[i]->is_text && ++seen == path.text) return i;
    return target.children.size();
  }

  Status replace(const XmlValue& operation, const XmlPath& path, XmlValue& target) {
    if (path.target == XmlPath::Target::attribute) {
      for (auto& [name, value] : target.attributes) {
        if (name != path.attribute) continue;
        value = operation.string_value();
        target.touch();
        return {};
      }
      return impossible("the element has no such attribute");
    }
    auto content = content_of(operation);
    if (path.target == XmlPath::Target::text) {
      const std::size_t at = text_at(path, target);
      if (at == target.children.size()) return impossible("the element has no such text");
      target.remove(at);
      for (std::size_t i = 0; i < content.size(); ++i) target.insert(at + i, std::move(content[i]));
      return {};
    }
    if (content.size() != 1 || content.front()->is_text) return malformed("`replace` of an element brings one element");
    XmlValue& parent = *target.parent;
    const std::size_t at = target.place();
    parent.remove(at);
    parent.insert(at, std::move(content.front()));
    return {};
  }

  Status remove(const XmlPath& path, XmlValue& target) {
    if (path.target == XmlPath::Target::attribute) {
      const auto gone = std::erase_if(target.attributes, [&](const auto& one) { return one.first == path.attribute; });
      target.touch();
      return gone > 0 ? Status() : impossible("the element has no such attribute");
    }
    if (path.target == XmlPath::Target::text) {
      const std::size_t at = text_at(path, target);
      if (at == target.children.size()) return impossible("the element has no such text");
      target.remove(at);
      return {};
    }
    if (target.parent == &document_) return impossible("the document element cannot be removed");
    target.parent->remove(target.place());
    return {};
  }

  XmlValue& document_;
  detail::NamespaceOf namespace_of_;
  std::size_t number_ = 0, budget_ = kLooksMax;
};

}  // namespace

Result<std::string> apply_xml_patch(std::string_view document, std::string_view patch) {
  for (const std::string_view text : {document, patch})
    if (!base::is_valid_utf8(text)) return base::fail(ErrorCode::invalid_utf8);
  TRY(const auto source, detail::read_xml_value(document));
  TRY(const auto operations, detail::read_xml_value(patch));
  const XmlValue& root = *operations->children.front();
  if (root.name != "diff" && root.name != "patch")
    return base::fail(ErrorCode::fhir_patch, "the document element of an XML Patch is `diff`");
  if (nodes_of(root) > kNodesMax) return base::fail(ErrorCode::limit_exceeded, "the patch has too many elements");
  detail::XmlScanner declared(patch, base::limits::kJsonDepthMax);
  declared.next();  // what the document element declares
  XmlPatcher patcher(*source, [&declared](std::string_view prefix) { return declared.uri_of(prefix); });
  TRY_VOID(patcher.apply(root));
  return detail::print_xml_value(*source);
}

Result<Tree> apply_xml_patch(Node resource, std::string_view patch) {
  TRY(const std::string before, write_xml(resource));
  TRY(const std::string patched, apply_xml_patch(before, patch));
  auto read = read_xml(patched);
  if (!read) {
    // Its place is in a text that nobody has seen.
    base::Error error = std::move(read).error();
    error.code = ErrorCode::fhir_patch_failed;
    error.text = "the result is no valid resource: " + error.text;
    if (const std::size_t path = error.place.rfind(", "); path != std::string::npos) error.place.erase(0, path + 2);
    return base::fail(std::move(error));
  }
  TRY_VOID(check_same_resource(resource, read->root()));
  return std::move(*read);
}

}  // namespace kiln::fhir
