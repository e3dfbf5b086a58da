#include "engine/admin/route.h"

#include <algorithm>
#include <charconv>

#include "engine/base/text.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;

bool is_rest(std::string_view step) {
  return step.starts_with('{') && step.ends_with("...}");
}

std::string_view name_of_step(std::string_view step) {
  step = step.substr(1, step.size() - 2);
  return step.ends_with("...") ? step.substr(0, step.size() - 3) : step;
}

/// Whether `path` is an address of the pattern. `weight` counts literal steps: the address of most literals
/// wins.
bool fits(std::string_view pattern, const std::vector<std::string_view>& path,
          std::vector<std::pair<std::string, std::string>>& values, int& weight) {
  const auto steps = base::split(pattern.substr(1), '/');
  values.clear();
  weight = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (is_rest(steps[i])) {
      std::string rest;
      for (std::size_t at = i; at < path.size(); ++at) rest += (at > i ? "/" : "") + std::string(path[at]);
      values.emplace_back(name_of_step(steps[i]), std::move(rest));
      return path.size() > i;
    }
    if (i >= path.size()) return false;
    if (!steps[i].starts_with('{')) {
      if (steps[i] != path[i]) return false;
      weight += 1 << (steps.size() - i);
      continue;
    }
    std::string value = base::percent_decode(path[i], false);
    if (value.empty() || value == "." || value == ".." || !base::is_valid_utf8(value)) return false;
    values.emplace_back(name_of_step(steps[i]), std::move(value));
  }
  return steps.size() == path.size();
}

}  // namespace

std::string_view Call::value(std::string_view name) const {
  for (const auto& [key, text] : values)
    if (key == name) return text;
  return {};
}

bool Call::has(std::string_view name) const {
  return std::ranges::any_of(values, [name](const auto& one) { return one.first == name; });
}

Result<std::uint64_t> Call::number(std::string_view name, std::uint64_t otherwise, std::uint64_t most) const {
  if (!has(name)) return otherwise;
  const std::string_view text = value(name);
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out > most)
    return base::fail(ErrorCode::bad_value, "a whole number up to " + std::to_string(most) + " is wanted",
                      std::string(name));
  return out;
}

Result<std::string> Call::text(std::string_view member) const {
  const base::JsonView view = body()[member];
  if (!view.is_string() || base::trim(view.text()).empty())
    return base::fail(ErrorCode::bad_value, "a text is wanted", std::string(member));
  return std::string(view.text());
}

RouteMatch find_route(std::string_view method, std::string_view path) {
  RouteMatch out;
  if (!path.starts_with('/')) return out;
  const auto steps = base::split(path.substr(1), '/');
  int best = -1, best_any = -1;
  std::vector<std::pair<std::string, std::string>> values;
  for (const RouteGroup* group : all_routes())
    for (const RouteSpec& route : group->routes) {
      int weight = 0;
      if (!fits(route.path, steps, values, weight)) continue;
      if (weight > best_any) out.allow.clear();
      best_any = std::max(best_any, weight);
      if (weight == best_any) out.allow += (out.allow.empty() ? "" : ", ") + std::string(route.method);
      const bool same =
          method == route.method || (method == "HEAD" && std::string_view(route.method) == "GET");
      if (!same || weight <= best) continue;
      best = weight;
      out.route = &route;
      out.values = values;
    }
  if (best < best_any) out.route = nullptr;
  return out;
}

Reply error_reply(const base::Error& error) {
  base::JsonWriter json;
  json.begin_object().key("error").begin_object().member("code", error.info().code);
  json.member("text", error.text.empty() ? error.info().text : error.text);
  if (!error.place.empty()) json.member("place", error.place);
  if (!error.remedy.empty()) json.member("remedy", error.remedy);
  json.end_object().end_object();
  Reply out{json.take()};
  out.status = error.info().http_status;
  if (error.code == ErrorCode::login_locked && !error.remedy.empty())
    out.headers.set("Retry-After", error.remedy);
  return out;
}

}  // namespace kiln::engine
