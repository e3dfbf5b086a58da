#include "mappings/detail/facts.h"

#include <re2/re2.h>

#include <charconv>
#include <initializer_list>
#include <utility>

#include "hl7/dictionary/dictionary.h"
#include "mappings/detail/purity.h"

namespace kiln::mappings::detail {
namespace {

bool has_live_write(const ir::Unit& unit, ir::Range body, std::uint16_t reg);

bool is_live(const ir::Unit& unit, const ir::Stmt& stmt, std::uint16_t reg) {
  switch (stmt.op) {
    case ir::StmtOp::write: {
      const ir::Write& write = unit.writes[stmt.index];
      return write.base == reg && !write.constant;
    }
    case ir::StmtOp::loop:
      return has_live_write(unit, unit.loops[stmt.index].body, reg);
    case ir::StmtOp::create:
      return has_live_write(unit, unit.creates[stmt.index].body, reg);
    case ir::StmtOp::when: {
      const ir::When& when = unit.whens[stmt.index];
      for (ir::Index i = 0; i < when.branches.count; ++i) {
        if (has_live_write(unit, unit.when_branches[when.branches.first + i].body, reg)) return true;
      }
      return false;
    }
    default:
      return false;
  }
}

bool has_live_write(const ir::Unit& unit, ir::Range body, std::uint16_t reg) {
  for (ir::Index i = 0; i < body.count; ++i) {
    if (is_live(unit, unit.stmts[body.first + i], reg)) return true;
  }
  return false;
}

const hl7::Structure* structure_of(const ir::Unit& unit, const ir::Map& map) {
  if (map.source != ir::Side::hl7) return nullptr;
  const auto version = hl7::find_version(unit.text(map.source_version));
  return hl7::Structure::find(version.value_or(hl7::Version::v2_5_1), unit.text(map.source_type));
}

Value value_of(const ir::Unit& unit, const ir::Constant& constant) {
  switch (constant.kind) {
    case ir::ConstantKind::string:
      return Value::of_string(unit.text(constant.text));
    case ir::ConstantKind::decimal:
      return Value::of_decimal(unit.text(constant.text));
    case ir::ConstantKind::boolean:
      return Value::of_boolean(constant.number != 0);
    case ir::ConstantKind::pattern: {
      Value value;
      value.kind = ValueKind::pattern;
      value.pattern = unit.regexes[static_cast<std::size_t>(constant.number)].get();
      return value;
    }
    default:
      return Value::of_integer(constant.number);
  }
}

CsvFormat format_of(const ir::Unit& unit, const ir::CsvSchema& schema) {
  CsvFormat format;
  format.name = unit.text(schema.name);
  format.delimiter = schema.delimiter;
  format.header = schema.header;
  format.encoding = find_csv_encoding(unit.text(schema.encoding)).value_or(CsvEncoding::utf8);
  if (schema.null_text != ir::kNone) format.null_text = std::string(unit.text(schema.null_text));
  for (ir::Index i = 0; i < schema.columns.count; ++i) {
    const ir::CsvColumn& column = unit.csv_columns[schema.columns.first + i];
    const std::string_view header =
        column.header == ir::kNone ? unit.text(column.name) : unit.text(column.header);
    format.columns.push_back(
        {std::string(unit.text(column.name)), std::string(header), column.from, column.to, column.required});
  }
  return format;
}

/// `^…$` as a whole: what it matches is the whole text.
bool is_anchored(std::string_view pattern) {
  if (!pattern.starts_with('^') || !pattern.ends_with('$') || pattern.ends_with("\\$")) return false;
  int depth = 0;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      ++i;
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
    } else if (c == '(' || c == ')') {
      depth += c == '(' ? 1 : -1;
    } else if (c == '|' && depth == 0) {
      return false;
    }
  }
  return true;
}

RegexFacts limits_of(const re2::RE2& regex) {
  constexpr int kLongest = 16;
  RegexFacts facts;
  facts.simple = SimplePattern::of(regex.pattern());
  // The limits are those of whole texts: a text that only begins with a match lies beyond them.
  facts.limited =
      is_anchored(regex.pattern()) && regex.PossibleMatchRange(&facts.least, &facts.most, kLongest);
  return facts;
}

/// Collects texts one behind the other; they have their addresses when all of them are there.
class Texts {
 public:
  explicit Texts(std::string& all) : all_(all) {}
  void add(PaddedText& place, std::initializer_list<std::string_view> parts) {
    places_.push_back({&place, all_.size()});
    for (const std::string_view part : parts) all_ += part;
    place.size = all_.size() - places_.back().second;
  }
  void finish() {
    all_.append(PaddedText::kBlock, ' ');
    for (const auto& [place, offset] : places_) place->data = all_.data() + offset;
  }

 private:
  std::string& all_;
  std::vector<std::pair<PaddedText*, std::size_t>> places_;
};

bool needs_no_escape(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\\') return false;
  }
  return true;
}

