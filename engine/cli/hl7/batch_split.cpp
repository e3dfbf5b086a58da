// kiln hl7 batch split: the messages of a batch as files.

#include <cstdio>

#include "engine/base/env.h"
#include "engine/detail/hl7_cli.h"

namespace kiln::engine {
namespace {

/// "day.hl7", 7 -> "day-0007.hl7"
std::string part_name(const std::string& file, std::size_t number) {
  std::string stem(file == "-" ? "message.hl7" : base::name_of(file));
  const auto dot = stem.rfind('.');
  const std::string extension = dot == stem.npos || dot == 0 ? "" : stem.substr(dot);
  stem.resize(stem.size() - extension.size());
  char digits[24];
  std::snprintf(digits, sizeof digits, "-%04zu", number);
  return stem + digits + extension;
}

struct Part {
  std::string file;
  hl7::Slice slice;
  std::string type, control_id;
};

std::vector<Part> parts_of(const detail::Hl7File& file, const std::string& folder) {
  std::vector<Part> parts;
  for (const hl7::Slice& slice : file.batch.messages) {
    Part part;
    part.slice = slice;
    part.file = base::join_path(folder, part_name(file.name, parts.size() + 1));
    if (const auto message = hl7::Message::parse(std::string(slice.of(file.bytes)))) {
      part.type = detail::visible(message->header().field(9).raw());
      part.control_id = detail::visible(message->header().field(10).to_text());
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

void print_parts(const std::vector<Part>& parts, bool json, bool listed) {
  for (const Part& part : parts) {
    if (json) {
      base::JsonWriter out;
      out.begin_object()
          .member("file", part.file)
          .member("type", part.type)
          .member("control_id", part.control_id);
      out.key("offset").integer(static_cast<std::int64_t>(part.slice.begin));
      out.key("bytes").integer(static_cast<std::int64_t>(part.slice.end - part.slice.begin));
      print(out.end_object().take() + "\n");
      continue;
    }
    print((listed ? detail::pad(std::to_string(part.slice.begin), 10) + " "
                  : detail::pad(part.file, 28) + " ") +
          detail::pad(part.type, 18) + " " + part.control_id + "\n");
  }
}

int run(const Arguments& arguments) {
  const std::string folder = arguments.text("--to", ".");
  const bool list = arguments.has("--list");
  base::Env& env = base::system_env();
  std::vector<std::string> files = arguments.all("FILE");
  if (files.empty()) files.push_back("-");
  int exit_code = kExitOk;
  if (!list)
    if (const auto made = env.make_folders(folder); !made)
      return detail::report_usage(made.error(), arguments);
  for (const std::string& name : files) {
    const auto file = detail::read_hl7_file(name);
    if (!file) {
      exit_code = detail::report_usage(file.error(), arguments);
      continue;
    }
    const std::vector<Part> parts = parts_of(*file, folder);
    for (const Part& part : parts) {
      if (list) break;
      if (env.exists(part.file) && !arguments.has("--force"))
        return detail::report_usage({base::ErrorCode::io_failed, "the file exists already", part.file,
                                     "give another folder with --to, or --force"},
                                    arguments);
      const auto written = env.write_file_atomic(part.file, part.slice.of(file->bytes));
      if (!written) return detail::report_usage(written.error(), arguments);
    }
    print_parts(parts, arguments.json(), list);
    for (const base::Error& problem : file->batch.problems) report(problem, arguments);
    for (const hl7::Slice& noise : file->batch.noise)
      report({base::ErrorCode::leading_noise,
              "bytes that belong to no message",
              name + ", byte " + std::to_string(noise.begin),
              {}},
             arguments);
    if (parts.empty()) report({base::ErrorCode::no_header, "the file holds no message", detail::shown_name(name), {}}, arguments);
    if (parts.empty() || !file->batch.problems.empty() || !file->batch.noise.empty())
      exit_code = std::max<int>(exit_code, kExitFound);
  }
  return exit_code;
}

constexpr ArgumentSpec kArguments[] = {detail::kFilesArgument};
constexpr OptionSpec kOptions[] = {
    {"--to", "FOLDER", "where the files are written (default: here)"},
    {"--list", nullptr, "write nothing, only show the messages and where they start"},
    {"--force", nullptr, "replace files that exist"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 batch split --to parts day.hl7", "parts/day-0001.hl7, parts/day-0002.hl7, …"},
    {"kiln hl7 batch split --list day.hl7", "offset, type and control id of each message"}};

}  // namespace

const CommandSpec& hl7_batch_split_spec() {
  static const CommandSpec spec{
      "hl7 batch split",
      "Files",
      "write the messages of a batch as files",
      "Takes files with FHS and BHS, without, and several messages one behind the other. Each message keeps\n"
      "its bytes. Exit 1 when the counts of BTS or FTS do not agree, when bytes belong to no message, or "
      "when\n"
      "there is no message; 2 for usage and files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
