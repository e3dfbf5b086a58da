#include "engine/base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/text.h"

namespace kiln::base {
namespace {

constexpr std::string_view kPrefix = "kiln_";

bool is_histogram(MetricKind kind) {
  return kind == MetricKind::seconds || kind == MetricKind::sizes;
}

std::span<const std::uint64_t> ends_of(MetricKind kind) {
  if (kind == MetricKind::sizes) return kSizesBuckets;
  return kSecondsBuckets;
}

/// Prometheus text format: backslash, quote and line feed are escaped in values of labels.
std::string escape(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

/// The same number for the same value everywhere: whole ones without a fraction, no exponent below 10^15.
std::string print_number(double value) {
  constexpr double kWhole = 1e15;
  if (value == std::floor(value) && std::abs(value) < kWhole) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

}  // namespace

const std::vector<MetricInfo>& all_metrics() {
  static const std::vector<MetricInfo> list = {
#define KILN_METRIC(name, kind, labels, help) {#name, MetricKind::kind, labels, help},
#include "engine/base/metrics.def"
#undef KILN_METRIC
  };
  return list;
}

const MetricInfo& info_of(Metric metric) {
  return all_metrics()[static_cast<std::size_t>(metric)];
}

std::optional<Metric> find_metric(std::string_view name) {
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  const auto& list = all_metrics();
  for (std::size_t i = 0; i < list.size(); ++i)
    if (name == list[i].name) return static_cast<Metric>(i);
  return std::nullopt;
}

void Counter::set_total(std::uint64_t total) {
  std::uint64_t now = value_.load(std::memory_order_relaxed);
  while (now < total && !value_.compare_exchange_weak(now, total, std::memory_order_relaxed)) {
  }
}

void Gauge::clear() {
  set(__builtin_nan(""));
}

std::optional<double> Gauge::value() const {
  const double value = value_.load(std::memory_order_relaxed);
  if (std::isnan(value)) return std::nullopt;
  return value;
}

HistogramCounts HistogramCounts::operator-(const HistogramCounts& earlier) const {
  HistogramCounts out;
  for (std::size_t i = 0; i < buckets.size(); ++i) out.buckets[i] = buckets[i] - earlier.buckets[i];
  out.count = count - earlier.count;
  out.sum = sum - earlier.sum;
  return out;
}

double HistogramCounts::quantile(MetricKind kind, double part) const {
  if (count == 0) return 0;
  const auto ends = ends_of(kind);
  const double wanted = part * static_cast<double>(count);
  double below = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const auto here = static_cast<double>(buckets[i]);
    const double low = i == 0 ? 0 : static_cast<double>(ends[i - 1]);
    if (here > 0 && below + here >= wanted)
      return low + (static_cast<double>(ends[i]) - low) * std::max(0.0, wanted - below) / here;
    below += here;
  }
  return static_cast<double>(ends.back());
}

void Histogram::observe(std::chrono::nanoseconds took) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  add(micros < 0 ? 0 : static_cast<std::uint64_t>(micros));
}

void Histogram::add(std::uint64_t value) {
  const auto ends = ends_of(kind_);
  const auto at = std::lower_bound(ends.begin(), ends.end(), value) - ends.begin();
  buckets_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

HistogramCounts Histogram::counts() const {
  HistogramCounts out;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    out.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    out.count += out.buckets[i];
  }
  out.sum = sum_.load(std::memory_order_relaxed);
  return out;
}

struct Metrics::Series {
  std::vector<std::string> values;
  bool shown = true;
  Counter counter;
  Gauge gauge;
  std::unique_ptr<Histogram> histogram;
};

struct Metrics::Family {
  std::vector<std::string> labels;
  std::map<std::vector<std::string>, std::unique_ptr<Series>> series;
};

Metrics::Metrics() {
  for (const MetricInfo& info : all_metrics()) {
    auto family = std::make_unique<Family>();
    if (*info.labels != '\0')
      for (const std::string_view label : split(info.labels, ',')) family->labels.emplace_back(label);
    families_.push_back(std::move(family));
  }
  // What has no labels is there from the beginning, so that a rule about it is about something.
  for (std::size_t i = 0; i < families_.size(); ++i)
    if (families_[i]->labels.empty()) series(static_cast<Metric>(i), {}, is_histogram(all_metrics()[i].kind));
}
Metrics::~Metrics() = default;

Metrics& Metrics::process() {
  static Metrics metrics;
  return metrics;
}

Metrics::Series& Metrics::series(Metric metric, Labels labels, bool histogram) {
  std::vector<std::string> values;
  for (const Safe& label : labels) values.emplace_back(label.text());
  const std::lock_guard lock(mutex_);
  Family& family = *families_[static_cast<std::size_t>(metric)];
  values.resize(family.labels.size(), "-");
  if (family.series.size() >= kSeriesMax && family.series.find(values) == family.series.end())
    values.assign(family.labels.size(), "other");
  auto& found = family.series[values];
  if (!found) {
    found = std::make_unique<Series>();
    found->values = values;
    if (histogram) found->histogram = std::make_unique<Histogram>(info_of(metric).kind);
  }
  found->shown = true;
  return *found;
}

Counter& Metrics::counter(Metric metric, Labels labels) {
  return series(metric, labels, false).counter;
}
Gauge& Metrics::gauge(Metric metric, Labels labels) {
  return series(metric, labels, false).gauge;
}
Histogram& Metrics::histogram(Metric metric, Labels labels) {
  return *series(metric, labels, true).histogram;
}

void Metrics::retire(std::string_view label, std::string_view value) {
  const std::lock_guard lock(mutex_);
  for (const auto& family : families_) {
    for (std::size_t i = 0; i < family->labels.size(); ++i) {
      if (family->labels[i] != label) continue;
      for (const auto& [values, series] : family->series)
        if (values[i] == value) series->shown = false;
    }
  }
}

namespace {

std::string print_labels(const std::vector<std::string>& names, const std::vector<std::string>& values,
                         const std::string& more = {}) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : ",") + names[i] + "=\"" + escape(values[i]) + "\"";
  if (!more.empty()) out += (out.empty() ? "" : ",") + more;
  return out.empty() ? out : "{" + out + "}";
}

