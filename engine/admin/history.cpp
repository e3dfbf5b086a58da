#include "engine/admin/history.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/admin/message_json.h"
#include "engine/base/json.h"

namespace kiln::engine {
namespace {

constexpr std::size_t kShortMax = 361, kLongMax = 1'441;  ///< an hour, a day, and the sample they start from
constexpr std::size_t kStepsInLong = 6;

}  // namespace

void StatusHistory::add(base::WallTime at, const std::map<std::string, ChannelSample>& channels) {
  short_.push_back({at, channels});
  if (short_.size() > kShortMax) short_.pop_front();
  if (long_.empty() || at.micros - long_.back().at.micros >= kLongStepSeconds * 1'000'000 - 500'000) {
    long_.push_back({at, channels});
    if (long_.size() > kLongMax) long_.pop_front();
  }
}

double StatusHistory::rate(const std::string& channel, std::size_t steps) const {
  if (short_.size() < 2) return 0;
  const Sample& last = short_.back();
  const Sample& first = short_[short_.size() - 1 - std::min(steps, short_.size() - 1)];
  const auto now = last.channels.find(channel), then = first.channels.find(channel);
  const double seconds = static_cast<double>(last.at.micros - first.at.micros) / 1e6;
  if (now == last.channels.end() || then == first.channels.end() || seconds <= 0 ||
      now->second.received < then->second.received)
    return 0;
  return static_cast<double>(now->second.received - then->second.received) / seconds;
}

ChannelRates StatusHistory::rates(const std::string& channel) const {
  return {rate(channel, kStepsInLong), rate(channel, 5 * kStepsInLong), rate(channel, 15 * kStepsInLong)};
}

std::string StatusHistory::print(const std::string& channel, std::int64_t minutes) const {
  const bool fine = minutes <= 60;
  const auto& samples = fine ? short_ : long_;
  const auto wanted = static_cast<std::size_t>(fine ? minutes * 6 : minutes) + 1;
  const std::size_t first = samples.size() > wanted ? samples.size() - wanted : 0;
  std::set<std::string> names;
  for (std::size_t i = first; i < samples.size(); ++i)
    for (const auto& [name, sample] : samples[i].channels)
      if (channel.empty() || name == channel) names.insert(name);
  base::JsonWriter json;
  json.begin_object().key("step_seconds").integer(fine ? kStepSeconds : kLongStepSeconds);
  if (first < samples.size()) json.member("from", print_time(samples[first].at));
  json.key("channels").begin_object();
  const auto series = [&](const char* title, const std::string& name, auto value) {
    json.key(title).begin_array();
    for (std::size_t i = first + 1; i < samples.size(); ++i) {
      const auto now = samples[i].channels.find(name), then = samples[i - 1].channels.find(name);
      const ChannelSample none;
      const std::int64_t number = value(now == samples[i].channels.end() ? none : now->second,
                                        then == samples[i - 1].channels.end() ? none : then->second);
      if (number < 0)
        json.null();
      else
        json.integer(number);
    }
    json.end_array();
  };
  const auto grown = [](std::uint64_t now, std::uint64_t then) {
    return static_cast<std::int64_t>(now < then ? now : now - then);
  };
  const auto milliseconds = [](std::int64_t micros) { return micros < 0 ? micros : (micros + 500) / 1'000; };
  for (const std::string& name : names) {
    json.key(name).begin_object();
    series("received", name,
           [&](const auto& now, const auto& then) { return grown(now.received, then.received); });
    series("sent", name, [&](const auto& now, const auto& then) { return grown(now.sent, then.sent); });
    series("pending", name,
           [](const auto& now, const auto&) { return static_cast<std::int64_t>(now.pending); });
    series("p50", name, [&](const auto& now, const auto&) { return milliseconds(now.p50_us); });
    series("p99", name, [&](const auto& now, const auto&) { return milliseconds(now.p99_us); });
    json.end_object();
  }
  return json.end_object().end_object().take();
}

}  // namespace kiln::engine
