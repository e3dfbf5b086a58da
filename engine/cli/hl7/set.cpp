// kiln hl7 set: changes values by path; everything else keeps its bytes.

#include <algorithm>
#include <optional>

#include "engine/base/env.h"
#include "engine/detail/hl7_cli.h"
#include "hl7/edit.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Status;
using detail::Hl7Item;

struct Change {
  enum class Kind : std::uint8_t { text, raw, null_, clear, remove, add } kind = Kind::text;
  std::optional<hl7::Path> path;
  std::string value;  ///< of `add`, the whole segment
  std::string given;  ///< as on the command line
};

struct Request {
  std::vector<Change> changes;
  std::vector<std::string> files;
};

Result<Change> make_change(Change::Kind kind, const std::string& path, std::string value,
                           const std::string& given) {
  auto compiled = hl7::Path::compile(path);
  if (!compiled) {
    base::Error why = compiled.error();
    why.place = "`" + path + "`, " + why.place;
    return base::fail(std::move(why));
  }
  return Change{kind, std::move(*compiled), std::move(value), given};
}

/// The first `=` behind the brackets of a path.
std::size_t find_equals(std::string_view text) {
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') inside = true;
    if (text[i] == ']') inside = false;
    if (text[i] == '=' && !inside) return i;
  }
  return text.npos;
}

Result<Request> read_request(const Arguments& arguments) {
  Request request;
  for (const std::string& text : arguments.all("PATH=VALUE")) {
    const std::size_t equals = find_equals(text);
    if (equals == text.npos || equals < 3 || text.find('/') < equals) {
      request.files.push_back(text);
      continue;
    }
    const auto kind = arguments.has("--raw") ? Change::Kind::raw : Change::Kind::text;
    TRY(auto change, make_change(kind, text.substr(0, equals), text.substr(equals + 1), text));
    request.changes.push_back(std::move(change));
  }
  static constexpr std::pair<const char*, Change::Kind> kOptions[] = {
      {"--null", Change::Kind::null_}, {"--clear", Change::Kind::clear}, {"--remove", Change::Kind::remove}};
  for (const auto& [option, kind] : kOptions) {
    for (const std::string& path : arguments.all(option)) {
      TRY(auto change, make_change(kind, path, {}, std::string(option) + " " + path));
      request.changes.push_back(std::move(change));
    }
  }
  for (const std::string& line : arguments.all("--add"))
    request.changes.push_back({Change::Kind::add, std::nullopt, line, "--add " + line.substr(0, 3)});
  if (request.changes.empty())
    return base::fail(base::ErrorCode::usage, "there is nothing to change", {}, "for example PID-8=F");
  return request;
}

/// The position of every segment the path names, last first, so that a removal does not move the next one.
Status remove_segments(hl7::MessageEditor& editor, const hl7::Path& path, const hl7::Message& message) {
  if (path.field() != 0)
    return base::fail(base::ErrorCode::usage, "--remove takes a segment, --clear a value", path.print());
  const hl7::SegmentView segment = path.segment(message);
  if (!segment.exists()) return {};
  const auto position = editor.find(segment.id(), segment.occurrence());
  return position ? editor.remove_segment(*position) : Status();
}

Status apply(hl7::MessageEditor& editor, const Change& change, const hl7::Message& message) {
  switch (change.kind) {
    case Change::Kind::text:
      return change.value.empty() ? editor.clear(*change.path) : editor.set(*change.path, change.value);
    case Change::Kind::raw:
      return editor.set_raw(*change.path, change.value);
    case Change::Kind::null_:
      return editor.set_null(*change.path);
    case Change::Kind::clear:
      return editor.clear(*change.path);
    case Change::Kind::remove:
      return remove_segments(editor, *change.path, message);
    case Change::Kind::add:
      return editor.insert_raw(editor.segment_count(), change.value);
  }
  return {};
}

/// The file with its messages changed; what lies between them as it was.
struct Rewriter {
  const Request& request;
  hl7::Unencodable unencodable;
  bool trim;
  std::string out;
  std::size_t copied = 0, changed = 0;

