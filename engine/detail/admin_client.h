#pragma once
// How verbs talk to the admin API: the engine of a data folder by its socket, or any by --server.

#include <functional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/http_message.h"
#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/command.h"
#include "engine/detail/site_data.h"

namespace kiln::engine::detail {

inline constexpr OptionSpec kServerOption{
    "--server", "URL",
    "an engine elsewhere: http(s)://HOST:PORT of its console; the token is in $KILN_TOKEN"};
inline constexpr OptionSpec kUtcOption{"--utc", nullptr, "times in UTC instead of the local zone"};

/// One request below /api/v1. Errors: engine_unreachable, usage, and what the engine says.
base::Result<std::string> ask_admin(const Arguments& arguments, const std::string& method,
                                    const std::string& path, const std::string& body = {});
base::Result<std::string> ask_admin(const Arguments& arguments, const std::string& path);
/// The same as JSON.
base::Result<base::JsonDocument> ask_admin_json(const Arguments& arguments, const std::string& path);

/// What still holds it, of the answer to a `resume` or `start`: a line with the command for each.
void print_held(base::JsonView answer);

/// "2026-11-23 14:05:09 +01:00" of an RFC 3339 time as the API writes it; with --utc "2026-11-23 13:05:09Z".
/// As it is when it is no time.
std::string shown_time(std::string_view rfc3339, const Arguments& arguments);

/// Lines in columns, two blanks between.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) { rows_.push_back(std::move(titles)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::size_t rows() const { return rows_.size() - 1; }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kiln::engine::detail
