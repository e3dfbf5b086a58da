#include "engine/observe/kept_counters.h"

#include <cstdlib>

#include "engine/base/json.h"
#include "engine/base/text.h"

namespace kiln::engine {
namespace {

using base::Metric;
using base::Safe;

/// Those that the parts count up; totals that are looked up elsewhere begin with the process.
constexpr Metric kKept[] = {Metric::messages_received_total, Metric::messages_filtered_total,  Metric::messages_sent_total,
                            Metric::messages_rejected_total, Metric::messages_quarantined_total, Metric::messages_duplicate_total,
                            Metric::messages_removed_total,  Metric::acks_total,               Metric::retries_total,
                            Metric::replayed_total,            Metric::deliveries_rejected_total, Metric::deliveries_expired_total};

}  // namespace

std::string print_counters(const base::Metrics& metrics) {
  base::JsonWriter json;
  json.begin_object();
  for (const Metric metric : kKept) {
    const base::MetricInfo& info = base::info_of(metric);
    json.key(info.name).begin_array();
    for (const auto& sample : metrics.read(metric)) {
      json.begin_array().integer(static_cast<std::int64_t>(sample.value));
      for (const std::string_view label : base::split(info.labels, ',')) {
        const auto value = sample.labels.find(label);
        json.string(value == sample.labels.end() ? std::string_view() : std::string_view(value->second));
      }
      json.end_array();
    }
    json.end_array();
  }
  return json.end_object().take();
}

void add_counters(base::Metrics& metrics, const std::string& text, const std::set<std::string>& channels) {
  const auto document = base::parse_json(text);
  if (!document) return;
  for (const Metric metric : kKept) {
    const std::size_t labels = base::split(base::info_of(metric).labels, ',').size();
    for (const base::JsonView series : document->root()[base::info_of(metric).name]) {
      const std::uint64_t value = std::strtoull(std::string(series.at(0).text()).c_str(), nullptr, 10);
      if (series.size() != labels + 1 || !channels.contains(std::string(series.at(1).text()))) continue;
      const Safe first = Safe::name(series.at(1).text());
      if (labels == 1)
        metrics.counter(metric, {first}).add(value);
      else
        metrics.counter(metric, {first, Safe::name(series.at(2).text())}).add(value);
    }
  }
}

}  // namespace kiln::engine
