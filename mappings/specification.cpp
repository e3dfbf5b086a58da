#include "mappings/specification.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "hl7/dictionary/dictionary.h"
#include "mappings/detail/source_names.h"
#include "mappings/tables.h"

namespace kiln::mappings {
namespace {

using base::Span;

/// Blanks and line breaks of several lines as one blank.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!out.empty()) out += between;
    out += part;
  }
  return out;
}

/// What a rule's target path is read against.
struct Place {
  std::string path;                     ///< "Patient", "Patient.name", ""
  const fhir::TypeDef* type = nullptr;  ///< FHIR
};

class SectionMaker {
 public:
  SectionMaker(const Library& library, std::set<const Declaration*>& tables)
      : library_(library), tables_(tables) {}

  SpecificationSection map(const Declaration& declaration, const ast::MapDecl& decl) {
    enter(declaration, SpecificationSection::Kind::map);
    for (const ast::Param& param : decl.params)
      if (param.type.model == ast::Type::Model::hl7) use_version(param.type.version);
    section_.signature =
        one_line(text({decl.body.span.file, declaration.decl->span.begin, decl.body.span.begin}));
    if (decl.model == ast::Type::Model::hl7) use_version(decl.version);
    Place root;
    if (decl.model == ast::Type::Model::fhir && decl.target.text != "Bundle")
      root = resource(decl.target.text);
    open_part(decl.model == ast::Type::Model::fhir ? "Bundle" : decl.target.text, {});
    block(decl.body, root);
    return leave();
  }

  SpecificationSection datatype(const Declaration& declaration, const ast::DatatypeDecl& decl) {
    enter(declaration, SpecificationSection::Kind::datatype);
    section_.signature =
        one_line(text({decl.body.span.file, declaration.decl->span.begin, decl.body.span.begin}));
    section_.name =
        decl.source.text + (decl.variant ? "@" + decl.variant->text : "") + " -> " + decl.target.name.text;
    datatype_ = decl.source.text;
    open_part(section_.name, {});
    block(decl.body, resource(decl.target.name.text));
    return leave();
  }

  SpecificationSection extension(const Declaration& declaration, const ast::ExtendDecl& decl) {
    enter(declaration, SpecificationSection::Kind::extension);
    section_.signature = "extend map " + decl.name.text + " from " + decl.base.text();
    open_part("changes to " + decl.base.text(), {});
    for (const ast::Edit& edit : decl.edits) {
      static constexpr const char* kWords[] = {"remove", "replace", "add"};
      const std::string where = edit.in ? edit.in->text : std::string();
      if (edit.stmt != nullptr) {
        const std::size_t first = part().rows.size();
        statement(*edit.stmt, {where, nullptr});
        for (std::size_t i = first; i < part().rows.size(); ++i)
          part().rows[i].effect =
              std::string(kWords[static_cast<int>(edit.kind)]) + ", " + part().rows[i].effect;
        continue;
      }
      SpecificationRow row;
      row.target = (where.empty() ? "" : where + ".") + std::string(text(edit.target.span));
      row.effect = "remove";
      row.label = edit.label ? edit.label->text : "";
      row.place = place_of(edit.span);
      part().rows.push_back(std::move(row));
    }
    return leave();
  }

 private:
  std::string_view text(Span span) const { return library_.sources().text(span); }
  std::string place_of(Span span) const {
    const std::string place = library_.sources().place(span);
    return place.substr(0, place.rfind(':'));
  }
  void use_version(const std::string& version) {
    if (const auto known = hl7::find_version(version)) dictionary_ = hl7::Dictionary(*known);
  }
  static Place resource(const std::string& type) { return {type, fhir::find_type(type)}; }

  // ---- sections and parts ----

