// textDocument/completion. Candidates come from the tokens around the cursor, so that they also come while
// the text does not parse; names of other files come from the site's last check.

#include <algorithm>
#include <set>

#include "engine/base/text.h"
#include "mappings/function.h"
#include "mappings/language/keywords.h"
#include "mappings/language/requests.h"

namespace kiln::mappings {

using detail::TokenKind;

namespace {

/// CompletionItemKind of the protocol.
enum class ItemKind : std::uint8_t {
  text = 1,
  function = 3,
  field = 5,
  variable = 6,
  type = 7,
  module = 9,
  property = 10,
  value = 12,
  keyword = 14,
  reference = 18,
  constant = 21,
  structure = 22
};

class Items {
 public:
  /// More than that are not listed; the client asks again as the word grows.
  static constexpr std::size_t kItemsMax = 1000;

  Items(const Cursor& cursor, base::JsonWriter& json) : cursor_(cursor), json_(json) {}
  void begin() { json_.begin_object().key("isIncomplete").boolean(false).key("items").begin_array(); }
  void end() { json_.end_array().end_object(); }

  /// `group` sorts: smaller ones first.
  void add(std::string_view label, ItemKind kind, std::string_view detail, char group,
           std::string_view documentation = {}) {
    const std::string_view prefix = cursor_.prefix();
    const bool fits =
        label.size() >= prefix.size() && base::equals_ignore_case(label.substr(0, prefix.size()), prefix);
    if (!fits || !seen_.emplace(label).second || seen_.size() > kItemsMax) return;
    json_.begin_object().member("label", label).key("kind").integer(static_cast<int>(kind));
    if (!detail.empty()) json_.member("detail", detail);
    if (!documentation.empty())
      json_.key("documentation")
          .begin_object()
          .member("kind", "markdown")
          .member("value", documentation)
          .end_object();
    json_.member("sortText", std::string(1, group) + std::string(label));
    json_.key("textEdit").begin_object().key("range");
    write_range(json_, cursor_.text(), cursor_.offset() - prefix.size(), cursor_.offset());
    json_.member("newText", label).end_object().end_object();
  }

