#include "engine/observe/meters.h"

namespace kiln::engine {

using base::Metric;
using base::Safe;

namespace {
constexpr std::size_t kCodeLength = 2;
}

ChannelMeter::ChannelMeter(std::string_view channel)
    : processing(base::Metrics::process().histogram(Metric::processing_seconds, {Safe::name(channel)})) {
  base::Metrics& all = base::Metrics::process();
  const Safe name = Safe::name(channel);
  acks_ = {{{"AA", &all.counter(Metric::acks_total, {name, "AA"})},
            {"AE", &all.counter(Metric::acks_total, {name, "AE"})},
            {"AR", &all.counter(Metric::acks_total, {name, "AR"})},
            {"CA", &all.counter(Metric::acks_total, {name, "CA"})},
            {"CE", &all.counter(Metric::acks_total, {name, "CE"})},
            {"CR", &all.counter(Metric::acks_total, {name, "CR"})}}};
}

void ChannelMeter::answered(std::string_view reply) {
  constexpr std::string_view kSegment = "\rMSA";
  const auto at = reply.find(kSegment);
  if (at == std::string_view::npos || reply.size() < at + kSegment.size() + 1 + kCodeLength) return;
  const std::string_view code = reply.substr(at + kSegment.size() + 1, kCodeLength);
  for (const auto& [name, counter] : acks_)
    if (name == code) counter->add();
}

namespace {

base::Counter& queue_counter(Metric metric, std::string_view channel, std::string_view destination) {
  return base::Metrics::process().counter(metric, {Safe::name(channel), Safe::name(destination)});
}
base::Histogram& queue_histogram(Metric metric, std::string_view channel, std::string_view destination) {
  return base::Metrics::process().histogram(metric, {Safe::name(channel), Safe::name(destination)});
}

}  // namespace

QueueMeter::QueueMeter(std::string_view channel, std::string_view destination)
    : attempt(queue_histogram(Metric::ack_latency_seconds, channel, destination)),
      delivery(queue_histogram(Metric::delivery_seconds, channel, destination)),
      sent_(queue_counter(Metric::messages_sent_total, channel, destination)),
      quarantined_(queue_counter(Metric::messages_quarantined_total, channel, destination)),
      retries_(queue_counter(Metric::retries_total, channel, destination)),
      rejected_(queue_counter(Metric::deliveries_rejected_total, channel, destination)),
      expired_(queue_counter(Metric::deliveries_expired_total, channel, destination)) {}

void QueueMeter::attach(MeteredCount& sent, MeteredCount& quarantined, MeteredCount& retries, MeteredCount& rejected,
                        MeteredCount& expired) const {
  sent.attach(sent_);
  quarantined.attach(quarantined_);
  retries.attach(retries_);
  rejected.attach(rejected_);
  expired.attach(expired_);
}

JournalMeter::JournalMeter()
    : commit_(base::Metrics::process().histogram(Metric::journal_commit_seconds)),
      group_(base::Metrics::process().histogram(Metric::journal_commit_group_size)),
      fsync_errors_(base::Metrics::process().counter(Metric::journal_fsync_errors_total)),
      corrupt_(base::Metrics::process().counter(Metric::journal_corrupt_records_total)) {}

void JournalMeter::committed(base::MonoTime took, std::size_t changes) {
  commit_.observe(took);
  group_.observe_size(changes);
}

void JournalMeter::reserve_released(bool released) {
  base::Metrics::process().gauge(Metric::journal_reserve_released).set(released ? 1.0 : 0.0);
}

}  // namespace kiln::engine
