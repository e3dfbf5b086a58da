#pragma once
// What a channel and a queue count: once for themselves, since they exist, and in the metrics of the process, which go on when a
// reload makes them new.

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "engine/base/metrics.h"

namespace kiln::engine {

/// A number that goes up, here and in the series it is attached to. Copies count for themselves only.
class MeteredCount {
 public:
  MeteredCount() = default;
  MeteredCount(const MeteredCount& other) : value_(other.value_), before_(other.total() - other.value_) {}
  MeteredCount& operator=(const MeteredCount& other) {
    value_ = other.value_;
    before_ = other.total() - other.value_;
    return *this;
  }
  void attach(base::Counter& shared) { shared_ = &shared; }
  MeteredCount& operator++() { return *this += 1; }
  MeteredCount& operator+=(std::uint64_t by) {
    value_ += by;
    if (shared_ != nullptr) shared_->add(by);
    return *this;
  }
  operator std::uint64_t() const { return value_; }  // NOLINT(google-explicit-constructor)
  /// What the series says: it goes on over reloads and orderly restarts.
  std::uint64_t total() const { return shared_ != nullptr ? shared_->value() : before_ + value_; }

 private:
  std::uint64_t value_ = 0, before_ = 0;
  base::Counter* shared_ = nullptr;
};

/// Series of one channel.
struct ChannelMeter {
  explicit ChannelMeter(std::string_view channel);
  /// Counts an acknowledgement of Kiln by its MSA-1; an answer that is none is not counted.
  void answered(std::string_view reply);
  base::Histogram& processing;

 private:
  std::array<std::pair<std::string_view, base::Counter*>, 6> acks_;
};

/// Series of one destination.
struct QueueMeter {
  QueueMeter(std::string_view channel, std::string_view destination);
  /// The totals of the queue count in the metrics too.
  void attach(MeteredCount& sent, MeteredCount& quarantined, MeteredCount& retries, MeteredCount& rejected,
              MeteredCount& expired) const;
  base::Histogram& attempt;   ///< ack_latency_seconds
  base::Histogram& delivery;  ///< delivery_seconds

 private:
  base::Counter &sent_, &quarantined_, &retries_, &rejected_, &expired_;
};

/// Series of the journal.
class JournalMeter {
 public:
  JournalMeter();
  void committed(base::MonoTime took, std::size_t changes);
  void fsync_failed() { fsync_errors_.add(); }
  void corrupt() { corrupt_.add(); }
  void reserve_released(bool released);

 private:
  base::Histogram &commit_, &group_;
  base::Counter &fsync_errors_, &corrupt_;
};

}  // namespace kiln::engine
