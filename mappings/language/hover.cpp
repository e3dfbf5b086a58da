// textDocument/hover: HL7 fields, FHIR elements, functions, declarations, handles, options, words.

#include "engine/base/text.h"
#include "mappings/function.h"
#include "mappings/language/keywords.h"
#include "mappings/language/requests.h"

namespace kiln::mappings {

using detail::TokenKind;

namespace {

std::string repetition(const hl7::FieldDef& field) {
  if (!field.repeats()) return "";
  return field.repetition_max == 0 ? ", repeats"
                                   : ", up to " + std::to_string(field.repetition_max) + " times";
}

/// "R 2.1-2.2, O 2.3-2.9" with the datatype where it changes.
template <class Find>
std::string by_version(Find find) {
  std::string out, last;
  std::string_view from, to;
  const auto finish = [&] {
    if (!last.empty() && last != "-")
      out += (out.empty() ? "" : "; ") + std::string(from) + (from == to ? "" : " to " + std::string(to)) +
             ": " + last;
  };
  for (const hl7::Version version : hl7::kVersions) {
    const std::optional<hl7::FieldDef> field = find(version);
    const std::string here =
        field ? std::string(field->datatype) + " " + std::string(1, field->usage == '-' ? 'O' : field->usage)
              : "-";
    if (here != last) {
      finish();
      last = here;
      from = hl7::version_text(version);
    }
    to = hl7::version_text(version);
  }
  finish();
  return out;
}

std::string table_line(hl7::Version version, std::string_view id) {
  if (id.empty()) return {};
  constexpr std::size_t kShown = 8;
  const auto table = hl7::Dictionary(version).table(id);
  std::string out = "\n\nTable " + std::string(id);
  if (!table) return out;
  out += " " + std::string(table->title);
  std::size_t shown = 0;
  for (const hl7::CodeDef& code : table->codes) {
    if (shown++ == kShown) break;
    out += (shown == 1 ? ": " : ", ") + ("`" + std::string(code.code) + "` " + std::string(code.display));
  }
  return out + (table->codes.size() > kShown ? ", …" : "");
}

std::string field_text(const Cursor& cursor, std::string_view word) {
  const auto path = parse_field_path(word);
  const hl7::Version version = cursor.enclosing().version;
  auto field = path ? find_field(version, path->segment, path->numbers[0]) : std::nullopt;
  if (!field) return {};
  std::string name = std::string(path->segment) + "-" + std::to_string(path->numbers[0]);
  std::string out = "**" + name + "** " + std::string(field->name);
  for (std::size_t i = 1; i < path->numbers.size(); ++i) {
    const auto type = hl7::Dictionary(version).datatype(field->datatype);
    const auto part = type ? type->component(path->numbers[i]) : std::nullopt;
    if (!part) return out;
    name += "." + std::to_string(path->numbers[i]);
    out = "**" + name + "** " + std::string(field->name) + ", " + std::string(part->name);
    field = part;
  }
  out += "\n\n`" + std::string(field->datatype) + "`" + repetition(*field);
  if (const auto type = hl7::Dictionary(version).datatype(field->datatype))
    out += ", " + std::string(type->title);
  out += table_line(version, field->table);
  if (path->numbers.size() == 1)
    out += "\n\n" + by_version([&](hl7::Version v) -> std::optional<hl7::FieldDef> {
             const auto segment = hl7::Dictionary(v).segment(path->segment);
             return segment ? segment->field(path->numbers[0]) : std::nullopt;
           });
  return out;
}

std::string component_text(const Cursor& cursor, std::size_t token) {
  if (token == 0) return {};
  const PlaceType base = cursor.value_type(token - 1);
  const auto number = parse_field_path("PID-" + std::string(cursor.word(token)));
  if (base.datatype.empty() || !number) return {};
  std::string_view datatype = base.datatype;
  std::string out;
  for (const std::size_t position : number->numbers) {
    const auto type = cursor.dictionary().datatype(datatype);
    const auto part = type ? type->component(position) : std::nullopt;
    if (!part) return out;
    out = "**" + std::string(datatype) + "." + std::to_string(position) + "** " + std::string(part->name) +
          "\n\n`" + std::string(part->datatype) + "`" + table_line(cursor.enclosing().version, part->table);
    datatype = part->datatype;
  }
  return out;
}

std::string element_text(const fhir::ElementDef& element) {
  return "**" + std::string(element.owner().name()) + "." + std::string(element.name()) +
         (element.is_choice() ? "[x]" : "") + "**\n\n" + element_line(element);
}

std::string declaration_text(const Library& library, const Declaration& declaration) {
  std::string out = "```hmap\n" + signature_of(library, declaration) + "\n```";
  const std::string comment = comment_above(library, declaration);
  if (!comment.empty()) out += "\n\n" + comment;
  return out + "\n\n" + declaration.qualified() + ", " + library.sources().place(declaration.span);
}

/// The step of a left side, or of a chain behind a dot.
std::string path_text(const Cursor& cursor, std::size_t token) {
  const bool behind_dot = token > 0 && cursor.tokens()[token - 1].kind == TokenKind::dot;
  const std::size_t statement = cursor.statement();
  // The steps of a left side stand between the begin of the statement and its operator.
  std::size_t end = statement;
  while (end < cursor.tokens().size() && end <= token + 64 && !cursor.tokens()[end].newline_before) ++end;
  bool left = token >= statement;
  for (std::size_t i = statement; i < token; ++i) {
    const TokenKind kind = cursor.tokens()[i].kind;
    if (kind == TokenKind::assign || kind == TokenKind::append || kind == TokenKind::set_if_unset)
      left = false;
  }
  if (left) {
    const PlaceType type = cursor.target_type(statement, token + 1);
    if (type.element != nullptr && type.element->name() == cursor.word(token))
      return element_text(*type.element);
  }
  if (!behind_dot) return {};
  const PlaceType type = cursor.value_type(token);
  return type.element != nullptr ? element_text(*type.element) : std::string();
}

std::string option_text(const Cursor& cursor, std::size_t token, const LanguageSurroundings& around) {
  const auto* options = options_at(cursor, around);
  if (options == nullptr || token != cursor.statement()) return {};
  for (const OptionHelp& option : *options) {
    if (option.name != cursor.word(token)) continue;
    std::string out = "**" + option.name + "** " + option.type + "\n\n" + option.summary;
    if (option.required) out += "\n\nrequired";
    if (!option.default_value.empty()) out += "\n\ndefault `" + option.default_value + "`";
    return out;
  }
  return {};
}

std::string word_text(std::string_view word) {
  for (const LanguageWord& known : language_words())
    if (known.text == word)
      return "**" + std::string(word) + "**: " + std::string(known.summary) + "\n\n```hmap\n" +
             std::string(known.example) + "\n```";
  return {};
}

std::string type_text(const Cursor& cursor, std::string_view word) {
  if (const auto structure = find_message(cursor.enclosing().version, word)) {
    std::string out = "**" + std::string(word) + "** message structure of HL7 " +
                      std::string(hl7::version_text(cursor.enclosing().version)) + "\n\n";
    bool first = true;
    for (const hl7::NodeDef& node : structure->nodes) {
      const std::string name = std::string(node.name) + (node.repeats ? "*" : "");
      out += (first ? "" : " ") + (node.required ? name : "[" + name + "]");
      first = false;
    }
    return out;
  }
  if (const auto segment = cursor.dictionary().segment(word))
    return "**" + std::string(word) + "** segment " + std::string(segment->title);
  if (const auto type = cursor.dictionary().datatype(word); type && word == base::upper_ascii(word))
    return "**" + std::string(word) + "** datatype " + std::string(type->title);
  if (const fhir::TypeDef* type = fhir::find_type(word))
    return "**" + std::string(type->name()) + "** FHIR R4 " +
           (type->is_resource()    ? "resource"
            : type->is_primitive() ? "primitive"
                                   : "datatype");
  return {};
}

std::string text_at(const LanguageRequest& request, const Cursor& cursor, std::size_t token) {
  const std::string_view word = cursor.word(token);
  const auto& tokens = cursor.tokens();
  switch (tokens[token].kind) {
    case TokenKind::v2ref:
      return field_text(cursor, word);
    case TokenKind::number:
      return component_text(cursor, token);
    case TokenKind::ident:
      break;
    default:
      return {};
  }
  std::string out = option_text(cursor, token, request.workspace.around());
  if (out.empty()) out = path_text(cursor, token);
  if (!out.empty()) return out;
  const bool call = token + 1 < tokens.size() && tokens[token + 1].kind == TokenKind::left_paren;
  const bool type =
      token > 0 && (tokens[token - 1].kind == TokenKind::colon ||
                    tokens[token - 1].kind == TokenKind::arrow || cursor.word(token - 1) == "hl7" ||
                    cursor.word(token - 1) == "fhir" || cursor.word(token - 1) == "accept");
  if (type) out = type_text(cursor, word);
  if (out.empty())
    if (const auto handle = cursor.handle(word))
      out = "**" + std::string(word) + "**: " + std::string(handle->first) + ", created here";
  if (out.empty() && cursor.library() != nullptr)
    if (const Declaration* found = declaration_at(cursor, token))
      out = declaration_text(*cursor.library(), *found);
  if (out.empty() && call)
    if (const FunctionSpec* spec = find_function(word))
      out = "```hmap\n" + signature_of(*spec) + "\n```\n\n" + function_text(*spec);
  if (out.empty())
    for (const auto& [name, written] : cursor.enclosing().parameters)
      if (name == word)
        out = "**" + std::string(word) + "**: " + std::string(written.model) + " " +
              std::string(written.name) + " " + std::string(written.version);
  if (out.empty()) out = word_text(word);
  return out.empty() ? type_text(cursor, word) : out;
}

}  // namespace

void answer_hover(const LanguageRequest& request, base::JsonWriter& result) {
  const TextDocument& document = request.document;
  const LibraryFile* file = request.workspace.file_of(document);
  const Library* library = request.workspace.findings(request.workspace.site_of(document)).library.get();
  // A cursor behind the word: its frames hold for the word, its statement begins before it.
  const Cursor first(document.text(), request.offset, library, file);
  const auto token = first.in_comment() ? std::nullopt : first.token();
  if (!token) {
    result.null();
    return;
  }
  const detail::Token& here = first.tokens()[*token];
  const Cursor cursor(document.text(), here.begin, library, file);
  const std::string text = text_at(request, cursor, *token);
  if (text.empty()) {
    result.null();
    return;
  }
  result.begin_object()
      .key("contents")
      .begin_object()
      .member("kind", "markdown")
      .member("value", text)
      .end_object();
  result.key("range");
  write_range(result, document.text(), here.begin, here.end);
  result.end_object();
}

}  // namespace kiln::mappings
