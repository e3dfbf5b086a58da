// How much each channel logs, for a while.

#include "engine/admin/message_json.h"
#include "engine/admin/route.h"
#include "engine/base/log_writer.h"
#include "engine/gateway.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::LogLevel;
using base::Result;

constexpr std::uint64_t kSecondsMax = 86'400;

Result<Reply> list(const Call&) {
  base::JsonWriter json;
  json.begin_object().key("levels").begin_array();
  for (const base::LogWriter::ChannelLevel& one : base::process_log().channel_levels())
    json.begin_object().member("channel", one.channel).member("level", base::name_of(one.level)).member("until", print_time(one.until)).end_object();
  json.end_array().key("dropped").integer(static_cast<std::int64_t>(base::process_log().dropped()));
  return json_reply(json.end_object().take());
}

Result<LogLevel> read_level(std::string_view text) {
  for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error})
    if (text == base::name_of(level)) return level;
  return base::fail(ErrorCode::bad_value, "no such level", "level", "debug, info, warn or error");
}

Result<Reply> set(const Call& call) {
  TRY(const std::string channel, call.text("channel"));
  TRY(const std::string name, call.text("level"));
  TRY(const LogLevel level, read_level(name));
  bool known = channel == "*";
  for (const auto& one : call.gateway->channels()) known = known || one->definition().name == channel;
  if (!known) return base::fail(ErrorCode::channel_not_found, {}, channel);
  const std::string seconds(call.body()["seconds"].text());
  char* end = nullptr;
  const std::uint64_t number = std::strtoull(seconds.c_str(), &end, 10);
  if (seconds.empty() || seconds.front() == '-' || *end != '\0' || number > kSecondsMax)
    return base::fail(ErrorCode::bad_value, "seconds: 1 to 86400; 0 ends it now", "seconds");
  if (number == 0)
    base::process_log().reset_channel_level(channel);
  else
    TRY_VOID(base::process_log().set_channel_level(channel, level, static_cast<std::int64_t>(number)));
  return list(call);
}

constexpr const char* kAnswer = "{levels: [{channel: string, level: string, until: time}], dropped: integer}";
constexpr ErrorCode kErrors[] = {ErrorCode::bad_value, ErrorCode::channel_not_found, ErrorCode::limit_exceeded};
constexpr RouteSpec kRoutes[] = {
    {.method = "GET", .path = "/log", .right = AdminRight::view, .summary = "levels that channels have for a while", .answer = kAnswer, .run = list},
    {.method = "POST",
     .path = "/log",
     .right = AdminRight::operate,
     .summary = "another level for a channel (*: all), which ends by itself, or now with 0 seconds",
     .body = "{channel: string, level: \"debug\"|\"info\"|\"warn\"|\"error\", seconds: integer, reason?: string}",
     .answer = kAnswer,
     .errors = kErrors,
     .recorded = Recorded::after,
     .action = "log.level",
     .run = set},
};

}  // namespace

const RouteGroup& log_routes() {
  static const RouteGroup group{"log", "how much is logged", kRoutes};
  return group;
}

}  // namespace kiln::engine
