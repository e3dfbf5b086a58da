// kiln hl7 batch join: messages as one batch file (std 2.10.3).

#include "engine/base/env.h"
#include "engine/detail/hl7_cli.h"
#include "hl7/batch_stream.h"

namespace kiln::engine {
namespace {

using detail::Hl7Item;

int run(const Arguments& arguments) {
  const auto time = detail::time_of(arguments);
  if (!time) return detail::report_usage(time.error(), arguments);
  hl7::BatchHeader header;
  header.control_id = arguments.text("--id", detail::random_id());
  header.time = *time;
  header.file_level = !arguments.has("--no-file-header");
  hl7::BatchWriter writer(std::move(header));
  std::string out;
  std::optional<base::Error> failed;
  const int exit_code = detail::for_each_message(arguments, arguments.all("FILE"), [&](Hl7Item& item) {
    if (writer.messages() == 0) {
      const auto begun = writer.begin(*item.message);
      if (!begun) failed = begun.error();
      out = begun.value_or("");
    }
    const hl7::Slice slice = item.file.batch.messages[item.number - 1];
    out += writer.add(slice.of(item.file.bytes));
    return !failed;
  });
  if (failed) return detail::report_usage(*failed, arguments);
  const std::uint64_t count = writer.messages();
  if (count == 0 || exit_code != kExitOk) return exit_code == kExitOk ? kExitFound : exit_code;
  out += writer.end();
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
