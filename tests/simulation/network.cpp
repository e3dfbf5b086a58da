#include "tests/simulation/network.h"

#include <algorithm>
#include <cstring>

namespace kiln::simulation {

using base::ErrorCode;
using base::Result;
using base::Status;
using base::Task;

Link::Link(Scheduler& scheduler, SimExecutor& loop, Chance& chance, LinkPlan plan, Peer* peer,
           std::string name)
    : scheduler_(scheduler),
      chance_(chance),
      plan_(plan),
      peer_(peer),
      name_(std::move(name)),
      changed_(loop) {}

Task<Result<std::size_t>> Link::read_some(char* into, std::size_t capacity, std::int64_t timeout_ms) {
  const auto self = shared_from_this();
  const base::MonoTime until = scheduler_.now() + milliseconds(timeout_ms);
  while (in_.empty() && !at_end_ && !broken_ && !closed_here_) {
    nanoseconds left = milliseconds(-1);
    if (timeout_ms >= 0) left = std::max(until - scheduler_.now(), nanoseconds(0));
    if (timeout_ms >= 0 && left.count() == 0) co_return base::fail(ErrorCode::timeout);
    auto wait = changed_.wait(left);
    co_await wait;
  }
  if (closed_here_ || broken_) co_return base::fail(ErrorCode::connection_closed, "simulated");
  const std::size_t got = std::min(capacity, in_.size());
  std::memcpy(into, in_.data(), got);
  in_.erase(0, got);
  co_return got;
}

Task<Status> Link::write_all(std::string bytes, std::int64_t) {
  if (closed_here_ || broken_) co_return base::fail(ErrorCode::connection_closed, "simulated");
  carry(Way::to_peer, bytes);
  co_return Status();
}

void Link::close() {
  if (closed_here_) return;
  closed_here_ = true;
  changed_.notify();
  if (!process_gone_ && !silent_) tell_peer_closed();
}

void Link::send(std::string_view data) {
  if (!over_) carry(Way::to_engine, data);
}

/// The peer closes.
void Link::hang_up() {
  if (std::exchange(over_, true) || silent_) return;
  scheduler_.at(delay(Way::to_engine), [self = shared_from_this()] {
    if (self->silent_) return;
    self->at_end_ = true;
    self->changed_.notify();
  });
}

void Link::lose_process(bool keeps_written, bool silent) {
  if (std::exchange(process_gone_, true)) return;
  drops_written_ = !keeps_written;
  if (!silent && !silent_ && !closed_here_) tell_peer_closed();
}

void Link::tell_peer_closed() {
  scheduler_.at(delay(Way::to_peer), [self = shared_from_this()] {
    if (std::exchange(self->over_, true)) return;
    self->peer_->closed(*self);
  });
}

/// What is on its way that way arrives before what comes later.
nanoseconds Link::delay(Way way) {
  base::MonoTime& last = last_[static_cast<int>(way)];
  const auto range = static_cast<std::uint64_t>((plan_.latency_max - plan_.latency_min).count());
  const nanoseconds wanted =
      plan_.latency_min + nanoseconds(static_cast<std::int64_t>(chance_.below(range + 1)));
  last = std::max(last + nanoseconds(1), scheduler_.now() + wanted);
  return last - scheduler_.now();
}

void Link::carry(Way way, std::string_view data) {
  if (silent_ || (way == Way::to_peer && process_gone_)) return;
  std::int64_t& carried = carried_[static_cast<int>(way)];
  const std::int64_t cut = way == Way::to_engine ? plan_.cut_to_engine : plan_.cut_to_peer;
  const bool cuts = cut >= 0 && carried + static_cast<std::int64_t>(data.size()) > cut;
  if (cuts) data = data.substr(0, static_cast<std::size_t>(std::max<std::int64_t>(0, cut - carried)));
  carried += static_cast<std::int64_t>(data.size());
  while (!data.empty()) {
    const std::size_t most = plan_.slice == 0 ? data.size() : 1 + chance_.below(plan_.slice);
    std::string part(data.substr(0, most));
    data.remove_prefix(part.size());
    scheduler_.at(delay(way),
                  [self = shared_from_this(), way, part = std::move(part)] { self->arrive(way, part); });
  }
  if (cuts) end(plan_.end);
}

void Link::arrive(Way way, const std::string& data) {
  if (way == Way::to_peer) {
    if (!over_ && !drops_written_) peer_->bytes(*this, data);
    return;
  }
  if (process_gone_ || closed_here_ || broken_) return;
  in_ += data;
  changed_.notify();
}

void Link::end(LinkPlan::End how) {
  if (how == LinkPlan::End::silent) {
    silent_ = true;
    return;
  }
  const bool reset = how == LinkPlan::End::reset;
  scheduler_.at(delay(Way::to_engine), [self = shared_from_this(), reset] {
    (reset ? self->broken_ : self->at_end_) = true;
    self->changed_.notify();
  });
  tell_peer_closed();
}

class SimNetwork::Listening final : public base::Listener {
 public:
  Listening(SimNetwork& network, std::uint16_t port) : network_(network), port_(port) {}
  ~Listening() override { Listening::close(); }
  std::uint16_t port() const override { return port_; }
  void close() override { network_.listeners_.erase(port_); }

 private:
  SimNetwork& network_;
  std::uint16_t port_;
};

Result<std::unique_ptr<base::Listener>> SimNetwork::listen(std::string, std::uint16_t port,
                                                           OnAccept on_accept) {
  listeners_[port] = std::move(on_accept);
  return std::make_unique<Listening>(*this, port);
}

Task<Result<base::StreamPtr>> SimNetwork::connect(std::string host, std::uint16_t port,
                                                  std::int64_t timeout_ms) {
  base::Event waiting(loop_);
  const bool swallowed = outside_.swallows_connect();
  auto wait =
      waiting.wait(swallowed ? nanoseconds(milliseconds(timeout_ms)) : nanoseconds(microseconds(200)));
  co_await wait;
  if (swallowed) co_return base::fail(ErrorCode::timeout);
  Peer* const peer = gone_ ? nullptr : outside_.called(port);
  if (peer == nullptr) co_return base::fail(ErrorCode::connect_failed, "simulated");
  auto link = std::make_shared<Link>(scheduler_, loop_, chance_, outside_.plan(), peer,
                                     host + ":" + std::to_string(port));
  links_.push_back(link);
  outside_.opened(*peer, link);
  co_return link;
}

LinkPtr SimNetwork::dial(std::uint16_t port, Peer* peer, const std::string& name, LinkPlan plan) {
  if (gone_ || !listeners_.contains(port)) return nullptr;
  auto link = std::make_shared<Link>(scheduler_, loop_, chance_, plan, peer, name);
  links_.push_back(link);
  loop_.post([this, port, link] {
    const auto found = listeners_.find(port);
    if (found == listeners_.end()) return link->close();
    const OnAccept on_accept = found->second;  // it may close the listener
    on_accept(link);
  });
  return link;
}

void SimNetwork::lose_process(bool silent) {
  gone_ = true;
  listeners_.clear();
  for (const auto& weak : links_)
    if (const LinkPtr link = weak.lock()) link->lose_process(chance_.below(2) == 0, silent);
}

}  // namespace kiln::simulation
