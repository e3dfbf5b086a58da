// kiln hl7 send: `kiln send` under the name of its group.

#include "engine/command.h"

namespace kiln::engine {

const CommandSpec& send_spec();

const CommandSpec& hl7_send_spec() {
  static constexpr ExampleSpec kExamples[] = {{"kiln hl7 send --to 127.0.0.1:2575 a01.hl7", "as `kiln send`"}};
  static const CommandSpec spec = [] {
    CommandSpec out = send_spec();
    out.name = "hl7 send";
    out.examples = kExamples;
    return out;
  }();
  return spec;
}

}  // namespace kiln::engine
