// textDocument/definition and textDocument/references.

#include "engine/base/text.h"
#include "mappings/language/requests.h"

namespace kiln::mappings {

using detail::TokenKind;

namespace {

struct Found {
  const Library* library = nullptr;
  const Declaration* declaration = nullptr;
  std::optional<std::size_t> handle;  ///< token of the name in this document
};

Found find(const Cursor& cursor, std::size_t token) {
  Found out;
  out.library = cursor.library();
  if (cursor.tokens()[token].kind != TokenKind::ident) return out;
  if (const auto handle = cursor.handle(cursor.word(token)))
    out.handle = handle->second;
  else if (out.library != nullptr)
    out.declaration = declaration_at(cursor, token);
  return out;
}

Cursor cursor_of(const LanguageRequest& request) {
  const LibraryFile* file = request.workspace.file_of(request.document);
  const Library* library =
      request.workspace.findings(request.workspace.site_of(request.document)).library.get();
  return Cursor(request.document.text(), request.offset, library, file);
}

/// Tables, golden files and other files that a string names; and the package of `use`.
bool write_file_of(const LanguageRequest& request, const Cursor& cursor, std::size_t token,
                   base::JsonWriter& result) {
  if (cursor.library() == nullptr) return false;
  const auto location = [&](const std::string& uri) {
    result.begin_object().member("uri", uri).key("range");
    write_range(result, "", 0, 0);
    result.end_object();
    return true;
  };
  const std::string_view word = cursor.word(token);
  if (cursor.tokens()[token].kind == TokenKind::string && word.size() > 2) {
    const std::string_view name = word.substr(1, word.size() - 2);
    const bool file =
        name.ends_with(".csv") || name.ends_with(".json") || name.ends_with(".hl7") || name.ends_with(".txt");
    return file && location(uri_of_path(base::join_path(cursor.library()->root(), name)));
  }
  if (cursor.word(cursor.statement()) != "use") return false;
  std::string package;
  for (std::size_t i = cursor.statement() + 1; i <= token; ++i) package += cursor.word(i);
  for (const auto& file : cursor.library()->files())
    if (file->package == package)
      return location(request.workspace.uri_of(*cursor.library(), file->tree.source));
  return false;
}

void write_token(base::JsonWriter& json, const LanguageRequest& request, const detail::Token& token) {
  json.begin_object().member("uri", request.document.uri()).key("range");
  write_range(json, request.document.text(), token.begin, token.end);
  json.end_object();
}

/// Every name in a file that means the declaration.
void references_in(const LanguageRequest& request, const Library& library, const LibraryFile& file,
                   const Declaration& wanted, base::JsonWriter& result) {
  const std::string& text = library.sources().file(file.tree.source).text;
  if (text.find(wanted.name) == std::string::npos) return;
  const Cursor cursor(text, 0, &library, &file);
  for (std::size_t i = 0; i < cursor.tokens().size(); ++i) {
    if (cursor.word(i) != wanted.name || cursor.tokens()[i].kind != TokenKind::ident) continue;
    const bool declares = &file == wanted.file && cursor.tokens()[i].begin == wanted.span.begin;
    if (!declares && declaration_at(cursor, i) != &wanted) continue;
    write_location(result, request.workspace, library,
                   {file.tree.source, cursor.tokens()[i].begin, cursor.tokens()[i].end});
  }
}

}  // namespace

void answer_definition(const LanguageRequest& request, base::JsonWriter& result) {
  const Cursor cursor = cursor_of(request);
  const auto token = cursor.in_comment() ? std::nullopt : cursor.token();
  if (!token) {
    result.null();
    return;
  }
  const Found found = find(cursor, *token);
  if (found.handle) {
    write_token(result, request, cursor.tokens()[*found.handle]);
  } else if (found.declaration != nullptr) {
    write_location(result, request.workspace, *found.library, found.declaration->span);
  } else if (!write_file_of(request, cursor, *token, result)) {
    result.null();
  }
}

void answer_references(const LanguageRequest& request, base::JsonWriter& result) {
  const Cursor cursor = cursor_of(request);
  const auto token = cursor.in_comment() ? std::nullopt : cursor.token();
  result.begin_array();
  if (token) {
    const Found found = find(cursor, *token);
    if (found.handle) {
      const Enclosing& around = cursor.enclosing();
      for (std::size_t i = around.first; i < around.last; ++i)
        if (cursor.word(i) == cursor.word(*token)) write_token(result, request, cursor.tokens()[i]);
    } else if (found.declaration != nullptr) {
      for (const auto& file : found.library->files())
        references_in(request, *found.library, *file, *found.declaration, result);
    }
  }
  result.end_array();
}

}  // namespace kiln::mappings
