// Our own form of a profile. hl7/profile.md is its reference.

#include <algorithm>
#include <array>

#include "engine/base/diagnostic.h"
#include "engine/base/json.h"
#include "hl7/profile.h"

namespace kiln::hl7 {

namespace {

using base::ErrorCode;
using base::JsonKind;
using base::JsonView;
using base::JsonWriter;

constexpr std::array<std::string_view, 7> kUsages = {"R", "RE", "O", "C", "X", "B", "W"};

/// Where a member stands, "rules / PID-3 / usage".
std::string under(std::string_view place, std::string_view member) {
  return place.empty() ? std::string(member) : std::string(place) + " / " + std::string(member);
}

tl::unexpected<base::Error> bad(std::string text, std::string place) {
  return base::fail(ErrorCode::bad_profile, std::move(text), std::move(place));
}

base::Status check_members(JsonView object, const std::vector<std::string_view>& known,
                           const std::string& place) {
  if (!object.is_object()) return bad("an object is expected", place);
  for (const JsonView member : object) {
    if (std::find(known.begin(), known.end(), member.key()) != known.end()) continue;
    const std::string_view near = base::nearest(member.key(), known);
    return bad(near.empty() ? "unknown member" : "unknown member, did you mean `" + std::string(near) + "`?",
               under(place, member.key()));
  }
  return {};
}

base::Result<std::string> read_text(JsonView value, const std::string& place) {
  if (!value.exists()) return std::string();
  if (!value.is_string()) return bad("a text is expected", place);
  return std::string(value.text());
}

base::Result<std::vector<std::string>> read_texts(JsonView value, const std::string& place) {
  std::vector<std::string> out;
  if (!value.exists()) return out;
  if (value.is_string()) {
    out.emplace_back(value.text());
    return out;
  }
  if (!value.is_array()) return bad("a text or a list of texts is expected", place);
  for (const JsonView item : value) {
    if (!item.is_string()) return bad("a text is expected", place);
    out.emplace_back(item.text());
  }
  return out;
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  if (text.empty() || text.size() > 9) return std::nullopt;
  std::uint32_t n = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    n = n * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return n;
}

base::Result<std::optional<std::uint32_t>> read_count(JsonView value, const std::string& place) {
  if (!value.exists()) return std::optional<std::uint32_t>();
  if (value.is_string() && value.text() == "*") return std::optional<std::uint32_t>(kUnbounded);
  const auto n = value.is(JsonKind::number) ? number_of(value.text()) : std::nullopt;
  if (!n) return bad("a number from 0 on or \"*\" is expected", place);
  return n;
}

/// 20, "20", "1..20" or "5..*".
base::Status read_length(JsonView value, ProfileRule& rule, const std::string& place) {
  if (!value.exists()) return {};
  std::string_view text = value.text();
  const std::size_t dots = text.find("..");
  const std::string_view high = dots == text.npos ? text : text.substr(dots + 2);
  rule.length_max = high == "*" ? kUnbounded : number_of(high);
  if (dots != text.npos) rule.length_min = number_of(text.substr(0, dots));
  const bool is_bad = !rule.length_max || (dots != text.npos && !rule.length_min) ||
                      rule.length_min.value_or(0) > *rule.length_max;
  if (is_bad || !(value.is(JsonKind::number) || value.is_string()))
    return bad("a length is expected: 20 or \"1..20\"", place);
  return {};
}

base::Status read_usage(JsonView value, std::optional<Usage>& out, const std::string& place) {
  if (!value.exists()) return {};
  out = value.is_string() ? usage_of(value.text()) : std::nullopt;
  if (!out) return bad("a usage is expected: R, RE, O, C, X, B or W", place);
  return {};
}

base::Result<ProfileCondition> read_condition(JsonView value, const std::string& place, std::size_t depth) {
  if (depth > base::limits::kProfileDepthMax) return bad("nested too deeply", place);
  TRY_VOID(check_members(value, {"path", "valued", "is", "in", "all", "any", "not"}, place));
  ProfileCondition out;
  for (const auto& [name, kind] :
       {std::pair("all", ProfileCondition::Kind::all), std::pair("any", ProfileCondition::Kind::any),
        std::pair("not", ProfileCondition::Kind::not_)}) {
    const JsonView parts = value[name];
    if (!parts.exists()) continue;
    if (value.size() != 1) return bad("`all`, `any` and `not` stand alone", place);
    out.kind = kind;
    if (kind == ProfileCondition::Kind::not_) {
      TRY(auto part, read_condition(parts, under(place, name), depth + 1));
      out.parts.push_back(std::move(part));
      return out;
    }
    if (!parts.is_array() || parts.size() == 0)
      return bad("a list of conditions is expected", under(place, name));
    for (const JsonView part : parts) {
      TRY(auto made, read_condition(part, under(place, name), depth + 1));
      out.parts.push_back(std::move(made));
    }
    return out;
  }
  TRY(out.path, read_text(value["path"], under(place, "path")));
  if (out.path.empty() || value.size() != 2)
    return bad("a path and one of valued, is, in are expected", place);
  if (const JsonView valued = value["valued"]; valued.exists()) {
    if (!valued.is(JsonKind::boolean)) return bad("true or false is expected", under(place, "valued"));
    if (valued.boolean()) return out;
    ProfileCondition no;
    no.kind = ProfileCondition::Kind::not_;
    no.parts.push_back(std::move(out));
    return no;
  }
  out.kind = ProfileCondition::Kind::equals;
  const char* const word = value["is"].exists() ? "is" : "in";
  TRY(out.values, read_texts(value[word], under(place, word)));
  if (out.values.empty()) return bad("a value is expected", under(place, word));
  return out;
}

base::Result<ProfileRule> read_rule(JsonView value, const std::string& place) {
  TRY_VOID(check_members(
      value, {"name", "usage", "min", "max", "length", "type", "table", "value", "if", "then", "else"},
      place));
  ProfileRule rule;
  rule.path = value.key();
  TRY(rule.name, read_text(value["name"], under(place, "name")));
  TRY_VOID(read_usage(value["usage"], rule.usage, under(place, "usage")));
  TRY(rule.min, read_count(value["min"], under(place, "min")));
  TRY(rule.max, read_count(value["max"], under(place, "max")));
  TRY_VOID(read_length(value["length"], rule, under(place, "length")));
  TRY(rule.type, read_text(value["type"], under(place, "type")));
  TRY(rule.table, read_text(value["table"], under(place, "table")));
  TRY(rule.one_of, read_texts(value["value"], under(place, "value")));
  std::optional<Usage> then, otherwise;
  TRY_VOID(read_usage(value["then"], then, under(place, "then")));
  TRY_VOID(read_usage(value["else"], otherwise, under(place, "else")));
  if (value["if"].exists()) {
    TRY(rule.condition, read_condition(value["if"], under(place, "if"), 0));
    rule.then = then.value_or(Usage::required);
    rule.otherwise = otherwise.value_or(Usage::optional);
    rule.usage = Usage::conditional;
  } else if (then || otherwise) {
    return bad("`then` and `else` need `if`", place);
  }
  return rule;
}

base::Result<ProfileTable> read_table(JsonView value, const std::string& place) {
  TRY_VOID(check_members(value, {"title", "open", "codes"}, place));
  ProfileTable table;
  table.id = value.key();
  TRY(table.title, read_text(value["title"], under(place, "title")));
  const JsonView open = value["open"];
  if (open.exists() && !open.is(JsonKind::boolean))
    return bad("true or false is expected", under(place, "open"));
  table.open = open.boolean();
  const JsonView codes = value["codes"];
  const std::string codes_place = under(place, "codes");
  if (codes.is_object()) {
    for (const JsonView code : codes) {
      TRY(auto display, read_text(code, under(codes_place, code.key())));
      table.codes.emplace_back(code.key(), std::move(display));
    }
    return table;
  }
  TRY(const auto list, read_texts(codes, codes_place));
  for (const std::string& code : list) table.codes.emplace_back(code, "");
  return table;
}

void print_count(JsonWriter& json, const char* name, const std::optional<std::uint32_t>& value) {
  if (!value) return;
  json.key(name);
  if (*value == kUnbounded)
    json.string("*");
  else
    json.integer(*value);
}

void print_texts(JsonWriter& json, const std::vector<std::string>& values) {
  if (values.size() == 1) {
    json.string(values.front());
    return;
  }
  json.begin_array();
  for (const std::string& value : values) json.string(value);
  json.end_array();
}

void print_condition(JsonWriter& json, const ProfileCondition& condition) {
  json.begin_object();
  switch (condition.kind) {
    case ProfileCondition::Kind::valued:
      json.member("path", condition.path).key("valued").boolean(true);
      break;
    case ProfileCondition::Kind::equals:
      json.member("path", condition.path).key(condition.values.size() == 1 ? "is" : "in");
      print_texts(json, condition.values);
      break;
    case ProfileCondition::Kind::not_:
      json.key("not");
      print_condition(json, condition.parts.front());
      break;
    case ProfileCondition::Kind::all:
    case ProfileCondition::Kind::any:
      json.key(condition.kind == ProfileCondition::Kind::all ? "all" : "any").begin_array();
      for (const ProfileCondition& part : condition.parts) print_condition(json, part);
      json.end_array();
      break;
  }
  json.end_object();
}

void print_rule(JsonWriter& json, const ProfileRule& rule) {
  json.key(rule.path).begin_object();
  if (!rule.name.empty()) json.member("name", rule.name);
  if (rule.usage && !rule.condition) json.member("usage", name_of(*rule.usage));
  print_count(json, "min", rule.min);
  print_count(json, "max", rule.max);
  if (rule.length_min || rule.length_max) {
    const std::uint32_t high = rule.length_max.value_or(kUnbounded);
    const std::string high_text = high == kUnbounded ? "*" : std::to_string(high);
    if (!rule.length_min && high != kUnbounded)
      json.key("length").integer(high);
    else
      json.member("length", std::to_string(rule.length_min.value_or(0)) + ".." + high_text);
  }
  if (!rule.type.empty()) json.member("type", rule.type);
  if (!rule.table.empty()) json.member("table", rule.table);
  if (!rule.one_of.empty()) {
    json.key("value");
    print_texts(json, rule.one_of);
  }
  if (rule.condition) {
    json.key("if");
    print_condition(json, *rule.condition);
    json.member("then", name_of(rule.then)).member("else", name_of(rule.otherwise));
  }
  json.end_object();
}

}  // namespace

std::string_view name_of(Usage usage) {
  return kUsages[static_cast<std::size_t>(usage)];
}

std::optional<Usage> usage_of(std::string_view name) {
  const auto found = std::find(kUsages.begin(), kUsages.end(), name);
  if (found == kUsages.end()) return std::nullopt;
  return static_cast<Usage>(found - kUsages.begin());
}

base::Result<Profile> read_profile(std::string_view json) {
  TRY(const auto document, base::parse_json(json, {.bytes = base::limits::kProfileBytesMax}));
  const JsonView root = document.root();
  TRY_VOID(check_members(
      root, {"profile", "description", "version", "structure", "events", "message", "rules", "tables"}, ""));
  Profile profile;
  TRY(profile.name, read_text(root["profile"], "profile"));
  if (profile.name.empty()) return bad("a profile has a name", "profile");
  TRY(profile.description, read_text(root["description"], "description"));
  TRY(const std::string version, read_text(root["version"], "version"));
  const auto known = find_version(version);
  if (!known) return bad("a version from 2.1 to 2.9 is expected", "version");
  profile.version = *known;
  TRY(profile.structure, read_text(root["structure"], "structure"));
  TRY(profile.events, read_texts(root["events"], "events"));
  TRY(const std::string message, read_text(root["message"], "message"));
  auto nodes = parse_structure(message);
  if (!nodes) return bad(nodes.error().text, under("message", nodes.error().place));
  profile.message = std::move(*nodes);
  if (const JsonView rules = root["rules"]; rules.exists()) {
    if (!rules.is_object()) return bad("an object is expected", "rules");
    for (const JsonView rule : rules) {
      TRY(auto made, read_rule(rule, under("rules", rule.key())));
      profile.rules.push_back(std::move(made));
    }
  }
  if (const JsonView tables = root["tables"]; tables.exists()) {
    if (!tables.is_object()) return bad("an object is expected", "tables");
    for (const JsonView table : tables) {
      TRY(auto made, read_table(table, under("tables", table.key())));
      profile.tables.push_back(std::move(made));
    }
  }
  return profile;
}

std::string print_profile(const Profile& profile) {
  JsonWriter json;
  json.begin_object().member("profile", profile.name);
  if (!profile.description.empty()) json.member("description", profile.description);
  json.member("version", version_text(profile.version));
  if (!profile.structure.empty()) json.member("structure", profile.structure);
  if (!profile.events.empty()) {
    json.key("events");
    print_texts(json, profile.events);
  }
  if (!profile.message.empty()) json.member("message", print_structure(profile.message));
  if (!profile.rules.empty()) {
    json.key("rules").begin_object();
    for (const ProfileRule& rule : profile.rules) print_rule(json, rule);
    json.end_object();
  }
  if (!profile.tables.empty()) {
    json.key("tables").begin_object();
    for (const ProfileTable& table : profile.tables) {
      json.key(table.id).begin_object();
      if (!table.title.empty()) json.member("title", table.title);
      if (table.open) json.key("open").boolean(true);
      json.key("codes").begin_object();
      for (const auto& [code, display] : table.codes) json.member(code, display);
      json.end_object().end_object();
    }
    json.end_object();
  }
  json.end_object();
  const auto printed = base::parse_json(json.str(), {.bytes = 4 * base::limits::kProfileBytesMax});
  return printed ? base::print_json(printed->root(), true) : json.take();
}

}  // namespace kiln::hl7