  Status take(Hl7Item& item) {
    hl7::MessageEditor editor(*item.message, unencodable);
    for (const Change& change : request.changes) {
      if (auto status = apply(editor, change, *item.message); !status) {
        base::Error why = status.error();
        why.place = item.name() + ", " + change.given.substr(0, find_equals(change.given));
        return base::fail(std::move(why));
      }
    }
    const hl7::Slice slice = item.file.batch.messages[item.number - 1];
    out.append(item.file.bytes, copied, slice.begin - copied);
    out += editor.encode(trim);
    copied = slice.end;
    changed += editor.changed();
    return {};
  }
};

int finish(const Rewriter& rewriter, const std::string& name, const Arguments& arguments) {
  if (!arguments.has("--in-place")) {
    print(rewriter.out);
    return kExitOk;
  }
  if (rewriter.changed == 0) return kExitOk;
  const auto written = base::system_env().write_file_atomic(name, rewriter.out);
  return written ? static_cast<int>(kExitOk) : detail::report_usage(written.error(), arguments);
}

int run(const Arguments& arguments) {
  auto request = read_request(arguments);
  if (!request) return detail::report_usage(request.error(), arguments);
  if (request->files.empty()) request->files.push_back("-");
  if (arguments.has("--in-place") &&
      std::find(request->files.begin(), request->files.end(), "-") != request->files.end())
    return detail::report_usage({base::ErrorCode::usage, "--in-place needs files", {}, {}}, arguments);
  const auto unencodable = arguments.has("--replace") ? hl7::Unencodable::replace : hl7::Unencodable::reject;
  int exit_code = kExitOk;
  for (const std::string& name : request->files) {
    Rewriter rewriter{*request, unencodable, arguments.has("--trim"), {}, 0, 0};
    std::string rest;
    bool failed = false;
    const int read = detail::for_each_message(arguments, {name}, [&](Hl7Item& item) {
      const Status status = rewriter.take(item);
      if (!status) report(status.error(), arguments);
      failed = !status;
      rest = item.file.bytes.substr(rewriter.copied);
      return !failed;
    });
    exit_code = std::max(exit_code, failed ? std::max<int>(read, kExitFound) : read);
    if (failed || read != kExitOk) continue;  // a file is written whole or not at all
    rewriter.out += rest;
    exit_code = std::max(exit_code, finish(rewriter, name, arguments));
  }
  return exit_code;
}

constexpr ArgumentSpec kArguments[] = {
    {"PATH=VALUE", "changes, and FILEs; without FILE or with - standard input is read", false, true}};
constexpr OptionSpec kOptions[] = {
    {"--null", "PATH", "write the explicit null (repeatable)", false, true},
    {"--clear", "PATH", "make a value empty (repeatable)", false, true},
    {"--remove", "SEGMENT", "remove a segment: NK1, OBX[3] (repeatable)", false, true},
    {"--add", "LINE", "append a segment of HL7 text (repeatable)", false, true},
    {"--raw", nullptr, "VALUE is HL7 text with delimiters and escapes"},
    {"--trim", nullptr, "changed segments lose their trailing delimiters"},
    {"--replace", nullptr, "write ? for characters the message's set lacks, instead of refusing"},
    {"--in-place", nullptr, "change the files instead of printing"},
    detail::kCharsetOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 set PID-8=F 'PID-3[2].4.1=NORTH' a01.hl7 > new.hl7",
     "two values; everything else keeps its bytes"},
    {"kiln hl7 set --in-place --remove NK1 --null PID-16 day/*.hl7", "in many files"},
    {"kiln hl7 set --raw 'PID-5=Doe^Jane~Roe^Jane' < a01.hl7", "HL7 text as it stands"}};

}  // namespace

const CommandSpec& hl7_set_spec() {
  static const CommandSpec spec{
      "hl7 set",
      "Files",
      "change values by path",
      "A path without component replaces the whole repetition; writing beyond the end pads. An empty VALUE\n"
      "clears. A file is written whole or not at all: exit 1 when a change cannot be made or a message not "
      "be\n"
      "parsed, 2 for usage and files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
