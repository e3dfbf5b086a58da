// kiln journal: the whole journal as lines of JSON, and back.

#include <unistd.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "engine/admin/message_json.h"
#include "engine/base/env.h"
#include "engine/base/executor.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/partial_date.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/data_lock.h"
#include "engine/detail/input_bytes.h"
#include "engine/detail/site_data.h"
#include "engine/journal/sqlite_journal.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Status;

constexpr std::size_t kGroup = 500;                   ///< messages of one commit
constexpr const char* kImported = "operator-hold";  ///< cause of what waited where it comes from

// ---- dump ----

Result<std::uint64_t> dump(const Arguments& arguments, const std::string& data) {
  TRY(const detail::DataLock lock, detail::DataLock::take(data));
  TRY(auto reader, detail::open_journal(arguments));
  std::uint64_t count = 0;
  std::set<std::string> configs;  ///< versions of the site that were written
  SearchOptions options;
  options.oldest_first = true;
  options.limit = 500;
  for (;;) {
    TRY(const auto found, reader.search(Query(), options));
    if (found.empty()) return count;
    for (const MessageSummary& summary : found) {
      options.after = summary.id;
      const auto stored = reader.message(summary.id);
      base::JsonWriter json;
      write_summary(json, summary, true);
      std::string line = json.take();
      line.pop_back();  // its closing brace
      if (stored) {
        const std::string& config = stored->message.config_hash;
        if (!config.empty() && configs.insert(config).second) {
          const auto text = reader.config(config);
          base::JsonWriter version;
          version.begin_object().key("site_version").begin_object().member("hash", config).member("text", text ? std::string_view(*text) : std::string_view());
          print(version.end_object().end_object().take() + "\n");
        }
        base::JsonWriter more;
        more.begin_object().member("config", stored->message.config_hash).member("action", stored->message.action);
        more.member("body_base64", base::base64_encode(stored->message.body)).end_object();
        line += "," + more.take().substr(1);
      } else {
        line += std::string(",\"error\":\"") + stored.error().info().code + "\"}";
      }
      print(line + "\n");
      ++count;
    }
  }
}

// ---- import ----

struct Import {
  std::uint64_t taken = 0, held = 0, left_out = 0;
  std::map<MessageId, MessageId> numbers;  ///< there, here
  std::set<std::string, std::less<>> configs;  ///< versions of the site that the lines brought
  std::size_t waiting = 0;                 ///< messages that the next commit takes
  MessageId group_from = 0;                ///< the first of them, there
  Status status;
};

MessageId number_of(base::JsonView value) { return std::strtoull(std::string(value.text()).c_str(), nullptr, 10); }

Result<base::WallTime> time_of(base::JsonView value) {
  const auto date = base::PartialDate::parse_fhir(value.text());
  if (!date) return base::fail(base::ErrorCode::bad_value, "`received` is no time");
  return base::WallTime{date->lowest_micros()};
}

Result<NewMessage> message_of(base::JsonView line, const Import& import) {
  NewMessage out;
  out.channel = line["channel"].text();
  const std::string_view kind = line["kind"].text();
  out.kind = kind == "fhir" ? channels::ContentKind::fhir : kind == "csv" ? channels::ContentKind::csv : channels::ContentKind::hl7;
  TRY(out.received, time_of(line["received"]));
  out.peer = line["peer"].text();
  out.name = line["name"].text();
  out.action = line["action"].text();
  out.type = line["type"].text();
  out.control_id = line["control_id"].text();
  if (import.configs.contains(line["config"].text())) out.config_hash = line["config"].text();
  const auto here = [&import](base::JsonView number) {
    const auto found = import.numbers.find(number_of(number));
    return found == import.numbers.end() ? MessageId{0} : found->second;
  };
  out.parent = here(line["parent"]);
  out.replay_of = here(line["replay_of"]);
  out.edited_from = here(line["edited_from"]);
  if (out.channel.empty()) return base::fail(base::ErrorCode::bad_value, "a message without channel");
  if (!base::base64_decode(line["body_base64"].text(), out.body)) return base::fail(base::ErrorCode::bad_value, "`body_base64` is no base64");
  return out;
}

/// How it ended there. What still waited is set aside here: it may have been sent since, and somebody decides.
Processed endings_of(base::JsonView line, const std::string& channel, Import& import) {
  Processed out;
  out.channel = channel;
  for (const base::JsonView one : line["destinations"]) {
    Ending ending;
    const std::string name(one["destination"].text());
    ending.destination = name.starts_with(channel + "/") ? name.substr(channel.size() + 1) : name;
    const auto state = delivery_state(one["state"].text());
    ending.state = state.value_or(DeliveryState::quarantined);
    ending.code = state ? std::string(one["code"].text()) : std::string(kImported);
    ending.detail = state ? std::string(one["detail"].text()) : "it waited where it was exported";
    ending.reply = one["reply"].text();
    ending.attempts = static_cast<std::uint32_t>(number_of(one["attempts"]));
    ending.in_doubt = one["in_doubt"].boolean();
    import.held += state ? 0 : 1;
    out.endings.push_back(std::move(ending));
  }
  if (out.endings.empty()) {
    Ending ending;
    ending.destination = kNoDestination;
    ending.state = DeliveryState::quarantined;
    ending.code = kImported;
    ending.detail = "it was not processed where it was exported";
    ++import.held;
    out.endings.push_back(std::move(ending));
  }
  return out;
}

