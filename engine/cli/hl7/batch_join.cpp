// kiln hl7 batch join: messages as one batch file (std 2.10.3).

#include "engine/base/env.h"
#include "engine/detail/hl7_cli.h"
#include "hl7/builder.h"

namespace kiln::engine {
namespace {

using base::Result;
using detail::Hl7Item;

/// FHS or BHS: sender and receiver of the first message, time, and an id of its own.
Result<std::string> header(const char* name, const hl7::Message& first, const base::PartialDate& time,
                           const std::string& id) {
  hl7::MessageBuilder builder(first.delimiters());
  hl7::SegmentBuilder& segment = builder.add(name);
  for (std::uint32_t field = 3; field <= 6; ++field)
    TRY_VOID(segment.copy(field, first.header().field(field), first));
  TRY_VOID(segment.set(7, time.print_hl7()));
  TRY_VOID(segment.set(11, id));
  return builder.print(first.charset(), hl7::Unencodable::replace);
}

std::string trailer(const char* name, const hl7::Delimiters& delimiters, std::size_t count) {
  return std::string(name) + delimiters.field + std::to_string(count) + "\r";
}

/// A message in a batch ends with CR, whatever it ended with in its file; the rest keeps its bytes.
void append_message(std::string& out, std::string_view bytes) {
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x1c'; };
  while (!bytes.empty() && blank(bytes.back())) bytes.remove_suffix(1);
  if (bytes.find('\r') != bytes.npos) {
    out += bytes;
  } else {
    for (const char c : bytes) out += c == '\n' ? '\r' : c;
  }
  out += '\r';
}

int run(const Arguments& arguments) {
  const auto time = detail::time_of(arguments);
  if (!time) return detail::report_usage(time.error(), arguments);
  std::string messages;
  std::optional<hl7::Message> first;
  std::size_t count = 0;
  const int exit_code = detail::for_each_message(arguments, arguments.all("FILE"), [&](Hl7Item& item) {
    ++count;
    const hl7::Slice slice = item.file.batch.messages[item.number - 1];
    append_message(messages, slice.of(item.file.bytes));
    if (!first) first = std::move(*item.message);
    return true;
  });
  if (!first || exit_code != kExitOk) return exit_code == kExitOk ? kExitFound : exit_code;
  const std::string id = arguments.text("--id", detail::random_id());
  std::string out;
  const bool file_level = !arguments.has("--no-file-header");
  for (const char* name : {"FHS", "BHS"}) {
    if (name[0] == 'F' && !file_level) continue;
    const auto line = header(name, *first, *time, id);
    if (!line) return detail::report_usage(line.error(), arguments);
    out += *line;
  }
  out += messages + trailer("BTS", first->delimiters(), count);
  if (file_level) out += trailer("FTS", first->delimiters(), 1);
  if (!arguments.has("--out")) {
    print(out);
    return kExitOk;
  }
  const auto written = base::system_env().write_file_atomic(arguments.text("--out"), out);
  if (!written) return detail::report_usage(written.error(), arguments);
  if (arguments.json())
    print("{\"messages\":" + std::to_string(count) + ",\"bytes\":" + std::to_string(out.size()) + "}\n");
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {detail::kFilesArgument};
constexpr OptionSpec kOptions[] = {{"--out", "FILE", "write there instead of to standard output"},
                                   {"--no-file-header", nullptr, "BHS and BTS only, without FHS and FTS"},
                                   {"--id", "ID", "FHS-11 and BHS-11 (default: random)"},
                                   detail::kTimeOption,
                                   detail::kCharsetOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 batch join --out day.hl7 parts/*.hl7", "one batch with counts"}};

}  // namespace

const CommandSpec& hl7_batch_join_spec() {
  static const CommandSpec spec{
      "hl7 batch join",
      "Files",
      "put messages into one batch file",
      "Sender, receiver and delimiters of the envelope are those of the first message; BTS-1 and FTS-1 hold\n"
      "the counts. Nothing is written when a message cannot be parsed (exit 1) or a file not be read (exit "
      "2).",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