/// An end of a bucket, or a sum, in the unit of the metric.
std::string print_value(MetricKind kind, std::uint64_t value) {
  constexpr double kMicros = 1e6;
  if (kind == MetricKind::sizes) return std::to_string(value);
  return print_number(static_cast<double>(value) / kMicros);
}

}  // namespace

std::string Metrics::print() const {
  std::string out;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < families_.size(); ++i) {
    const MetricInfo& info = all_metrics()[i];
    const Family& family = *families_[i];
    const std::string name = std::string(kPrefix) + info.name;
    const char* type = info.kind == MetricKind::counter ? "counter" : is_histogram(info.kind) ? "histogram" : "gauge";
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, info.help, name, type);
    for (const auto& [values, series] : family.series) {
      if (!series->shown) continue;
      const std::string labels = print_labels(family.labels, values);
      if (info.kind == MetricKind::counter) {
        out += fmt::format("{}{} {}\n", name, labels, series->counter.value());
      } else if (!is_histogram(info.kind)) {
        if (const auto value = series->gauge.value()) out += name + labels + " " + print_number(*value) + "\n";
      } else {
        const HistogramCounts counts = series->histogram->counts();
        const auto ends = ends_of(info.kind);
        std::uint64_t sum = 0;
        for (std::size_t b = 0; b < ends.size(); ++b) {
          sum += counts.buckets[b];
          out += name + "_bucket" +
                 print_labels(family.labels, values, "le=\"" + print_value(info.kind, ends[b]) + "\"") +
                 fmt::format(" {}\n", sum);
        }
        out += name + "_bucket" + print_labels(family.labels, values, "le=\"+Inf\"") +
               fmt::format(" {}\n{}_sum{} {}\n{}_count{} {}\n", counts.count, name, labels,
                           print_value(info.kind, counts.sum), name, labels, counts.count);
      }
    }
  }
  return out;
}

std::vector<Metrics::Sample> Metrics::read(Metric metric) const {
  std::vector<Sample> out;
  const MetricKind kind = info_of(metric).kind;
  const std::lock_guard lock(mutex_);
  const Family& family = *families_[static_cast<std::size_t>(metric)];
  for (const auto& [values, series] : family.series) {
    if (!series->shown) continue;
    Sample sample;
    for (std::size_t i = 0; i < values.size(); ++i) sample.labels[family.labels[i]] = values[i];
    if (kind == MetricKind::counter) {
      sample.value = static_cast<double>(series->counter.value());
    } else if (is_histogram(kind)) {
      sample.value = static_cast<double>(series->histogram->counts().count);
    } else {
      const auto value = series->gauge.value();
      if (!value) continue;
      sample.value = *value;
    }
    out.push_back(std::move(sample));
  }
  return out;
}

Stopwatch::Stopwatch(Histogram& into, const Clock& clock) : into_(into), clock_(clock), began_(clock.mono()) {}
Stopwatch::~Stopwatch() {
  into_.observe(clock_.mono() - began_);
}

}  // namespace kiln::base
