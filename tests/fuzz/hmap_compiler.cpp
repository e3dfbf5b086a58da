// Any bytes as an hmap file: parse, link with the shipped library, check. Must end with a tree or with
// messages that render, in bounded time.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "mappings/compiler.h"
#include "mappings/package.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiln;
  mappings::Library library;
  base::Diagnostics diagnostics;
  library.add_text("fuzz.hmap", std::string(reinterpret_cast<const char*>(data), size), diagnostics);
  // Linking and checking are for trees without syntax errors.
  if (diagnostics.ok()) {
    library.link(diagnostics);
    const mappings::CompiledLibrary compiled = mappings::compile(library, diagnostics);
    if (!compiled.unit) std::abort();
  }
  if (!diagnostics.list().empty() && base::render(diagnostics, library.sources()).empty()) std::abort();
  return 0;
}
