#include "engine/base/log.h"

#include "engine/base/log_writer.h"

namespace kiln::base {

void log(LogLevel level, Safe event, std::initializer_list<LogField> fields) {
  process_log().log(level, event.text(), fields);
}

void set_log_level(LogLevel level) {
  process_log().set_level(level);
}

}  // namespace kiln::base
