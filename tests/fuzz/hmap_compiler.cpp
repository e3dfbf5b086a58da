// Any bytes as an hmap file: parse, link, check. Must end with a tree or with messages that render, in
// bounded time. It is linked with a library of a few lines, so that an execution is not spent on reading
// the shipped one, which tests/e2e/library checks whole.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/base/embedded_file.h"
#include "mappings/compiler.h"
#include "mappings/package.h"

namespace {
constexpr kiln::base::EmbeddedFile kShipped[] = {
    {"std/tables.hmap",
     "module std.tables\n"
     "table AdministrativeSex { \"M\" => \"male\"  \"F\" => \"female\"  _ => warn \"unknown\" }\n"
     "table Status system \"urn:s\" { \"F\" => \"final\" display \"Final\"  \"C\",\"A\" => \"amended\" }\n"},
    {"std/v2fhir/datatypes.hmap",
     "module std.v2fhir.datatypes\n"
     "datatype CX -> Identifier { value = .1  system = \"urn:oid:${.4.2}\"  type.coding += { code = .5 } }\n"
     "datatype XPN -> HumanName { family = .1.1  given += .2 }\n"
     "datatype EI@Organization -> Identifier { value = .1 }\n"
     "fragment PID_Patient(PID: hl7 PID) -> Patient { identifier += PID-3[*]  name += PID-5[*]\n"
     "  gender = PID-8.1 via AdministrativeSex  birthDate = PID-7 on bad warn }\n"},
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiln;
  mappings::Library library(kShipped);
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
