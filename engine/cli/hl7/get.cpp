// kiln hl7 get: values by path.

#include <optional>

#include "engine/base/env.h"
#include "engine/detail/hl7_cli.h"
#include "hl7/group_path.h"

namespace kiln::engine {
namespace {

using detail::Hl7Item;

struct Request {
  std::vector<hl7::GroupPath> paths;
  std::vector<std::string> files;
};

/// Arguments are paths as long as they read as one; what follows is files. A file that is named like a path
/// is written ./PID-3.
base::Result<Request> read_request(const Arguments& arguments) {
  Request request;
  for (const std::string& text : arguments.all("PATH")) {
    auto path = hl7::GroupPath::compile(text);
    if (path && request.files.empty()) {
      request.paths.push_back(std::move(*path));
    } else if (request.paths.empty() || (text != "-" && !base::system_env().exists(text) && !path &&
                                         text.find('-') == 3 && request.files.empty())) {
      base::Error why = path.error();
      why.place = "`" + text + "`, " + why.place;
      return base::fail(std::move(why));
    } else {
      request.files.push_back(text);
    }
  }
  return request;
}

struct Value {
  bool null = false;
  std::string text;
};

std::vector<Value> values_of(const hl7::GroupPath& path, const hl7::Message& message,
                             const hl7::GroupTree& tree, bool raw) {
  std::vector<Value> out;
  std::string buffer;
  if (path.segment_only()) {
    for (const std::uint32_t index : path.segments(message, tree))
      out.push_back({false, std::string(message.segment(index).raw())});
    return out;
  }
  path.visit(message, tree, [&](const hl7::Piece& piece) {
    if (piece.absent()) return true;
    if (raw || piece.verbatim())
      out.push_back({false, std::string(piece.raw())});
    else
      out.push_back({piece.is_null(), std::string(piece.text(buffer))});
    return true;
  });
  return out;
}

void print_json_line(const Hl7Item& item, const Request& request,
                     const std::vector<std::vector<Value>>& rows) {
  base::JsonWriter json;
  json.begin_object().member("file", item.file.name);
  json.key("message").integer(static_cast<std::int64_t>(item.number));
  json.key("values").begin_object();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    json.key(request.paths[i].text()).begin_array();
    for (const Value& value : rows[i]) {
      if (value.null)
        json.null();
      else
        json.string(detail::valid_text(value.text));
    }
    json.end_array();
  }
  print(json.end_object().end_object().take() + "\n");
}

/// One path: a line per value. Several: a line per message, cells apart by tabs, values of a cell by commas.
void print_lines(const Hl7Item& item, const std::vector<std::vector<Value>>& rows, bool names) {
  const auto shown = [](const Value& value) {
    return value.null ? std::string("\"\"") : detail::visible(value.text);
  };
  const std::string prefix = names ? item.name() + "\t" : "";
  if (rows.size() == 1) {
    for (const Value& value : rows[0]) print(prefix + shown(value) + "\n");
    return;
  }
  std::string line = prefix;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i != 0) line += '\t';
    for (std::size_t v = 0; v < rows[i].size(); ++v) line += (v == 0 ? "" : ",") + shown(rows[i][v]);
  }
  print(line + "\n");
}

int run(const Arguments& arguments) {
  const auto request = read_request(arguments);
  if (!request) return detail::report_usage(request.error(), arguments);
  hl7::GroupTree tree;
  bool found = false;
  const bool groups = std::any_of(request->paths.begin(), request->paths.end(),
                                  [](const hl7::GroupPath& path) { return path.has_groups(); });
  const int exit_code = detail::for_each_message(arguments, request->files, [&](Hl7Item& item) {
    if (groups) {
      const auto ids = detail::segment_ids(*item.message);
      hl7::match(detail::structure_of(*item.message, ids).structure, ids, tree);
    }
    std::vector<std::vector<Value>> rows;
    for (const hl7::GroupPath& path : request->paths) {
      rows.push_back(values_of(path, *item.message, tree, arguments.has("--raw")));
      found |= !rows.back().empty();
    }
    if (arguments.json())
      print_json_line(item, *request, rows);
    else
      print_lines(item, rows, arguments.has("--with-file"));
    return true;
  });
  return exit_code == kExitOk && !found ? kExitFound : exit_code;
}

constexpr ArgumentSpec kArguments[] = {
    {"PATH", "paths, then FILEs; without FILE or with - standard input is read", true, true}};
constexpr OptionSpec kOptions[] = {
    {"--raw", nullptr, "HL7 text as it stands, with its delimiters and escapes"},
    {"--with-file", nullptr, "name of the file before each line"},
    detail::kCharsetOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 get PID-5.1 a01.hl7", "one value"},
    {"kiln hl7 get 'PID-3[where .5 == \"MR\"].1' *.hl7", "the medical record number of each message"},
    {"kiln hl7 get 'OBX[*]-5' < oru.hl7", "one line per observation"},
    {"kiln hl7 get 'ORDER_OBSERVATION[2].OBSERVATION[*].OBX-3.1' oru.hl7", "through groups"},
    {"kiln hl7 get MSH-10 MSH-9 PID-3.1 day.hl7", "a table: one line per message, columns apart by tabs"}};

}  // namespace

const CommandSpec& hl7_get_spec() {
  static const CommandSpec spec{
      "hl7 get",
      "Files",
      "print values by path",
      "Values are decoded; control characters show as \\n, \\r, \\t or \\x1B, the null as \"\".\n"
      "With --json a line per message: {\"file\",\"message\",\"values\":{PATH:[…]}}.\n"
      "Exit 1 when nothing is valued at any of the paths, 2 for usage and unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