  void enter(const Declaration& declaration, SpecificationSection::Kind kind) {
    file_ = declaration.file;
    section_ = {};
    section_.kind = kind;
    section_.name = declaration.qualified();
    section_.place = place_of(declaration.decl->span);
    section_.description = comment_above(*declaration.file, declaration.decl->span);
  }
  SpecificationSection leave() {
    std::erase_if(section_.parts,
                  [](const SpecificationPart& one) { return one.rows.empty() && one.detail.empty(); });
    // What belongs to no resource comes after them.
    if (section_.parts.size() > 1 && section_.parts.front().title == "Bundle")
      std::rotate(section_.parts.begin(), section_.parts.begin() + 1, section_.parts.end());
    return std::move(section_);
  }
  void open_part(std::string title, std::string detail) {
    section_.parts.push_back({std::move(title), std::move(detail), {}});
    part_ = section_.parts.size() - 1;
  }
  SpecificationPart& part() { return section_.parts[part_]; }

  // ---- comments ----

  static std::string plain(std::string_view comment) {
    comment.remove_prefix(std::min<std::size_t>(2, comment.size()));
    return one_line(comment);
  }
  /// Lines of comment that end on the line above `span`.
  std::string comment_above(const LibraryFile& file, Span span) const {
    const auto& all = file.tree.comments;
    std::vector<std::string> lines;
    auto line = library_.sources().position(span.file, span.begin).line;
    for (auto at = all.rbegin(); at != all.rend(); ++at) {
      if (at->begin >= span.begin) continue;
      const auto own = library_.sources().position(at->file, at->begin);
      if (own.line + 1 != line || own.column != 1) break;
      lines.push_back(plain(text(*at)));
      line = own.line;
    }
    std::reverse(lines.begin(), lines.end());
    return joined(lines, " ");
  }
  std::string comment_beside(Span span) const {
    for (const Span& comment : file_->tree.comments) {
      if (comment.file != span.file || comment.begin < span.end) continue;
      const std::string_view between = text({span.file, span.end, comment.begin});
      return between.find('\n') == std::string_view::npos && one_line(between).empty() ? plain(text(comment))
                                                                                       : std::string();
    }
    return {};
  }

  // ---- statements ----

  struct Saved {
    std::size_t conditions, policies;
  };
  Saved save() const { return {conditions_.size(), policies_.size()}; }
  void restore(Saved saved) {
    conditions_.resize(saved.conditions);
    policies_.resize(saved.policies);
  }

  void block(const ast::Block& block, const Place& at) {
    for (const ast::Stmt& stmt : block.statements) statement(stmt, at);
  }
  void statement(const ast::Stmt& stmt, const Place& at) {
    const Saved saved = save();
    bool keep = false;
    if (const auto* assign = stmt.get_if<ast::Assign>()) {
      this->assign(*assign, stmt.span, at);
    } else if (stmt.get_if<ast::OnEvent>() != nullptr) {
      policies_.push_back(one_line(text(stmt.span)));
      if (conditions_.empty() && part_ == 0 && at.type == nullptr)
        section_.policies.push_back(policies_.back());
      keep = true;
    } else if (stmt.get_if<ast::Require>() != nullptr || stmt.get_if<ast::Warn>() != nullptr) {
      const std::string where = joined(conditions_, "; ");
      section_.requirements.push_back(one_line(text(stmt.span)) + (where.empty() ? "" : "  (" + where + ")"));
    } else if (const auto* create = stmt.get_if<ast::Create>()) {
      this->create(*create);
    } else if (const auto* include = stmt.get_if<ast::Include>()) {
      this->include(*include, at);
    } else if (const auto* add = stmt.get_if<ast::Add>()) {
      nested_part(add->name.text, joined(conditions_, "; "), add->body, at);
    } else if (const auto* emit = stmt.get_if<ast::Emit>()) {
      nested_part("row", joined(conditions_, "; "), emit->body, at);
    } else if (const auto* loop = stmt.get_if<ast::ForEach>()) {
      conditions_.push_back(one_line(text({stmt.span.file, stmt.span.begin, loop->body.span.begin})));
      block(loop->body, at);
    } else if (const auto* when = stmt.get_if<ast::When>()) {
      this->when(*when, at);
    } else if (stmt.get_if<ast::Skip>() != nullptr) {
      section_.requirements.push_back(one_line(text(stmt.span)) + "  (" + joined(conditions_, "; ") + ")");
    }
    if (!keep) restore(saved);
  }

