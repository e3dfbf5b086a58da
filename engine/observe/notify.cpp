#include "engine/observe/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

namespace kiln::engine {
namespace {

/// A line feed would begin another assignment.
std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c == '\n' || c == '\r') c = ' ';
  return out;
}

}  // namespace

/// Never waits: a manager that does not read must not hold the engine up.
void Notifier::send(const std::string& text) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  (void)::sendto(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&address), length);
  ::close(fd);
}

void Notifier::ready(std::string_view status) const {
  send("READY=1\nSTATUS=" + one_line(status));
}
void Notifier::status(std::string_view line) const {
  send("STATUS=" + one_line(line));
}
void Notifier::watchdog() const {
  send("WATCHDOG=1");
}
void Notifier::reloading(std::int64_t now_us) const {
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now_us));
}
void Notifier::stopping() const {
  send("STOPPING=1\nSTATUS=draining");
}
void Notifier::extend(std::int64_t micros, std::string_view status) const {
  send("EXTEND_TIMEOUT_USEC=" + std::to_string(micros) + "\nSTATUS=" + one_line(status));
}

}  // namespace kiln::engine
