#include "engine/admin/console_pages.h"

#include <algorithm>
#include <string>

#include "engine/admin/console_files.h"

namespace kiln::engine {
namespace {

const base::EmbeddedFile* find_file(std::string_view name) {
  const auto files = console_files();
  const auto found =
      std::ranges::find_if(files, [name](const base::EmbeddedFile& file) { return file.path == name; });
  return found == files.end() ? nullptr : &*found;
}

const char* media_of(std::string_view name) {
  static constexpr std::pair<std::string_view, const char*> kTypes[] = {
      {".html", "text/html; charset=UTF-8"},
      {".js", "text/javascript; charset=UTF-8"},
      {".css", "text/css; charset=UTF-8"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".json", "application/json; charset=UTF-8"},
      {".webmanifest", "application/manifest+json"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=UTF-8"}};
  for (const auto& [suffix, type] : kTypes)
    if (name.ends_with(suffix)) return type;
  return "application/octet-stream";
}

base::HttpResponse redirect() {
  base::HttpResponse out;
  out.status = 302;
  out.headers.set("Location", "/console/");
  out.headers.set("Cache-Control", "no-store");
  return out;
}

base::HttpResponse not_found() {
  base::HttpResponse out;
  out.status = 404;
  out.headers.set("Content-Type", "text/plain; charset=UTF-8");
  out.headers.set("Cache-Control", "no-store");
  out.body = "there is nothing here; the console is at /console/\n";
  return out;
}

}  // namespace

base::HttpResponse console_page(const base::HttpRequest& request) {
  constexpr std::string_view kConsole = "/console/";
  const std::string_view path = request.path();
  if (path == "/" || path == "/console") return redirect();
  if (!path.starts_with(kConsole)) return not_found();
  if (request.method != "GET" && request.method != "HEAD") {
    base::HttpResponse out = not_found();
    out.status = 405;
    out.headers.set("Allow", "GET");
    return out;
  }
  // Views of the console are behind the `#`: every other name is a file's.
  std::string name(path.substr(kConsole.size()));
  if (name.empty()) name = "index.html";
  bool packed = false;
  const base::EmbeddedFile* file = find_file(name);
  if (file == nullptr) {
    file = find_file(name + ".gz");
    packed = true;
  }
  if (file == nullptr) return not_found();
  base::HttpResponse out;
  out.headers.set("Content-Type", media_of(name));
  if (packed) out.headers.set("Content-Encoding", "gzip");
  // Names of assets change with their content.
  out.headers.set("Cache-Control",
                  name.starts_with("assets/") ? "public, max-age=31536000, immutable" : "no-cache");
  out.body = file->text;
  return out;
}

}  // namespace kiln::engine
