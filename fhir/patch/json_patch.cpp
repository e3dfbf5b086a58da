#include <algorithm>
#include <optional>

#include "engine/base/limits.h"
#include "fhir/model/json.h"
#include "fhir/patch/detail/json_value.h"
#include "fhir/patch/patch.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;
using detail::JsonValue;
namespace limits = base::limits;

/// A JSON Pointer (RFC 6901) as its parts, unescaped; nullopt when it is none.
std::optional<std::vector<std::string>> parse_pointer(std::string_view text) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  if (text.front() != '/') return std::nullopt;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('/', at + 1), text.size());
    std::string part;
    for (std::size_t i = at + 1; i < end; ++i) {
      if (text[i] != '~') {
        part += text[i];
        continue;
      }
      if (++i == end || (text[i] != '0' && text[i] != '1')) return std::nullopt;
      part += text[i] == '0' ? '~' : '/';
    }
    parts.push_back(std::move(part));
    if (parts.size() > limits::kJsonDepthMax * 2) return std::nullopt;
    at = end;
  }
  return parts;
}

/// "0", "12"; no signs, no zeros in front. "-" is the position behind the last item.
std::optional<std::size_t> parse_index(std::string_view text, std::size_t size) {
  if (text == "-") return size;
  if (text.empty() || text.size() > 9 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::size_t index = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  return index;
}

class Patcher {
 public:
  explicit Patcher(JsonValue document) : document_(std::move(document)) {}

  Status apply(Node operations) {
    if (operations.kind() != NodeKind::array)
      return base::fail(ErrorCode::fhir_patch, "a JSON Patch is an array of operations");
    for (const Node operation : operations) {
      if (++number_ > limits::kPatchOperationsMax)
        return base::fail(ErrorCode::limit_exceeded, "the patch has too many operations");
      TRY_VOID(run(operation));
    }
    return {};
  }

  std::string print() const {
    std::string out;
    detail::append_value(out, document_);
    return out;
  }

 private:
  using Pointer = std::vector<std::string>;

  tl::unexpected<base::Error> fail(ErrorCode code, std::string text) const {
    std::string place = "operation " + std::to_string(number_);
    return base::fail(code, std::move(text), std::move(place));
  }
  tl::unexpected<base::Error> malformed(std::string text) const {
    return fail(ErrorCode::fhir_patch, std::move(text));
  }
  tl::unexpected<base::Error> impossible(std::string text) const {
    return fail(ErrorCode::fhir_patch_failed, std::move(text));
  }

  Result<Pointer> pointer(Node operation, const char* name) const {
    const Node text = operation[name];
    if (text.kind() != NodeKind::string || text.is_list_item())
      return malformed(std::string("`") + name + "` is missing");
    auto parts = parse_pointer(text.text());
    if (!parts) return malformed(std::string("`") + name + "` is no JSON Pointer");
    return std::move(*parts);
  }

  /// What a member `value` holds; an array there is a run of items.
  Result<JsonValue> value(Node operation) const {
    const JsonValue all = detail::to_value(operation);
    for (const auto& [name, found] : all.members)
      if (name == "value") return found;
    return malformed("`value` is missing");
  }

  JsonValue* find(const Pointer& path, std::size_t count) {
    JsonValue* at = &document_;
    for (std::size_t i = 0; i < count && at; ++i) {
      if (at->kind == NodeKind::object) {
        at = at->member(path[i]);
      } else if (at->kind == NodeKind::array) {
        const auto index = parse_index(path[i], at->items.size());
        at = index && *index < at->items.size() ? &at->items[*index] : nullptr;
      } else {
        at = nullptr;
      }
    }
    return at;
  }

  Status add(const Pointer& path, JsonValue added) {
    const JsonValue::Size size = added.size();
    bytes_added_ += size.bytes;
    if (bytes_added_ > limits::kMessageBytesMax * 4)
      return fail(ErrorCode::limit_exceeded, "the result is too large");
    if (path.size() + size.height > limits::kJsonDepthMax * 2)
      return fail(ErrorCode::limit_exceeded, "the result is nested too deeply");
    if (path.empty()) {
      document_ = std::move(added);
      return {};
    }
    JsonValue* parent = find(path, path.size() - 1);
    if (!parent) return impossible("the path leads to nothing");
    if (parent->kind == NodeKind::object) {
      if (JsonValue* old = parent->member(path.back()))
        *old = std::move(added);
      else
        parent->members.push_back({path.back(), std::move(added)});
      return {};
    }
    if (parent->kind != NodeKind::array) return impossible("the path leads into a value");
    const auto index = parse_index(path.back(), parent->items.size());
    if (!index || *index > parent->items.size()) return impossible("the array has no such position");
    parent->items.insert(parent->items.begin() + static_cast<std::ptrdiff_t>(*index), std::move(added));
    return {};
  }

  Result<JsonValue> remove(const Pointer& path) {
    JsonValue* found = path.empty() ? nullptr : find(path, path.size());
    if (!found)
      return impossible(path.empty() ? "the whole document cannot be removed" : "the path leads to nothing");
    JsonValue* parent = find(path, path.size() - 1);
    JsonValue out = std::move(*found);
    if (parent->kind == NodeKind::object)
      parent->members.erase(std::find_if(parent->members.begin(), parent->members.end(),
                                         [&](const auto& member) { return &member.value == found; }));
    else
      parent->items.erase(parent->items.begin() + (found - parent->items.data()));
    return out;
  }

  static bool is_within(const Pointer& inner, const Pointer& outer) {
    return inner.size() > outer.size() && std::equal(outer.begin(), outer.end(), inner.begin());
  }

  Status run(Node operation) {
    if (operation.kind() != NodeKind::object) return malformed("an operation is an object");
    const std::string_view op = operation["op"].text();
    TRY(const Pointer path, pointer(operation, "path"));
    if (op == "add") {
      TRY(JsonValue added, value(operation));
      return add(path, std::move(added));
    }
    if (op == "remove") {
      TRY(JsonValue removed, remove(path));
      return {};
    }
    if (op == "replace") {
      TRY(JsonValue added, value(operation));
      JsonValue* old = find(path, path.size());
      if (!old) return impossible("the path leads to nothing");
      bytes_added_ += added.size().bytes;
      *old = std::move(added);
      return {};
    }
    if (op == "test") {
      TRY(const JsonValue wanted, value(operation));
      const JsonValue* found = find(path, path.size());
      if (!found) return impossible("the path leads to nothing");
      if (!detail::same_value(*found, wanted)) return impossible("the value is another one");
      return {};
    }
    if (op != "move" && op != "copy")
      return malformed("`op` is none of add, remove, replace, move, copy, test");
    TRY(const Pointer from, pointer(operation, "from"));
    if (op == "copy") {
      const JsonValue* source = find(from, from.size());
      if (!source) return impossible("`from` leads to nothing");
      return add(path, *source);
    }
    if (is_within(path, from)) return impossible("a value cannot be moved into itself");
    if (from.empty() || path == from)
      return find(from, from.size()) ? Status() : impossible("`from` leads to nothing");
    TRY(JsonValue moved, remove(from));
    bytes_added_ -= std::min(bytes_added_, moved.size().bytes);
    return add(path, std::move(moved));
  }

  JsonValue document_;
  std::size_t number_ = 0;
  std::size_t bytes_added_ = 0;
};

ReadOptions untyped() {
  ReadOptions options;
  options.typed = false;
  return options;
}

}  // namespace

Result<std::string> apply_json_patch(std::string_view document, std::string_view patch) {
  TRY(const Tree source, read_json(document, untyped()));
  TRY(const Tree operations, read_json(patch, untyped()));
  Patcher patcher(detail::to_value(source.root()));
  TRY_VOID(patcher.apply(operations.root()));
  return patcher.print();
}

Status check_same_resource(Node resource, Node root) {
  if (root.type() != resource.type())
    return base::fail(ErrorCode::fhir_patch_failed, "the patch changes the type of the resource");
  if (root["id"].text() != resource["id"].text())
    return base::fail(ErrorCode::fhir_patch_failed, "the patch changes the id of the resource");
  if (root["meta"]["versionId"].text() != resource["meta"]["versionId"].text())
    return base::fail(ErrorCode::fhir_patch_failed, "the patch changes meta.versionId");
  return {};
}

Result<Tree> apply_json_patch(Node resource, std::string_view patch) {
  TRY(const std::string patched, apply_json_patch(write_json(resource), patch));
  TRY(Tree result, read_json(patched));
  TRY_VOID(check_same_resource(resource, result.root()));
  return result;
}

}  // namespace kiln::fhir
