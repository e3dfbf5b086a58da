// The MLLP machine gives the same events for every way to cut the input, within its limits.
// The first byte chooses the options, the second how the input is cut.

#include "hl7/mllp/framer.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace kiln::hl7::mllp;

FramerOptions options_of(std::uint8_t choice) {
  FramerOptions options;
  if ((choice & 1) != 0) options.missing_trailer = MissingTrailer::reject;
  if ((choice & 2) != 0) options.start_in_frame = StartInFrame::data;
  if ((choice & 4) != 0) options.unframed = Unframed::accept;
  if ((choice & 8) != 0) options.message_max = 16;
  if ((choice & 16) != 0) options.garbage_close = 8;
  if ((choice & 32) != 0) options.garbage_kept = 4;
  return options;
}

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<Event> run(std::string_view input, const FramerOptions& options, std::size_t step) {
  Framer framer(options);
  for (std::size_t at = 0; at < input.size(); at += step) {
    framer.push(input.substr(at, step));
    require(framer.buffered() <= std::max(options.message_max + 1, options.garbage_kept));
  }
  framer.finish();
  std::vector<Event> events;
  while (auto event = framer.next()) events.push_back(std::move(*event));
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const FramerOptions options = options_of(data[0]);
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto whole = run(input, options, input.size() + 1);
  for (const std::size_t step : {std::size_t{1}, std::size_t{data[1]} + 1}) {
    const auto cut = run(input, options, step);
    require(cut.size() == whole.size());
    for (std::size_t i = 0; i < cut.size(); ++i) {
      require(cut[i].kind == whole[i].kind && cut[i].code == whole[i].code &&
              cut[i].offset == whole[i].offset && cut[i].size == whole[i].size &&
              cut[i].bytes == whole[i].bytes);
    }
  }
  for (const Event& event : whole) {
    if (event.kind != EventKind::frame) continue;
    require(event.bytes.size() <= options.message_max);
    if (const auto frame = encode_frame(event.bytes)) {
      const auto back = run(*frame, options, frame->size());
      require(!back.empty() && back.back().bytes == event.bytes);
    }
  }
  return 0;
}
