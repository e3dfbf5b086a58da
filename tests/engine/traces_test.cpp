// Traces: what a span is, whose it is, and that a receiver that does not take them costs nothing else.

#include <catch2/catch.hpp>

#include "engine/base/json.h"
#include "engine/base/virtual_executor.h"
#include "engine/observe/traces.h"

namespace kiln::engine {
namespace {

constexpr const char* kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

base::Task<bool> take(std::vector<std::string>* bodies, const bool* open, std::string body) {
  if (*open) bodies->push_back(std::move(body));
  co_return *open;
}

struct Fixture {
  base::ManualClock clock{base::WallTime{1'795'000'000'000'000}};
  base::VirtualExecutor home{clock};
  std::vector<std::string> bodies;
  bool open = true;
  Traces all;

  explicit Fixture(std::uint64_t one_in = 1, const char* seed = "seed") : all(parts(one_in, seed)) { use_traces(&all); }
  ~Fixture() { use_traces(nullptr); }
  Traces::Parts parts(std::uint64_t one_in, const char* seed) {
    Traces::Parts out;
    out.settings.url = "http://127.0.0.1:4318/v1/traces";
    out.settings.one_in = one_in;
    out.seed = seed;
    out.host = "here";
    out.version = "1";
    out.home = &home;
    out.clock = &clock;
    out.send = [this](std::string body) { return take(&bodies, &open, std::move(body)); };
    return out;
  }
  /// Spans that arrived, by name.
  std::vector<base::JsonDocument> documents;
  std::vector<base::JsonView> spans(const char* name) {
    std::vector<base::JsonView> out;
    documents.clear();
    for (const std::string& body : bodies) {
      auto parsed = base::parse_json(body);
      REQUIRE(parsed);
      documents.push_back(std::move(*parsed));
    }
    for (const base::JsonDocument& document : documents)
      for (const base::JsonView span : document.root()["resourceSpans"].at(0)["scopeSpans"].at(0)["spans"])
        if (span["name"].text() == name) out.push_back(span);
    return out;
  }
  void receive(std::uint64_t id, const char* traceparent = "") {
    MessageTrace trace(clock.wall(), traceparent);
    clock.advance(std::chrono::milliseconds(1));
    trace.map_begins();
    clock.advance(std::chrono::milliseconds(2));
    trace.map_ends();
    clock.advance(std::chrono::milliseconds(3));
    trace.durable(id);
    trace.end(id, "lab_in", true, false);
  }
  std::string attempt(std::uint64_t id, bool sent = true) {
    const AttemptTrace trace = AttemptTrace::begin(id);
    clock.advance(std::chrono::milliseconds(5));
    trace.end("lab_in", "pas", clock.wall(), 1, sent, base::ErrorCode::connect_failed);
    return trace.traceparent();
  }
};

}  // namespace

TEST_CASE("traces: traceparent is read as W3C Trace Context says, and written so") {
  const auto parent = read_traceparent(kParent);
  REQUIRE(parent);
  CHECK(parent->sampled);
  CHECK(print_traceparent(*parent) == kParent);
  CHECK_FALSE(read_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")->sampled);
  CHECK(read_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"));
  for (const char* wrong :
       {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01"}) {
    INFO(wrong);
    CHECK_FALSE(read_traceparent(wrong));
  }
}

TEST_CASE("traces: a message is one trace, with its attempts, also after a restart") {
  std::string before;
  {
    Fixture f;
    f.receive(7);
    before = f.attempt(7);
    CHECK(f.bodies.empty());
    f.home.run(std::chrono::seconds(2));
    REQUIRE(f.bodies.size() == 1);
    const auto root = f.spans("receive").at(0), map = f.spans("map").at(0), journal = f.spans("journal").at(0);
    CHECK(!root["parentSpanId"]);
    CHECK(map["parentSpanId"].text() == root["spanId"].text());
    CHECK(journal["traceId"].text() == root["traceId"].text());
    CHECK(root["startTimeUnixNano"].text() == "1795000000000000000");
    CHECK(root["endTimeUnixNano"].text() == "1795000000006000000");
    CHECK(map["startTimeUnixNano"].text() == "1795000000001000000");
    CHECK(map["endTimeUnixNano"].text() == "1795000000003000000");
    const auto send = f.spans("send").at(0);
    CHECK(send["kind"].text() == "3");
    CHECK(before == "00-" + std::string(root["traceId"].text()) + "-" + std::string(send["spanId"].text()) + "-01");
  }
  Fixture later;
  const std::string after = later.attempt(7);
  CHECK(after.substr(0, 36) == before.substr(0, 36));
  CHECK(after != before);
  Fixture other(1, "another installation");
  CHECK(other.attempt(7).substr(0, 36) != before.substr(0, 36));
}

TEST_CASE("traces: who began a trace goes on in it, and decides") {
  Fixture f(1'000);
  f.receive(1, kParent);
  CHECK(f.attempt(1).substr(3, 32) == "4bf92f3577b34da6a3ce929d0e0e4736");
  f.receive(1'000, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
  CHECK(f.attempt(1'000).empty());
  f.receive(2);  // one in a thousand
  CHECK(f.attempt(2).empty());
  f.receive(2'000);
  f.home.run(std::chrono::seconds(2));
  const auto roots = f.spans("receive");
  REQUIRE(roots.size() == 2);
  CHECK(roots[0]["parentSpanId"].text() == "00f067aa0ba902b7");
  CHECK(f.spans("send").size() == 1);
}

TEST_CASE("traces: a failed attempt says its code") {
  Fixture f;
  f.attempt(3, false);
  f.home.run(std::chrono::seconds(2));
  const auto send = f.spans("send").at(0);
  CHECK(send["status"]["code"].text() == "2");
  bool said = false;
  for (const base::JsonView one : send["attributes"])
    said = said || (one["key"].text() == "error.type" && one["value"]["stringValue"].text() == "connect-failed");
  CHECK(said);
}

TEST_CASE("traces: a receiver that does not answer costs memory up to a limit, and what is dropped is counted") {
  Fixture f;
  f.open = false;
  for (std::uint64_t id = 1; id <= 2'000; ++id) f.receive(id);  // three spans each
  CHECK(f.all.dropped() == 3 * 2'000 - Traces::kWaitingMax);
  f.home.run(std::chrono::seconds(20));
  CHECK(f.bodies.empty());
  f.open = true;
  f.home.run(std::chrono::seconds(20));
  CHECK(f.bodies.size() == Traces::kWaitingMax / Traces::kBatchMax);
}

TEST_CASE("traces: without them nothing is made") {
  use_traces(nullptr);
  MessageTrace trace(base::WallTime{1}, kParent);
  trace.map_begins();
  trace.end(1, "lab_in", true, false);
  CHECK(AttemptTrace::begin(1).traceparent().empty());
  RequestTrace(kParent).end(200);
}

}  // namespace kiln::engine
