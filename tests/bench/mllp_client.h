#pragma once
// A closed-loop MLLP load client for benches: N connections, each sends one message and waits for its answer.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "channels/net/net.h"
#include "hl7/mllp/framer.h"

namespace kiln::bench {

struct LoadResult {
  std::uint64_t answers = 0;   ///< all
  std::uint64_t positive = 0;  ///< MSA-1 AA or CA
  std::uint64_t errors = 0;    ///< connections that ended early
  double seconds = 0;
  std::vector<std::int64_t> latency_us;  ///< sorted

  double per_second() const { return seconds > 0 ? static_cast<double>(answers) / seconds : 0; }
  /// `p` from 0 to 1; milliseconds.
  double quantile_ms(double p) const {
    if (latency_us.empty()) return 0;
    const auto last = static_cast<double>(latency_us.size() - 1);
    return static_cast<double>(latency_us[static_cast<std::size_t>(p * last)]) / 1000.0;
  }
};

struct LoadPlan {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::size_t connections = 1;
  std::chrono::milliseconds duration{2000};
  /// Message `number` of the run (0, 1, …, over all connections), without framing.
  std::function<std::string(std::uint64_t number)> message;
};

namespace detail {

using Clock = std::chrono::steady_clock;

struct Run {
  LoadPlan plan;
  LoadResult result;
  Clock::time_point end;
  std::uint64_t next = 0;
  std::size_t open = 0;
};

inline base::Task<void> load_connection(channels::Net* net, std::shared_ptr<Run> run) {
  auto connecting = net->connect(run->plan.host, run->plan.port, 5000);
  auto stream = co_await std::move(connecting);
  hl7::mllp::Framer framer;
  std::string buffer(16384, '\0');
  bool good = stream.has_value();
  while (good && Clock::now() < run->end) {
    std::string message = run->plan.message(run->next++);
    std::string frame = *hl7::mllp::encode_frame(message);
    const auto begin = Clock::now();
    auto writing = (*stream)->write_all(std::move(frame), 30'000);
    const auto written = co_await std::move(writing);
    good = written.has_value();
    bool answered = false;
    while (good && !answered) {
      auto reading = (*stream)->read_some(buffer.data(), buffer.size(), 30'000);
      const auto got = co_await std::move(reading);
      good = got && *got != 0;
      if (!good) break;
      framer.push(std::string_view(buffer.data(), *got));
      while (auto event = framer.next()) {
        if (event->kind != hl7::mllp::EventKind::frame) continue;
        answered = true;
        const bool positive = event->bytes.find("\rMSA|AA") != std::string::npos ||
                              event->bytes.find("\rMSA|CA") != std::string::npos;
        run->result.positive += positive ? 1 : 0;
      }
    }
    if (!answered) break;
    ++run->result.answers;
    run->result.latency_us.push_back(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count());
  }
  if (!good) ++run->result.errors;
  if (stream) (*stream)->close();
  if (--run->open == 0) net->stop();
}

}  // namespace detail

/// Runs the load on a Net of its own, in the calling thread.
inline LoadResult run_load(LoadPlan plan) {
  channels::Net net;
  auto run = std::make_shared<detail::Run>();
  run->plan = std::move(plan);
  run->open = run->plan.connections;
  const auto begin = detail::Clock::now();
  run->end = begin + run->plan.duration;
  net.executor().post([&net, run] {
    for (std::size_t i = 0; i < run->plan.connections; ++i) base::spawn(detail::load_connection(&net, run));
  });
  net.run();
  run->result.seconds = std::chrono::duration<double>(detail::Clock::now() - begin).count();
  std::sort(run->result.latency_us.begin(), run->result.latency_us.end());
  return std::move(run->result);
}

}  // namespace kiln::bench
