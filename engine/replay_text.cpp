// The JSON of replays: what is kept with a job, what a dry run answers.

#include <charconv>

#include "engine/base/text.h"
#include "engine/replay_preview.h"

namespace kiln::engine {

using base::Result;

namespace {

template <class Number>
Number number(base::JsonView value, Number otherwise) {
  Number out{};
  const std::string_view text = value.text();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? out : otherwise;
}

}  // namespace

const char* name_of(ReplayPreview::Compared compared) {
  static constexpr const char* kNames[] = {"same", "changed", "new", "gone", "unknown"};
  return kNames[static_cast<std::size_t>(compared)];
}

std::string print_spec(const ReplaySpec& spec) {
  base::JsonWriter json;
  json.begin_object().member("query", spec.query).key("to").begin_array();
  for (const std::string& name : spec.to) json.string(name);
  json.end_array().member("channel", spec.channel).key("rate").integer(spec.rate);
  json.key("include_sent").boolean(spec.include_sent).key("allow_stale").boolean(spec.allow_stale);
  json.key("as_sent").boolean(spec.as_sent).key("fresh_lookups").boolean(spec.fresh_lookups);
  json.key("asked").integer(spec.asked.micros).key("up_to").integer(static_cast<std::int64_t>(spec.up_to));
  return json.end_object().take();
}

Result<ReplaySpec> read_spec(const std::string& text) {
  TRY(const base::JsonDocument document, base::parse_json(text));
  const base::JsonView root = document.root();
  ReplaySpec spec;
  spec.query = root["query"].text();
  for (const base::JsonView name : root["to"]) spec.to.emplace_back(name.text());
  spec.channel = root["channel"].text();
  spec.rate = number(root["rate"], spec.rate);
  spec.include_sent = root["include_sent"].boolean();
  spec.allow_stale = root["allow_stale"].boolean();
  spec.as_sent = root["as_sent"].boolean();
  spec.fresh_lookups = root["fresh_lookups"].boolean();
  spec.asked.micros = number<std::int64_t>(root["asked"], 0);
  spec.up_to = number<MessageId>(root["up_to"], 0);
  return spec;
}

void write_preview_line(base::JsonWriter& json, const ReplayPreview::Line& line) {
  json.begin_object().key("id").integer(static_cast<std::int64_t>(line.id));
  json.member("channel", line.channel).member("type", line.type);
  if (!line.skipped.empty()) {
    json.member("skipped", line.skipped).end_object();
    return;
  }
  json.member("verdict", line.verdict);
  if (!line.reason.empty()) json.member("reason", line.reason);
  json.key("outputs").begin_array();
  for (const ReplayPreview::Part& part : line.parts) {
    json.begin_object().member("destination", part.destination);
    json.key("bytes").integer(static_cast<std::int64_t>(part.bytes)).member("sha256", part.sha256);
    json.member("compared", name_of(part.compared)).key("paths").begin_array();
    for (const std::string& path : part.paths) json.string(path);
    json.end_array();
    if (!part.diff.empty()) json.member("diff", part.diff);
    json.end_object();
  }
  json.end_array().end_object();
}

std::string print_preview(const ReplayPreview& preview) {
  base::JsonWriter json;
  const auto count = [&json](const char* name, std::uint64_t value) {
    json.key(name).integer(static_cast<std::int64_t>(value));
  };
  json.begin_object().key("dry_run").boolean(true);
  count("matched", preview.matched);
  count("replayed", preview.matched - preview.skipped);
  count("skipped", preview.skipped);
  count("failed", 0);
  count("already_sent", preview.sent);
  count("earlier_replays", preview.replays);
  if (!preview.refused.empty()) json.member("refused", preview.refused);
  count("stale", preview.stale);
  json.key("stale_complete").boolean(preview.stale_complete);
  json.key("outputs").begin_object();
  count("same", preview.same);
  count("changed", preview.changed);
  count("new", preview.added);
  count("gone", preview.gone);
  count("unknown", preview.unknown);
  json.end_object().key("paths").begin_object();
  for (const auto& [path, times] : preview.paths) count(path.c_str(), times);
  json.end_object().key("messages").begin_array();
  for (const ReplayPreview::Line& line : preview.lines) write_preview_line(json, line);
  return json.end_array().end_object().take();
}

}  // namespace kiln::engine
