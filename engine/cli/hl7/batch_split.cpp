// kiln hl7 batch split: the messages of a batch as files.

#include <unistd.h>

#include <cstdio>

#include "engine/base/env.h"
#include "engine/detail/hl7_cli.h"
#include "engine/detail/input_bytes.h"
#include "hl7/batch_stream.h"

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

/// One file: its messages are written or listed as they come, so that it may be of any size.
class Splitter {
 public:
  Splitter(const Arguments& arguments, std::string name, std::string folder)
      : arguments_(arguments),
        name_(std::move(name)),
        folder_(std::move(folder)),
        list_(arguments.has("--list")) {}

  base::Status run() {
    TRY_VOID(detail::read_pieces(name_, [&](std::string_view bytes) {
      reader_.push(bytes);
      return handle_all();
    }));
    reader_.finish();
    return handle_all();
  }
  std::uint64_t messages() const { return messages_; }
  bool clean() const { return clean_; }

 private:
  base::Status handle_all() {
    while (const auto event = reader_.next()) TRY_VOID(handle(*event));
    return {};
  }

  base::Status handle(const hl7::BatchEvent& event) {
    switch (event.kind) {
      case hl7::BatchEvent::Kind::message:
        return message(event);
      case hl7::BatchEvent::Kind::envelope:
        break;
      case hl7::BatchEvent::Kind::noise:
        clean_ = false;
        report({base::ErrorCode::leading_noise,
                "bytes that belong to no message",
                name_ + ", byte " + std::to_string(event.offset),
                {}},
               arguments_);
        break;
      case hl7::BatchEvent::Kind::problem:
        clean_ = false;
        report(event.error, arguments_);
        break;
    }
    return {};
  }

  base::Status message(const hl7::BatchEvent& event) {
    const std::string file = base::join_path(folder_, part_name(name_, ++messages_));
    if (!list_) {
      base::Env& env = base::system_env();
      if (env.exists(file) && !arguments_.has("--force"))
        return base::fail(base::ErrorCode::io_failed, "the file exists already", file,
                          "give another folder with --to, or --force");
      TRY_VOID(env.write_file_atomic(file, event.text));
    }
    std::string type, control_id;
    if (const auto parsed = hl7::Message::parse(event.text)) {
      type = detail::visible(parsed->header().field(9).raw());
      control_id = detail::visible(parsed->header().field(10).to_text());
    }
    if (arguments_.json()) {
      base::JsonWriter out;
      out.begin_object().member("file", file).member("type", type).member("control_id", control_id);
      out.key("offset").integer(static_cast<std::int64_t>(event.offset));
      out.key("bytes").integer(static_cast<std::int64_t>(event.text.size()));
      print(out.end_object().take() + "\n");
    } else {
      const std::string first = list_ ? detail::pad(std::to_string(event.offset), 10) : detail::pad(file, 28);
      print(first + " " + detail::pad(type, 18) + " " + control_id + "\n");
    }
    return {};
  }

  const Arguments& arguments_;
  std::string name_, folder_;
  bool list_;
  hl7::BatchReader reader_;
  std::uint64_t messages_ = 0;
  bool clean_ = true;
};

int run(const Arguments& arguments) {
  const std::string folder = arguments.text("--to", ".");
  std::vector<std::string> files = arguments.all("FILE");
  if (files.empty()) {
    if (::isatty(::fileno(stdin)) != 0)
      return detail::report_usage(
          {base::ErrorCode::usage, "no FILE, and nothing is piped to standard input", {}, {}}, arguments);
    files.push_back("-");
  }
  int exit_code = kExitOk;
  if (!arguments.has("--list"))
    if (const auto made = base::system_env().make_folders(folder); !made)
      return detail::report_usage(made.error(), arguments);
  for (const std::string& name : files) {
    Splitter splitter(arguments, name, folder);
    if (const auto done = splitter.run(); !done) {
      exit_code = detail::report_usage(done.error(), arguments);
      if (done.error().code == base::ErrorCode::file_not_found) continue;
      return exit_code;
    }
    if (splitter.messages() == 0)
      report({base::ErrorCode::no_header, "the file holds no message", detail::shown_name(name), {}},
             arguments);
    if (splitter.messages() == 0 || !splitter.clean()) exit_code = std::max<int>(exit_code, kExitFound);
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
      "its bytes. A file is read piece by piece and may be of any size. Exit 1 when the counts of BTS or FTS "
      "do not agree, when bytes belong to no message, or "
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
