// GET /openapi.json: this API, from its own table.

#include "engine/admin/route.h"

namespace kiln::engine {
namespace {

base::Result<Reply> openapi(const Call&) {
  static const std::string text = print_openapi();
  return json_reply(text);
}

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/openapi.json",
     .right = AdminRight::anybody,
     .summary = "this document",
     .answer = "{openapi: string, *: any}",
     .run = openapi},
};

}  // namespace

const RouteGroup& description_routes() {
  static const RouteGroup group{"description", "the API itself", kRoutes};
  return group;
}

}  // namespace kiln::engine
