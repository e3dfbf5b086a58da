#include "engine/base/executor.h"

#include <pthread.h>

#include <utility>

namespace kiln::base {

ThreadExecutor::ThreadExecutor(const char* name) : thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), name);
}

ThreadExecutor::~ThreadExecutor() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  ready_.notify_all();
  thread_.join();
}

void ThreadExecutor::post(Work work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  ready_.notify_one();
}

void ThreadExecutor::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Work work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

void InlineExecutor::post(Work work) {
  queue_.push_back(std::move(work));
  if (running_) return;
  running_ = true;
  while (!queue_.empty()) {
    Work next = std::move(queue_.front());
    queue_.pop_front();
    next();
  }
  running_ = false;
}

}  // namespace kiln::base
