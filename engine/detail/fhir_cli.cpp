#include "engine/detail/fhir_cli.h"

#include <unistd.h>

#include <cstdio>
#include <memory>

#include "engine/base/env.h"
#include "engine/detail/input_bytes.h"
#include "fhir/model/xml.h"

namespace kiln::engine::detail {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 16;

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == line.npos;
}

class Documents {
 public:
  Documents(const Arguments& arguments, const std::function<void(const FhirDocument&)>& visit)
      : arguments_(arguments), visit_(visit), progress_("documents") {}

  int run() {
    std::vector<std::string> names = arguments_.all("FILE");
    if (names.empty()) names.push_back("-");
    std::vector<std::string> files;
    for (const std::string& name : names) expand(name, files);
    total_ = files.size();
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (!is_streaming_) progress_.step(i, total_);
      read(files[i]);
    }
    return exit_;
  }

 private:
  void failed(base::Error error) {
    report(error, arguments_);
    exit_ = kExitUsageFile;
  }

  void expand(const std::string& name, std::vector<std::string>& files) {
    base::Env& env = base::system_env();
    const auto info = name == "-" ? base::Result<base::FileInfo>(base::FileInfo{}) : env.info(name);
    if (!info || !info->is_directory) return files.push_back(name);
    const auto list = env.list(name);
    if (!list) return failed(list.error());
    for (const base::FileInfo& file : *list) {
      const std::string_view text = file.name;
      if (!file.is_directory && (text.ends_with(".json") || text.ends_with(".xml") || text.ends_with(".ndjson")))
        files.push_back(base::join_path(name, text));
    }
  }

  void read(const std::string& name) {
    if (name == "-" && ::isatty(::fileno(stdin)) != 0) {
      return failed({base::ErrorCode::usage, "nothing to read: give files, or pipe one in", {}, {}});
    }
    if (name.ends_with(".ndjson") || (name == "-" && arguments_.has("--ndjson"))) return read_lines(name);
    const auto bytes = read_bytes(name);
    if (!bytes) return failed(bytes.error());
    visit_({name == "-" ? "standard input" : name, *bytes, false});
  }

  void read_lines(const std::string& name) {
    const File file(name == "-" ? stdin : std::fopen(name.c_str(), "rb"));
    if (!file) return failed({base::ErrorCode::file_not_found, {}, name, {}});
    is_streaming_ = true;
    std::string buffer;
    std::size_t number = 0;
    const std::unique_ptr<char[]> chunk(new char[kChunk]);
    while (const std::size_t got = std::fread(chunk.get(), 1, kChunk, file.get())) {
      std::size_t begin = 0, from = buffer.size();
      buffer.append(chunk.get(), got);
      for (std::size_t end; (end = buffer.find('\n', from)) != buffer.npos; begin = from = end + 1)
        visit_line(name, ++number, std::string_view(buffer).substr(begin, end - begin));
      buffer.erase(0, begin);
      if (buffer.size() > base::limits::kFhirFileBytesMax)
        return failed({base::ErrorCode::limit_exceeded, "a line is longer than allowed", name, {}});
    }
    if (std::ferror(file.get())) return failed({base::ErrorCode::io_failed, {}, name, {}});
    visit_line(name, ++number, buffer);
  }

  void visit_line(const std::string& name, std::size_t number, std::string_view line) {
    if (is_blank(line)) return;
    progress_.step(number, 0);
    visit_({(name == "-" ? "standard input" : name) + " line " + std::to_string(number), line, true});
  }

  const Arguments& arguments_;
  const std::function<void(const FhirDocument&)>& visit_;
  Progress progress_;
  std::size_t total_ = 0;
  bool is_streaming_ = false;
  int exit_ = kExitOk;
};

}  // namespace

bool FhirDocument::is_xml() const {
  std::string_view rest = text;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  const std::size_t at = rest.find_first_not_of(" \t\r\n");
  return at != rest.npos && (rest[at] == '<' || rest.starts_with("\xFF\xFE") || rest.starts_with("\xFE\xFF"));
}

int for_each_document(const Arguments& arguments, const std::function<void(const FhirDocument&)>& visit) {
  return Documents(arguments, visit).run();
}

base::Result<fhir::Tree> read_document(const FhirDocument& document, const fhir::ReadOptions& options) {
  fhir::ReadOptions wide = options;
  wide.bytes_max = base::limits::kFhirFileBytesMax;
  auto tree = document.is_xml() ? fhir::read_xml(document.text, wide) : fhir::read_json(document.text, wide);
  if (!tree) tree.error().place = document.name + (tree.error().place.empty() ? "" : ": ") + tree.error().place;
  return tree;
}

}  // namespace kiln::engine::detail
