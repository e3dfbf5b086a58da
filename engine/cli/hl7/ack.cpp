// kiln hl7 ack: the acknowledgement of a message.

#include "hl7/ack.h"

#include "engine/detail/hl7_cli.h"
#include "hl7/path.h"

namespace kiln::engine {
namespace {

using base::Result;

/// --error TEXT, --error-code 101, --at PID-3[2].1
Result<std::vector<hl7::AckError>> errors_of(const Arguments& arguments) {
  std::vector<hl7::AckError> out;
  if (!arguments.has("--error") && !arguments.has("--error-code") && !arguments.has("--at")) return out;
  hl7::AckError error;
  error.text = arguments.text("--error");
  if (arguments.has("--error-code")) {
    const std::string code = arguments.text("--error-code");
    if (code.empty() || code.size() > 3 || code.find_first_not_of("0123456789") != code.npos)
      return base::fail(base::ErrorCode::usage, "--error-code is a number of table 0357", {},
                        "kiln hl7 describe table 0357 --version 2.9");
    error.code = std::atoi(code.c_str());
  }
  if (arguments.has("--at")) {
    const std::string at = arguments.text("--at");
    const auto path = hl7::Path::compile(at);
    if (!path) return base::fail(path.error());
    const auto index = [](std::string_view text) -> std::uint32_t {
      return text.starts_with('[')
                 ? static_cast<std::uint32_t>(std::atoi(std::string(text.substr(1)).c_str()))
                 : 1;
    };
    if (path->many() || at.find("last") != at.npos)
      return base::fail(base::ErrorCode::usage, "--at takes numbers only", {}, "for example PID-3[2].1");
    const auto dash = std::min(at.find('-'), at.size());
    error.segment = hl7::segment_name(path->segment_id());
    error.sequence = index(std::string_view(at).substr(3));
    error.field = path->field();
    if (const auto bracket = at.find('[', dash); bracket != at.npos)
      error.repetition = index(std::string_view(at).substr(bracket));
    if (error.repetition == 0 && path->component() != 0) error.repetition = 1;
    error.component = path->component();
    error.subcomponent = path->subcomponent();
  }
  out.push_back(std::move(error));
  return out;
}

Result<hl7::AckInput> input_of(const Arguments& arguments) {
  hl7::AckInput input;
  TRY(input.errors, errors_of(arguments));
  const std::string code = arguments.text("--code", input.errors.empty() ? "AA" : "AE");
  const auto known = hl7::ack_code(code);
  if (!known) return base::fail(base::ErrorCode::usage, "--code is AA, AE, AR, CA, CE or CR");
  input.code = *known;
  input.text = arguments.text("--text");
  TRY(input.time, detail::time_of(arguments));
  return input;
}

void print_ack(const detail::Hl7File& file, const std::string& ack, const Arguments& arguments) {
  if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().member("file", file.name).member("ack", detail::valid_text(ack));
    return print(json.end_object().take() + "\n");
  }
  std::string text = ack;
  if (is_terminal(stdout))
    for (char& c : text) c = c == '\r' ? '\n' : c;
  print(text);
}

int run(const Arguments& arguments) {
  auto input = input_of(arguments);
  if (!input) return detail::report_usage(input.error(), arguments);
  const auto options = detail::parse_options(arguments);
  if (!options) return detail::report_usage(options.error(), arguments);
  int exit_code = kExitOk;
  std::vector<std::string> files = arguments.all("FILE");
  if (files.empty()) files.push_back("-");
  for (const std::string& name : files) {
    const auto file = detail::read_hl7_file(name);
    if (!file) {
      exit_code = detail::report_usage(file.error(), arguments);
      continue;
    }
    std::vector<std::string_view> messages;
    for (const hl7::Slice& slice : file->batch.messages) messages.push_back(slice.of(file->bytes));
    if (messages.empty()) messages.push_back(file->bytes);
    for (const std::string_view bytes : messages) {
      input->control_id = arguments.text("--control-id", detail::random_id());
      const auto message = hl7::Message::parse(std::string(bytes), *options);
      if (message && message->header().id() == hl7::segment_id("MSH")) {
        if (!hl7::may_acknowledge(*message)) {
          report({base::ErrorCode::bad_value, "an acknowledgement is never acknowledged", detail::shown_name(name), {}},
                 arguments);
          exit_code = std::max<int>(exit_code, kExitFound);
          continue;
        }
        print_ack(*file, hl7::make_ack(*message, *input), arguments);
        continue;
      }
      hl7::AckInput refusal = *input;
      if (hl7::is_positive(refusal.code)) refusal.code = hl7::AckCode::AR;
      if (refusal.errors.empty() && !message) refusal.errors.push_back(hl7::ack_error(message.error()));
      print_ack(*file, hl7::make_ack_for_unparsable(bytes, refusal).ack, arguments);
      exit_code = std::max<int>(exit_code, kExitFound);
    }
  }
  return exit_code;
}

constexpr ArgumentSpec kArguments[] = {detail::kFilesArgument};
constexpr OptionSpec kOptions[] = {
    {"--code", "CODE", "AA, AE, AR, CA, CE or CR (default AA; AE when an error is given)"},
    {"--error", "TEXT", "text of the problem, for ERR"},
    {"--error-code", "CODE", "code of table 0357 (default 207)"},
    {"--at", "PATH", "place of the problem: PID-3[2].1"},
    {"--text", "TEXT", "MSA-3, for versions up to 2.6"},
    {"--control-id", "ID", "MSH-10 of the acknowledgement (default: random)"},
    detail::kTimeOption,
    detail::kCharsetOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 ack a01.hl7", "the positive acknowledgement"},
    {"kiln hl7 ack --code AE --error 'no patient id' --error-code 101 --at PID-3 a01.hl7",
     "a negative one, in the form of the message's version"}};

}  // namespace

const CommandSpec& hl7_ack_spec() {
  static const CommandSpec spec{
      "hl7 ack",
      "Files",
      "make the acknowledgement of a message",
      "In the delimiters, character set and version of the message; segments end with CR, on a terminal "
      "with\n"
      "a line feed. What cannot be parsed gets AR and exit 1, an acknowledgement gets none and exit 1;\n"
      "exit 2 for usage and unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
