#include "channels/connectors/detail/process_options.h"

#include "channels/connectors/detail/common.h"

namespace kiln::channels::detail {

ChildRun child_run(const Options& options, const Surroundings& around) {
  ChildRun out;
  out.command.push_back(site_path(around, options.text("program")));
  if (const auto* arguments = options.all("argument"))
    for (const OptionValue& argument : *arguments) out.command.push_back(argument.text);
  out.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "KILN_CHANNEL=" + around.channel};
  out.folder = around.site;
  out.timeout_ms = options.number("timeout");
  out.output_max = static_cast<std::size_t>(options.number("max_output"));
  out.memory_max = static_cast<std::size_t>(options.number("memory"));
  out.cpu_s_max = options.number("cpu") / 1'000;
  out.file_max = static_cast<std::size_t>(options.number("max_file"));
  return out;
}

}  // namespace kiln::channels::detail
