// kiln show: one message of the journal, with or without a running engine.

#include "engine/admin/message_json.h"
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
  TRY(const MessageSummary summary, reader.summary(number));
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

int run(const Arguments& arguments) {
  const bool raw = arguments.has("--raw");
  const auto text = fetch(arguments, arguments.text("ID"), raw);
  if (!text) return report(text.error(), arguments);
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
    detail::kSiteOption, detail::kDataOption, detail::kServerOption, detail::kUtcOption, {"--raw", nullptr, "only the bytes as received"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln show 4711 --site examples/quickstart", "state at each destination and the message"},
    {"kiln show 4711 --raw > a01.hl7", "the bytes as received"}};

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