  void nested_part(std::string title, std::string detail, const ast::Block& body, const Place& at) {
    const std::size_t outer = part_;
    open_part(std::move(title), std::move(detail));
    const auto conditions = std::exchange(conditions_, {});
    block(body, at);
    conditions_ = conditions;
    part_ = outer;
  }

  void create(const ast::Create& create) {
    std::vector<std::string> detail = conditions_;
    if (create.condition != nullptr) detail.push_back("if " + one_line(text(create.condition->span)));
    if (create.identity != nullptr) detail.push_back("identity " + one_line(text(create.identity->span)));
    if (create.request != ast::Create::Request::not_given)
      detail.push_back("request " + std::string(text(create.request_span)));
    const std::string type = create.type.name.text;
    handles_[create.handle.text] = type;
    nested_part(create.handle.text + ": " + type, joined(detail, "; "), create.body, resource(type));
  }

  void include(const ast::Include& include, const Place& at) {
    const Resolution found = library_.resolve(*file_, include.fragment, DeclKind::fragment);
    const auto* fragment = found.found == nullptr ? nullptr : found.found->decl->get_if<ast::FragmentDecl>();
    if (fragment == nullptr || std::count(including_.begin(), including_.end(), fragment) != 0) return;
    const LibraryFile* outer = std::exchange(file_, found.found->file);
    including_.push_back(fragment);
    block(fragment->body, at);
    including_.pop_back();
    file_ = outer;
  }

  void when(const ast::When& when, const Place& at) {
    std::vector<std::string> earlier;
    for (const auto& branch : when.branches) {
      const Saved saved = save();
      const std::string condition = one_line(text(branch.condition->span));
      conditions_.push_back((earlier.empty() ? "when " : "else when ") + condition);
      block(branch.body, at);
      restore(saved);
      earlier.push_back(condition);
    }
    if (!when.otherwise) return;
    const Saved saved = save();
    conditions_.push_back("not (" + joined(earlier, ") and not (") + ")");
    block(*when.otherwise, at);
    restore(saved);
  }

  // ---- rules ----

  void assign(const ast::Assign& assign, Span span, const Place& at) {
    SpecificationRow row;
    const Place place = target(assign.target, at, row);
    row.effect = assign.override_earlier                      ? "override"
                 : assign.op == ast::Assign::Op::append       ? "append"
                 : assign.op == ast::Assign::Op::set_if_unset ? "set if unset"
                                                              : "set";
    if (assign.condition != nullptr) conditions_.push_back("if " + one_line(text(assign.condition->span)));
    if (assign.on_bad) policies_.push_back("on bad " + one_line(text(assign.on_bad->span)));
    row.label = assign.label ? assign.label->text : "";
    row.note = comment_beside(span);
    row.place = place_of(span);
    value(*assign.value, row, place);
  }

  /// Path, type and cardinality of a left side.
  Place target(const ast::Target& target, const Place& at, SpecificationRow& row) const {
    using Kind = ast::TargetStep::Kind;
    row.target = at.path;
    const fhir::TypeDef* type = at.type;
    for (const ast::TargetStep& step : target.steps) {
      const bool first = &step == &target.steps.front();
      row.cardinality.clear();
      switch (step.kind) {
        case Kind::field:
          v2_target(step, row);
          type = nullptr;
          break;
        case Kind::component:
          row.target += "." + std::to_string(step.number);
          type = nullptr;
          break;
        case Kind::index:
          row.target += "[" + std::to_string(step.number) + "]";
          break;
        case Kind::slice:
          row.target += ":" + step.name.text;
          break;
        case Kind::ext:
          row.target +=
              (first && at.path.empty() ? "" : ".") + std::string("extension(") + step.name.text + ")";
          type = nullptr;
          break;
        case Kind::element: {
          const auto handle = first && type == nullptr ? handles_.find(step.name.text) : handles_.end();
          if (handle != handles_.end()) {
            row.target += step.name.text;
            type = fhir::find_type(handle->second);
            break;
          }
          row.target += (first && at.path.empty() ? "" : ".") + step.name.text;
          const fhir::ElementDef* element = type == nullptr ? nullptr : type->element(step.name.text);
          type = element == nullptr               ? nullptr
                 : element->backbone() != nullptr ? element->backbone()
                                                  : element->only_type();
          if (element == nullptr) break;
          row.cardinality = std::to_string(element->min()) + ".." +
                            (element->max() == 0 ? "*" : std::to_string(element->max()));
          row.type = element->is_choice() ? "choice" : type == nullptr ? "" : std::string(type->name());
        }
      }
    }
    return {row.target, type};
  }

