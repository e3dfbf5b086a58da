#include "engine/admin/shape.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace kiln::engine {
namespace {

constexpr int kDepthMax = 12;

constexpr NamedShape kNamed[] = {
    {"Error", "{error: {code: string, text: string, place?: string, remedy?: string}}"},
    {"Ok", "{ok: boolean}"},
    {"Session",
     "{user?: any, name?: string, role?: string, rights?: [string], csrf?: string, idle_seconds?: integer, "
     "mfa?: boolean, "
     "mfa_required?: boolean, only_account?: boolean, must_change_password?: boolean, break_glass_until?: "
     "time, "
     "setup?: boolean, version: string, code_needed?: boolean}"},
    {"AtDestination",
     "{destination: string, state: string, attempts: integer, in_doubt: boolean, code?: string, detail?: "
     "string, "
     "updated?: time, reply?: string}"},
    {"Message",
     "{id: integer, received: time, channel: string, type: string, control_id: string, peer: string, name: "
     "string, "
     "kind: string, size: integer, state: string, destinations: [@AtDestination], parent?: integer, "
     "replay_of?: integer, "
     "edited_from?: integer, same_id_as?: integer, *: any}"},
    {"Body",
     "{offset: integer, size: integer, end: boolean, text?: string, base64?: string, charset?: string}"},
    {"Source",
     "{path: string, value: string, line?: integer, column?: integer, datatype?: string, name?: string}"},
    {"Lineage",
     "{map: string, maps: [string], outcome: string, reason?: string, kind: string, output: string, "
     "values: [{path: string, value: string, rule: string, place: string, expression: string, from: "
     "[@Source], "
     "conversion?: string, policy: string}], unread: [@Source], "
     "notes: [{level: string, code: string, text: string, source: string, rule: string}], lookups?: string}"},
    {"Finding",
     "{severity: string, code: string, text: string, file?: string, line?: integer, column?: integer, path?: "
     "string, "
     "offset?: integer, notes?: [string], help?: string}"},
    {"Account",
     "{user: string, name: string, role: string, rights: [string], phi_view: boolean, mfa: boolean, "
     "disabled: boolean, "
     "created: time, last_login?: time, locked_until?: time, must_change_password?: boolean}"},
    {"Token", "{id: string, name: string, rights: [string], user: string, created: time, expires: time}"},
    {"AuditRecord",
     "{n: integer, at: time, user: string, from: string, action: string, outcome: string, target?: string, "
     "detail?: string}"},
};

class Reader {
 public:
  Reader(base::JsonWriter& json, std::string_view text) : json_(json), text_(text) {}

  bool whole() { return shape(0) && (space(), text_.empty()); }

 private:
  void space() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
  }
  bool take(char c) {
    space();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::string_view word() {
    space();
    std::size_t size = 0;
    while (size < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[size])) || text_[size] == '_'))
      ++size;
    const std::string_view out = text_.substr(0, size);
    text_.remove_prefix(size);
    return out;
  }

  bool shape(int depth) {
    if (depth > kDepthMax) return false;
    json_.begin_object();
    const bool good = take('{')   ? object(depth)
                      : take('[') ? list(depth)
                      : take('@') ? reference()
                      : take('"') ? choice()
                                  : simple(word());
    json_.end_object();
    return good;
  }

  bool object(int depth) {
    std::vector<std::string_view> required;
    bool open = false, good = true;
    json_.member("type", "object").key("properties").begin_object();
    while (good && !take('}')) {
      if (take('*')) {
        // Of any name and shape: the shape behind it is for readers.
        base::JsonWriter ignored;
        open = true;
        good = take(':') && nested(ignored, depth);
      } else {
        const std::string_view name = word();
        const bool optional = take('?');
        if (!optional) required.push_back(name);
        json_.key(name);
        good = !name.empty() && take(':');
        if (good)
          good = shape(depth + 1);
        else
          json_.null();
      }
      if (good && !take(',')) {
        good = take('}');
        break;
      }
    }
    json_.end_object();
    if (!required.empty()) {
      json_.key("required").begin_array();
      for (const std::string_view name : required) json_.string(name);
      json_.end_array();
    }
    if (!open) json_.key("additionalProperties").boolean(false);
    return good;
  }

  bool nested(base::JsonWriter& json, int depth) {
    Reader inner(json, text_);
    const bool good = inner.shape(depth + 1);
    text_ = inner.text_;
    return good;
  }

  bool list(int depth) {
    json_.member("type", "array").key("items");
    return shape(depth + 1) && take(']');
  }

  bool reference() {
    const std::string_view name = word();
    json_.member("$ref", "#/components/schemas/" + std::string(name));
    return std::ranges::any_of(kNamed, [name](const NamedShape& one) { return name == one.name; });
  }

  bool choice() {
    json_.member("type", "string").key("enum").begin_array();
    bool good = true;
    do {
      const std::size_t end = text_.find('"');
      good = end != std::string_view::npos;
      if (!good) break;
      json_.string(text_.substr(0, end));
      text_.remove_prefix(end + 1);
    } while (take('|') && take('"'));
    json_.end_array();
    return good;
  }

  bool simple(std::string_view name) {
    if (name == "any") return true;
    if (name == "time") {
      json_.member("type", "string").member("format", "date-time");
      return true;
    }
    json_.member("type", name);
    return name == "string" || name == "integer" || name == "number" || name == "boolean";
  }

  base::JsonWriter& json_;
  std::string_view text_;
};

