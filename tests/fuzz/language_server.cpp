// Framing and dispatch of the language server on arbitrary bytes: the first byte says how the stream is cut
// into pieces. A document is open, so that requests get past the dispatch.

#include "mappings/language/language_server.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/env.h"
#include "mappings/language/message_frames.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiln;
  if (size == 0) return 0;
  static const mappings::LanguageSurroundings around;
  mappings::LanguageServer server(base::system_env(), around, "fuzz");
  std::vector<std::string> out;
  server.handle("{\"id\":1,\"method\":\"initialize\"}", out);
  server.handle(
      "{\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":{\"uri\":\"a:a\",\"text\":\"map "
      "m(p: fhir Patient)"
      " -> fhir Bundle {\\n  create q: Patient { name += p.name }\\n}\\n\"}}}",
      out);
  mappings::MessageFrames frames;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = data[0] == 0 ? bytes.size() + 1 : data[0];
  for (std::size_t at = 0; at < bytes.size() && !server.ended(); at += piece) {
    frames.feed(bytes.substr(at, piece));
    while (const auto frame = frames.next()) server.handle(frame->text, out);
  }
  server.settle(out);
  return 0;
}