  void v2_target(const ast::TargetStep& step, SpecificationRow& row) const {
    row.target = step.name.text + "-" + std::to_string(step.number);
    const auto segment = dictionary_.segment(step.name.text);
    const auto field = segment ? segment->field(static_cast<std::size_t>(step.number)) : std::nullopt;
    if (!field) return;
    row.type = field->datatype;
    row.cardinality = std::string(field->usage == 'R' ? "1" : "0") + ".." +
                      (field->repetition_max == 0 ? "*" : std::to_string(field->repetition_max));
    row.note = joined({row.note, std::string(field->name)}, "; ");
  }

  /// Objects, arms and guards become rows of their own.
  void value(const ast::Expr& expr, const SpecificationRow& row, const Place& place) {
    const Saved saved = save();
    if (const auto* object = expr.get_if<ast::Object>()) {
      const std::size_t first = part().rows.size();
      block(*object->block, place);
      for (std::size_t i = first; i < part().rows.size(); ++i) {
        if (part().rows[i].label.empty()) part().rows[i].label = row.label;
        if (part().rows[i].note.empty()) part().rows[i].note = row.note;
      }
      if (first < part().rows.size())
        part().rows[first].effect += row.effect == "append" ? " (new item)" : "";
    } else if (const auto* guarded = expr.get_if<ast::Guarded>()) {
      conditions_.push_back("if " + one_line(text(guarded->condition->span)));
      value(*guarded->value, row, place);
    } else if (const auto* as = expr.get_if<ast::As>(); as != nullptr && as->operand->get_if<ast::Object>()) {
      value(*as->operand, row, {place.path, fhir::find_type(as->type.name.text)});
    } else if (const auto* match = expr.get_if<ast::Match>()) {
      const std::string subject = one_line(text(match->subject->span));
      for (const ast::MatchArm& arm : match->arms) {
        const Saved outside = save();
        const Span patterns{arm.span.file, arm.patterns.front().span.begin, arm.patterns.back().span.end};
        const std::string which = one_line(text(patterns));
        conditions_.push_back(which == "_" ? subject + " is anything else" : subject + " is " + which);
        value(*arm.value, row, place);
        restore(outside);
      }
    } else {
      plain_value(expr, row);
    }
    restore(saved);
  }

  void plain_value(const ast::Expr& expr, SpecificationRow row) {
    row.source = one_line(text(expr.span));
    std::vector<std::string> tables;
    row.names = detail::source_names(row.source, dictionary_, datatype_);
    find_tables(expr, tables);
    row.table = joined(tables, ", ");
    row.condition = joined(conditions_, "; ");
    std::vector<std::string> policies;
    if (!unmapped_.empty()) policies.push_back("unmapped: " + std::exchange(unmapped_, {}));
    for (auto at = policies_.rbegin(); at != policies_.rend(); ++at)
      if (at->starts_with("on bad ")) {
        const auto& general = section_.policies;  // said once for the section
        if (std::find(general.begin(), general.end(), *at) == general.end())
          policies.push_back("bad: " + at->substr(7));
        break;
      }
    row.policy = joined(policies, "; ");
    part().rows.push_back(std::move(row));
  }

