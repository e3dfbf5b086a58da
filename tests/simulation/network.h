#pragma once
// Connections of a simulated process: bytes that come late, in slices, not at all; ends that are closed,
// reset or silent.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/base/network.h"
#include "tests/simulation/scheduler.h"

namespace kiln::simulation {

class Link;

/// The other end of a connection. Not part of the process: it lives on when that is killed. Outlives its
/// links.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual void bytes(Link& link, std::string_view data) = 0;
  virtual void closed(Link& link) = 0;
};

/// What becomes of one connection.
struct LinkPlan {
  enum class End : std::uint8_t { close, reset, silent };
  nanoseconds latency_min{0}, latency_max{0};
  std::size_t slice = 0;            ///< bytes that arrive at once; 0: all
  std::int64_t cut_to_engine = -1;  ///< after so many bytes that way it ends; negative: never
  std::int64_t cut_to_peer = -1;
  End end = End::close;
};

/// One connection: the engine's stream, and what its peer holds.
class Link final : public base::Stream, public std::enable_shared_from_this<Link> {
 public:
  Link(Scheduler& scheduler, SimExecutor& loop, Chance& chance, LinkPlan plan, Peer* peer, std::string name);

  // ---- the engine's side ----
  base::Task<base::Result<std::size_t>> read_some(char* into, std::size_t capacity,
                                                  std::int64_t timeout_ms) override;
  base::Task<base::Status> write_all(std::string bytes, std::int64_t timeout_ms) override;
  void close() override;
  const std::string& peer() const override { return name_; }

  // ---- the other side ----
  void send(std::string_view data);
  void hang_up();
  /// The process is gone: what it wrote may still arrive when `keeps_written`; with `silent` the peer is told
  /// nothing.
  void lose_process(bool keeps_written, bool silent);
  bool is_over() const { return over_; }

 private:
  enum class Way : std::uint8_t { to_engine, to_peer };
  void carry(Way way, std::string_view data);
  void arrive(Way way, const std::string& data);
  void end(LinkPlan::End how);
  void tell_peer_closed();
  nanoseconds delay(Way way);

  Scheduler& scheduler_;
  Chance& chance_;
  LinkPlan plan_;
  Peer* peer_;
  std::string name_;
  base::Event changed_;
  std::string in_;
  base::MonoTime last_[2] = {};
  std::int64_t carried_[2] = {0, 0};
  bool process_gone_ = false, closed_here_ = false, at_end_ = false, broken_ = false, silent_ = false;
  bool drops_written_ = false;
  bool over_ = false;  ///< the peer has been told, or will be
};
using LinkPtr = std::shared_ptr<Link>;

/// The network of one life of the process.
class SimNetwork final : public base::Network {
 public:
  /// Who listens outside.
  class Outside {
   public:
    virtual ~Outside() = default;
    /// Nullptr: the connection is refused.
    virtual Peer* called(std::uint16_t port) = 0;
    virtual LinkPlan plan() = 0;
    /// A connection that nobody answers at all.
    virtual bool swallows_connect() = 0;
    /// A link to that peer is made by the process.
    virtual void opened(Peer& peer, const LinkPtr& link) = 0;
  };
  SimNetwork(Scheduler& scheduler, SimExecutor& loop, Chance& chance, Outside& outside)
      : scheduler_(scheduler), loop_(loop), chance_(chance), outside_(outside) {}

  base::Result<std::unique_ptr<base::Listener>> listen(std::string host, std::uint16_t port,
                                                       OnAccept on_accept) override;
  base::Task<base::Result<base::StreamPtr>> connect(std::string host, std::uint16_t port,
                                                    std::int64_t timeout_ms) override;
  base::TimerExecutor& executor() override { return loop_; }

  /// From outside; nullptr: nobody listens.
  LinkPtr dial(std::uint16_t port, Peer* peer, const std::string& name, LinkPlan plan);
  void lose_process(bool silent);

 private:
  class Listening;
  Scheduler& scheduler_;
  SimExecutor& loop_;
  Chance& chance_;
  Outside& outside_;
  std::map<std::uint16_t, OnAccept> listeners_;
  std::vector<std::weak_ptr<Link>> links_;
  bool gone_ = false;
};

}  // namespace kiln::simulation
