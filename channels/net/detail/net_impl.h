#pragma once
// Private to channels/net.

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/signal_set.hpp>
#include <memory>

#include "channels/net/detail/loop.h"
#include "channels/net/net.h"

namespace kiln::channels {

struct Net::Impl {
  detail::Loop loop;
  std::unique_ptr<detail::asio::signal_set> signals;
  std::atomic<bool> stop_asked = false;
};

}  // namespace kiln::channels