/// Reads a shape that write_schema() takes, and holds a value against it.
class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  /// `value` absent: the shape is passed over.
  base::Status check(base::JsonView value, const std::string& place) {
    space();
    const char first = text_.empty() ? '\0' : text_.front();
    if (std::string_view("{[@\"").find(first) != std::string_view::npos) text_.remove_prefix(1);
    switch (first) {
      case '{':
        return object(value, place);
      case '[':
        return list(value, place);
      case '@':
        return reference(value, place);
      case '"':
        return choice(value, place);
      default:
        return simple(value, place, word());
    }
  }

 private:
  static base::Status wrong(const std::string& place, std::string_view wanted) {
    return base::fail(base::ErrorCode::bad_value, "this must be " + std::string(wanted), place.empty() ? "the body" : place);
  }
  void space() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
  }
  bool take(char c) {
    space();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::string_view word() {
    space();
    std::size_t size = 0;
    while (size < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[size])) || text_[size] == '_')) ++size;
    const std::string_view out = text_.substr(0, size);
    text_.remove_prefix(size);
    return out;
  }

  base::Status object(base::JsonView value, const std::string& place) {
    if (value && !value.is_object()) return wrong(place, "an object");
    std::vector<std::string_view> names;
    std::string_view others;  // the shape of members of any other name
    bool open = false;
    while (!take('}') && !text_.empty()) {
      const bool any = take('*');
      const std::string_view name = any ? std::string_view() : word();
      (void)take('?');
      (void)take(':');
      if (any) {
        open = true;
        others = text_;
      } else {
        names.push_back(name);
      }
      const base::JsonView member = any || !value ? base::JsonView() : value[name];
      TRY_VOID(check(member, place.empty() ? std::string(name) : place + "." + std::string(name)));
      (void)take(',');
    }
    if (!value) return {};
    for (const base::JsonView member : value) {
      if (std::ranges::find(names, member.key()) != names.end()) continue;
      const std::string inner = (place.empty() ? "" : place + ".") + std::string(member.key());
      if (open) {
        TRY_VOID(Checker(others).check(member, inner));
        continue;
      }
      std::string known;
      for (const std::string_view name : names) known += (known.empty() ? "" : ", ") + std::string(name);
      return base::fail(base::ErrorCode::bad_value, "there is nothing of that name here", inner, known.empty() ? "leave it out" : "known: " + known);
    }
    return {};
  }

  base::Status list(base::JsonView value, const std::string& place) {
    if (value && !value.is_array()) return wrong(place, "a list");
    const std::string_view shape = text_;
    if (value)
      for (const base::JsonView item : value) TRY_VOID(Checker(shape).check(item, place));
    TRY_VOID(check({}, place));
    (void)take(']');
    return {};
  }

  base::Status reference(base::JsonView value, const std::string& place) {
    const std::string_view name = word();
    const auto found = std::ranges::find_if(kNamed, [name](const NamedShape& one) { return name == one.name; });
    return !value || found == std::end(kNamed) ? base::Status() : Checker(found->shape).check(value, place);
  }

  base::Status choice(base::JsonView value, const std::string& place) {
    std::string wanted;
    bool fits = false;
    do {
      const std::size_t end = text_.find('"');
      if (end == std::string_view::npos) break;
      fits = fits || (value.is_string() && value.text() == text_.substr(0, end));
      wanted += (wanted.empty() ? "" : ", ") + std::string(text_.substr(0, end));
      text_.remove_prefix(end + 1);
    } while (take('|') && take('"'));
    return !value || fits ? base::Status() : wrong(place, "one of " + wanted);
  }

  static base::Status simple(base::JsonView value, const std::string& place, std::string_view name) {
    if (!value || name == "any") return {};
    const base::JsonKind kind = value.kind();
    if (name == "boolean") return kind == base::JsonKind::boolean ? base::Status() : wrong(place, "true or false");
    const bool number = kind == base::JsonKind::number;
    if (name == "number") return number ? base::Status() : wrong(place, "a number");
    const bool whole = number && value.text().find_first_not_of("-0123456789") == std::string_view::npos;
    if (name == "integer") return whole ? base::Status() : wrong(place, "a whole number");
    return kind == base::JsonKind::string ? base::Status() : wrong(place, "a text");
  }

  std::string_view text_;
};

}  // namespace

base::Status check_shape(base::JsonView value, std::string_view shape) {
  return Checker(shape).check(value, {});
}

std::span<const NamedShape> named_shapes() {
  return kNamed;
}

bool write_schema(base::JsonWriter& json, std::string_view shape) {
  return Reader(json, shape).whole();
}

}  // namespace kiln::engine
