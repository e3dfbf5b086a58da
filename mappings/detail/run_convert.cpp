// Built-in conversions (hmap.md §5, §7): from whatever a value is to one scalar type, exactly and without
// guessing.

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "hl7/escape.h"
#include "mappings/detail/conversions.h"
#include "mappings/detail/run_text.h"

namespace kiln::mappings::detail {
namespace {

/// base::trim, for texts that hardly ever need it.
inline std::string_view trimmed(std::string_view text) {
  const auto solid = [](char c) { return static_cast<unsigned char>(c) > ' '; };
  return text.empty() || (solid(text.front()) && solid(text.back())) ? text : base::trim(text);
}

}  // namespace

std::string_view Run::other_text(const Value& value) {
  switch (value.kind) {
    case ValueKind::json:
      mark_node(value.json->id());
      return value.json->text();
    case ValueKind::boolean:
      return value.boolean ? "true" : "false";
    case ValueKind::integer:
      return print_integer(arena_, value.integer);
    case ValueKind::date:
      return print_fhir_date(arena_, *value.date);
    case ValueKind::decimal:
    case ValueKind::time:
      return value.text();
    case ValueKind::list:
      return value.size == 0 ? std::string_view() : text_of(value.items[0]);
    default:
      return {};
  }
}

void Run::note_assumed_zone() {
  if (zone_assumed_) return;
  zone_assumed_ = true;
  // Said of the message, not of the call it came up in, which is not to say it again.
  for (Recording* outer = recording_; outer != nullptr; outer = outer->outer) outer->fits = false;
  note(RunDiagnostic::Level::note, "assumed-utc",
       "times without an offset are taken as UTC: neither MSH-7 nor the channel says a time zone", nullptr);
  for (Recording* at = recording_; at != nullptr; at = at->outer) at->fits = false;  // said once, not again
}

void Run::apply_zone(base::PartialDate& date) {
  if (!date.has_time() || date.has_offset) return;
  ++zoned_;
  if (!message_offset_known_) {
    message_offset_known_ = true;
    if (message_ != nullptr) {
      const auto sent =
          base::PartialDate::parse_hl7(message_->header().field(7).repetition(1).component(1).to_text());
      if (sent && sent->has_offset) message_offset_ = sent->offset_minutes;
    }
  }
  date.has_offset = true;
  if (message_offset_) {
    date.offset_minutes = *message_offset_;
  } else {
    if (context_->timezone == nullptr) note_assumed_zone();
    date.offset_minutes = context_->timezone == nullptr
                              ? std::int16_t{0}
                              : static_cast<std::int16_t>(context_->timezone->offset_minutes(date));
  }
}

std::optional<base::PartialDate> Run::date_of(const Value& value) {
  if (value.kind == ValueKind::date) return *value.date;
  const std::string_view text = text_of(value);
  if (value.kind == ValueKind::hl7) return base::PartialDate::parse_hl7(text);
  // A FHIR spelling has a '-' behind the year, an HL7 one never before its offset.
  if (text.size() > 4 && text[4] == '-') return base::PartialDate::parse_fhir(text);
  if (value.kind == ValueKind::json) return base::PartialDate::parse_fhir(text);
  if (value.kind == ValueKind::string && map_ != nullptr && kind_of(value.source) == SourceKind::csv) {
    if (const auto pattern = csv_pattern(value.source); !pattern.empty()) {
      return base::PartialDate::parse_pattern(text, pattern);
    }
  }
  return base::PartialDate::parse_hl7(text);
}

Value Run::to_date(const Value& value, ir::Conversion conversion) {
  return dated(date_of(value), value.source, conversion);
}

Value Run::dated(std::optional<base::PartialDate> date, SourceRef source, ir::Conversion conversion) {
  if (!date) return Value::bad("not a date");
  const bool day_only = conversion == ir::Conversion::to_date || conversion == ir::Conversion::to_v2_date;
  if (day_only) {
    if (date->has_time()) *date = date->truncated(base::DatePrecision::day);
    date->has_offset = false;
    date->offset_minutes = 0;
  } else {
    const bool v2_to_v2 = conversion == ir::Conversion::to_v2_date_time;
    if (!v2_to_v2) apply_zone(*date);
  }
  if (conversion == ir::Conversion::to_instant && date->precision < base::DatePrecision::second) {
    return Value::bad("an instant needs a time with seconds");
  }
  return Value::of_date(arena_.make<base::PartialDate>(*date)).from(source);
}

/// One leaf decoded and escaped again for the output. Formatting commands are no text: they are copied as
/// they are, with the output's escape character.
bool Run::recode(std::string_view raw, std::string& out) {
  constexpr hl7::Delimiters kOut{};
  const hl7::TextRules rules{delimiters_, message_->charset(), &message_->alternate_charsets()};
  const auto kind = delimiters_.escape == kOut.escape ? hl7::TextKind::hl7_text : hl7::TextKind::plain;
  const auto text = [&](std::string_view part) {
    return part.empty() || hl7::encode(hl7::decode(part, rules), kOut, kind, out).has_value();
  };
  std::size_t done = 0;
  for (std::size_t at = 0;
       delimiters_.escape != '\0' && (at = raw.find(delimiters_.escape, at)) != raw.npos;) {
    const std::size_t end = raw.find(delimiters_.escape, at + 1);
    if (end == raw.npos) break;
    const std::string_view command = raw.substr(at + 1, end - at - 1);
    const bool formats = command == "H" || command == "N" || command.starts_with('.');
    if (formats) {
      if (!text(raw.substr(done, at - done))) return false;
      ((out += kOut.escape) += command) += kOut.escape;
      done = end + 1;
    }
    at = end + 1;
  }
  return text(raw.substr(done));
}

/// A v2 value with all of its components as a field of the output: each leaf decoded and escaped again, its
/// formatting commands kept.
Value Run::encoded(const Value& value) {
  if (value.kind != ValueKind::hl7) {
    const std::string_view text = text_of(value);
    return text.empty() ? Value() : Value::of_string(text).from(value.source);
  }
  constexpr hl7::Delimiters kOut{};
  Hl7Ref range = value.hl7;
  const auto level = static_cast<Hl7Level>(value.flags);
  if (level == Hl7Level::field) {
    std::uint32_t end = range.begin;
    while (end < range.end && bytes_[end] != delimiters_.repetition) ++end;
    range.end = end;
  }
  mark_read(range.begin, range.end);
  const bool below_component = level == Hl7Level::component;
  const auto separator_of = [&](char c) {
    if (level == Hl7Level::leaf) return '\0';
    if (c == delimiters_.component && !below_component) return kOut.component;
    if (c == delimiters_.subcomponent) return below_component ? kOut.component : kOut.subcomponent;
    return '\0';
  };
  std::string out;
  std::uint32_t begin = range.begin;
  for (std::uint32_t at = range.begin; at <= range.end; ++at) {
    const char separator = at == range.end ? '\0' : separator_of(bytes_[at]);
    if (at != range.end && separator == '\0') continue;
    const std::string_view raw(bytes_ + begin, at - begin);
    if (raw == "\"\"") {
      out += raw;
    } else if (!recode(raw, out)) {
      return Value::bad("cannot be written with these delimiters");
    }
    if (separator != '\0') out += separator;
    begin = at + 1;
  }
  Value made = Value::of_string(arena_.copy(out)).from(value.source);
  made.flags = kEncodedFlag;
  return made;
}

Value Run::convert_value(const Value& value, ir::Conversion conversion) {
  using ir::Conversion;
  if (value.kind == ValueKind::bad) return value;
  switch (conversion) {
    case Conversion::to_date:
    case Conversion::to_date_time:
    case Conversion::to_instant:
    case Conversion::to_v2_date:
    case Conversion::to_v2_date_time:
      return to_date(value, conversion);
    case Conversion::to_boolean: {
      if (value.kind == ValueKind::boolean) return value;
      const auto parsed = parse_boolean(text_of(value));
      return parsed ? Value::of_boolean(*parsed).from(value.source) : Value::bad("not a boolean");
    }
    case Conversion::to_integer:
    case Conversion::to_positive_int:
    case Conversion::to_unsigned_int: {
      const auto number =
          value.kind == ValueKind::integer ? std::optional(value.integer) : parse_integer(text_of(value));
      const std::int64_t least = conversion == Conversion::to_positive_int ? 1 : 0;
      if (!number) return Value::bad("not an integer");
      if (*number > INT32_MAX || *number < INT32_MIN) return Value::bad("beyond 32 bits");
      if (conversion != Conversion::to_integer && *number < least) return Value::bad("too small a number");
      return Value::of_integer(*number).from(value.source);
    }
    case Conversion::to_decimal:
    case Conversion::to_v2_number: {
      if (value.kind == ValueKind::integer) return value;
      if (value.kind == ValueKind::decimal)
        return value.flags == 0 ? value : Value::bad("a number with a comparator");
      const auto number = json_number(arena_, text_of(value));
      return number ? Value::of_decimal(*number).from(value.source) : Value::bad("not a number");
    }
    case Conversion::to_time:
    case Conversion::to_v2_time: {
      const auto time = parse_time(arena_, text_of(value), conversion == Conversion::to_time);
      return time ? Value::of_time(*time).from(value.source) : Value::bad("not a time");
    }
    case Conversion::to_code:
    case Conversion::to_bound_code: {
      const std::string_view code = trimmed(text_of(value));
      if (!is_code(code)) return Value::bad("not a code");
      return Value::of_string(code).from(value.source);
    }
    case Conversion::to_id: {
      const std::string_view id = trimmed(text_of(value));
      return is_id(id) ? Value::of_string(id).from(value.source) : Value::bad("not an id");
    }
    case Conversion::to_uri: {
      const std::string_view uri = trimmed(text_of(value));
      const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
      if (uri.empty() || std::any_of(uri.begin(), uri.end(), blank)) return Value::bad("not a URI");
      return Value::of_string(uri).from(value.source);
    }
    case Conversion::to_base64: {
      std::string decoded;
      const std::string_view text = text_of(value);
      return base::base64_decode(text, decoded) ? Value::of_string(text).from(value.source)
                                                : Value::bad("not base64");
    }
    case Conversion::to_v2_text:
      if (value.kind == ValueKind::boolean ||
          (value.kind == ValueKind::json && is_json_boolean(*value.json))) {
        return Value::of_string(text_of(value) == "true" ? "Y" : "N").from(value.source);
      }
      if (value.kind == ValueKind::date) return value;
      [[fallthrough]];
    case Conversion::to_string:
    case Conversion::to_markdown:
    case Conversion::to_csv_text: {
      if (value.kind == ValueKind::date && conversion == Conversion::to_csv_text) return value;
      const std::string_view text = text_of(value);
      return text.empty() ? Value() : Value::of_string(text).from(value.source);
    }
    case Conversion::to_reference:
      if (value.kind == ValueKind::reference || value.kind == ValueKind::object) return value;
      return Value::of_string(text_of(value)).from(value.source);
    case Conversion::to_v2_copy:
      return encoded(value);
    case Conversion::none:
      return value;
  }
  return value;
}

/// Of a text of the message.
Value Run::convert_text(const Value& text, ir::Conversion conversion) {
  switch (conversion) {
    case ir::Conversion::to_date:
    case ir::Conversion::to_date_time:
    case ir::Conversion::to_instant:
    case ir::Conversion::to_v2_date:
    case ir::Conversion::to_v2_date_time:
      return convert_date(text, conversion);
    default:
      return convert_value(text, conversion);
  }
}

Value Run::convert_date(const Value& text, ir::Conversion conversion) {
  for (const DateMade& made : dates_) {
    if (made.conversion != conversion || !is_same(made.text, text.text())) continue;
    zoned_ += made.zoned;
    return Value::of_date(made.date).from(text.source);
  }
  const std::uint64_t zoned = zoned_;
  const Value date = dated(base::PartialDate::parse_hl7(text.text()), text.source, conversion);
  if (date.kind == ValueKind::date)
    dates_[dates_made_++ % dates_.size()] = {text.text(), {}, date.date, conversion, zoned != zoned_};
  return date;
}

/// How it prints; once for those that convert_date() gave several times.
std::string_view Run::fhir_date_text(const base::PartialDate* date) {
  for (DateMade& made : dates_) {
    if (made.date != date) continue;
    if (made.printed.empty()) made.printed = print_fhir_date(arena_, *date);
    return made.printed;
  }
  return print_fhir_date(arena_, *date);
}

/// To a code that the element takes; the others go by `on bad`.
Value Run::convert_bound(const ir::Expr& expr) {
  Value value = eval(expr.a);
  if (value.kind == ValueKind::list) value = value.size > 0 ? value.items[0] : Value();
  if (!value.is_value()) return value.is_bad() ? handle_bad(expr, value, value) : value;
  Value code = convert_value(value, ir::Conversion::to_bound_code);
  const ir::BoundSet& bound = unit_->bound_sets[expr.c];
  if (!code.is_bad() && !bound.set->contains(code.text())) code = Value::bad(text(bound.what));
  return code.is_bad() ? handle_bad(expr, code, value) : code;
}

Value Run::convert(const ir::Expr& expr) {
  const auto conversion = static_cast<ir::Conversion>(expr.b);
  if (conversion == ir::Conversion::to_bound_code) return convert_bound(expr);
  const TextPlan& plan = facts_->plans[expr.a];
  if (plan.sent && conversion != ir::Conversion::to_v2_copy && conversion != ir::Conversion::none &&
      conversion != ir::Conversion::to_reference) {
    if (Text found; look(expr.a, found)) {
      if (found.size == 0) return {};
      const Value text = Value::of_string(found.view()).from(found.source);
      const Value result = convert_text(text, conversion);
      return result.is_bad() ? handle_bad(expr, result, text) : result;
    }
  }
  const Value value = eval(expr.a);
  if (!value.is_value()) return value.is_bad() ? handle_bad(expr, value, value) : value;
  if (value.kind != ValueKind::list) {
    const Value result = convert_value(value, conversion);
    return result.is_bad() ? handle_bad(expr, result, value) : result;
  }
  const std::span<Value> values = arena_.array<Value>(value.size);
  std::size_t kept = 0;
  for (const Value& one : value.list()) {
    Value result = one.is_value() ? convert_value(one, conversion) : one;
    if (result.is_bad()) result = handle_bad(expr, result, one);
    if (!result.is_absent()) values[kept++] = result;
  }
  return kept == 0 ? Value() : Value::of_list(values.first(kept));
}

}  // namespace kiln::mappings::detail