void derive_quoted(const ir::Unit& unit, Facts& facts) {
  std::string& all = facts.quoted_texts;
  std::size_t size = PaddedText::kBlock;
  for (const std::string& text : unit.strings) size += text.size() + 2;
  all.reserve(size);  // views of it stay valid
  for (const std::string& text : unit.strings) {
    all += '"';
    facts.quoted.push_back(
        {all.data() + all.size(), static_cast<std::uint32_t>(text.size()), needs_no_escape(text)});
    all.append(text).append("\"");
  }
  all.append(PaddedText::kBlock, ' ');
}

void derive_shapes(const ir::Unit& unit, Facts& facts) {
  facts.members.resize(unit.members.size());
  facts.shapes.resize(unit.shapes.size());
  Texts texts(facts.texts);
  for (ir::Index i = 0; i < unit.members.size(); ++i) {
    const ir::Member& member = unit.members[i];
    MemberFacts& facts_of = facts.members[i];
    texts.add(facts_of.key, {",", unit.text(member.key), member.list ? "[" : ""});
    facts_of.name = unit.text(member.name);
    facts_of.list = member.list;
    facts_of.primitive = unit.types[member.type].kind == ir::TypeKind::primitive;
    facts_of.companion = member.is_companion;
  }
  for (ir::Index i = 0; i < unit.shapes.size(); ++i) {
    ShapeFacts& shape = facts.shapes[i];
    shape.members = facts.members.data() + unit.shapes[i].members.first;
    if (unit.shapes[i].kind != ir::ShapeKind::fhir) continue;
    texts.add(shape.resource, {"{\"resourceType\":\"", unit.text(unit.shapes[i].name), "\""});
    shape.id = slot_of(unit, i, "id");
    shape.identifier = slot_of(unit, i, "identifier");
    shape.url = slot_of(unit, i, "url");
    shape.reference = slot_of(unit, i, "reference");
  }
  texts.finish();
}

}  // namespace

std::uint16_t slot_of(const ir::Unit& unit, ir::Index shape, std::string_view member) {
  const ir::Range members = unit.shapes[shape].members;
  for (ir::Index i = 0; i < members.count; ++i) {
    if (unit.text(unit.members[members.first + i].name) == member) return static_cast<std::uint16_t>(i);
  }
  return ir::kNoSlot;
}

namespace {

/// "PV1-10", "PV1-15[*]" -> "http://terminology.hl7.org/CodeSystem/v2-0069".
std::string field_system(std::string_view path) {
  path = path.substr(0, path.find('['));
  if (path.size() < 5 || path[3] != '-') return {};
  int number = 0;
  const auto parsed = std::from_chars(path.data() + 4, path.data() + path.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != path.data() + path.size()) return {};
  for (const hl7::Version version : {hl7::Version::v2_5_1, hl7::Version::v2_3}) {
    const auto segment = hl7::Dictionary(version).segment(path.substr(0, 3));
    const auto field = segment ? segment->field(static_cast<std::size_t>(number)) : std::nullopt;
    if (field && (field->datatype == "IS" || field->datatype == "ID") && !field->table.empty())
      return "http://terminology.hl7.org/CodeSystem/v2-" + std::string(field->table);
  }
  return {};
}

}  // namespace

std::shared_ptr<const Facts> derive_facts(const ir::Unit& unit) {
  auto facts = std::make_shared<Facts>();
  derive_shapes(unit, *facts);
  derive_quoted(unit, *facts);
  for (const ir::Create& create : unit.creates) {
    facts->live_creates.push_back(has_live_write(unit, create.body, create.reg));
  }
  for (const auto& regex : unit.regexes) facts->regexes.push_back(limits_of(*regex));
  facts->plans = text_plans(unit);
  facts->paths = path_keys(unit);
  facts->conditions = derive_conditions(unit, facts->plans);
  facts->pure = pure_functions(unit);
  facts->text_fns = text_functions(unit);
  facts->object_fns = object_functions(unit);
  facts->object_lookups = object_lookups(unit);
  facts->writes = derive_writes(unit, facts->plans, facts->text_fns, facts->splits);
  facts->actions = derive_actions(unit, facts->conditions, facts->writes);
  for (const ir::Table& table : unit.tables) {
    std::vector<std::string_view> keys;
    for (ir::Index i = 0; i < table.rows.count; ++i)
      keys.push_back(unit.text(unit.table_rows[table.rows.first + i].key));
    facts->tables.push_back(facts->codes.add(keys));
    facts->unmapped.push_back("the table " + std::string(unit.text(table.name)) + " has no such code");
  }
  for (const ir::Lookup& lookup : unit.lookups)
    facts->field_systems.push_back(lookup.original == ir::kNone ? "" : field_system(unit.text(lookup.text)));
  for (const ir::Constant& constant : unit.constants) facts->constants.push_back(value_of(unit, constant));
  for (const ir::Map& map : unit.maps) facts->structures.push_back(structure_of(unit, map));
  for (const ir::Map& map : unit.expressions) facts->expression_structures.push_back(structure_of(unit, map));
  for (const ir::CsvSchema& schema : unit.csv_schemas) facts->csv_formats.push_back(format_of(unit, schema));
  return facts;
}

}  // namespace kiln::mappings::detail
