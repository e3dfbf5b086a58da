#include "channels/connectors/detail/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

#include "engine/base/clock.h"

namespace kiln::channels::detail {

using base::ErrorCode;

namespace {

constexpr int kPollMs = 50;  ///< between looks at `stop`
constexpr int kWaitMs = 2;   ///< between looks whether a child that has closed its outputs has ended
constexpr int kNoProgram = 127, kNotRunnable = 126;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~Descriptor() { close(); }
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read, write;
  bool open() {
    int both[2];
    if (::pipe2(both, O_CLOEXEC) != 0) return false;
    read = Descriptor(both[0]);
    write = Descriptor(both[1]);
    return true;
  }
};

void limit(int what, rlim_t value) {
  if (value == 0) return;
  const rlimit both{value, value};
  ::setrlimit(static_cast<__rlimit_resource_t>(what), &both);
}

/// In the child, between fork and exec: only what may be called there.
[[noreturn]] void become(const ChildRun& run, char* const* arguments, char* const* environment, int in, int out, int err) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  limit(RLIMIT_AS, run.memory_max);
  limit(RLIMIT_CPU, static_cast<rlim_t>(run.cpu_s_max));
  limit(RLIMIT_FSIZE, run.file_max);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (::chdir(run.folder.c_str()) == 0) ::execve(arguments[0], arguments, environment);
  ::_exit(errno == ENOENT ? kNoProgram : kNotRunnable);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

/// One running child and its pipes.
struct Child {
  pid_t pid = -1;
  Descriptor in, out, err;
  std::size_t written = 0;
  ChildEnd end;

  void kill_all() const {
    ::kill(-pid, SIGKILL);
  }
  /// False when it still runs and need not have ended.
  bool has_ended(bool wait) {
    int status = 0;
    pid_t got = ::waitpid(pid, &status, wait ? 0 : WNOHANG);
    while (got < 0 && errno == EINTR) got = ::waitpid(pid, &status, wait ? 0 : WNOHANG);
    if (got == 0) return false;
    end.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
  }
};

void feed(Child& child, const std::string& input) {
  if (child.written < input.size()) {
    const ssize_t count = ::write(child.in.get(), input.data() + child.written, input.size() - child.written);
    if (count > 0) child.written += static_cast<std::size_t>(count);
    if (count < 0 && errno != EAGAIN && errno != EINTR) return child.in.close();  // it reads no more: its exit code tells
  }
  if (child.written == input.size()) child.in.close();
}

void drain(Child& child, Descriptor& from, bool keep) {
  char chunk[16384];
  const ssize_t count = ::read(from.get(), chunk, sizeof chunk);
  if (count > 0 && keep) child.end.output.append(chunk, static_cast<std::size_t>(count));
  if (count > 0 && !keep) child.end.has_complained = true;
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) from.close();
}

/// Until both outputs are closed and it has ended.
base::Status attend(Child& child, const ChildRun& run, const std::atomic<bool>& stop) {
  const base::SystemClock clock;
  const auto end = clock.mono() + std::chrono::milliseconds(run.timeout_ms);
  for (bool ended = false; !ended;) {
    if (stop) return base::fail(ErrorCode::cancelled, "stopped");
    if (clock.mono() >= end) return base::fail(ErrorCode::timeout, "the program took too long");
    if (child.out.get() < 0 && child.err.get() < 0) {
      ended = child.has_ended(false);
      if (!ended) ::poll(nullptr, 0, kWaitMs);
      continue;
    }
    pollfd wanted[3] = {{child.in.get(), POLLOUT, 0}, {child.out.get(), POLLIN, 0}, {child.err.get(), POLLIN, 0}};
    if (::poll(wanted, 3, kPollMs) <= 0) continue;
    if (wanted[0].revents != 0) feed(child, run.input);
    if (wanted[1].revents != 0) drain(child, child.out, true);
    if (wanted[2].revents != 0) drain(child, child.err, false);
    if (child.end.output.size() > run.output_max)
      return base::fail(ErrorCode::limit_exceeded, "the program wrote more than `max_output`");
  }
  return {};
}

}  // namespace

base::Result<ChildEnd> run_child(const ChildRun& run, const std::atomic<bool>& stop) {
  // A program that does not read its input must not end this process. The thread keeps the signal blocked.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  Pipe in, out, err;
  if (!in.open() || !out.open() || !err.open()) return base::fail(ErrorCode::io_failed, "no pipe could be made");
  const auto arguments = pointers(run.command), environment = pointers(run.environment);
  Child child;
  child.pid = ::fork();
  if (child.pid < 0) return base::fail(ErrorCode::io_failed, "no process could be made");
  if (child.pid == 0)
    become(run, arguments.data(), environment.data(), in.read.get(), out.write.get(), err.write.get());
  ::setpgid(child.pid, child.pid);  // whichever of the two is first
  in.read.close();
  out.write.close();
  err.write.close();
  child.in = std::move(in.write);
  child.out = std::move(out.read);
  child.err = std::move(err.read);
  for (const int fd : {child.in.get(), child.out.get(), child.err.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  if (run.input.empty()) child.in.close();
  const base::Status attended = attend(child, run, stop);
  child.kill_all();  // also what it left behind in its group
  if (!attended) {
    child.has_ended(true);
    return base::fail(attended.error());
  }
  if (child.end.exit_code == kNoProgram) return base::fail(ErrorCode::file_not_found, "there is no such program", run.command.front());
  return std::move(child.end);
}

}  // namespace kiln::channels::detail
