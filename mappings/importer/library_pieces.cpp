#include "mappings/importer/library_pieces.h"

namespace kiln::mappings {
namespace {

constexpr std::string_view kLibrary = "std/v2fhir/";

}  // namespace

std::vector<LibraryPiece> library_pieces(std::span<const base::EmbeddedFile> library) {
  std::vector<LibraryPiece> out;
  for (const base::EmbeddedFile& file : library) {
    if (!file.path.starts_with(kLibrary) || !file.path.ends_with(".hmap")) continue;
    const std::string place(file.path.substr(kLibrary.size()));
    if (place.starts_with("gen/")) continue;
    for (const char* const word : {"fragment ", "datatype ", "map "}) {
      const std::string begin = std::string("\n") + word;
      for (std::size_t at = file.text.find(begin); at != std::string_view::npos;
           at = file.text.find(begin, at + 1)) {
        const std::size_t end = file.text.find("\n}", at);
        const std::string_view text =
            file.text.substr(at + 1, end == std::string_view::npos ? end : end - at);
        const bool datatype = word[0] == 'd';
        std::string name(text.substr(0, text.find_first_of(datatype ? "{" : "({", 5)));
        if (name.ends_with(' ')) name.pop_back();
        if (const std::size_t variant = name.find('@'); datatype && variant != std::string::npos)
          name.erase(variant, name.find(' ', variant) - variant);
        out.push_back({std::move(name), text, place});
      }
    }
  }
  return out;
}

bool holds_token(std::string_view text, std::string_view token) {
  for (std::size_t at = text.find(token); at != std::string_view::npos; at = text.find(token, at + 1)) {
    const char next = at + token.size() < text.size() ? text[at + token.size()] : ' ';
    const bool goes_on = (next >= '0' && next <= '9') || (next >= 'a' && next <= 'z') ||
                         (next >= 'A' && next <= 'Z') || next == '_';
    if (!goes_on) return true;
  }
  return false;
}

}  // namespace kiln::mappings
