#pragma once
// A FHIR server without sockets: a real store in a temporary folder, a manual clock and seeded ids.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/json.h"
#include "engine/base/random.h"
#include "engine/store/sqlite_store.h"
#include "fhir/router.h"
#include "fhir/transaction.h"
#include "tests/support/temp_folder.h"

namespace kiln::test {

class AllowAll final : public fhir::Access {
 public:
  bool allow(const fhir::Principal&, std::string_view, std::string_view, std::string_view) const override {
    return true;
  }
};

using Headers = std::vector<std::pair<std::string, std::string>>;

struct FhirServer {
  TempFolder folder;
  base::ManualClock clock{base::WallTime{1'714'557'600'123'000}};  // 2024-05-01T10:00:00.123Z
  base::SeededRandom random{7};
  fhir::IdSource ids{clock, random};
  AllowAll access;
  fhir::ServerContext context;
  engine::StoreOptions options;
  std::unique_ptr<fhir::Store> store;

  FhirServer() {
    context.base_url = "http://fhir.test/fhir";
    context.clock = &clock;
    context.ids = &ids;
    context.access = &access;
    context.software_version = "test";
    context.started = clock.wall();
    options.path = folder.path("store.db");
    options.base_url = context.base_url;
    options.clock = &clock;
    options.env = &base::system_env();
    open();
  }
  void open() {
    store.reset();
    auto opened = engine::open_store(options);
    if (!opened) throw std::runtime_error(opened.error().message());
    store = std::move(*opened);
  }
  base::HttpResponse send(std::string method, std::string target, std::string body = {},
                          const Headers& headers = {}) {
    base::HttpRequest request;
    request.method = std::move(method);
    request.target = "/fhir" + std::move(target);
    request.body = std::move(body);
    for (const auto& [name, value] : headers) request.headers.add(name, value);
    return fhir::handle(request, fhir::Principal{"tester", true}, *store, context);
  }
};

/// A parsed body that keeps its document alive.
struct Json {
  base::JsonDocument document;
  base::JsonView root;
  explicit Json(std::string_view text) {
    auto parsed = base::parse_json(text);
    if (!parsed) throw std::runtime_error(parsed.error().message());
    document = std::move(*parsed);
    root = document.root();
  }
  base::JsonView operator[](std::string_view member) const { return root[member]; }
};

}  // namespace kiln::test
