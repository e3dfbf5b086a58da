#pragma once
// `kiln run` as a child process on a site of its own.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <thread>

namespace kiln::bench {

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A port that was free a moment ago, never the same twice. One thread.
inline std::uint16_t free_port() {
  static std::set<std::uint16_t> given;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    std::abort();
  const std::uint16_t port = ntohs(address.sin_port);
  const bool is_new = given.insert(port).second;
  const std::uint16_t result = is_new ? port : free_port();  // the socket is still open: another port comes
  ::close(fd);
  return result;
}

inline bool is_listening(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

class EngineProcess {
 public:
  /// Starts it and waits until `port` takes connections, at most ten seconds. Its output goes to `log`.
  EngineProcess(const std::string& kiln, const std::string& site, const std::string& log,
                std::uint16_t port) {
    const auto begin = std::chrono::steady_clock::now();
    pid_ = ::fork();
    if (pid_ == 0) {
      const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(out, 1);
      ::dup2(out, 2);
      ::execl(kiln.c_str(), kiln.c_str(), "run", site.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    const auto limit = begin + std::chrono::seconds(10);
    while (!is_listening(port)) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
      if (pid_ < 0 || std::chrono::steady_clock::now() > limit) return;
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    start_ms_ = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  }
  /// Stops it the orderly way; after a minute by force.
  ~EngineProcess() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGTERM);
    for (int i = 0; i < 6000; ++i) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  EngineProcess(const EngineProcess&) = delete;
  EngineProcess& operator=(const EngineProcess&) = delete;

  /// As kill -9 does it.
  void kill() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  bool is_up() const { return start_ms_ > 0; }
  double start_ms() const { return start_ms_; }
  /// A line of /proc/PID/status in MB, for example VmRSS; 0 when there is none.
  double status_mb(const std::string& key) const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with(key + ":")) return std::strtod(line.c_str() + key.size() + 1, nullptr) / 1024.0;
    return 0;
  }
  /// Processor seconds used so far.
  double cpu_seconds() const {
    std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
    std::string word;
    double ticks = 0;
    for (int i = 1; i <= 15 && stat >> word; ++i)
      if (i >= 14) ticks += std::strtod(word.c_str(), nullptr);
    return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }

 private:
  pid_t pid_ = -1;
  double start_ms_ = 0;
};

}  // namespace kiln::bench
