#include "mappings/code_pages.h"

#include <span>

#include "engine/base/embedded_file.h"
#include "engine/base/text.h"

namespace kiln::mappings {

/// The files below mappings/explain, put into the binary by the build.
std::span<const base::EmbeddedFile> explanation_files();

namespace {

constexpr std::string_view kHeading = "\n## ";

/// Calls back with code and page (heading and text, without the mark of the heading).
template <class Visit>
void each_page(Visit visit) {
  for (const base::EmbeddedFile& file : explanation_files()) {
    const std::string_view text(file.text);
    for (std::size_t at = text.find(kHeading); at != std::string_view::npos;) {
      const std::size_t begin = at + kHeading.size();
      const std::size_t end = text.find(kHeading, begin);
      const std::string_view page = text.substr(begin, end == std::string_view::npos ? end : end - begin);
      visit(page.substr(0, page.find(' ')), page);
      at = end;
    }
  }
}

}  // namespace

std::optional<std::string> explain_code(std::string_view code) {
  std::optional<std::string> found;
  each_page([&](std::string_view name, std::string_view page) {
    if (name == code) found = std::string(base::trim(page)) + "\n";
  });
  return found;
}

std::vector<std::string> explained_codes() {
  std::vector<std::string> codes;
  each_page([&](std::string_view name, std::string_view) { codes.emplace_back(name); });
  return codes;
}

}  // namespace kiln::mappings
