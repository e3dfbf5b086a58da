#include "fhir/path/item.h"

#include "engine/base/json.h"
#include "fhir/model/json.h"
#include "fhir/path/detail/temporal.h"
#include "fhir/path/path.h"
#include "fhir/primitives.h"
#include "fhir/units/ucum.h"

namespace kiln::fhir {

namespace detail {
namespace {

using base::Decimal;

std::optional<std::int64_t> small_integer(std::string_view text) {
  const bool minus = text.starts_with('-');
  if (minus) text.remove_prefix(1);
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return minus ? -value : value;
}

bool is_below(const TypeDef* type, const TypeDef* ancestor) {
  for (; type; type = type->base())
    if (type == ancestor) return true;
  return false;
}

std::string_view system_name(PathKind kind) {
  switch (kind) {
    case PathKind::boolean:
      return "Boolean";
    case PathKind::integer:
      return "Integer";
    case PathKind::decimal:
      return "Decimal";
    case PathKind::string:
      return "String";
    case PathKind::date:
      return "Date";
    case PathKind::date_time:
      return "DateTime";
    case PathKind::time:
      return "Time";
    case PathKind::quantity:
      return "Quantity";
    default:
      return {};
  }
}

}  // namespace

bool has_type(const PathItem& item, const PathType& type, bool subtypes) {
  if (!item.is(PathKind::node)) {
    const std::string_view name = system_name(item.kind());
    return type.system && !name.empty() && name == type.name;
  }
  const TypeDef* own = item.node().type();
  if (!type.fhir || !own) return false;
  return own == type.fhir || (subtypes && is_below(own, type.fhir));
}

std::optional<Decimal> decimal_of(const PathItem& item) {
  if (item.is(PathKind::integer)) return Decimal(item.integer());
  if (item.is(PathKind::decimal)) return Decimal::parse(item.text());
  return std::nullopt;
}

std::string trimmed_decimal(const Decimal& value) {
  std::string text = value.print();
  if (text.find('.') == std::string::npos) return text;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

PathItem Evaluator::value(const PathItem& item) {
  if (!item.is(PathKind::node)) return item;
  const Node node = item.node();
  const TypeDef* type = node.type();
  const std::string_view text = node.text();
  if (node.kind() == NodeKind::object) {
    static const TypeDef* const quantity = find_type("Quantity");
    const Node amount = type && is_below(type, quantity) ? node["value"] : Node();
    if (!amount.has_value()) return item;
    const Node code = node["code"], unit = node["unit"];
    const std::string_view name = code.has_value() ? code.text() : unit.has_value() ? unit.text() : "1";
    return PathItem::of_quantity(arena_.make(PathQuantity{amount.text(), name, false}));
  }
  if (!node.has_value()) return item;
  if (node.kind() == NodeKind::boolean) return PathItem::of_boolean(text == "true");
  if (!type || !type->is_primitive()) {
    if (node.kind() == NodeKind::string) return PathItem::of_text(PathKind::string, text);
    if (const auto integer = small_integer(text)) return PathItem::of_integer(*integer);
    return PathItem::of_text(PathKind::decimal, text);
  }
  switch (primitive_of(*type)) {
    case Primitive::integer:
    case Primitive::positive_int:
    case Primitive::unsigned_int:
      if (const auto integer = small_integer(text)) return PathItem::of_integer(*integer);
      return PathItem::of_text(PathKind::string, text);
    case Primitive::decimal:
      return PathItem::of_text(PathKind::decimal, text);
    case Primitive::date:
      if (const auto date = parse_date(text)) return date_item(PathKind::date, *date);
      break;
    case Primitive::date_time:
    case Primitive::instant:
      if (const auto date = parse_date_time(text)) return date_item(PathKind::date_time, *date);
      break;
    case Primitive::time:
      if (const auto time = parse_time(text)) return date_item(PathKind::time, *time);
      break;
    default:
      break;
  }
  return PathItem::of_text(PathKind::string, text);
}

}  // namespace detail

std::string print_item(const PathItem& item) {
  switch (item.kind()) {
    case PathKind::node:
      return std::string(item.node().text());
    case PathKind::boolean:
      return item.boolean() ? "true" : "false";
    case PathKind::integer:
      return std::to_string(item.integer());
    case PathKind::decimal:
    case PathKind::string:
      return std::string(item.text());
    case PathKind::date:
    case PathKind::date_time:
    case PathKind::time:
      return detail::print_date(item.kind(), item.date());
    case PathKind::quantity: {
      const PathQuantity& quantity = item.quantity();
      std::string text(quantity.value);
      text += ' ';
      if (!quantity.calendar) return text + "'" + std::string(quantity.unit) + "'";
      text += quantity.unit;
      return quantity.value == "1" ? text : text + "s";
    }
    case PathKind::type:
      return std::string(item.type().space) + "." + std::string(item.type().name);
  }
  return {};
}

std::string type_name(const PathItem& item) {
  if (item.is(PathKind::node)) {
    const TypeDef* type = item.node().type();
    return "FHIR." + std::string(type ? type->name() : "Element");
  }
  if (item.is(PathKind::type)) return "System.TypeInfo";
  return "System." + std::string(detail::system_name(item.kind()));
}

std::string print_json(const std::vector<PathItem>& items, bool pretty) {
  std::string out = "[";
  bool first = true;
  for (const PathItem& item : items) {
    if (!first) out += ',';
    first = false;
    if (pretty) out += "\n  ";
    switch (item.kind()) {
      case PathKind::node:
        if (item.node().kind() == NodeKind::empty) {
          out += "null";
        } else {
          append_json(out, item.node());
        }
        break;
      case PathKind::boolean:
      case PathKind::integer:
      case PathKind::decimal:
        out += print_item(item);
        break;
      default:
        base::append_json_string(out, print_item(item));
    }
  }
  if (pretty && !first) out += '\n';
  return out + "]";
}

}  // namespace kiln::fhir
