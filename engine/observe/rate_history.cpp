#include "engine/observe/rate_history.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace kiln::engine {
namespace {

constexpr std::int64_t kHourMicros = 3'600'000'000;
constexpr std::int64_t kWeekHours = 168;
constexpr std::chrono::seconds kSampleEvery(60);
constexpr std::size_t kChannelsMax = 2'000;

std::int64_t hour_of(base::WallTime wall) { return wall.micros / kHourMicros; }

}  // namespace

void RateHistory::add(const std::string& name, double total, base::WallTime wall, base::MonoTime mono) {
  if (channels_.size() >= kChannelsMax && !channels_.contains(name)) return;
  Channel& channel = channels_[name];
  const double before = channel.last.value_or(total);  // what was before the first look is not of this hour
  const double more = total >= before ? total - before : total;
  channel.last = total;
  channel.sum += more;
  const std::int64_t hour = hour_of(wall);
  channel.hours[hour] += more;
  while (!channel.hours.empty() && channel.hours.begin()->first < hour - kWeeks * kWeekHours - 1) channel.hours.erase(channel.hours.begin());
  if (channel.recent.empty() || mono - channel.recent.back().at >= kSampleEvery) channel.recent.push_back({mono, channel.sum});
  while (channel.recent.size() > 1 && mono - channel.recent[1].at >= kWindow) channel.recent.pop_front();
}

/// Of that hour in the weeks before; nothing when less than two such hours were seen.
std::optional<double> RateHistory::median(const Channel& channel, std::int64_t hour) {
  std::vector<double> same;
  for (std::int64_t week = 1; week <= kWeeks; ++week) {
    const auto found = channel.hours.find(hour - week * kWeekHours);
    if (found != channel.hours.end()) same.push_back(found->second);
  }
  if (same.size() < 2) return std::nullopt;
  std::sort(same.begin(), same.end());
  const std::size_t middle = same.size() / 2;
  return same.size() % 2 == 1 ? same[middle] : (same[middle - 1] + same[middle]) / 2;
}

std::optional<RateHistory::Rate> RateHistory::rate(const std::string& name, base::WallTime wall, base::MonoTime mono) const {
  const auto found = channels_.find(name);
  if (found == channels_.end() || found->second.recent.empty()) return std::nullopt;
  const Channel& channel = found->second;
  if (mono - channel.recent.front().at < kWindow) return std::nullopt;
  // The window reaches back into the hour before, which may be a much quieter one.
  constexpr double kWindowMicros = std::chrono::duration<double, std::micro>(kWindow).count();
  const auto in_this = std::min(static_cast<double>(wall.micros % kHourMicros), kWindowMicros);
  const auto this_hour = median(channel, hour_of(wall));
  const auto hour_before = in_this < kWindowMicros ? median(channel, hour_of(wall) - 1) : std::optional(0.0);
  if (!this_hour || !hour_before) return std::nullopt;
  Rate out;
  out.expected = (*this_hour * in_this + *hour_before * (kWindowMicros - in_this)) / static_cast<double>(kHourMicros);
  out.got = channel.sum - channel.recent.front().sum;
  if (out.expected < kLeastExpected) return std::nullopt;
  return out;
}

void RateHistory::write(base::JsonWriter& json) const {
  json.begin_object();
  for (const auto& [name, channel] : channels_) {
    json.key(name).begin_array();
    for (const auto& [hour, count] : channel.hours) {
      json.integer(hour);
      json.integer(static_cast<std::int64_t>(count));
    }
    json.end_array();
  }
  json.end_object();
}

void RateHistory::read(base::JsonView json) {
  for (const base::JsonView one : json) {
    if (channels_.size() >= kChannelsMax) return;
    Channel& channel = channels_[std::string(one.key())];
    std::optional<std::int64_t> hour;
    for (const base::JsonView number : one) {
      const std::int64_t value = std::strtoll(std::string(number.text()).c_str(), nullptr, 10);
      if (!hour) {
        hour = value;
        continue;
      }
      channel.hours[*hour] += static_cast<double>(value);
      hour.reset();
    }
  }
}

}  // namespace kiln::engine
