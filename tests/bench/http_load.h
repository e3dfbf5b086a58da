#pragma once
// A closed-loop HTTP/1.1 load client in one thread: N kept connections, each sends one request and waits for its answer.

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "tests/bench/engine_process.h"

namespace kiln::bench {

struct HttpAnswer {
  int status = 0;
  std::string_view head, body;
};

struct HttpLoadPlan {
  std::uint16_t port = 0;
  std::size_t connections = 1;
  double seconds = 2;
  std::uint64_t requests_max = UINT64_MAX;
  /// The whole request number n, or empty when there is none left.
  std::function<std::string(std::uint64_t n)> request;
  /// Looks at an answer; false counts it as failed. Empty: 2xx is good.
  std::function<bool(std::uint64_t n, const HttpAnswer& answer)> check;
};

struct HttpLoadResult {
  std::uint64_t answers = 0, failed = 0, bytes = 0;
  double seconds = 0;
  std::vector<double> ms;  ///< sorted
  std::string first_failure;
  double per_second() const { return seconds > 0 ? static_cast<double>(answers) / seconds : 0; }
  double quantile(double p) const {
    return ms.empty() ? 0 : ms[static_cast<std::size_t>(p * static_cast<double>(ms.size() - 1))];
  }
};

inline double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline std::string http_request(std::string_view method, std::string_view target, std::string_view body = {},
                                std::string_view headers = {}) {
  std::string text(method);
  text.append(" /fhir").append(target).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n").append(headers);
  if (!body.empty() || method == "POST" || method == "PUT") {
    text += "Content-Type: application/fhir+json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  return text.append("\r\n").append(body);
}

namespace detail {

struct Connection {
  int fd = -1;
  std::string out, in;
  std::size_t sent = 0;
  std::uint64_t number = 0;
  double begin = 0;
};

/// The answer when all of it is there.
inline bool take_answer(const std::string& in, HttpAnswer& answer) {
  const std::size_t end = in.find("\r\n\r\n");
  if (end == in.npos) return false;
  answer.head = std::string_view(in).substr(0, end);
  answer.status = std::atoi(in.c_str() + 9);
  std::size_t length = 0;
  const std::size_t at = answer.head.find("Content-Length: ");
  if (at != answer.head.npos) length = std::strtoull(in.c_str() + at + 16, nullptr, 10);
  if (in.size() < end + 4 + length) return false;
  answer.body = std::string_view(in).substr(end + 4, length);
  return true;
}

}  // namespace detail

inline HttpLoadResult run_http_load(const HttpLoadPlan& plan) {
  HttpLoadResult result;
  std::vector<detail::Connection> all(plan.connections);
  const int poller = ::epoll_create1(EPOLL_CLOEXEC);
  std::uint64_t next = 0;
  std::size_t open = 0;
  const double begin = now_s(), end = begin + plan.seconds;
  const auto start = [&](std::size_t i) {
    detail::Connection& one = all[i];
    if (next >= plan.requests_max || now_s() >= end) return false;
    one.number = next++;
    one.out = plan.request(one.number);
    if (one.out.empty()) return false;
    one.in.clear();
    one.begin = now_s();
    one.sent = static_cast<std::size_t>(std::max<ssize_t>(0, ::send(one.fd, one.out.data(), one.out.size(), MSG_NOSIGNAL)));
    epoll_event event{};
    event.events = EPOLLIN | (one.sent < one.out.size() ? EPOLLOUT : 0u);
    event.data.u64 = i;
    ::epoll_ctl(poller, EPOLL_CTL_MOD, one.fd, &event);
    return true;
  };
  const auto close = [&](std::size_t i) {
    ::close(all[i].fd);
    --open;
  };
  for (std::size_t i = 0; i < plan.connections; ++i) {
    all[i].fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(plan.port);
    const int on = 1;
    if (::connect(all[i].fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ++result.failed;
      ::close(all[i].fd);
      continue;
    }
    ::setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.data.u64 = i;
    ::epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &event);
    ++open;
    if (!start(i)) close(i);
  }
  std::vector<char> buffer(1u << 20);
  while (open > 0) {
    epoll_event events[64];
    const int ready = ::epoll_wait(poller, events, 64, 60'000);
    if (ready <= 0) {
      result.failed += open;
      break;
    }
    for (int e = 0; e < ready; ++e) {
      const std::size_t i = events[e].data.u64;
      detail::Connection& one = all[i];
      if (one.sent < one.out.size()) {
        const ssize_t sent = ::send(one.fd, one.out.data() + one.sent, one.out.size() - one.sent, MSG_NOSIGNAL);
        if (sent > 0) one.sent += static_cast<std::size_t>(sent);
        if (one.sent == one.out.size()) {
          epoll_event event{};
          event.events = EPOLLIN;
          event.data.u64 = i;
          ::epoll_ctl(poller, EPOLL_CTL_MOD, one.fd, &event);
        }
      }
      const ssize_t got = ::recv(one.fd, buffer.data(), buffer.size(), 0);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got <= 0) {
        ++result.failed;
        close(i);
        continue;
      }
      one.in.append(buffer.data(), static_cast<std::size_t>(got));
      HttpAnswer answer;
      if (!detail::take_answer(one.in, answer)) continue;
      ++result.answers;
      result.bytes += one.in.size();
      result.ms.push_back((now_s() - one.begin) * 1000);
      const bool good = plan.check ? plan.check(one.number, answer) : answer.status >= 200 && answer.status < 300;
      if (!good && result.failed++ == 0) result.first_failure = one.in.substr(0, 600);
      if (!start(i)) close(i);
    }
  }
  result.seconds = now_s() - begin;
  ::close(poller);
  std::sort(result.ms.begin(), result.ms.end());
  return result;
}

/// One request; its milliseconds, or -1 when the answer was not 200. `body` may be null.
inline double ask_once(std::uint16_t port, const std::string& target, std::string* body = nullptr) {
  HttpLoadPlan plan;
  plan.port = port;
  plan.requests_max = 1;
  plan.seconds = 60;
  plan.request = [&](std::uint64_t) { return http_request("GET", target); };
  plan.check = [&](std::uint64_t, const HttpAnswer& answer) {
    if (body) *body = std::string(answer.body);
    return answer.status == 200;
  };
  const HttpLoadResult result = run_http_load(plan);
  return result.failed > 0 || result.ms.empty() ? -1 : result.ms.front();
}

}  // namespace kiln::bench
