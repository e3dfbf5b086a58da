#pragma once
// The table of routes of the admin API. One resource = one file routes/NAME.cpp that defines
// `const RouteGroup& NAME_routes()`; the build lists them in all_routes(). What is not in the table cannot be
// reached, and the OpenAPI document is made from it.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "channels/net/http_server.h"
#include "engine/base/http_message.h"
#include "engine/base/json.h"
#include "engine/base/task.h"
#include "engine/security/logins.h"

namespace kiln::engine {

class AdminService;
class Gateway;

/// What a route answers. `body` is JSON unless `type` says otherwise.
struct Reply {
  std::string body = {};
  int status = 200;
  std::string type = "application/json; charset=UTF-8";
  base::HttpHeaders headers = {};
  /// Set: the body is made piece by piece while it is sent; an empty piece ends it.
  std::function<base::Task<std::string>()> stream = {};
  std::function<void()> stream_ended = {};
};

/// One request at its route: matched, allowed, its body parsed.
struct Call {
  Gateway* gateway = nullptr;
  AdminService* admin = nullptr;
  Caller caller;
  base::HttpRequest request;
  std::vector<std::pair<std::string, std::string>> values;  ///< of the path, then of the query; decoded
  base::JsonDocument document;                              ///< of the body; empty without one
  bool secure = false;                                      ///< came by TLS

  base::JsonView body() const { return document.root(); }
  /// A value of path or query; empty when it is absent.
  std::string_view value(std::string_view name) const;
  bool has(std::string_view name) const;
  /// Not given: `otherwise`. Error: bad_value when it is no whole number, or beyond `most`.
  base::Result<std::uint64_t> number(std::string_view name, std::uint64_t otherwise,
                                     std::uint64_t most) const;
  /// The member of the body as text. Error: bad_value when it is absent, empty or no text.
  base::Result<std::string> text(std::string_view member) const;
};

struct ParameterSpec {
  const char* name;
  const char* type;  ///< a shape (shape.h)
  const char* summary;
  bool required = false;
};

/// When an action is recorded.
enum class Recorded : std::uint8_t {
  never,
  after,  ///< with its outcome
  before  ///< nothing is done when the record cannot be written; a failure is recorded as well
};

struct RouteSpec {
  const char* method;
  const char* path;  ///< below /api/v1: "/messages/{id}"; a last "{rest...}" takes all that follows
  AdminRight right;
  const char* summary;
  std::span<const ParameterSpec> parameters = {};  ///< of the query
  const char* body = "";                           ///< shape; "": takes none
  const char* answer = "";                         ///< shape; of JSON answers
  const char* media = "application/json";
  std::span<const base::ErrorCode> errors = {};  ///< beside those that every route has
  AdminRight also = AdminRight::anybody;         ///< a second right that is needed
  Recorded recorded = Recorded::never;
  const char* action = "";  ///< name in the audit trail: "message.view"
  bool on_reader = false;   ///< `run` runs where the journal is read, else on the network loop
  base::Result<Reply> (*run)(const Call&) = nullptr;
  base::Task<base::Result<Reply>> (*task)(Call) = nullptr;  ///< instead of `run`
};

struct RouteGroup {
  const char* name;
  const char* summary;
  std::span<const RouteSpec> routes;
};

/// Every resource, sorted by file (generated).
std::span<const RouteGroup* const> all_routes();

struct RouteMatch {
  const RouteSpec* route = nullptr;  ///< nullptr: see `allow`
  std::vector<std::pair<std::string, std::string>> values;
  std::string allow;  ///< methods that the address takes; empty: there is no such address
};
/// `path` below /api/v1, still percent-encoded. Literal steps win over {name}. "." and ".." are no names.
RouteMatch find_route(std::string_view method, std::string_view path);

/// {"error":{"code","text","place","remedy"}}
Reply error_reply(const base::Error& error);
inline Reply json_reply(std::string body) {
  return Reply{std::move(body)};
}
/// The OpenAPI 3.1 document of the table.
std::string print_openapi();

}  // namespace kiln::engine
