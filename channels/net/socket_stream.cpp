#include "channels/net/detail/socket_stream.h"

namespace kiln::channels::detail {

void Deadline::begin(std::int64_t timeout_ms, const std::shared_ptr<void>& owner) {
  pending_ = true;
  fired_ = false;
  at_ = timeout_ms < 0 ? Time::max()
                       : asio::steady_timer::clock_type::now() + std::chrono::milliseconds(timeout_ms);
  if (timeout_ms < 0 || (armed_ && armed_for_ <= at_)) return;
  arm(owner);
}

void Deadline::arm(const std::shared_ptr<void>& owner) {
  armed_ = true;
  armed_for_ = at_;
  timer_.expires_at(at_);  // ends an earlier wait, whose handler then does nothing
  timer_.async_wait([this, weak = std::weak_ptr<void>(owner)](const boost::system::error_code& error) {
    const auto alive = weak.lock();
    if (error || !alive || timer_.expiry() > asio::steady_timer::clock_type::now()) return;
    armed_ = false;
    if (!pending_ || at_ == Time::max()) return;
    if (at_ > asio::steady_timer::clock_type::now()) return arm(alive);
    fired_ = true;
    signal_.emit(asio::cancellation_type::all);
  });
}

bool Deadline::end() {
  pending_ = false;
  return fired_;
}

tl::unexpected<base::Error> stream_error(const boost::system::error_code& error, bool timed_out) {
  if (timed_out && error == asio::error::operation_aborted) return base::fail(base::ErrorCode::timeout);
  if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor)
    return base::fail(base::ErrorCode::connection_closed, "the connection was closed on this side");
  return base::fail(base::ErrorCode::connection_closed, "the connection was lost: " + error.message());
}

}  // namespace kiln::channels::detail
