#include "tests/mappings/message_generator.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace kiln::mappings::test {

namespace {

constexpr std::size_t kDepthMax = 2;  // component, subcomponent

std::string digits_of(std::size_t value, std::size_t width) {
  std::string text = std::to_string(value);
  return std::string(text.size() < width ? width - text.size() : 0, '0') + text;
}

}  // namespace

std::string MessageGenerator::word() {
  static constexpr const char* kWords[] = {"EVERYMAN", "ADAM",          "Main Street", "4711",       "MERCY",
                                           "Ward 7",   "M\xC3\xBCller", "x",           "\\T\\",      "a b",
                                           "B-12",     "O'Hara",        "urn:oid:1",   "example.org"};
  return kWords[below(std::size(kWords))];
}

/// "2025" to "20250818112603".
std::string MessageGenerator::date(std::size_t digits) {
  const std::string all = digits_of(1930 + below(96), 4) + digits_of(1 + below(12), 2) +
                          digits_of(1 + below(28), 2) + digits_of(below(24), 2) + digits_of(below(60), 2) +
                          digits_of(below(60), 2);
  return all.substr(0, digits);
}

std::string MessageGenerator::primitive(std::string_view datatype, std::string_view table) {
  if (!table.empty() && chance(85)) {
    const auto codes = dictionary_.table(table);
    if (codes && !codes->codes.empty()) return std::string(codes->codes[below(codes->codes.size())].code);
  }
  if (datatype == "NM") return std::array{"12", "0", "3.5", "-4", "0.050", "1e3"}[below(6)];
  if (datatype == "SI") return std::to_string(1 + below(9));
  if (datatype == "DT") return date(std::array<std::size_t, 3>{4, 6, 8}[below(3)]);
  if (datatype == "TM") return date(14).substr(8, std::array<std::size_t, 3>{2, 4, 6}[below(3)]);
  if (datatype == "DTM" || datatype == "TS")
    return date(std::array<std::size_t, 5>{4, 6, 8, 12, 14}[below(5)]) + (chance(30) ? "+0100" : "");
  return word();
}

std::string MessageGenerator::field(const hl7::FieldDef& field, std::size_t depth) {
  const auto type = dictionary_.datatype(field.datatype);
  if (!type || type->primitive() || field.datatype == "TS" || depth >= kDepthMax)
    return primitive(field.datatype, field.table);
  std::string out;
  std::size_t missing = 0;
  const char separator = depth == 0 ? '^' : '&';
  for (const hl7::FieldDef& part : type->components) {
    if (part.position != 1) ++missing;
    if (part.usage != 'R' && !chance(part.position <= 3 ? 80 : 25)) continue;
    const std::string value = this->field(part, depth + 1);
    if (value.empty()) continue;
    out.append(std::exchange(missing, 0), separator).append(value);
  }
  return out;
}

void MessageGenerator::segment(std::string_view id, std::string& out) {
  if (id == "MSH") {
    out += header_;
    return;
  }
  const auto found = dictionary_.segment(id);
  if (!found) return;
  out += id;
  std::size_t missing = 0;
  value_type_ = std::array{"NM", "ST", "CWE", "SN", "DT", "TX", "TM", "CE", "DTM", "ED"}[below(10)];
  for (const hl7::FieldDef& field : found->fields) {
    ++missing;
    const bool observed = id == "OBX" && (field.position == 2 || field.position == 5);
    if (field.usage == 'W' || (field.usage != 'R' && !observed && !chance(55))) continue;
    std::string value;
    const std::size_t repetitions = field.repeats() ? 1 + below(3) : 1;
    for (std::size_t i = 0; i < repetitions; ++i) {
      hl7::FieldDef one = field;
      if (id == "OBX" && field.position == 5) one.datatype = value_type_;
      std::string text = id == "OBX" && field.position == 2 ? value_type_ : this->field(one, 0);
      if (!text.empty()) value += (value.empty() ? "" : "~") + text;
    }
    if (field.position == 1 && field.datatype == "SI") value = std::to_string(++index_);
    if (value.empty()) continue;
    out.append(std::exchange(missing, 0), '|').append(value);
  }
  out += '\r';
}

void MessageGenerator::node(const hl7::NodeDef& node, std::string& out) {
  if (node.kind == hl7::NodeKind::segment) return segment(node.name, out);
  if (node.kind == hl7::NodeKind::group) return nodes(node.children, out);
  if (node.kind == hl7::NodeKind::choice && !node.children.empty())
    this->node(node.children[below(node.children.size())], out);
}

void MessageGenerator::nodes(const hl7::RecordList<hl7::NodeDef>& list, std::string& out) {
  for (const hl7::NodeDef& one : list) {
    if (!one.required && !chance(60)) continue;
    const std::size_t times = one.repeats ? 1 + below(2) : 1;
    for (std::size_t i = 0; i < times && out.size() < 60'000; ++i) node(one, out);
  }
}

std::string MessageGenerator::message(const hl7::StructureDef& structure, std::string_view event) {
  const std::string id(structure.id);
  const std::string code = id.substr(0, id.find('_'));
  header_ = "MSH|^~\\&|APP|MERCY|KILN|HIE|20260301073000+0000||" + code + "^" + std::string(event) + "^" +
            id + "|M" + std::to_string(below(1000000)) + "|P|" +
            std::string(hl7::version_text(dictionary_.version())) + "\r";
  std::string out;
  nodes(structure.nodes, out);
  return out;
}

std::string MessageGenerator::perturbed(std::string message) {
  static const char* const kPieces[] = {"|\"\"|",
                                        "||",
                                        "~",
                                        "^",
                                        "&",
                                        "\\X0D\\",
                                        "\xC3\xA9",
                                        "\"",
                                        "|X|",
                                        "^^",
                                        "2026",
                                        "|nonsense|",
                                        "99999999999999999999"};
  for (std::size_t i = below(4) + 1; i > 0; --i) {
    const std::size_t header = message.find('\r');
    const std::size_t at = header + 1 + below(message.size() - header - 1);
    const char bound = chance(50) ? '|' : '\r';  // a field or a segment is doubled
    const std::size_t begin = message.rfind(bound, at), end = message.find(bound, at);
    if (chance(30)) {
      message.erase(at, 1 + below(4));
    } else if (chance(60) || begin == std::string::npos || end == std::string::npos || begin < header) {
      message.insert(at, kPieces[below(std::size(kPieces))]);
    } else {
      message.insert(end, (bound == '|' ? "~" : "\r") + message.substr(begin + 1, end - begin - 1));
    }
  }
  return message;
}

}  // namespace kiln::mappings::test