 private:
  const Cursor& cursor_;
  base::JsonWriter& json_;
  std::set<std::string, std::less<>> seen_;
};

void add_words(Items& items, WordPlace place, char group) {
  for (const LanguageWord& word : language_words())
    if (word.place == place) items.add(word.text, ItemKind::keyword, word.summary, group);
}

void add_elements(Items& items, const fhir::TypeDef& type) {
  for (const fhir::ElementDef& element : type.elements())
    items.add(element.name(), ItemKind::property, element_line(element), 'a');
}

void add_components(Items& items, const Cursor& cursor, std::string_view datatype,
                    const std::string& before) {
  const auto type = cursor.dictionary().datatype(datatype);
  if (!type) return;
  for (const hl7::FieldDef& part : type->components)
    items.add(before + std::to_string(part.position), ItemKind::field,
              std::string(part.name) + " (" + std::string(part.datatype) + ")", 'a');
}

void add_fields(Items& items, const Cursor& cursor, std::string_view segment) {
  const auto found = cursor.dictionary().segment(segment);
  if (!found) return;
  for (const hl7::FieldDef& field : found->fields)
    items.add(std::string(segment) + "-" + std::to_string(field.position), ItemKind::field,
              std::string(field.name) + " (" + std::string(field.datatype) + ")", 'a');
}

void add_nodes(Items& items, const hl7::RecordList<hl7::NodeDef>& nodes, bool groups, bool segments) {
  for (const hl7::NodeDef& node : nodes) {
    const bool named = node.kind == hl7::NodeKind::group;
    if (named && groups) items.add(node.name, ItemKind::structure, "group", 'c');
    if (node.kind == hl7::NodeKind::segment && segments)
      items.add(node.name, ItemKind::structure, "segment", 'd');
    add_nodes(items, node.children, groups, segments);
  }
}

void add_declarations(Items& items, const Cursor& cursor, DeclKind kinds, ItemKind kind,
                      std::string_view detail, char group) {
  if (cursor.library() == nullptr || cursor.file() == nullptr) return;
  for (const std::string_view name : cursor.library()->names_in_scope(*cursor.file(), kinds))
    items.add(name, kind, detail, group);
}

/// PID-, PID-5., PID-5.1.: what stands in front of the last point decides.
bool add_path(Items& items, const Cursor& cursor) {
  const std::string_view prefix = cursor.prefix();
  if (prefix.size() < 4 || prefix[3] != '-') return false;
  const std::size_t dot = prefix.rfind('.');
  if (dot == std::string_view::npos) {
    add_fields(items, cursor, prefix.substr(0, 3));
    return true;
  }
  const auto path = parse_field_path(prefix.substr(0, dot));
  if (!path) return true;
  const auto field = find_field(cursor.enclosing().version, path->segment, path->numbers[0]);
  std::string_view datatype = field ? field->datatype : std::string_view();
  for (std::size_t i = 1; i < path->numbers.size(); ++i) {
    const auto type = cursor.dictionary().datatype(datatype);
    const auto part = type ? type->component(path->numbers[i]) : std::nullopt;
    datatype = part ? part->datatype : std::string_view();
  }
  add_components(items, cursor, datatype, std::string(prefix.substr(0, dot + 1)));
  return true;
}

void add_columns(Items& items, const Cursor& cursor, std::string_view csv) {
  if (cursor.library() == nullptr || cursor.file() == nullptr) return;
  const Resolution found = cursor.library()->resolve(*cursor.file(), csv, DeclKind::csv);
  if (found.found == nullptr) return;
  for (const ast::CsvColumn& column : found.found->decl->get_if<ast::CsvDecl>()->columns)
    items.add(column.name.text, ItemKind::field, column.type.name.text, 'a');
}

/// Behind a point: elements, components, columns, or the names of a package.
void add_members(Items& items, const Cursor& cursor, std::size_t dot) {
  const bool alone = dot == 0 || cursor.tokens()[dot].space_before ||
                     (cursor.tokens()[dot - 1].kind == TokenKind::left_bracket ||
                      cursor.tokens()[dot - 1].kind == TokenKind::left_paren ||
                      cursor.tokens()[dot - 1].kind == TokenKind::left_brace);
  PlaceType type = alone ? cursor.value_type(dot) : cursor.value_type(dot - 1);
  const auto operation = cursor.assignment();
  if (!alone && !operation && dot > cursor.statement()) type = cursor.target_type(cursor.statement(), dot);
  if (type.fhir != nullptr) add_elements(items, *type.fhir);
  if (!type.datatype.empty()) add_components(items, cursor, type.datatype, "");
  if (!type.csv.empty()) add_columns(items, cursor, type.csv);
  if (!alone && cursor.word(dot - 1) == "run")
    for (const char* name : {"received", "channel", "tz", "message"})
      items.add(name, ItemKind::property, "of this run", 'a');
  if (type || alone || cursor.library() == nullptr || cursor.file() == nullptr) return;
  std::string package;
  for (std::size_t i = cursor.chain_begin(dot - 1); i < dot; ++i) package += cursor.word(i);
  for (const auto& declaration : cursor.library()->declarations()) {
    if (declaration->package == package && declaration->kind != DeclKind::datatype)
      items.add(declaration->name, ItemKind::reference, signature_of(*cursor.library(), *declaration), 'a');
    if (declaration->package.starts_with(package + ".")) {
      const std::string_view below = declaration->package.substr(package.size() + 1);
      items.add(below.substr(0, below.find('.')), ItemKind::module, "package", 'b');
    }
  }
  if (cursor.word(cursor.statement()) != "use") return;
  for (const base::EmbeddedFile& file : library_files()) {
    std::string name(file.path.substr(0, file.path.rfind('.')));
    std::replace(name.begin(), name.end(), '/', '.');
    if (name.starts_with(package + ".")) {
      const std::string below = name.substr(package.size() + 1);
      items.add(below.substr(0, below.find('.')), ItemKind::module, "shipped package", 'b');
    }
  }
}

void add_codes(Items& items, const fhir::ElementDef& element, const std::string& quote) {
  const fhir::ValueSet* set = element.value_set();
  if (set == nullptr) return;
  for (const fhir::CodeDef& code : set->codes())
    items.add(quote + std::string(code.code()) + quote, ItemKind::value, code.display(), 'a');
}

/// The element whose value is being written: left of the operator.
const fhir::ElementDef* written_element(const Cursor& cursor) {
  const auto operation = cursor.assignment();
  return operation ? cursor.target_type(cursor.statement(), *operation).element : nullptr;
}

void add_types(Items& items, bool resources) {
  for (const fhir::TypeDef& type : fhir::all_types()) {
    if (type.is_abstract() || type.kind() == fhir::TypeKind::backbone) continue;
    if (!resources || type.is_resource())
      items.add(type.name(), ItemKind::type, type.is_resource() ? "resource" : "type", 'b');
  }
}

/// Words behind another word: `on `, `request `, `ref `, `via `, … True when the word decides alone.
bool add_behind(Items& items, const Cursor& cursor, std::size_t last) {
  const std::string_view word = cursor.word(last);
  const auto words = [&](std::initializer_list<const char*> list) {
    for (const char* text : list) items.add(text, ItemKind::keyword, "", 'a');
    return true;
  };
  if (word == "on" && cursor.word(cursor.statement()) == "ack")
    return words({"stored", "mapped", "delivered"});
  if (word == "on") return words({"bad", "null", "unmapped", "missing"});
  if (word == "request") return words({"create", "ensure", "update", "upsert", "patch", "none"});
  if (word == "ack") return words({"auto", "original", "enhanced", "none"});
  if (word == "bad" || word == "null" || word == "unmapped" || word == "missing")
    return words({"keep", "omit", "warn", "reject", "quarantine", "delete", "absent"});
  if (word == "ref") {
    for (const auto& [name, type] : cursor.handles()) items.add(name, ItemKind::variable, type, 'a');
    return true;
  }
  if (word == "via") {
    add_declarations(items, cursor, DeclKind::table, ItemKind::constant, "table", 'a');
    add_declarations(items, cursor, DeclKind::lookup, ItemKind::constant, "lookup", 'b');
    return true;
  }
  if (word == "include") {
    add_declarations(items, cursor, DeclKind::fragment, ItemKind::module, "fragment", 'a');
    return true;
  }
  if (word == "use" || word == "module") {
    items.add("std", ItemKind::module, "the shipped library", 'a');
    return true;
  }
  if (word == "extend") return words({"map", "const"});
  if (word == "const" && cursor.enclosing().keyword == "extend") {
    add_declarations(items, cursor, DeclKind::constant, ItemKind::constant, "const", 'a');
    return true;
  }
  if (word == "from" && cursor.enclosing().keyword == "extend") {
    add_declarations(items, cursor, DeclKind::map, ItemKind::function, "map", 'a');
    return true;
  }
  if (word == "source" ||
      (last > 0 && cursor.tokens()[last].kind == TokenKind::colon && cursor.word(cursor.statement()) == "to"))
    return false;
  if (word == "as" || word == "of" || word == "fhir") {
    add_types(items, false);
    if (word == "as")
      for (const hl7::DatatypeDef& type : cursor.dictionary().datatypes())
        items.add(type.id, ItemKind::type, type.title, 'c');
    return true;
  }
  if (word == "hl7" || word == "accept") {
    for (const hl7::StructureDef& structure : cursor.dictionary().structures())
      items.add(structure.id, ItemKind::structure, "structure", 'a');
    for (const auto& event : cursor.dictionary().events())
      items.add(event.event, ItemKind::structure, "event", 'b');
    return word == "hl7";
  }
  if (word == "for") return words({"each"});
  return false;
}

void add_expression(Items& items, const Cursor& cursor) {
  if (const fhir::ElementDef* element = written_element(cursor)) add_codes(items, *element, "\"");
  for (const auto& [name, type] : cursor.enclosing().parameters)
    items.add(name, ItemKind::variable, std::string(type.model) + " " + std::string(type.name), 'b');
  for (const auto& [name, type] : cursor.handles()) items.add(name, ItemKind::variable, type, 'b');
  for (std::size_t i = cursor.enclosing().first; i + 1 < cursor.before(); ++i) {
    const bool loop =
        cursor.word(i) == "each" && i > 0 && cursor.word(i - 1) == "for" && cursor.word(i + 2) == "in";
    if (cursor.word(i) == "let" || loop)
      items.add(cursor.word(i + 1), ItemKind::variable, loop ? "loop" : "let", 'b');
  }
  if (const auto structure = find_message(cursor.enclosing().version, cursor.enclosing().structure))
    add_nodes(items, structure->nodes, true, true);
  for (const FunctionSpec* spec : all_functions())
    items.add(spec->name, ItemKind::function, signature_of(*spec), 'e', function_text(*spec));
  add_declarations(items, cursor, DeclKind::fn, ItemKind::function, "fn", 'e');
  add_declarations(items, cursor, DeclKind::constant, ItemKind::constant, "const", 'f');
  add_declarations(items, cursor, DeclKind::table | DeclKind::lookup, ItemKind::constant, "table", 'g');
  for (const char* name : {"run", "version", "index", "raw"})
    items.add(name, ItemKind::variable, "of the run", 'g');
  add_words(items, WordPlace::expression, 'h');
}

void add_statement(Items& items, const Cursor& cursor) {
  const PlaceType target = cursor.target();
  if (target.fhir != nullptr) add_elements(items, *target.fhir);
  if (!target.segment.empty()) add_fields(items, cursor, target.segment);
  if (!target.csv.empty()) add_columns(items, cursor, target.csv);
  if (target.message) {
    const auto version = hl7::find_version(cursor.enclosing().target.version).value_or(hl7::Version::v2_5_1);
    if (const auto structure = find_message(version, cursor.enclosing().target.name))
      add_nodes(items, structure->nodes, true, true);
  }
  for (const auto& [name, type] : cursor.handles()) items.add(name, ItemKind::variable, type, 'b');
  add_words(items, WordPlace::statement, 'h');
  if (cursor.enclosing().keyword == "extend")
    for (const char* word : {"in", "remove", "replace", "add"})
      items.add(word, ItemKind::keyword, "edit", 'a');
}

/// Options of channels, sources, destinations and the server.
void add_options(Items& items, const Cursor& cursor, const LanguageSurroundings& around) {
  const std::size_t statement = cursor.statement();
  const auto* options = options_at(cursor, around);
  const bool begins = cursor.before() == statement;
  if (options != nullptr) {
    for (const OptionHelp& option : *options) {
      if (begins)
        items.add(option.name, ItemKind::property, option.type, option.required ? 'a' : 'b', option.summary);
      if (!begins && option.name == cursor.word(statement))
        for (const std::string& word : option.words) items.add(word, ItemKind::value, option.name, 'a');
    }
    return;
  }
  if (begins) {
    add_words(items, WordPlace::channel, 'a');
    items.add("map", ItemKind::keyword, "a map of this channel", 'a');
    return;
  }
  const std::string_view first = cursor.word(statement);
  for (const ConnectorHelp& connector : around.connectors)
    if ((first == "source" && connector.source) || (first == "to" && !connector.source))
      items.add(connector.name, ItemKind::module, connector.summary, 'a');
  if (first == "map") add_declarations(items, cursor, DeclKind::map, ItemKind::function, "map", 'a');
  for (const char* word : {"if", "from", "source", "where", "else", "hl7", "fhir", "csv"})
    items.add(word, ItemKind::keyword, "", 'h');
}

void complete(Items& items, const Cursor& cursor, const LanguageSurroundings& around) {
  const std::size_t before = cursor.before();
  if (add_path(items, cursor)) return;
  const TokenKind last = before == 0 ? TokenKind::end : cursor.tokens()[before - 1].kind;
  if (last == TokenKind::dot) return add_members(items, cursor, before - 1);
  const Frame* block = cursor.block();
  if (block == nullptr) {
    if (before == cursor.statement() || cursor.enclosing().keyword.empty())
      return add_words(items, WordPlace::declaration, 'a');
    if (last == TokenKind::ident && add_behind(items, cursor, before - 1)) return;
    add_types(items, false);
    return add_words(items, WordPlace::clause, 'h');
  }
  if (block->kind == Frame::Kind::options && cursor.word(before - 1) != "hl7") {
    if (before > cursor.statement() && add_behind(items, cursor, before - 1)) return;
    return add_options(items, cursor, around);
  }
  if (block->kind == Frame::Kind::rows && cursor.enclosing().keyword == "test" &&
      before == cursor.statement()) {
    for (const char* word : {"given", "run", "expect", "fault"})
      items.add(word, ItemKind::keyword, "step of a test", 'a');
    return;
  }
  if (last == TokenKind::colon && cursor.word(cursor.statement()) == "create") return add_types(items, true);
  if (last == TokenKind::colon || last == TokenKind::arrow) return add_types(items, false);
  if (last == TokenKind::ident && before > cursor.statement() && add_behind(items, cursor, before - 1))
    return;
  const bool inside = !cursor.frames().empty() && block != &cursor.frames().back();
  const bool writes = block->kind != Frame::Kind::arms && block->kind != Frame::Kind::rows && !inside;
  if (writes && before == cursor.statement()) return add_statement(items, cursor);
  add_expression(items, cursor);
  const std::string_view first = cursor.word(cursor.statement());
  if (first == "create")
    for (const char* word : {"identity", "request"})
      items.add(word, ItemKind::keyword, "clause of `create`", 'a');
  add_words(items, WordPlace::policy, 'i');
}

}  // namespace

void answer_completion(const LanguageRequest& request, base::JsonWriter& result) {
  const LibraryFile* file = request.workspace.file_of(request.document);
  const Library* library =
      request.workspace.findings(request.workspace.site_of(request.document)).library.get();
  const Cursor cursor(request.document.text(), request.offset, library, file);
  Items items(cursor, result);
  items.begin();
  if (cursor.in_comment()) return items.end();
  if (cursor.in_string()) {
    if (const fhir::ElementDef* element = written_element(cursor)) add_codes(items, *element, "");
    return items.end();
  }
  complete(items, cursor, request.workspace.around());
  items.end();
}

}  // namespace kiln::mappings