  void find_tables(const ast::Expr& expr, std::vector<std::string>& tables) {
    const auto inside = [&](const ast::ExprPtr& one) {
      if (one != nullptr) find_tables(*one, tables);
    };
    if (const auto* via = expr.get_if<ast::Via>()) {
      inside(via->operand);
      tables.push_back(via->table.text());
      const Resolution found = library_.resolve(*file_, via->table, DeclKind::table);
      if (found.found != nullptr) tables_.insert(found.found);
      if (via->otherwise) unmapped_ = one_line(text(via->otherwise->span));
    } else if (const auto* as = expr.get_if<ast::As>()) {
      inside(as->operand);
    } else if (const auto* of = expr.get_if<ast::Of>()) {
      inside(of->operand);
    } else if (const auto* use = expr.get_if<ast::Using>()) {
      inside(use->operand);
    } else if (const auto* each = expr.get_if<ast::Each>()) {
      inside(each->operand);
      inside(each->body);
    } else if (const auto* binary = expr.get_if<ast::Binary>()) {
      inside(binary->left);
      inside(binary->right);
    } else if (const auto* choice = expr.get_if<ast::IfThenElse>()) {
      inside(choice->then);
      inside(choice->otherwise);
    } else if (const auto* call = expr.get_if<ast::Call>()) {
      for (const ast::Arg& arg : call->args) inside(arg.value);
    }
  }

  const Library& library_;
  std::set<const Declaration*>& tables_;
  const LibraryFile* file_ = nullptr;
  SpecificationSection section_;
  std::size_t part_ = 0;
  std::vector<std::string> conditions_, policies_;
  std::vector<const ast::FragmentDecl*> including_;
  std::map<std::string, std::string> handles_;  ///< type by handle
  std::string datatype_, unmapped_;
  hl7::Dictionary dictionary_{hl7::Version::v2_5_1};
};

SpecificationTable table_of(const Library& library, const Declaration& declaration) {
  const auto& decl = *declaration.decl->get_if<ast::TableDecl>();
  SpecificationTable table;
  table.name = declaration.qualified();
  if (decl.system) table.system = decl.system->text;
  static constexpr const char* kSources[] = {"", "csv file ", "concept map ", "HL7 table "};
  if (decl.location) table.source = kSources[static_cast<int>(decl.source)] + decl.location->text;
  if (decl.otherwise) table.otherwise = one_line(library.sources().text(decl.otherwise->span));
  const std::string place = library.sources().place(declaration.decl->span);
  table.place = place.substr(0, place.rfind(':'));
  for (const ast::TableRow& row : decl.rows)
    for (const ast::Literal& key : row.keys)
      table.rows.push_back({key.text, row.value.text, row.display ? row.display->text : "",
                            row.system ? row.system->text : ""});
  // Rows that stand in files: as the site's tables were loaded.
  const TableData* data = library.tables() == nullptr ? nullptr : library.tables()->find(table.name);
  if (data == nullptr || !table.rows.empty() || !data->has_code()) return table;
  for (TableData::Row row = 0; row < data->rows(); ++row)
    table.rows.push_back({std::string(data->key(row)), std::string(data->code(row)),
                          std::string(data->display(row)), std::string(data->system(row))});
  return table;
}

bool is_wanted(const Declaration& declaration, std::string_view name) {
  if (name.empty()) return !declaration.file->shipped;
  const std::string qualified = declaration.qualified();
  return qualified == name || declaration.name == name || qualified.starts_with(std::string(name) + ".");
}

}  // namespace

Specification make_specification(const Library& library, std::string_view name) {
  Specification out;
  std::set<const Declaration*> tables;
  for (const auto& declaration : library.declarations()) {
    if (!is_wanted(*declaration, name)) continue;
    if (const auto* map = declaration->decl->get_if<ast::MapDecl>())
      out.sections.push_back(SectionMaker(library, tables).map(*declaration, *map));
    if (const auto* extend = declaration->decl->get_if<ast::ExtendDecl>())
      out.sections.push_back(SectionMaker(library, tables).extension(*declaration, *extend));
    if (const auto* datatype = declaration->decl->get_if<ast::DatatypeDecl>())
      out.sections.push_back(SectionMaker(library, tables).datatype(*declaration, *datatype));
  }
  for (const Declaration* table : tables) out.tables.push_back(table_of(library, *table));
  std::sort(out.tables.begin(), out.tables.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

}  // namespace kiln::mappings
