// The FHIR store for the console's browser: reads, and checks that change nothing.

#include "engine/admin/route.h"
#include "engine/gateway.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

/// The request as the FHIR API gets it from this machine; its own audit names the account.
Task<Result<Reply>> forward(Call call) {
  base::HttpRequest request;
  request.method = call.request.method;
  const std::string_view target = call.request.target;
  constexpr std::string_view kHere = "/api/v1/fhir";
  request.target = "/fhir" + std::string(target.substr(std::min(kHere.size(), target.size())));
  request.peer = "local";
  request.headers.set("Accept", "application/fhir+json");
  // Not `Prefer`: a browser of the store begins no export.
  for (const char* name : {"if-none-match", "if-modified-since"})
    if (call.request.headers.has(name))
      request.headers.set(name, std::string(call.request.headers.get(name)));
  if (request.method != "GET") {
    request.headers.set("Content-Type", "application/fhir+json");
    request.body = std::move(call.request.body);
  }
  fhir::Principal principal;
  principal.loopback = true;
  base::Completion<base::HttpResponse> answered(call.gateway->executor());
  call.gateway->fhir().handle(std::move(request), std::move(principal),
                              [answered](base::HttpResponse response) { answered.set(std::move(response)); });
  base::HttpResponse response = co_await answered;
  Reply out;
  out.status = response.status;
  out.body = std::move(response.body);
  const std::string_view type = response.headers.get("content-type");
  if (!type.empty()) out.type = type;
  for (const char* name : {"ETag", "Last-Modified", "Location"})
    if (response.headers.has(name)) out.headers.set(name, std::string(response.headers.get(name)));
  co_return out;
}

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/fhir/{rest...}",
     .right = AdminRight::phi_view,
     .summary = "a read or search of the FHIR store, answered as /fhir does",
     .media = "application/fhir+json",
     .recorded = Recorded::before,
     .action = "fhir.read",
     .task = forward},
    {.method = "POST",
     .path = "/fhir/{type}/$validate",
     .right = AdminRight::phi_view,
     .summary = "check a resource; nothing is stored",
     .body = "{resourceType: string, *: any}",
     .media = "application/fhir+json",
     .recorded = Recorded::before,
     .action = "fhir.validate",
     .task = forward},
};

}  // namespace

const RouteGroup& fhir_routes() {
  static const RouteGroup group{"fhir", "the FHIR store", kRoutes};
  return group;
}

}  // namespace kiln::engine
