#include "channels/net/net.h"

#include "channels/net/detail/net_impl.h"

namespace kiln::channels {

namespace detail {

base::TimerId Loop::post_after(std::chrono::nanoseconds delay, base::Work work) {
  const base::TimerId id = ++last_timer_;
  auto timer = std::make_unique<asio::steady_timer>(context, delay);
  timer->async_wait([this, id, work = std::move(work)](const boost::system::error_code& error) {
    if (error || timers_.erase(id) == 0) return;
    work();
  });
  timers_.emplace(id, std::move(timer));
  return id;
}

}  // namespace detail

Net::Net() : impl_(std::make_unique<Impl>()) {}
Net::~Net() = default;

void Net::run() {
  const auto keep_running = detail::asio::make_work_guard(impl_->loop.context);
  impl_->loop.context.restart();
  if (impl_->stop_asked.exchange(false)) return;
  impl_->loop.context.run();
  impl_->stop_asked = false;
}

void Net::poll() {
  impl_->loop.context.restart();
  impl_->loop.context.poll();
}

void Net::stop() {
  impl_->stop_asked = true;
  impl_->loop.context.stop();
}

namespace {

void wait_for_signal(detail::asio::signal_set& signals, std::shared_ptr<std::function<void(int)>> handler) {
  signals.async_wait([&signals, handler](const boost::system::error_code& error, int signal) {
    if (error) return;
    (*handler)(signal);
    wait_for_signal(signals, handler);
  });
}

base::Task<void> run_then_stop(Net* net, base::Task<void> task) {
  co_await std::move(task);
  net->stop();
}

void start_task(Net* net, std::shared_ptr<base::Task<void>> task) {
  base::spawn(run_then_stop(net, std::move(*task)));
}

}  // namespace

void Net::on_signals(std::vector<int> signals, std::function<void(int)> handler) {
  impl_->signals = std::make_unique<detail::asio::signal_set>(impl_->loop.context);
  for (const int signal : signals) {
    boost::system::error_code ignored;  // a number that cannot be caught is the caller's choice to make
    impl_->signals->add(signal, ignored);
  }
  wait_for_signal(*impl_->signals, std::make_shared<std::function<void(int)>>(std::move(handler)));
}

base::TimerExecutor& Net::executor() {
  return impl_->loop;
}

void run_to_end(Net& net, base::Task<void> task) {
  auto shared = std::make_shared<base::Task<void>>(std::move(task));
  net.executor().post([&net, shared] { start_task(&net, shared); });
  net.run();
}

}  // namespace kiln::channels
