// kiln lsp: the language server over standard input and output.

#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "channels/connector.h"
#include "channels/definition.h"
#include "engine/base/env.h"
#include "engine/command.h"
#include "engine/version.h"
#include "mappings/language/language_server.h"
#include "mappings/language/message_frames.h"

namespace kiln::engine {
namespace {

/// A change is checked when the client was silent for so long, or at once before an answer that needs it.
constexpr int kSilenceMs = 15;

std::vector<mappings::OptionHelp> help_of(std::span<const channels::FieldSpec> fields) {
  std::vector<mappings::OptionHelp> out;
  for (const channels::FieldSpec& field : fields) {
    mappings::OptionHelp help;
    help.name = field.name;
    help.type = channels::name_of(field.type);
    help.summary = field.summary;
    help.default_value = field.default_value == nullptr ? "" : field.default_value;
    help.required = field.required;
    help.words.assign(field.words.begin(), field.words.end());
    help.children = help_of(field.fields);
    out.push_back(std::move(help));
  }
  return out;
}

mappings::LanguageSurroundings surroundings() {
  mappings::LanguageSurroundings out;
  out.check_site = [](base::Env& env, const std::string& site) -> base::Result<mappings::Findings> {
    TRY(auto load, channels::load_site(env, site));
    for (const base::Diagnostic& finding : load.unavailable.list()) load.diagnostics.add(finding);
    return mappings::Findings{std::move(load.library), std::move(load.diagnostics)};
  };
  for (const channels::ConnectorSpec* spec : channels::all_connectors()) {
    mappings::ConnectorHelp help{spec->name, spec->summary, spec->role == channels::ConnectorRole::source,
                                 help_of(spec->options)};
    if (!help.source)
      for (auto& option : help_of(channels::common_destination_options()))
        help.options.push_back(std::move(option));
    out.connectors.push_back(std::move(help));
  }
  out.server = help_of(channels::server_options());
  return out;
}

void send(std::vector<std::string>& messages) {
  for (const std::string& message : messages) print(mappings::framed(message));
  if (!messages.empty()) std::fflush(stdout);
  messages.clear();
}

/// Within `milliseconds` (-1: whenever it may be) there is something to read.
bool waits(int milliseconds) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return ::poll(&input, 1, milliseconds) != 0;
}

int run(const Arguments&) {
  const mappings::LanguageSurroundings around = surroundings();
  mappings::LanguageServer server(base::system_env(), around, kVersion);
  mappings::MessageFrames frames;
  std::vector<std::string> out;
  char bytes[65536];
  while (!server.ended()) {
    if (server.must_settle() && !waits(kSilenceMs)) {
      server.settle(out);
      send(out);
    }
    const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (count <= 0) return server.exit_code();  // the client is gone
    frames.feed(std::string_view(bytes, static_cast<std::size_t>(count)));
    while (auto frame = frames.next()) {
      if (frame->too_large) frame->text = "too large";  // no JSON: answered as a message that is none
      server.handle(frame->text, out);
      send(out);
      if (server.ended()) break;
    }
  }
  return server.exit_code();
}

constexpr OptionSpec kOptions[] = {
    {"--stdio", nullptr, "accepted for clients that send it; there is no other way"}};
constexpr ExampleSpec kExamples[] = {{"kiln lsp", "what an editor starts; see mappings/editor"}};

}  // namespace

const CommandSpec& lsp_spec() {
  static const CommandSpec spec{
      "lsp",
      "Config",
      "language server for .hmap and .channel files and kiln.conf",
      "Speaks the Language Server Protocol on standard input and output: diagnostics, hover, "
      "completion,\ndefinition, references, symbols, formatting and quick fixes. Exit 0 after "
      "shutdown and exit, else 1.",
      {},
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
