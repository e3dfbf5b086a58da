#include "engine/admin/open_problems.h"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/admin/message_json.h"
#include "engine/gateway.h"

namespace kiln::engine {
namespace {

std::string messages(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + (count == 1 ? one : many);
}

std::pair<std::string, std::string> parts_of(const std::string& address) {
  const auto slash = address.find('/');
  if (slash == std::string::npos) return {address, {}};
  return {address.substr(0, slash), address.substr(slash + 1)};
}

void find_quarantine(const OpenBooks& books, std::vector<Problem>& out) {
  std::map<std::string, std::uint64_t> channels;
  for (const auto& [address, count] : books.quarantined) channels[parts_of(address).first] += count;
  for (const auto& [channel, count] : channels)
    out.push_back({Problem::Level::warn, channel, {}, messages(count, " message is", " messages are") + " set aside",
                   "nothing: what is set aside stays until somebody decides",
                   "look at the causes, then release, resolve or drop", "kiln quarantine list channel:" + channel, count});
}

void find_stranded(const Gateway& gateway, const OpenBooks& books, std::vector<Problem>& out) {
  constexpr const char* kCan = "go back to a version that has it (kiln rollback VERSION), or add it to the files and reload";
  for (const auto& [address, count] : books.stranded) {
    auto [channel, destination] = parts_of(address);
    out.push_back({Problem::Level::bad, std::move(channel), std::move(destination),
                   messages(count, " message waits", " messages wait") + " for it, and the site does not have it",
                   "nothing: what waits stays in the journal until the site has it again",
                   std::string(kCan) + ", or set it aside: kiln destination skip " + address, "kiln history", count});
  }
  for (const auto& [channel, ids] : gateway.reloads().unprocessed())
    if (!ids.empty())
      out.push_back({Problem::Level::bad, channel, {},
                     messages(ids.size(), " accepted message is", " accepted messages are") +
                         " not mapped, and the site does not have the channel",
                     "nothing: they stay in the journal until the site has it again", kCan, "kiln history", ids.size()});
}

/// The problem says what the alert says.
bool is_told(const Alert& alert, const std::vector<Problem>& problems) {
  static constexpr const char* kOfQueues[] = {"DestinationDown", "QueueAge", "QueueDepth", "Stranded"};
  const std::string& rule = alert.condition.rule;
  if (rule == "QuarantineGrowth")  // the quarantine of that channel
    return std::ranges::any_of(problems, [&](const Problem& one) {
      return one.channel == parts_of(alert.condition.subject).first && one.command.starts_with("kiln quarantine");
    });
  if (rule.starts_with("CertExpiry"))
    return std::ranges::any_of(problems, [&](const Problem& one) { return one.text.find(alert.condition.subject) != std::string::npos; });
  if (std::ranges::find(kOfQueues, rule) == std::end(kOfQueues)) return false;
  const Problem::Level level = alert.condition.level == AlertLevel::page ? Problem::Level::bad : Problem::Level::warn;
  return std::ranges::any_of(problems, [&](const Problem& one) {
    return !one.destination.empty() && one.channel + "/" + one.destination == alert.condition.subject && one.level >= level;
  });
}

}  // namespace

void find_open_books(const Gateway& gateway, std::vector<Problem>& out) {
  const OpenBooks& books = gateway.observer().open_books();
  find_quarantine(books, out);
  find_stranded(gateway, books, out);
}

void find_alerts(const Gateway& gateway, std::vector<Problem>& out) {
  const Alerts* alerts = gateway.observer().alerts();
  if (alerts == nullptr) return;
  const std::size_t others = out.size();
  for (const Alert* alert : alerts->firing()) {
    const AlertCondition& condition = alert->condition;
    if (is_told(*alert, {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(others)})) continue;
    const bool silent = alerts->is_silent(*alert);
    Problem one;
    one.level = condition.level == AlertLevel::page && !silent ? Problem::Level::bad : Problem::Level::warn;
    auto [channel, destination] = parts_of(condition.subject);
    const bool is_channel =
        std::ranges::any_of(gateway.channels(), [&](const auto& runtime) { return runtime->definition().name == channel; });
    if (is_channel) one.channel = std::move(channel), one.destination = std::move(destination);
    one.text = condition.rule + (is_channel || condition.subject.empty() ? "" : " of " + condition.subject) + ": " + condition.text;
    one.doing = "the alert fires since " + print_time(alert->since) + (silent ? ", and nobody is told for a while" : "");
    one.can = condition.remedy;
    one.command = "kiln alert";
    out.push_back(std::move(one));
  }
}

}  // namespace kiln::engine
