#pragma once
// The reading connections of the FHIR store, each on a thread of its own: a slow search holds up nobody while another
// reader is free.

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
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

  /// At least one reader.
  explicit ReadPool(std::vector<Reader> readers);

  /// Runs `work` on the next reader that is free; work begins in the order it came. Thread-safe.
  void run(Work work);

 private:
  void serve(std::size_t reader);

  std::vector<Reader> readers_;
  std::mutex mutex_;
  std::deque<Work> waiting_;
  std::vector<std::size_t> idle_;  ///< readers without work; the one that was busy last is at the end
};

}  // namespace kiln::engine
