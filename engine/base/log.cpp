#include "engine/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/partial_date.h"

namespace kiln::base {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("kiln", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::info);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum spd_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

const char* word(LogLevel level) {
  static constexpr const char* kWords[] = {"debug", "info", "warn", "error"};
  return kWords[static_cast<std::size_t>(level)];
}

}  // namespace

void log(LogLevel level, Safe event, std::initializer_list<LogField> fields) {
  if (!logger().should_log(spd_level(level))) return;
  JsonWriter json;
  json.begin_object();
  json.member("ts", PartialDate::from_wall(SystemClock().wall(), DatePrecision::fraction).print_fhir());
  json.member("level", word(level)).member("event", event.text());
  for (const LogField& field : fields) {
    json.key(field.key);
    if (field.kind == LogField::Kind::integer)
      json.integer(field.integer);
    else
      json.string(field.text.text());
  }
  json.end_object();
  logger().log(spd_level(level), "{}", json.str());
}

void set_log_level(LogLevel level) {
  logger().set_level(spd_level(level));
}

}  // namespace kiln::base