Status take_line(std::string_view text, SqliteJournal& journal, Import& import) {
  TRY(const auto document, base::parse_json(text, {base::limits::kMessageBytesMax * 2, base::limits::kJsonDepthMax}));
  const base::JsonView line = document.root();
  if (const base::JsonView version = line["site_version"]) {
    journal.keep_config(std::string(version["hash"].text()), std::string(version["text"].text()));
    import.configs.emplace(version["hash"].text());
    return {};
  }
  if (line["error"]) {  // it could not be read where it comes from
    ++import.left_out;
    return {};
  }
  // A message that this one was made of may still be on its way: its number here is known after the commit.
  const MessageId number = number_of(line["id"]);
  const auto is_on_its_way = [&](const char* link) { return number_of(line[link]) >= import.group_from && number_of(line[link]) > 0; };
  if (import.waiting >= kGroup || is_on_its_way("parent") || is_on_its_way("replay_of") || is_on_its_way("edited_from")) {
    journal.flush();
    import.waiting = 0;
    import.group_from = number;
  }
  TRY(NewMessage message, message_of(line, import));
  auto processed = std::make_shared<Processed>(endings_of(line, message.channel, import));
  journal.append_with_next(std::move(message), [&journal, &import, number, processed](const Result<MessageId>& id) {
    if (!id) {
      import.status = base::fail(id.error());
      return;
    }
    import.numbers[number] = processed->id = *id;
    ++import.taken;
    journal.store(std::move(*processed), [&import](const Status& status) {
      if (!status) import.status = status;
    });
  });
  ++import.waiting;
  return import.status;
}

Status import_lines(const Arguments& arguments, const std::string& data, Import& import) {
  TRY_VOID(base::system_env().make_folders(data));  // the site may never have run
  TRY(const detail::DataLock lock, detail::DataLock::take(data));
  JournalOptions options;
  options.folder = base::join_path(data, "journal");
  TRY(options.files.master, detail::master_key(arguments));
  base::SystemClock clock;
  base::InlineExecutor committer;
  TRY(auto journal, SqliteJournal::open(base::system_env(), clock, committer, options, [] { ::_exit(kExitIo); }));
  const bool clean = journal->recovered().clean_stop;
  std::string rest;
  std::uint64_t number = 0;
  const auto take = [&](std::string_view text) -> Status {
    ++number;
    if (text.empty()) return {};
    Status taken = take_line(text, *journal, import);
    if (taken) return {};
    base::Error error = std::move(taken).error();
    error.place = arguments.text("FILE") + ":" + std::to_string(number);
    return base::fail(std::move(error));
  };
  Status done = detail::read_pieces(arguments.text("FILE"), [&](std::string_view piece) -> Status {
    rest += piece;
    std::size_t begin = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      TRY_VOID(take(std::string_view(rest).substr(begin, end - begin)));
      begin = end + 1;
    }
    rest.erase(0, begin);
    if (rest.size() > base::limits::kMessageBytesMax * 2) return base::fail(base::ErrorCode::limit_exceeded, "a line is too long");
    return {};
  });
  if (done) done = take(rest);
  journal->flush();
  TRY_VOID(journal->close(clean));
  if (done) done = import.status;
  return done;
}

int run_import(const Arguments& arguments, const std::string& data) {
  if (!arguments.has("FILE")) return report({base::ErrorCode::usage, "which file?", {}, "kiln journal import FILE; - is standard input"}, arguments);
  Import import;
  const Status done = import_lines(arguments, data, import);
  if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().key("taken").integer(static_cast<std::int64_t>(import.taken));
    json.key("quarantined").integer(static_cast<std::int64_t>(import.held));
    json.key("left_out").integer(static_cast<std::int64_t>(import.left_out)).end_object();
    print(json.take() + "\n");
  } else {
    print(std::to_string(import.taken) + " messages taken" +
          (import.held > 0 ? ", " + std::to_string(import.held) + " ends that waited are in quarantine" : "") +
          (import.left_out > 0 ? ", " + std::to_string(import.left_out) + " without content left out" : "") + "\n");
  }
  return done ? kExitOk : report(done.error(), arguments);
}

int run(const Arguments& arguments) {
  const auto data = detail::data_folder(arguments);
  if (!data) return report(data.error(), arguments);
  const std::string action = arguments.text("ACTION");
  if (action == "import") return run_import(arguments, *data);
  if (action != "dump") return report({base::ErrorCode::usage, "there is no action `" + action + "`", {}, "dump or import"}, arguments);
  const auto count = dump(arguments, *data);
  if (!count) return report(count.error(), arguments);
  return *count == 0 ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"ACTION", "dump (to standard output) or import"}, {"FILE", "import: what `dump` wrote; - is standard input", false}};
constexpr OptionSpec kOptions[] = {detail::kSiteOption, detail::kDataOption};
constexpr ExampleSpec kExamples[] = {{"kiln journal dump --site old > journal.ndjson", "all of it, readable without Kiln"},
                                     {"kiln journal import journal.ndjson --site new", "into another site, behind what it has"}};

}  // namespace

const CommandSpec& journal_spec() {
  static const CommandSpec spec{"journal",
                                "Storage",
                                "write the whole journal as lines of JSON, or take such lines in",
                                "No engine may run on the data folder (`kiln export` asks a running one). The lines hold patients' data. Imported messages get new\n"
                                "numbers, their links follow; nothing of them is sent: what waited there is in quarantine here, for somebody to release or drop.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
