#include "engine/admin/verdict.h"

#include <algorithm>

namespace kiln::engine {

void sort_problems(std::vector<Problem>& problems) {
  std::ranges::stable_sort(problems, [](const Problem& a, const Problem& b) {
    return a.level != b.level ? a.level > b.level : a.waiting > b.waiting;
  });
}

void write_problems(base::JsonWriter& json, const std::vector<Problem>& problems) {
  const bool bad =
      std::ranges::any_of(problems, [](const Problem& one) { return one.level == Problem::Level::bad; });
  std::string text = "everything runs";
  if (!problems.empty()) {
    const Problem& worst = problems.front();
    text = std::to_string(problems.size()) + (problems.size() == 1 ? " problem: " : " problems, worst: ");
    if (!worst.channel.empty())
      text += worst.channel + (worst.destination.empty() ? "" : "/" + worst.destination) + ": ";
    text += worst.text;
  }
  json.key("verdict").begin_object().member("level", bad ? "bad" : problems.empty() ? "ok" : "warn");
  json.member("text", text).end_object().key("problems").begin_array();
  for (const Problem& one : problems) {
    json.begin_object().member("level", one.level == Problem::Level::bad ? "bad" : "warn");
    if (!one.channel.empty()) json.member("channel", one.channel);
    if (!one.destination.empty()) json.member("destination", one.destination);
    json.member("text", one.text).member("doing", one.doing).member("can", one.can);
    if (!one.command.empty()) json.member("command", one.command);
    json.key("waiting").integer(static_cast<std::int64_t>(one.waiting)).end_object();
  }
  json.end_array();
}

std::string print_age(std::int64_t seconds) {
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3'600) return std::to_string(seconds / 60) + " min";
  if (seconds < 86'400) {
    const std::int64_t minutes = seconds % 3'600 / 60;
    return std::to_string(seconds / 3'600) + " h" +
           (minutes == 0 ? "" : " " + std::to_string(minutes) + " min");
  }
  return std::to_string(seconds / 86'400) + " d";
}

}  // namespace kiln::engine
