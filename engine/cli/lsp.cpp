// kiln lsp: the language server over standard input and output.

#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "engine/admin/lsp_sessions.h"
#include "engine/base/env.h"
#include "engine/command.h"
#include "engine/version.h"
#include "mappings/language/language_server.h"
#include "mappings/language/message_frames.h"

namespace kiln::engine {
namespace {

/// A change is checked when the client was silent for so long, or at once before an answer that needs it.
constexpr int kSilenceMs = 15;

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
  const mappings::LanguageSurroundings around = language_surroundings();
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
