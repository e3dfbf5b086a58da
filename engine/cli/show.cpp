// kiln show: one message of the journal, with or without a running engine.

#include "engine/admin/message_json.h"
#include "engine/admin/why_facts.h"
#include "engine/base/env.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/site_data.h"
#include "engine/journal/reader.h"

namespace kiln::engine {
namespace {

using base::Result;

Result<std::string> fetch(const Arguments& arguments, const std::string& id, bool raw) {
  auto answer = detail::ask_admin(arguments, "/messages/" + base::percent_encode(id) + (raw ? "/raw" : "?body=true"));
  if (answer || arguments.has("--server") || answer.error().code != base::ErrorCode::engine_unreachable) return answer;
  char* end = nullptr;
  const MessageId number = std::strtoull(id.c_str(), &end, 10);
  if (end == id.c_str() || *end != '\0' || number == 0)
    return base::fail(base::ErrorCode::message_not_found, "`" + id + "` is no message number", {},
                      "`kiln search` lists them");
  TRY(auto reader, detail::open_journal(arguments));
  TRY(const StoredMessage stored, reader.message(number));
  if (raw) return stored.message.body;
  TRY(MessageSummary summary, reader.summary(number));
  add_answers(reader, summary);
  return print_message(summary, stored);
}

void field(const char* name, std::string_view value) {
  if (!value.empty())
    print(std::string(name) + std::string(14 - std::string_view(name).size(), ' ') + std::string(value) +
          "\n");
}

/// CR ends of an HL7 message as lines.
std::string readable(std::string_view body) {
  std::string out;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\r')
      out += body[i];
    else if (i + 1 == body.size() || body[i + 1] != '\n')
      out += '\n';
  }
  if (!out.ends_with('\n')) out += '\n';
  return out;
}

void print_text(base::JsonView m, const Arguments& arguments) {
  field("message", m["id"].text());
  field("state", m["state"].text());
  field("received", detail::shown_time(m["received"].text(), arguments));
  field("channel", m["channel"].text());
  field("type", m["type"].text());
  field("control id", m["control_id"].text());
  field("from", m["peer"].text());
  field("name", m["name"].text());
  field("part of", m["parent"].text());
  field("replay of", m["replay_of"].text());
  if (!m["same_id_as"].text().empty())
    field("same MSH-10", "as message " + std::string(m["same_id_as"].text()) + ", with another body");
  field("site version", m["config"].text().substr(0, 12));
  for (const base::JsonView d : m["destinations"]) {
    std::string line = std::string(d["destination"].text()) + ": " + std::string(d["state"].text());
    if (!d["code"].text().empty()) line += ", " + std::string(d["code"].text());
    if (!d["detail"].text().empty()) line += ", " + std::string(d["detail"].text());
    if (d["attempts"].text() != "0") line += ", attempts " + std::string(d["attempts"].text());
    if (d["in_doubt"].boolean()) line += ", may have arrived more than once";
    field("destination", line);
  }
  print("\n");
  std::string decoded;
  if (m["body_base64"]) base::base64_decode(m["body_base64"].text(), decoded);
  print(readable(m["body"] ? m["body"].text() : std::string_view(decoded)));
}

void print_tree(base::JsonView items, const base::JsonView segments, std::size_t depth) {
  for (const base::JsonView item : items) {
    const std::string indent(depth * 2, ' ');
    if (item["group"]) {
      print(indent + std::string(item["group"].text()) + "\n");
      print_tree(item["items"], segments, depth + 1);
      continue;
    }
    std::string line = indent + std::string(item["id"].text());
    if (item["unplaced"].boolean()) line += "  (not where the structure has it)";
    print(line + "\n");
    for (const base::JsonView segment : segments) {
      if (segment["n"].text() != item["segment"].text()) continue;
      for (const base::JsonView field : segment["fields"]) {
        if (field["text"].text().empty()) continue;
        std::string text = indent + "  " + std::string(field["path"].text());
        if (!field["name"].text().empty()) text += " " + std::string(field["name"].text());
        print(text + ": " + std::string(field["text"].text()) + "\n");
      }
    }
  }
}

/// Groups, segments and fields with their names.
Result<int> show_tree(const Arguments& arguments, const std::string& path) {
  TRY(const auto tree, detail::ask_admin_json(arguments, path + "/tree"));
  if (arguments.json()) return print(base::print_json(tree.root()) + "\n"), kExitOk;
  TRY(const auto segments, detail::ask_admin_json(arguments, path + "/segments?limit=1000"));
  if (!tree.root()["structure"].text().empty()) print(std::string(tree.root()["structure"].text()) + "\n");
  print_tree(tree.root()["items"], segments.root()["segments"], 1);
  if (segments.root()["next"]) print("  … only the fields of the first 1000 segments are shown; `--raw` has all\n");
  return kExitOk;
}

/// All pages of what was sent there, or answered.
Result<std::string> read_pages(const Arguments& arguments, const std::string& path) {
  std::string out;
  for (;;) {
    TRY(const auto page, detail::ask_admin_json(arguments, path + "?offset=" + std::to_string(out.size())));
    const base::JsonView root = page.root();
    std::string bytes(root["text"].text());
    if (root["base64"]) base::base64_decode(root["base64"].text(), bytes);
    out += bytes;
    if (root["end"].boolean() || bytes.empty()) return out;
  }
}

/// `what`: sent or reply. Of the destinations that --dest names, or all.
Result<int> show_output(const Arguments& arguments, const std::string& path, const char* what) {
  TRY(const auto listed, detail::ask_admin_json(arguments, path + "/outputs"));
  base::JsonWriter json;
  json.begin_array();
  std::size_t shown = 0;
  const std::string wanted = arguments.text("--dest");
  for (const base::JsonView one : listed.root()["outputs"]) {
    const std::string name(one["destination"].text());
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos || (!wanted.empty() && wanted != name && wanted != name.substr(slash + 1))) continue;
    if (!one[what]["available"].boolean()) {
      if (!arguments.json()) print(name + ": " + std::string(one["state"].text()) + ", nothing is kept" +
                                   (one[what]["why"] ? " (" + std::string(one[what]["why"].text()) + ")" : "") + "\n");
      continue;
    }
    TRY(const std::string bytes, read_pages(arguments, path + "/outputs/" + base::percent_encode(name.substr(0, slash)) + "/" +
                                                           base::percent_encode(name.substr(slash + 1)) + "/" + what));
    ++shown;
    json.begin_object().member("destination", name).member("state", one["state"].text());
    json.member("bytes_base64", base::base64_encode(bytes)).end_object();
    if (!arguments.json()) print((wanted.empty() ? name + ": " + std::string(one["state"].text()) + "\n" : std::string()) + readable(bytes));
  }
  if (arguments.json()) print(json.end_array().take() + "\n");
  return shown > 0 ? kExitOk : kExitFound;
}

