#include "engine/read_pool.h"

#include <utility>

namespace kiln::engine {

ReadPool::ReadPool(std::vector<Reader> readers) : readers_(std::move(readers)) {
  for (std::size_t i = readers_.size(); i > 0; --i) idle_.push_back(i - 1);
}

void ReadPool::run(Work work) {
  std::size_t reader = 0;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
    if (idle_.empty()) return;
    reader = idle_.back();  // its pages are the warmest
    idle_.pop_back();
  }
  readers_[reader].executor->post([this, reader] { serve(reader); });
}

void ReadPool::serve(std::size_t reader) {
  for (;;) {
    Work work;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        idle_.push_back(reader);
        return;
      }
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work(*readers_[reader].store);
  }
}

}  // namespace kiln::engine
