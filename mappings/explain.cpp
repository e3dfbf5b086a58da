#include "mappings/explain.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "fhir/definitions/definitions.h"
#include "hl7/dictionary/dictionary.h"
#include "hl7/message.h"
#include "hl7/path.h"
#include "mappings/detail/explain_paths.h"
#include "mappings/detail/ir.h"
#include "mappings/result_reader.h"

namespace kiln::mappings {
namespace {

/// A leaf of a JSON output, by the byte it starts at.
struct JsonLeaf {
  std::string path, typed_path, value;
  std::string_view type;
  std::uint32_t entry = UINT32_MAX;
};

class JsonIndex {
 public:
  explicit JsonIndex(base::JsonView root) {
    const std::string type(root["resourceType"].text());
    walk(root, fhir::find_type(type), {}, type, type, UINT32_MAX);
  }
  const JsonLeaf* find(std::uint32_t offset) const {
    const auto at = leaves_.find(offset);
    return at == leaves_.end() ? nullptr : &at->second;
  }

 private:
  void walk(base::JsonView view, const fhir::TypeDef* type, std::string_view type_name,
            const std::string& path, const std::string& typed, std::uint32_t entry) {
    if (view.is_array()) {
      std::size_t i = 0;
      const bool entries = typed == "Bundle.entry";
      for (const base::JsonView item : view) {
        const std::string index = "[" + std::to_string(i) + "]";
        walk(item, type, type_name, path + index, typed + index,
             entries ? static_cast<std::uint32_t>(i) : entry);
        ++i;
      }
      return;
    }
    if (!view.is_object()) {
      JsonLeaf leaf{path, typed, base::print_json(view), type_name, entry};
      leaves_.emplace(static_cast<std::uint32_t>(view.offset()), std::move(leaf));
      return;
    }
    std::string below = typed;
    if (const std::string_view resource = view["resourceType"].text(); !resource.empty()) {
      type = fhir::find_type(resource);
      below = resource;
    }
    for (const base::JsonView child : view) {
      const std::string_view key = child.key();
      const fhir::JsonMember member = type == nullptr ? fhir::JsonMember{} : type->element_by_json_name(key);
      const fhir::TypeDef* content = member ? member.content() : nullptr;
      walk(child, content, content == nullptr ? std::string_view() : content->name(),
           path + "." + std::string(key), below + "." + std::string(key), entry);
    }
  }
  std::unordered_map<std::uint32_t, JsonLeaf> leaves_;
};

base::JsonView json_at(base::JsonView root, std::string_view path) {
  const auto steps = detail::path_steps(path);
  base::JsonView view = root;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    view = view[steps[i].name];
    if (steps[i].index >= 0) view = view.at(static_cast<std::size_t>(steps[i].index));
  }
  return view;
}

std::string_view precision_of(std::string_view date) {
  switch (date.size()) {
    case 4:
      return "year";
    case 7:
      return "month";
    case 10:
      return "day";
    default:
      break;
  }
  if (date.size() < 16) return {};
  if (date.size() > 19 && date[19] == '.') return "fraction of a second";
  return date.size() > 16 && date[16] == ':' ? "second" : "minute";
}

std::string_view name_of(ir::PolicyKind kind) {
  static constexpr std::string_view kNames[] = {"omit",       "keep",   "a literal", "reject",
                                                "quarantine", "delete", "absent",    "skip"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string text_of(const ir::Policy& policy) {
  if (policy.kind == ir::PolicyKind::omit) return policy.warn ? "warn" : "omit";
  return (policy.warn ? "warn " : "") + std::string(name_of(policy.kind));
}

}  // namespace

/// Turns lineage records into text.
struct Explanation::Maker {
  const Library& library;
  const Program& program;
  const RunInput& input;
  const Runner& runner;
  const RunResult& result;
  std::unordered_map<std::uint32_t, const ir::Write*> writes;  ///< by rule
  hl7::Dictionary dictionary{hl7::Version::v2_5_1};

  void prepare() {
    for (const ir::Write& write : program.unit().writes)
      if (write.rule != ir::kNone) writes.emplace(write.rule, &write);
    if (const auto* message = std::get_if<const hl7::Message*>(&input)) {
      const hl7::SegmentView header = (*message)->header();
      const std::string version = header.exists() ? header.field(12).leaf().to_text() : std::string();
      if (const auto known = hl7::find_version(version)) dictionary = hl7::Dictionary(*known);
    }
  }

  // ---- sources ----

  void describe_hl7(const hl7::Message& message, ExplainedSource& source) const {
    const auto path = hl7::Path::compile(source.path);
    if (!path) return;
    const hl7::Piece piece = path->get(message);
    if (!piece.located()) return;
    // A composite is shown as received, a single value decoded.
    source.value = piece.raw() == piece.leaf().raw() ? piece.to_text() : std::string(piece.raw());
    const hl7::Location at = message.locate(piece.offset());
    source.line = at.segment + 1;
    source.column = piece.offset() - message.segment(at.segment).offset() + 1;
    const auto segment = dictionary.segment(detail::hl7_place(source.path).segment);
    const auto field = segment ? segment->field(path->field()) : std::nullopt;
    if (!field) return;
    source.name = field->name;
    source.datatype = datatype_of(*field, *path);
  }

  std::string datatype_of(const hl7::FieldDef& field, const hl7::Path& path) const {
    std::string_view type = field.datatype;
    for (const std::uint32_t number : {path.component(), path.subcomponent()}) {
      if (number == 0) break;
      const auto definition = dictionary.datatype(type);
      const auto part = definition ? definition->component(number) : std::nullopt;
      if (!part && number == 1 && definition && definition->primitive()) break;  // PID-8.1 is PID-8
      if (!part) return {};
      type = part->datatype;
    }
    return std::string(type);
  }

  ExplainedSource source_of(std::string path) const {
    ExplainedSource source;
    source.path = std::move(path);
    if (const auto* message = std::get_if<const hl7::Message*>(&input)) {
      describe_hl7(**message, source);
    } else if (const auto* json = std::get_if<base::JsonView>(&input)) {
      const base::JsonView view = json_at(*json, source.path);
      if (view.exists()) source.value = base::print_json(view);
    }
    return source;
  }

  // ---- rules ----

  std::string place_of(base::Span span) const {
    const std::string place = library.sources().place(span);
    return place.substr(0, place.rfind(':'));
  }

  /// The `on bad` that is in force for a rule: its own, the map's, or the default.
  std::string policy_of(std::uint32_t rule) const {
    const auto write = writes.find(rule);
    if (write == writes.end()) return {};
    const ir::Unit& unit = program.unit();
    const ir::PolicySet& set = unit.policy_sets[write->second->policies];
    const std::string text = "on bad " + text_of(unit.policies[set.bad]);
    const std::string_view written = library.sources().text(unit.rules[rule].span);
    if (written.find("on bad") != std::string_view::npos) return text + " (this rule)";
    for (const auto& declaration : library.declarations()) {
      if (declaration->kind != DeclKind::map || declaration->qualified() != result.map) continue;
      const auto* map = declaration->decl->get_if<ast::MapDecl>();
      if (map == nullptr) break;
      for (const ast::Stmt& stmt : map->body.statements) {
        const auto* on = stmt.get_if<ast::OnEvent>();
        if (on == nullptr || on->event != ast::OnEvent::Event::bad) continue;
        const auto line = library.sources().position(stmt.span.file, stmt.span.begin).line;
        return text + " (map " + std::string(declaration->name) + ", line " + std::to_string(line) + ")";
      }
    }
    return text + " (default)";
  }

  static std::string conversion_of(const ExplainedValue& value, std::string_view type) {
    if (value.sources.empty() || value.sources.front().datatype.empty() || type.empty()) return {};
    std::string text = value.sources.front().datatype + " -> " + std::string(type);
    const bool is_date = type == "date" || type == "dateTime" || type == "instant";
    if (is_date && value.value.size() > 2) {
      const auto precision = precision_of(std::string_view(value.value).substr(1, value.value.size() - 2));
      if (!precision.empty()) text += ", precision " + std::string(precision);
    }
    return text;
  }

  ExplainedValue value_of(const LineageRecord& record) const {
    ExplainedValue value;
    const ir::Unit& unit = program.unit();
    if (record.rule < unit.rules.size()) {
      const ir::Rule& rule = unit.rules[record.rule];
      value.rule = unit.text(rule.address);
      value.place = place_of(rule.span);
      value.expression = unit.text(rule.source);
      value.policy = policy_of(record.rule);
    }
    for (std::string& path : runner.source_paths(record.source))
      value.sources.push_back(source_of(std::move(path)));
    return value;
  }
};

namespace {

/// Text of a v2 or csv output that starts at the offset, up to the next delimiter of its level.
std::string text_at(const RunResult& result, std::uint32_t offset) {
  const std::string_view rest = std::string_view(result.output).substr(offset);
  const std::string_view ends = result.output_kind == DataKind::csv ? "\r\n" : "|\r";
  return std::string(rest.substr(0, rest.find_first_of(ends)));
}

}  // namespace

base::Result<Explanation> Explanation::of(const Library& library, const Program& program,
                                          const RunInput& input, const Runner& runner,
                                          const RunResult& result) {
  Explanation out;
  out.result_ = &result;
  Maker maker{library, program, input, runner, result, {}};
  maker.prepare();
  for (std::string& path : runner.unread()) out.unread_.push_back(maker.source_of(std::move(path)));
  if (result.output.empty()) return out;
  TRY(const ResultReader reader, ResultReader::open(result));
  std::optional<base::JsonDocument> document;
  std::optional<JsonIndex> index;
  if (result.output_kind == DataKind::fhir) {
    base::JsonLimits limits;
    limits.bytes = result.output.size();
    TRY(document, base::parse_json(result.output, limits));
    index.emplace(document->root());
  }
  std::vector<LineageRecord> records = result.lineage;
  std::stable_sort(records.begin(), records.end(),
                   [](const LineageRecord& a, const LineageRecord& b) { return a.output < b.output; });
  for (const LineageRecord& record : records) {
    ExplainedValue value = maker.value_of(record);
    if (index) {
      const JsonLeaf* leaf = index->find(record.output);
      if (leaf == nullptr) continue;  // of an object: its leaves have records of their own
      value.path = leaf->path;
      value.typed_path = leaf->typed_path;
      value.value = leaf->value;
      value.conversion = Maker::conversion_of(value, leaf->type);
      for (const CreatedResource& created : result.created)
        if (created.entry == leaf->entry) value.handle = created.handle;
    } else {
      value.path = value.typed_path = reader.output_path(record.output);
      value.value = text_at(result, record.output);
    }
    out.values_.push_back(std::move(value));
  }
  return out;
}

std::vector<const ExplainedValue*> Explanation::at(std::string_view path) const {
  std::vector<const ExplainedValue*> found;
  const detail::Hl7Place wanted = detail::hl7_place(path);
  for (const ExplainedValue& value : values_) {
    bool matches = detail::is_at_or_below(value.path, path) || detail::is_at_or_below(value.typed_path, path);
    if (!matches && !value.handle.empty()) {
      const std::size_t dot = value.typed_path.find('.');
      if (dot != std::string::npos)
        matches = detail::is_at_or_below(value.handle + value.typed_path.substr(dot), path);
    }
    if (wanted.valid && result_->output_kind == DataKind::hl7) matches = source_paths_meet(value.path, path);
    if (matches) found.push_back(&value);
  }
  return found;
}

std::vector<const ExplainedValue*> Explanation::from(std::string_view source) const {
  std::vector<const ExplainedValue*> found;
  for (const ExplainedValue& value : values_) {
    const bool meets =
        std::any_of(value.sources.begin(), value.sources.end(),
                    [&](const ExplainedSource& one) { return source_paths_meet(one.path, source); });
    if (meets) found.push_back(&value);
  }
  return found;
}

std::vector<const RunDiagnostic*> Explanation::notes_from(std::string_view source) const {
  std::vector<const RunDiagnostic*> found;
  for (const RunDiagnostic& note : result_->diagnostics)
    if (source_paths_meet(note.source, source)) found.push_back(&note);
  return found;
}

std::vector<ExplainedSource> Explanation::unread() const {
  return unread_;
}

bool source_paths_meet(std::string_view a, std::string_view b) {
  const detail::Hl7Place left = detail::hl7_place(a), right = detail::hl7_place(b);
  if (left.valid && right.valid) {
    const auto meet = [](int x, int y) { return x <= 0 || y <= 0 || x == y; };
    return left.segment == right.segment && meet(left.occurrence, right.occurrence) &&
           meet(left.field, right.field) && meet(left.repetition, right.repetition) &&
           meet(left.component, right.component) && meet(left.subcomponent, right.subcomponent);
  }
  if (left.valid != right.valid || a.empty() || b.empty()) return false;
  if (a == b || a.ends_with(" column " + std::string(b)) || b.ends_with(" column " + std::string(a)))
    return true;
  return detail::is_at_or_below(a, b) || detail::is_at_or_below(b, a);
}

std::string render(const ExplainedValue& value) {
  const auto line = [](std::string left, const std::string& right) {
    if (right.empty()) return left + "\n";
    left.append(left.size() < 52 ? 52 - left.size() : 2, ' ');
    return left + right + "\n";
  };
  std::string out = value.path + (value.value.empty() ? "" : " = " + value.value) + "\n";
  out += line("  rule   " + value.rule, value.place);
  bool first = true;
  for (const ExplainedSource& source : value.sources) {
    std::string text = "  from   " + source.path;
    if (!source.value.empty()) text += " = \"" + source.value + "\"";
    if (source.line != 0)
      text += "  (line " + std::to_string(source.line) + ", col " + std::to_string(source.column) + ")";
    out += line(std::move(text), std::exchange(first, false) ? value.conversion : std::string());
  }
  if (value.sources.empty()) out += "  from   the map itself: " + value.expression + "\n";
  if (!value.policy.empty()) out += "  policy " + value.policy + "\n";
  return out;
}

std::vector<ExplainedChange> difference(const Explanation& before, const Explanation& after) {
  const auto by_path = [](const Explanation& one) {
    std::map<std::string_view, const ExplainedValue*> values;
    for (const ExplainedValue& value : one.values()) values[value.path] = &value;  // the last write counts
    return values;
  };
  const auto old_values = by_path(before), new_values = by_path(after);
  std::vector<ExplainedChange> changes;
  for (const auto& [path, value] : old_values) {
    const auto same = new_values.find(path);
    if (same == new_values.end())
      changes.push_back({value, nullptr});
    else if (same->second->value != value->value)
      changes.push_back({value, same->second});
  }
  for (const auto& [path, value] : new_values)
    if (old_values.find(path) == old_values.end()) changes.push_back({nullptr, value});
  std::sort(changes.begin(), changes.end(), [](const ExplainedChange& a, const ExplainedChange& b) {
    const auto key = [](const ExplainedChange& c) {
      return (c.before != nullptr ? c.before : c.after)->path;
    };
    return key(a) < key(b);
  });
  return changes;
}

}  // namespace kiln::mappings
