#include "engine/observe/last_end.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string_view>

#include "engine/base/env.h"

namespace kiln::engine {
namespace {

constexpr const char* kNames[] = {"none", "orderly", "unknown", "fsync", "watchdog"};
constexpr std::size_t kWidth = 9;  ///< every text is as long, so that one write replaces another
std::atomic<int> file{-1};

/// systemd, or somebody with `kill`: an abort of our own comes from this process.
void on_abort(int signal, siginfo_t* info, void*) {
  if (info != nullptr && info->si_code == SI_USER && info->si_pid != ::getpid()) EndNote::note(LastEnd::watchdog);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

const char* name_of(LastEnd end) {
  return kNames[static_cast<std::size_t>(end)];
}

LastEnd EndNote::begin(const std::string& data_folder) {
  const std::string path = base::join_path(data_folder, "last_end");
  const int opened = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (opened < 0) return LastEnd::none;
  if (const int before = file.exchange(opened); before >= 0) ::close(before);
  char text[kWidth] = {};
  const auto got = ::pread(opened, text, sizeof text, 0);
  LastEnd found = LastEnd::none;
  const std::string_view word(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  for (const LastEnd end : {LastEnd::orderly, LastEnd::unknown, LastEnd::fsync, LastEnd::watchdog})
    if (word.starts_with(name_of(end))) found = end;
  note(LastEnd::unknown);  // until something says how
  struct sigaction action {};
  action.sa_sigaction = on_abort;
  action.sa_flags = SA_SIGINFO | SA_RESETHAND;
  ::sigaction(SIGABRT, &action, nullptr);
  return found;
}

void EndNote::note(LastEnd end) {
  const int into = file.load();
  if (into < 0) return;
  char text[kWidth];
  std::memset(text, ' ', sizeof text);
  text[kWidth - 1] = '\n';
  const char* const word = name_of(end);
  for (std::size_t i = 0; i + 1 < kWidth && word[i] != '\0'; ++i) text[i] = word[i];
  [[maybe_unused]] const auto written = ::pwrite(into, text, sizeof text, 0);
}

}  // namespace kiln::engine
