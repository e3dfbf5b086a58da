#pragma once
// The reading connections of the FHIR store, each on a thread of its own. Searches never have all of them: a read of one
// resource waits for no search.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/base/executor.h"
#include "fhir/store.h"

namespace kiln::engine {

class ReadPool {
 public:
  struct Reader {
    std::unique_ptr<fhir::Store> store;
    base::Executor* executor = nullptr;  ///< the only thread that uses `store`; outlives the pool
  };
  using Work = std::function<void(fhir::Store&)>;

  enum class Lane : std::uint8_t {
    point,  ///< a known few rows
    search  ///< may take long; one reader is kept free of these, when there are two
  };

  /// At least one reader.
  explicit ReadPool(std::vector<Reader> readers);

  /// Runs `work` on the next reader that is free; of what may begin, what came first. Thread-safe.
  void run(Work work, Lane lane = Lane::point);

 private:
  struct Waiting {
    Work work;
    std::uint64_t number = 0;
  };
  void serve(std::size_t reader);
  /// The lane whose work may begin, if any. Under the mutex.
  std::optional<Lane> next_lane() const;

  std::vector<Reader> readers_;
  std::size_t searches_max_;
  std::mutex mutex_;
  std::deque<Waiting> waiting_[2];  ///< by lane
  std::uint64_t numbers_ = 0;
  std::size_t searching_ = 0;
  std::vector<std::size_t> idle_;  ///< readers without work; the one that was busy last is at the end
};

}  // namespace kiln::engine
