// kiln fhir convert: FHIR JSON, XML and NDJSON into each other.

#include "engine/base/env.h"
#include "engine/detail/fhir_cli.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Status;

enum class Format : std::uint8_t { other, json, xml, ndjson };

Result<Format> format_of(const Arguments& arguments) {
  const std::string name = arguments.text("--to");
  if (name.empty()) return Format::other;
  if (name == "json") return Format::json;
  if (name == "xml") return Format::xml;
  if (name == "ndjson") return Format::ndjson;
  return base::fail(base::ErrorCode::usage, "--to is json, xml or ndjson");
}

struct Job {
  Format format;
  bool pretty;
  std::string folder;  ///< of --output; empty: stdout

  Format target(const detail::FhirDocument& document) const {
    if (format != Format::other) return format;
    return document.is_xml() ? Format::json : Format::xml;
  }

  Result<std::string> convert(const detail::FhirDocument& document) const {
    TRY(const fhir::Tree tree, detail::read_document(document));
    const Format to = target(document);
    if (to != Format::xml) {
      std::string text = fhir::write_json(tree.root(), pretty && to == Format::json);
      return text.ends_with('\n') ? text : text + "\n";
    }
    TRY(std::string text, fhir::write_xml(tree.root(), pretty));
    return text.ends_with('\n') ? text : text + "\n";
  }

  Status put(const detail::FhirDocument& document, const std::string& text) const {
    if (folder.empty()) {
      print(text);
      return {};
    }
    std::string name(base::name_of(document.name));
    if (const std::size_t dot = name.rfind('.'); dot != name.npos) name.resize(dot);
    const char* ending = target(document) == Format::xml    ? ".xml"
                         : target(document) == Format::json ? ".json"
                                                            : ".ndjson";
    return base::system_env().write_file_atomic(base::join_path(folder, name + ending), text);
  }
};

int run(const Arguments& arguments) {
  const auto format = format_of(arguments);
  if (!format) {
    report(format.error(), arguments);
    return kExitUsageFile;
  }
  const Job job{*format, arguments.has("--pretty"), arguments.text("--output")};
  if (!job.folder.empty()) {
    if (const Status made = base::system_env().make_folders(job.folder); !made) {
      report(made.error(), arguments);
      return kExitUsageFile;
    }
  }
  int found = kExitOk;
  const int read = detail::for_each_document(arguments, [&](const detail::FhirDocument& document) {
    if (document.is_line && !job.folder.empty()) {
      found = kExitUsageFile;
      report({base::ErrorCode::usage, "--output takes files, not NDJSON", document.name, {}}, arguments);
      return;
    }
    const auto text = job.convert(document);
    if (!text) {
      report(text.error(), arguments);
      found = std::max<int>(found, kExitFound);
      return;
    }
    if (const Status put = job.put(document, *text); !put) {
      report(put.error(), arguments);
      found = kExitUsageFile;
    }
  });
  return std::max(found, read);
}

constexpr ArgumentSpec kArguments[] = {detail::kFhirFilesArgument};
constexpr OptionSpec kOptions[] = {
    {"--to", "FORMAT", "json, xml or ndjson; not given: JSON becomes XML and XML becomes JSON"},
    {"--pretty", nullptr, "indented; not given: one line a resource"},
    {"--output", "FOLDER", "write one file for each input there, with the ending of the format"},
    detail::kNdjsonOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln fhir convert --pretty patient.json", "the patient as XML"},
    {"kiln fhir convert --to ndjson --ndjson < export.ndjson > checked.ndjson",
     "read strictly, in canonical form"},
    {"kiln fhir convert --to xml --output xml/ examples/", "a folder of files"}};

}  // namespace

const CommandSpec& fhir_convert_spec() {
  static const CommandSpec spec{"fhir convert",
                                "Files",
                                "convert FHIR R4 between JSON, XML and NDJSON, losing nothing",
                                "Decimals, extensions of primitives, narratives and contained resources stay "
                                "as they are; comments and\n"
                                "processing instructions are passed over. What is not valid FHIR is refused "
                                "with line, column and FHIRPath.\n"
                                "Exit 1 when a document is refused, 2 for usage and unreadable files.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run,
                                kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
