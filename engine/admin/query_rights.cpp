#include "engine/admin/query_rights.h"

#include <algorithm>

#include "engine/base/clock.h"
#include "engine/journal/query.h"

namespace kiln::engine {
namespace {

bool asks_for_content(std::string_view query) {
  const auto parsed = parse_query_text(query, base::WallTime{});
  return parsed && has_content(parsed->root);
}

constexpr std::string_view kHidden = "(by content: shown with phi.view)";

/// Where the value of a detail ends that begins at `at`.
std::size_t end_of_value(std::string_view detail, std::size_t at) {
  std::size_t close = at;
  if (at < detail.size() && detail[at] == '"') {
    for (close = at + 1; close < detail.size() && detail[close] != '"'; ++close)
      if (detail[close] == '\\') ++close;
  }
  return std::min(detail.find("; ", close), detail.size());
}

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == ':';
  });
}

/// The parameters of a FHIR search that say nothing about whom it is for.
bool is_plain_fhir(std::string_view name) {
  static constexpr std::string_view kPlain[] = {"_count", "_sort", "_summary", "_format", "_total"};
  return std::ranges::find(kPlain, name) != std::end(kPlain);
}

std::string unquoted(std::string_view value) {
  if (!value.starts_with('"')) return std::string(value);
  const auto document = base::parse_json(value);
  return document ? std::string(document->root().text()) : std::string(value);
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
  return parsed && !has_content(parsed->root) ? std::string(query) : std::string(kHidden);
}

std::string print_detail(std::string_view name, std::string_view value) {
  std::string out = std::string(name) + "=";
  if (!value.starts_with('"') && value.find("; ") == std::string_view::npos) return out + std::string(value);
  return out + base::JsonWriter().string(value).take();
}

std::string shown_detail(const Caller& caller, std::string_view action, std::string_view detail) {
  if (caller.rights.has(AdminRight::phi_view)) return std::string(detail);
  std::string out;
  bool hiding = false;  // what has no name of its own goes on with the value before: records of earlier versions
  for (std::size_t at = 0; at < detail.size();) {
    const std::size_t next = std::min(detail.find("; ", at), detail.size());
    const std::size_t equals = std::min(detail.find('=', at), next);
    const std::string_view name = detail.substr(at, equals - at);
    const bool named = equals < next && is_name(name);
    const std::size_t end = named ? end_of_value(detail, equals + 1) : next;
    const std::string_view value = detail.substr(std::min(equals + 1, end), end - std::min(equals + 1, end));
    std::string part(detail.substr(at, end - at));
    if (named) hiding = action.starts_with("fhir.") ? !is_plain_fhir(name)
                                                    : (name == "q" || name == "query") && shown_query(caller, unquoted(value)) == kHidden;
    if (named && hiding) part = std::string(name) + "=" + std::string(kHidden);
    if (named || !hiding) out += (out.empty() ? "" : "; ") + part;
    at = end + 2;
  }
  return out;
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
