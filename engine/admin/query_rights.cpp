#include "engine/admin/query_rights.h"

#include "engine/base/clock.h"
#include "engine/journal/query.h"

namespace kiln::engine {
namespace {

bool asks_for_content(std::string_view query) {
  const auto parsed = parse_query_text(query, base::WallTime{});
  return parsed && has_content(parsed->root);
}

void write_job(base::JsonWriter& json, base::JsonView job, const Caller& caller) {
  json.begin_object();
  for (const base::JsonView member : job) {
    if (member.key() == "query")
      json.member("query", shown_query(caller, member.text()));
    else
      json.key(member.key()).raw(base::print_json(member));
  }
  json.end_object();
}

}  // namespace

base::Status check_query(const Call& call, std::string_view query) {
  if (call.caller.rights.has(AdminRight::phi_view) || !asks_for_content(query)) return {};
  return base::fail(base::ErrorCode::right_missing, "to search by a name, a number or words of a message is to see it", {},
                    "it needs the right `phi.view`");
}

std::string shown_query(const Caller& caller, std::string_view query) {
  if (caller.rights.has(AdminRight::phi_view)) return std::string(query);
  const auto parsed = parse_query_text(query, base::WallTime{});
  return parsed && !has_content(parsed->root) ? std::string(query) : "(by content: shown with phi.view)";
}

std::string shown_jobs(const Caller& caller, std::string json) {
  if (caller.rights.has(AdminRight::phi_view)) return json;
  const auto document = base::parse_json(json);
  if (!document) return "{}";
  const base::JsonView root = document->root();
  base::JsonWriter out;
  if (!root["jobs"]) {
    write_job(out, root, caller);
    return out.take();
  }
  out.begin_object().key("jobs").begin_array();
  for (const base::JsonView job : root["jobs"]) write_job(out, job, caller);
  return out.end_array().end_object().take();
}

}  // namespace kiln::engine