Result<int> show_part(const Arguments& arguments) {
  const std::string path = "/messages/" + base::percent_encode(arguments.text("ID"));
  if (arguments.has("--tree")) return show_tree(arguments, path);
  return show_output(arguments, path, arguments.has("--sent") ? "sent" : "reply");
}

int run(const Arguments& arguments) {
  if (arguments.has("--tree") || arguments.has("--sent") || arguments.has("--response")) {
    const auto done = show_part(arguments);
    return done ? *done : report(done.error(), arguments);
  }
  const bool raw = arguments.has("--raw");
  const auto text = fetch(arguments, arguments.text("ID"), raw);
  if (!text) return report(text.error(), arguments);
  if (raw && arguments.json()) {
    base::JsonWriter json;
    json.begin_object().member("id", arguments.text("ID")).member("body_base64", base::base64_encode(*text)).end_object();
    print(json.take() + "\n");
    return kExitOk;
  }
  if (raw || arguments.json()) {
    print(raw ? *text : *text + "\n");
    return kExitOk;
  }
  const auto document =
      base::parse_json(*text, {base::limits::kMessageBytesMax * 2, base::limits::kJsonDepthMax});
  if (!document) return report(document.error(), arguments);
  print_text(document->root(), arguments);
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ID", "sequence number of the message"}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption, detail::kDataOption, detail::kServerOption, detail::kUtcOption, {"--raw", nullptr, "only the bytes as received"},
    {"--tree", nullptr, "groups, segments and fields with their names; needs a running engine, as what follows"},
    {"--sent", nullptr, "what each destination got, or will get"},
    {"--response", nullptr, "what each destination answered, also to the last try of what waits"},
    {"--dest", "DEST", "--sent, --response: only of this destination, its bytes alone"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln show 4711 --site examples/quickstart", "state at each destination and the message"},
    {"kiln show 4711 --raw > a01.hl7", "the bytes as received"},
    {"kiln show 4711 --response --dest pas", "the acknowledgement of one receiver"}};

}  // namespace

const CommandSpec& show_spec() {
  static const CommandSpec spec{"show",
                                "Messages",
                                "show one message and what became of it",
                                "The body holds patient data: mind where you print it.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
