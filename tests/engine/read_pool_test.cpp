// The reading threads of the store.
#include <catch2/catch.hpp>
#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "engine/read_pool.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

struct Pool {
  test::FhirServer server;
  std::unique_ptr<ReadPool> pool;
  base::ThreadExecutor first{"first"}, second{"second"};  // joined before the pool is gone

  Pool() {
    std::vector<ReadPool::Reader> readers;
    readers.push_back({std::move(*server.store->open_reader()), &first});
    readers.push_back({std::move(*server.store->open_reader()), &second});
    pool = std::make_unique<ReadPool>(std::move(readers));
  }
};

}  // namespace

TEST_CASE("a read that takes long holds up nobody while another reader is free", "[readers]") {
  Pool p;
  std::promise<void> let_go, begun, done;
  p.pool->run([&](fhir::Store&) {
    begun.set_value();
    let_go.get_future().wait();
  });
  begun.get_future().wait();
  std::promise<std::size_t> answer;
  p.pool->run([&](fhir::Store& store) { answer.set_value(store.counts().value().resources.size()); });
  CHECK(answer.get_future().get() == 0);
  for (int i = 0; i < 100; ++i) p.pool->run([](fhir::Store&) {});
  p.pool->run([&](fhir::Store&) { done.set_value(); });
  done.get_future().wait();  // all by the second reader
  let_go.set_value();
}

TEST_CASE("readers use a connection each, and see what was committed before", "[readers]") {
  Pool p;
  REQUIRE(p.server.send("PUT", "/Patient/p1", R"({"resourceType":"Patient","id":"p1"})",
                        {{"Content-Type", "application/fhir+json"}})
              .status == 201);
  std::set<fhir::Store*> stores;
  std::promise<void> both[2];
  std::promise<void> let_go;
  auto gone = let_go.get_future().share();
  std::mutex mutex;
  for (auto& one : both)
    p.pool->run([&, gone](fhir::Store& store) {
      {
        const std::lock_guard lock(mutex);
        if (store.read("Patient", "p1").value()) stores.insert(&store);
      }
      one.set_value();
      gone.wait();
    });
  for (auto& one : both) one.get_future().wait();
  let_go.set_value();
  CHECK(stores.size() == 2);
}

TEST_CASE("searches never have all readers", "[readers]") {
  Pool p;
  using Lane = ReadPool::Lane;
  std::promise<void> let_go, begun, point_done, last;
  p.pool->run(
      [&](fhir::Store&) {
        begun.set_value();
        let_go.get_future().wait();
      },
      Lane::search);
  begun.get_future().wait();
  // The second search waits for the first one, though a reader is free; a point read does not.
  std::atomic<int> searches = 0;
  for (int i = 0; i < 5; ++i) p.pool->run([&](fhir::Store&) { ++searches; }, Lane::search);
  p.pool->run([&](fhir::Store&) { point_done.set_value(); });
  REQUIRE(point_done.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  CHECK(searches == 0);
  let_go.set_value();
  p.pool->run([&](fhir::Store&) { last.set_value(); }, Lane::search);
  REQUIRE(last.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  CHECK(searches == 5);
}

TEST_CASE("all work of many threads is done, whatever its lane", "[readers]") {
  Pool p;
  std::atomic<int> done = 0;
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c)
    clients.emplace_back([&, c] {
      for (int i = 0; i < 500; ++i)
        p.pool->run([&](fhir::Store&) { ++done; }, (i + c) % 3 == 0 ? ReadPool::Lane::search : ReadPool::Lane::point);
    });
  for (auto& client : clients) client.join();
  for (int i = 0; i < 1000 && done < 2000; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(done == 2000);
}
