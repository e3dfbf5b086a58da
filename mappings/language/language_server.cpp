#include "mappings/language/language_server.h"

#include "mappings/language/message_frames.h"
#include "mappings/language/requests.h"

namespace kiln::mappings {

namespace {

using Answer = void (*)(const LanguageRequest&, base::JsonWriter&);

struct Method {
  std::string_view name;
  Answer answer;
  bool position;
};
constexpr Method kMethods[] = {
    {"textDocument/hover", answer_hover, true},
    {"textDocument/completion", answer_completion, true},
    {"textDocument/definition", answer_definition, true},
    {"textDocument/references", answer_references, true},
    {"textDocument/documentSymbol", answer_symbols, false},
    {"textDocument/formatting", answer_formatting, false},
    {"textDocument/codeAction", answer_code_actions, false},
};

base::JsonWriter reply_to(base::JsonView id) {
  base::JsonWriter json;
  json.begin_object().member("jsonrpc", "2.0").key("id");
  const bool usable = id.is(base::JsonKind::number) || id.is_string();
  return usable ? json.value(id) : json.null();
}

std::string failure(base::JsonView id, int code, std::string_view text) {
  base::JsonWriter json = reply_to(id);
  json.key("error").begin_object().key("code").integer(code).member("message", text).end_object();
  return json.end_object().take();
}

std::string notification(std::string_view method, std::string_view params) {
  base::JsonWriter json;
  json.begin_object()
      .member("jsonrpc", "2.0")
      .member("method", method)
      .key("params")
      .raw(params)
      .end_object();
  return json.take();
}

}  // namespace

void LanguageServer::handle(std::string_view message, std::vector<std::string>& out) {
  base::JsonLimits limits;
  limits.bytes = MessageFrames::kMessageBytesMax;
  const auto document = base::parse_json(message, limits);
  if (!document) {
    out.push_back(failure({}, static_cast<int>(Failure::parse), document.error().text));
    return;
  }
  const base::JsonView root = document->root();
  if (root.is_object()) return handle_one(root, out);
  out.push_back(failure({}, static_cast<int>(Failure::invalid), "a message is one JSON object"));
}

void LanguageServer::handle_one(base::JsonView message, std::vector<std::string>& out) {
  const base::JsonView id = message["id"];
  const std::string_view method = message["method"].text();
  if (method.empty()) {
    // An answer to a request of ours: there are none. Anything else is no message.
    const bool answers = message["result"].exists() || message["error"].exists();
    if (!answers) out.push_back(failure(id, static_cast<int>(Failure::invalid), "a message needs a method"));
    return;
  }
  if (!id.exists()) return notify(method, message["params"]);
  answer(id, method, message["params"], out);
}

void LanguageServer::notify(std::string_view method, base::JsonView params) {
  if (method == "exit") ended_ = true;
  if (!ready_ || shut_down_) return;
  if (method == "textDocument/didOpen") open(params);
  if (method == "textDocument/didChange") change(params);
  const std::string uri(params["textDocument"]["uri"].text());
  if (method == "textDocument/didClose") {
    workspace_.close(uri);
    changed_ = true;
  }
  if (method == "textDocument/didSave") {
    // Tables and other files on the disk may have changed with it.
    if (const TextDocument* document = workspace_.find(uri)) workspace_.touch(*document);
    changed_ = true;
  }
}

void LanguageServer::open(base::JsonView params) {
  const base::JsonView document = params["textDocument"];
  if (document["uri"].text().empty() || !document["text"].is_string()) return;
  changed_ |= workspace_.open(std::string(document["uri"].text()), std::string(document["text"].text()));
}

void LanguageServer::change(base::JsonView params) {
  TextDocument* document = workspace_.find(params["textDocument"]["uri"].text());
  if (document == nullptr) return;
  for (const base::JsonView change : params["contentChanges"])
    if (!document->change(change)) break;  // what follows would be in the wrong places
  workspace_.touch(*document);
  changed_ = true;
}

void LanguageServer::answer(base::JsonView id, std::string_view method, base::JsonView params,
                            std::vector<std::string>& out) {
  const auto fail = [&](Failure code, std::string_view text) {
    out.push_back(failure(id, static_cast<int>(code), text));
  };
  if (shut_down_) return fail(Failure::invalid, "after shutdown only exit is understood");
  if (!ready_ && method != "initialize") return fail(Failure::not_ready, "the first request is initialize");
  base::JsonWriter json = reply_to(id);
  json.key("result");
  if (method == "initialize") {
    ready_ = true;
    write_capabilities(json);
  } else if (method == "shutdown") {
    shut_down_ = true;
    json.null();
  } else if (method == "kiln/content") {
    const auto text = read_only_document(params["uri"].text());
    if (!text) return fail(Failure::parameters, "there is no such document");
    json.begin_object().member("text", *text).end_object();
  } else {
    bool known = false;
    if (!answer_document(method, params, json, known))
      return known ? fail(Failure::parameters, "the document is not open")
                   : fail(Failure::no_method, "this server does not know the method");
  }
  out.push_back(json.end_object().take());
}

bool LanguageServer::answer_document(std::string_view method, base::JsonView params, base::JsonWriter& result,
                                     bool& known) {
  for (const Method& one : kMethods) {
    if (one.name != method) continue;
    known = true;
    TextDocument* document = workspace_.find(params["textDocument"]["uri"].text());
    if (document == nullptr) return false;
    const std::size_t offset = one.position ? document->offset(read_position(params["position"])) : 0;
    one.answer({workspace_, *document, params, offset}, result);
    return true;
  }
  return false;
}

void LanguageServer::settle(std::vector<std::string>& out) {
  changed_ = false;
  for (const std::string& site : workspace_.take_touched()) {
    std::set<std::string>& before = published_[site];
    std::vector<std::pair<std::string, std::string>> lists;
    if (workspace_.has_open(site)) {
      lists = diagnostics_of(workspace_, site, before);
    } else {
      for (const std::string& uri : before)
        lists.emplace_back(uri, base::JsonWriter()
                                    .begin_object()
                                    .member("uri", uri)
                                    .key("diagnostics")
                                    .begin_array()
                                    .end_array()
                                    .end_object()
                                    .str());
    }
    before.clear();
    for (auto& [uri, params] : lists) {
      out.push_back(notification("textDocument/publishDiagnostics", params));
      if (!params.ends_with("\"diagnostics\":[]}")) before.insert(uri);
    }
  }
}

void LanguageServer::write_capabilities(base::JsonWriter& result) const {
  result.begin_object().key("capabilities").begin_object();
  result.member("positionEncoding", "utf-16");
  result.key("textDocumentSync").begin_object().key("openClose").boolean(true).key("change").integer(2);
  result.key("save").boolean(true).end_object();
  result.key("completionProvider").begin_object().key("triggerCharacters").begin_array();
  for (const char* character : {".", "-", "\""}) result.string(character);
  result.end_array().end_object();
  for (const char* provider : {"hoverProvider", "definitionProvider", "referencesProvider",
                               "documentSymbolProvider", "documentFormattingProvider"})
    result.key(provider).boolean(true);
  result.key("codeActionProvider")
      .begin_object()
      .key("codeActionKinds")
      .begin_array()
      .string("quickfix")
      .end_array()
      .end_object();
  result.end_object();
  result.key("serverInfo")
      .begin_object()
      .member("name", "kiln")
      .member("version", version_)
      .end_object()
      .end_object();
}

}  // namespace kiln::mappings
