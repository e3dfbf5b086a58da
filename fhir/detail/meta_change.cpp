#include "fhir/detail/meta_change.h"

#include <algorithm>
#include <array>
#include <vector>

#include "fhir/detail/operation_input.h"
#include "fhir/detail/operations.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;
using base::JsonView;
using base::JsonWriter;

constexpr std::array<std::string_view, 3> kLists = {"profile", "security", "tag"};

bool is_same(JsonView a, JsonView b) {
  if (!a.is(base::JsonKind::object) || !b.is(base::JsonKind::object)) return a.text() == b.text();
  return a["system"].text() == b["system"].text() && a["code"].text() == b["code"].text();
}

bool holds(JsonView list, JsonView one) {
  for (const JsonView other : list)
    if (is_same(other, one)) return true;
  return false;
}

/// What is left of the list, and behind it what is new.
void write_list(JsonWriter& out, std::string_view name, JsonView meta, JsonView given, MetaChange change) {
  const JsonView now = meta[name], wanted = given[name];
  const JsonView twins = meta["_" + std::string(name)];  // extensions of a profile
  std::vector<JsonView> kept;
  std::vector<JsonView> kept_twins;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (change == MetaChange::remove && holds(wanted, now.at(i))) continue;
    kept.push_back(now.at(i));
    if (twins) kept_twins.push_back(twins.at(i));
  }
  if (change == MetaChange::add)
    for (const JsonView one : wanted)
      if (std::none_of(kept.begin(), kept.end(), [&](JsonView other) { return is_same(other, one); })) kept.push_back(one);
  if (kept.empty()) return;
  out.key(name).begin_array();
  for (const JsonView one : kept) out.value(one);
  out.end_array();
  const auto is_object = [](JsonView twin) { return twin.is(base::JsonKind::object); };
  if (std::none_of(kept_twins.begin(), kept_twins.end(), is_object)) return;
  out.key("_" + std::string(name)).begin_array();
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (i < kept_twins.size() && is_object(kept_twins[i]))
      out.value(kept_twins[i]);
    else
      out.null();
  }
  out.end_array();
}

std::string with_meta(JsonView resource, JsonView given, MetaChange change) {
  JsonWriter out;
  out.begin_object();
  const JsonView meta = resource["meta"];
  for (const JsonView member : resource) {
    if (member.key() == "meta") continue;
    out.key(member.key()).value(member);
    if (member.key() != "id") continue;
    out.key("meta").begin_object();
    for (const JsonView part : meta) {
      std::string_view name = part.key();
      if (name.starts_with('_')) name.remove_prefix(1);
      if (std::find(kLists.begin(), kLists.end(), name) == kLists.end()) out.key(part.key()).value(part);
    }
    for (const std::string_view name : kLists) write_list(out, name, meta, given, change);
    out.end_object();
  }
  out.end_object();
  return out.take();
}

}  // namespace

Answer<Reply> run_meta_change(const Call& call, MetaChange change) {
  const Access* access = call.server->access;
  if (!access || !access->allow(*call.principal, "patch", call.type, {})) return fail(ErrorCode::fhir_not_allowed);
  TRY(const OperationInput input, OperationInput::read(call, {"meta"}));
  const JsonView given = input.value("meta");
  if (!given.is(base::JsonKind::object))
    return fail(ErrorCode::fhir_required, "the parameter `meta` is missing", "Parameters.parameter",
                R"({"name": "meta", "valueMeta": {"tag": [{"system": "…", "code": "…"}]}})");
  for (const std::string_view name : kLists) {
    const JsonView list = given[name];
    bool is_list = !list || list.is_array();
    for (const JsonView one : list) is_list = is_list && one.is_object() != (name == "profile");
    if (!is_list)
      return fail(ErrorCode::fhir_invalid, "`meta` is no Meta", "Parameters.parameter.value." + std::string(name));
  }
  TRY(const auto current, call.store->read(call.type, call.id));
  if (!current) return fail(ErrorCode::fhir_not_found);
  if (current->deleted()) return tl::unexpected(gone(*current));
  TRY_VOID(check_if_match(call.headers->get("If-Match"), current));
  TRY(const base::JsonDocument before, base::parse_json(current->body));
  TRY(const base::JsonDocument after, base::parse_json(with_meta(before.root(), given, change)));
  TRY_VOID(check_resource(after.root(), call.type, call.type, *call.server));
  const WriteRequest request{call.type, call.id, after.root(), {}, {}, {}, WriteMethod::patch};
  TRY(const WriteResult result, update(*call.store, request, *call.server));
  TRY(const auto stored, call.store->read(call.type, call.id));
  TRY(const base::JsonDocument document, base::parse_json(stored->body));
  OperationOutput out;
  out.parameter("return").key("valueMeta").value(document.root()["meta"]);
  out.end();
  Reply reply = out.reply();
  add_version_headers(reply.headers, result.vid, result.updated);
  return reply;
}

}  // namespace kiln::fhir::detail
