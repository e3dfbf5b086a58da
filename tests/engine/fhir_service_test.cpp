// The built-in store behind channels: cursors of the change feed, deliveries that are applied once.
#include <catch2/catch.hpp>

#include "engine/base/virtual_executor.h"
#include "engine/fhir_service.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using namespace kiln::engine;
using channels::ChangeBatch;
using channels::SendOutcome;

namespace {

struct Fixture {
  test::TempFolder folder;
  base::ManualClock clock{{1'795'000'000'000'000}};
  base::VirtualExecutor home{clock};
  base::InlineExecutor writing, reading;
  base::SeededRandom random{1};
  test::AllowAll access;
  std::unique_ptr<FhirService> service;

  Fixture() { open(); }
  void open() {
    service.reset();
    StoreOptions options;
    options.path = folder.path("fhir.db");
    options.base_url = "http://fhir.test/fhir";
    options.clock = &clock;
    options.env = &base::system_env();
    FhirService::Parts parts;
    parts.writer = std::move(*open_store(options));
    parts.readers.push_back({std::move(*parts.writer->open_reader()), &reading});
    parts.write_executor = &writing;
    parts.home = &home;
    parts.clock = &clock;
    parts.random = &random;
    parts.access = &access;
    parts.base_url = options.base_url;
    parts.version = "test";
    service = std::make_unique<FhirService>(std::move(parts));
  }
  int post_patient() {
    base::HttpRequest request;
    request.method = "POST";
    request.target = "/fhir/Patient";
    request.headers.add("Content-Type", "application/fhir+json");
    request.body = R"({"resourceType":"Patient"})";
    int status = 0;
    service->handle(request, {"tester", true}, [&](base::HttpResponse response) { status = response.status; });
    home.run_ready();
    return status;
  }
};

base::Task<void> run_read(FhirService& service, std::uint64_t after, std::int64_t wait_ms, ChangeBatch* out, bool* done) {
  auto reading = service.read(after, 10, wait_ms);
  auto batch = co_await std::move(reading);
  if (batch) *out = std::move(*batch);
  *done = true;
}

base::Task<void> run_advance(FhirService& service, std::uint64_t position) {
  auto advancing = service.advance("census", position);
  co_await std::move(advancing);
}

base::Task<void> run_apply(FhirService& service, std::vector<channels::Outgoing> messages, std::vector<SendOutcome>* out) {
  auto applying = service.apply_batch(std::move(messages));
  *out = co_await std::move(applying);
}

channels::Outgoing patient(std::uint64_t id, const char* body = R"({"resourceType":"Patient"})") {
  channels::Outgoing out;
  out.msg_id = id;
  out.channel = "c";
  out.destination = "repo";
  out.kind = channels::ContentKind::fhir;
  out.bytes = body;
  return out;
}

}  // namespace

TEST_CASE("a consumer that began on an empty store misses nothing after a crash", "[feed]") {
  Fixture f;
  CHECK(f.service->position("census").value() == 0);
  REQUIRE(f.post_patient() == 201);
  f.open();  // it had not taken the change yet
  const std::uint64_t position = f.service->position("census").value();
  CHECK(position == 0);
  ChangeBatch batch;
  bool done = false;
  base::spawn(run_read(*f.service, position, 0, &batch, &done));
  f.home.run_ready();
  REQUIRE(done);
  CHECK(batch.changes.size() == 1);
}

TEST_CASE("a consumer begins at the end of what is there, and goes on where it was", "[feed]") {
  Fixture f;
  REQUIRE(f.post_patient() == 201);
  CHECK(f.service->position("census").value() == 1);
  REQUIRE(f.post_patient() == 201);
  f.open();
  CHECK(f.service->position("census").value() == 1);
  base::spawn(run_advance(*f.service, 2));
  f.home.run_ready();
  f.open();
  CHECK(f.service->position("census").value() == 2);
}

TEST_CASE("a reader that waits gets a change when it is committed", "[feed]") {
  Fixture f;
  ChangeBatch batch;
  bool done = false;
  base::spawn(run_read(*f.service, 0, 60'000, &batch, &done));
  SECTION("while it waits") { f.home.run_ready(); }
  SECTION("before it waits: the commit falls between its look and its wait") {}
  CHECK_FALSE(done);
  REQUIRE(f.post_patient() == 201);
  f.home.run_ready();  // no time passes
  CHECK(done);
  CHECK(batch.changes.size() == 1);
}

TEST_CASE("a delivery is applied once, and a batch ends at the first that fails", "[sink]") {
  Fixture f;
  std::vector<SendOutcome> outcomes;
  base::spawn(run_apply(*f.service, {patient(1), patient(2, "{"), patient(3)}, &outcomes));
  f.home.run_ready();
  REQUIRE(outcomes.size() == 2);
  CHECK(outcomes[0].kind == SendOutcome::Kind::sent);
  CHECK(outcomes[1].kind == SendOutcome::Kind::bad);
  f.open();  // a crash before the outcome was recorded: the same message comes again
  base::spawn(run_apply(*f.service, {patient(1), patient(3)}, &outcomes));
  f.home.run_ready();
  REQUIRE(outcomes.size() == 2);
  CHECK(outcomes[0].code == "already applied");
  CHECK(f.service->counts().value().versions == 2);
}
