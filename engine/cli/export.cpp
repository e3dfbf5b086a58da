// kiln export: messages with their bodies as NDJSON.

#include <algorithm>

#include "engine/admin/message_json.h"
#include "engine/base/env.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/admin_client.h"
#include "engine/journal/reader.h"

namespace kiln::engine {
namespace {

using base::Result;

struct Exported {
  std::uint64_t count = 0;
  std::uint64_t unread = 0;  ///< of them, without their body
  base::Error first;         ///< why the first of those has none
};

/// Page by page, so that any number can be exported.
Result<Exported> export_from(JournalReader& reader, const Query& query, std::uint64_t limit,
                             const std::function<base::Status(std::string_view)>& write) {
  Exported out;
  std::uint64_t& count = out.count;
  SearchOptions options;
  options.oldest_first = true;
  for (;;) {
    options.limit = static_cast<std::size_t>(std::min<std::uint64_t>(500, limit - count));
    if (options.limit == 0) return out;
    TRY(const auto found, reader.search(query, options));
    if (found.empty()) return out;
    for (const MessageSummary& summary : found) {
      options.after = summary.id;
      const auto stored = reader.message(summary.id);
      base::JsonWriter json;
      write_summary(json, summary);
      std::string line = json.take();
      line.pop_back();
      line += stored ? ",\"body_base64\":\"" + base::base64_encode(stored->message.body) + "\"}\n"
                     : ",\"error\":\"" + std::string(stored.error().info().code) + "\"}\n";
      TRY_VOID(write(line));
      ++count;
      if (!stored && ++out.unread == 1) out.first = stored.error();
    }
  }
}

/// What a running engine exported: lines of messages that it could not read say so.
Exported count_lines(std::string_view text) {
  constexpr std::string_view kMark = ",\"error\":\"";
  Exported out;
  for (const std::string_view line : base::split(text, '\n')) {
    if (line.empty()) continue;
    ++out.count;
    const std::size_t at = line.rfind(kMark);
    if (at == std::string_view::npos || line.find("\"body_base64\":", at) != std::string_view::npos) continue;
    if (++out.unread == 1)
      out.first = {line.substr(at + kMark.size()).starts_with("journal-key") ? base::ErrorCode::journal_key
                                                                            : base::ErrorCode::corrupt_record,
                   {}, {}, {}};
  }
  return out;
}

Result<Exported> run_export(const Arguments& arguments,
                                 const std::function<base::Status(std::string_view)>& write) {
  std::string text;
  for (const std::string& term : arguments.all("QUERY")) text += (text.empty() ? "" : " ") + term;
  const std::uint64_t limit = std::strtoull(arguments.text("--limit", "1000000").c_str(), nullptr, 10);
  const auto exported = detail::ask_admin(
      arguments, "/export?q=" + base::percent_encode(text) + "&limit=" + std::to_string(limit));
  if (exported) {
    TRY_VOID(write(*exported));
    return count_lines(*exported);
  }
  if (exported.error().code != base::ErrorCode::engine_unreachable || arguments.has("--server"))
    return base::fail(exported.error());
  TRY(const Query query, parse_query_text(text, base::SystemClock().wall()));
  TRY(auto reader, detail::open_journal(arguments));
  return export_from(reader, query, limit, write);
}

int run(const Arguments& arguments) {
  std::unique_ptr<base::AppendFile> file;
  if (arguments.has("--output")) {
    const std::string path = arguments.text("--output");
    if (base::system_env().exists(path))
      return report({base::ErrorCode::already_exists, "the file is there already", path, "name another one"},
                    arguments);
    auto opened = base::system_env().open_append(path);
    if (!opened) return report(opened.error(), arguments);
    file = std::move(*opened);
  }
  const auto exported = run_export(arguments, [&file](std::string_view bytes) -> base::Status {
    if (file) return file->append(bytes);
    print(bytes);
    return {};
  });
  if (!exported) return report(exported.error(), arguments);
  if (file) {
    if (const base::Status synced = file->sync(); !synced) return report(synced.error(), arguments);
    std::fprintf(stderr, "%llu messages exported to %s\n", static_cast<unsigned long long>(exported->count),
                 arguments.text("--output").c_str());
  }
  if (exported->unread > 0) {
    base::Error error = exported->first;
    error.place = std::to_string(exported->unread) + " of " + std::to_string(exported->count) + " messages have no body in the export";
    return report(error, arguments);
  }
  return exported->count == 0 ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"QUERY", "terms, joined by AND; none: every message", false, true}};
constexpr OptionSpec kOptions[] = {
    detail::kSiteOption,
    detail::kDataOption,
    detail::kServerOption,
    {"--output", "FILE", "write there instead of standard output; readable by you only"},
    {"--limit", "N", "most messages (default 1,000,000)"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln export channel:lab_in since:1d --output lab.ndjson", "a day of a channel, with bodies"},
    {"kiln export state:quarantined | jq -r .body_base64 | base64 -d", "the bodies alone"}};

}  // namespace

const CommandSpec& export_spec() {
  static const CommandSpec spec{
      "export",
      "Messages",
      "write messages with their bodies, one JSON object a line",
      "Each line is what `search --json` says of the message and `body_base64`, the bytes as received; "
      "oldest\n"
      "first. The output holds patients' data. A running engine records the export in its audit trail.\n"
      "Exit 1 when nothing matches, 78 when the key is not there that messages are encrypted with.",
      kArguments,
      kOptions,
      kExamples,
      run};
  return spec;
}

}  // namespace kiln::engine
