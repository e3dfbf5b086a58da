// textDocument/documentSymbol: declarations, with the resources that a map creates below it.

#include "mappings/language/requests.h"
#include "mappings/parser.h"

namespace kiln::mappings {

namespace {

/// SymbolKind of the protocol.
int symbol_kind(std::string_view keyword) {
  if (keyword == "map" || keyword == "extend" || keyword == "fn") return 12;    // function
  if (keyword == "fragment" || keyword == "datatype") return 6;                 // method
  if (keyword == "const" || keyword == "extension") return 14;                  // constant
  if (keyword == "table" || keyword == "lookup") return 10;                     // enumeration
  if (keyword == "csv" || keyword == "row" || keyword == "segment") return 23;  // structure
  if (keyword == "channel" || keyword == "server") return 2;                    // module
  return 24;                                                                    // event: test
}

class Symbols {
 public:
  Symbols(std::string_view text, base::JsonWriter& json) : text_(text), json_(json) {}

  void declaration(const ast::Decl& decl) {
    const std::string_view keyword = ast::keyword_of(decl);
    const ast::Name* name = ast::declared_name(decl);
    std::string label = name ? name->text : std::string(keyword);
    base::Span at = name ? name->span : decl.span;
    if (const auto* test = decl.get_if<ast::TestDecl>()) label = test->title.text, at = test->title.span;
    if (const auto* type = decl.get_if<ast::DatatypeDecl>()) {
      label = type->source.text + " -> " + type->target.name.text;
      at = type->source.span;
    }
    open(label.empty() ? keyword : label, keyword, symbol_kind(keyword), decl.span, at);
    if (const auto* map = decl.get_if<ast::MapDecl>()) block(map->body);
    if (const auto* fragment = decl.get_if<ast::FragmentDecl>()) block(fragment->body);
    if (const auto* channel = decl.get_if<ast::ChannelDecl>()) {
      for (const auto& route : channel->routes)
        leaf(route.result.text, "map", 13, route.span, route.result.span);
      for (const auto& to : channel->destinations) leaf(to.name.text, "to", 9, to.span, to.name.span);
    }
    close();
  }

 private:
  void block(const ast::Block& body) {
    for (const ast::Stmt& stmt : body.statements) {
      if (const auto* create = stmt.get_if<ast::Create>()) {
        open(create->handle.text, create->type.name.text, 5, stmt.span, create->handle.span);
        block(create->body);
        close();
      } else if (const auto* loop = stmt.get_if<ast::ForEach>()) {
        block(loop->body);
      } else if (const auto* when = stmt.get_if<ast::When>()) {
        for (const auto& branch : when->branches) block(branch.body);
        if (when->otherwise) block(*when->otherwise);
      }
    }
  }
  void leaf(const std::string& name, std::string_view detail, int kind, base::Span whole, base::Span at) {
    open(name, detail, kind, whole, at);
    close();
  }
  void open(std::string_view name, std::string_view detail, int kind, base::Span whole, base::Span at) {
    // A name that is missing in a broken text stands nowhere; clients refuse symbols without one.
    if (at.begin < whole.begin || at.end > whole.end || name.empty())
      at = {whole.file, whole.begin, whole.begin};
    json_.begin_object().member("name", name.empty() ? "?" : name).member("detail", detail);
    json_.key("kind").integer(kind).key("range");
    write_range(json_, text_, whole.begin, whole.end);
    json_.key("selectionRange");
    write_range(json_, text_, at.begin, at.end);
    json_.key("children").begin_array();
  }
  void close() { json_.end_array().end_object(); }

  std::string_view text_;
  base::JsonWriter& json_;
};

}  // namespace

void answer_symbols(const LanguageRequest& request, base::JsonWriter& result) {
  base::SourceMap sources;
  base::Diagnostics ignored;
  const std::uint32_t source = sources.add(request.document.path(), request.document.text());
  const ast::File tree = parse(sources, source, ignored);
  Symbols symbols(request.document.text(), result);
  result.begin_array();
  for (const ast::Decl& decl : tree.decls) symbols.declaration(decl);
  result.end_array();
}

}  // namespace kiln::mappings
