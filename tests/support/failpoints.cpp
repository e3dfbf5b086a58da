#include "tests/support/failpoints.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "engine/base/failpoint.h"
#include "engine/base/text.h"

namespace kiln::test {
namespace {

struct Armed {
  std::string action;
  int at = 1;
};

struct Table {
  std::mutex mutex;
  std::map<std::string, Armed, std::less<>> armed;
  std::map<std::string, int, std::less<>> passed;
  std::set<std::string, std::less<>> torn;  ///< the next ".torn" of these ends the process
  std::string hits;
};

Table& table() {
  static Table* const one = new Table;  // threads may pass a place while the program ends
  return *one;
}

[[noreturn]] void crash() {
  ::raise(SIGKILL);
  std::abort();
}

void note_first(const Table& table, const char* name) {
  if (table.hits.empty()) return;
  const int file = ::open(table.hits.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  const std::string line = std::string(name) + "\n";
  if (::write(file, line.data(), line.size()) < 0) crash();
  ::close(file);
}

base::FailpointAction pass(const char* name) {
  std::string action;
  {
    Table& all = table();
    const std::lock_guard lock(all.mutex);
    const int count = ++all.passed[name];
    if (count == 1) note_first(all, name);
    const std::string_view text = name;
    if (text.ends_with(".torn") && all.torn.contains(text.substr(0, text.size() - 5))) crash();
    const auto found = all.armed.find(text);
    if (found == all.armed.end() || found->second.at != count) return base::FailpointAction::none;
    action = found->second.action;
    if (action == "torn") all.torn.emplace(text);
  }
  if (action == "crash") crash();
  if (action == "delay") std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (action == "torn") return base::FailpointAction::torn;
  if (action == "disk_full") return base::FailpointAction::disk_full;
  if (action == "io_failed") return base::FailpointAction::io_failed;
  if (action == "fsync_failed") return base::FailpointAction::fsync_failed;
  return base::FailpointAction::none;
}

}  // namespace

base::Status arm_failpoints(std::string_view spec, const std::string& hits) {
  static const std::set<std::string, std::less<>> kActions = {"crash",     "delay",     "torn",
                                                              "disk_full", "io_failed", "fsync_failed"};
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  all.armed.clear();
  all.passed.clear();
  all.torn.clear();
  all.hits = hits;
  while (!spec.empty()) {
    const std::size_t end = spec.find(';');
    const std::string_view one = base::trim(spec.substr(0, end));
    spec = end == std::string_view::npos ? std::string_view() : spec.substr(end + 1);
    if (one.empty()) continue;
    const std::size_t equals = one.find('='), at = one.find('@');
    if (equals == std::string_view::npos) return base::fail(base::ErrorCode::usage, "a failpoint needs `=action`");
    Armed armed;
    armed.action = one.substr(equals + 1, at == std::string_view::npos ? at : at - equals - 1);
    if (!kActions.contains(armed.action)) return base::fail(base::ErrorCode::usage, "unknown action " + armed.action);
    if (at != std::string_view::npos) armed.at = std::atoi(std::string(one.substr(at + 1)).c_str());
    all.armed[std::string(one.substr(0, equals))] = armed;
  }
  const bool any = !all.armed.empty() || !all.hits.empty();
  base::detail::failpoint_hook.store(any ? &pass : nullptr);
  return {};
}

base::Status arm_failpoints_from_environment() {
  const char* spec = std::getenv("KILN_FAILPOINTS");
  const char* hits = std::getenv("KILN_FAILPOINT_HITS");
  return arm_failpoints(spec == nullptr ? "" : spec, hits == nullptr ? "" : hits);
}

}  // namespace kiln::test
