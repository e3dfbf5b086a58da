#pragma once
// Counters, gauges and histograms (operations.md §4). The names are a closed table (metrics.def); values of labels are Safe:
// configured names, codes and literals, so that no patient data can get in.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/log.h"

namespace kiln::base {

enum class Metric : std::uint16_t {
#define KILN_METRIC(name, kind, labels, help) name,
#include "engine/base/metrics.def"
#undef KILN_METRIC
};
enum class MetricKind : std::uint8_t { counter, gauge, seconds, sizes };

struct MetricInfo {
  const char* name;  ///< without the prefix `kiln_`
  MetricKind kind;
  const char* labels;  ///< "channel,destination"
  const char* help;
};
/// Of every metric, in the order of the table.
const std::vector<MetricInfo>& all_metrics();
const MetricInfo& info_of(Metric metric);
/// By name, with or without the prefix; nothing when the table has none.
std::optional<Metric> find_metric(std::string_view name);

/// Goes up only. Any thread, no lock.
class Counter {
 public:
  void add(std::uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  /// Of a total that is kept elsewhere. Never goes down: a smaller one is ignored.
  void set_total(std::uint64_t total);
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Any thread, no lock. Until it is set it is not shown.
class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void set(std::uint64_t value) { set(static_cast<double>(value)); }
  void clear();  ///< not shown until it is set again
  std::optional<double> value() const;

 private:
  std::atomic<double> value_{__builtin_nan("")};
};

/// Upper ends of the buckets: microseconds of `seconds`, pieces of `sizes`. The last bucket has no end.
inline constexpr std::array<std::uint64_t, 15> kSecondsBuckets = {250,     500,     1'000,     2'500,     5'000,
                                                                  10'000,  25'000,  50'000,    100'000,   250'000,
                                                                  500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};
inline constexpr std::array<std::uint64_t, 13> kSizesBuckets = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

struct HistogramCounts {
  std::array<std::uint64_t, 16> buckets{};  ///< each alone, not added up
  std::uint64_t count = 0, sum = 0;         ///< sum in µs or pieces
  HistogramCounts operator-(const HistogramCounts& earlier) const;
  /// The value below which that part (0 … 1) lies, in µs or pieces; interpolated within its bucket. 0 when empty. What is
  /// beyond the last end counts as that end.
  double quantile(MetricKind kind, double part) const;
};

/// Any thread, no lock.
class Histogram {
 public:
  explicit Histogram(MetricKind kind) : kind_(kind) {}
  void observe(std::chrono::nanoseconds took);
  void observe_size(std::uint64_t pieces) { add(pieces); }
  HistogramCounts counts() const;
  MetricKind kind() const { return kind_; }

 private:
  void add(std::uint64_t value);
  MetricKind kind_;
  std::array<std::atomic<std::uint64_t>, 16> buckets_{};
  std::atomic<std::uint64_t> sum_{0};
};

/// All series of a process. Asking for one takes a lock: keep the reference, it is valid as long as the registry is.
class Metrics {
 public:
  using Labels = std::initializer_list<Safe>;  ///< values in the order of MetricInfo::labels
  /// Series of one metric; what comes beyond is counted in one series whose values are all "other".
  static constexpr std::size_t kSeriesMax = 5'000;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  /// The one that the engine writes and /metrics shows.
  static Metrics& process();

  Counter& counter(Metric metric, Labels labels = {});
  Gauge& gauge(Metric metric, Labels labels = {});
  Histogram& histogram(Metric metric, Labels labels = {});
  /// Series with that value of the label are not shown until they are asked for again.
  void retire(std::string_view label, std::string_view value);

  /// Prometheus text format 0.0.4, families in the order of the table.
  std::string print() const;

  struct Sample {
    std::map<std::string, std::string, std::less<>> labels;
    double value = 0;  ///< of a histogram: the number of observations
  };
  /// What is shown of one metric.
  std::vector<Sample> read(Metric metric) const;

 private:
  struct Series;
  struct Family;
  Series& series(Metric metric, Labels labels, bool histogram);
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Family>> families_;
};

/// Time from here to the end of the block.
class Stopwatch {
 public:
  Stopwatch(Histogram& into, const Clock& clock);
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  Histogram& into_;
  const Clock& clock_;
  std::chrono::nanoseconds began_;
};

}  // namespace kiln::base
