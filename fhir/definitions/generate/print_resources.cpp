// The kept resources -> one packed file: frames of about 128 KB, so that a look-up unpacks one of them only.

#include <zstd.h>

#include "fhir/definitions/detail/packed_file.h"
#include "fhir/definitions/generate/detail/print_resources.h"

namespace kiln::fhir::detail {
namespace {

constexpr std::size_t kFrameBytes = 128u << 10;
constexpr int kLevel = 19;

std::string pack_frame(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), kLevel));
  return out;
}

}  // namespace

std::string print_resources(const DefinitionModel& model) {
  std::string index, frames, texts;
  const auto flush = [&] {
    if (texts.empty()) return;
    const std::string frame = pack_frame(texts);
    index += std::string(1, kFrameLine) + " " + std::to_string(frames.size()) + " " + std::to_string(frame.size()) + "\n";
    frames += frame;
    texts.clear();
  };
  std::string entries;
  for (const auto& [key, text] : model.resources) {
    const auto& [type, url] = key;
    entries += type + " " + std::to_string(text.size()) + " " + url + "\n";
    texts += text;
    if (texts.size() < kFrameBytes) continue;
    flush();
    index += entries;
    entries.clear();
  }
  flush();
  index += entries;
  const std::string packed_index = pack_frame(index);
  std::string out(kPackedMagic);
  const auto size = static_cast<std::uint32_t>(packed_index.size());
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(size >> shift & 0xFF);
  return out + packed_index + frames;
}

}  // namespace kiln::fhir::detail
