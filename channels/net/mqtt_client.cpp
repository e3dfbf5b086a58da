#include "channels/net/mqtt_client.h"

#include <deque>
#include <map>

#include "channels/net/http_client.h"
#include "engine/base/executor.h"
#include "engine/base/text.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;
using base::Status;

enum Packet : unsigned char {
  kConnect = 1, kConnack = 2, kPublish = 3, kPuback = 4, kSubscribe = 8, kSuback = 9, kPingreq = 12, kPingresp = 13,
  kDisconnect = 14
};

void append_number(std::string& out, std::uint16_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}
void append_text(std::string& out, std::string_view text) {
  append_number(out, static_cast<std::uint16_t>(text.size()));
  out += text;
}
std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>((static_cast<unsigned char>(bytes[at]) << 8) | static_cast<unsigned char>(bytes[at + 1]));
}

/// Fixed header and body (MQTT 3.1.1 §2.2).
std::string packet(Packet type, unsigned char flags, const std::string& body) {
  std::string out(1, static_cast<char>((type << 4) | flags));
  std::size_t left = body.size();
  do {
    const auto digit = static_cast<unsigned char>(left % 128);
    left /= 128;
    out += static_cast<char>(left > 0 ? digit | 0x80 : digit);
  } while (left > 0);
  return out + body;
}

struct Received {
  unsigned char type = 0, flags = 0;
  std::string body;
};

/// Takes one whole packet off the buffer. False: more is needed. An error ends the connection.
base::Result<bool> take_packet(std::string& buffer, Received& out, std::size_t max) {
  std::size_t size = 0, at = 1;
  for (unsigned shift = 0;; shift += 7, ++at) {
    if (at >= buffer.size()) return false;
    if (shift > 21) return base::fail(ErrorCode::connection_closed, "the peer does not speak MQTT");
    const auto digit = static_cast<unsigned char>(buffer[at]);
    size |= static_cast<std::size_t>(digit & 0x7f) << shift;
    if ((digit & 0x80) == 0) break;
  }
  ++at;
  if (size > max) return base::fail(ErrorCode::limit_exceeded, "a message is too large");
  if (buffer.size() < at + size) return false;
  out.type = static_cast<unsigned char>(buffer[0]) >> 4;
  out.flags = static_cast<unsigned char>(buffer[0]) & 0x0f;
  out.body = buffer.substr(at, size);
  buffer.erase(0, at + size);
  return true;
}

class Client final : public MqttClient {
 public:
  Client(base::Network& network, MqttServer server)
      : network_(network), server_(std::move(server)), changed_(network.executor()) {}
  ~Client() override { stop_timer(); }

  base::Task<Status> connect(OnMessage on_message, OnEnd on_end) override;
  base::Task<Status> subscribe(std::vector<std::string> topics) override;
  base::Task<Status> publish(std::string topic, std::string payload, bool retain, bool duplicate) override;
  void confirm(std::uint16_t id) override {
    if (id == 0 || !open_) return;
    std::string body;
    append_number(body, id);
    queue(packet(kPuback, 0, body));
  }
  void close() override {
    if (!open_) return;
    open_ = false;
    on_end_ = nullptr;
    on_message_ = nullptr;
    stop_timer();
    base::spawn(leave(stream_));
    changed_.notify();
  }
  bool is_open() const override { return open_; }

 private:
  std::shared_ptr<Client> self() { return std::static_pointer_cast<Client>(shared_from_this()); }

  static base::Task<void> leave(base::StreamPtr stream) {
    auto writing = stream->write_all(packet(kDisconnect, 0, ""), 500);
    static_cast<void>(co_await std::move(writing));
    stream->close();
  }

  static base::Task<base::Result<base::StreamPtr>> open_stream(std::shared_ptr<Client> self);
  static base::Task<void> read_loop(std::shared_ptr<Client> self);
  static base::Task<void> write_loop(std::shared_ptr<Client> self);
  /// Waits for the answer to packet `id`; 0: CONNACK.
  static base::Task<base::Result<std::string>> answer(std::shared_ptr<Client> self, std::uint16_t id);

  void queue(std::string bytes) {
    outgoing_.push_back(std::move(bytes));
    if (!writing_) base::spawn(write_loop(self()));
  }
  void end(base::Error why) {
    if (!open_) return;
    open_ = false;
    last_ = why;
    stop_timer();
    stream_->close();
    changed_.notify();
    if (const OnEnd told = std::exchange(on_end_, nullptr)) told(std::move(why));
  }
  void take(Received packet);
  /// A server that has not answered the last ping by the next is gone.
  void arm_ping() {
    const std::weak_ptr<MqttClient> weak = weak_from_this();
    timer_ = network_.executor().post_after(std::chrono::milliseconds(server_.keep_alive_ms), [this, weak] {
      const auto alive = weak.lock();
      if (!alive || !open_) return;
      timer_.reset();
      if (ping_out_) return end({ErrorCode::timeout, "the server does not answer", "", ""});
      ping_out_ = true;
      queue(packet(kPingreq, 0, ""));
      arm_ping();
    });
  }
  void stop_timer() {
    if (timer_) network_.executor().cancel(*timer_);
    timer_.reset();
  }
  std::uint16_t next_id() {
    if (++last_id_ == 0) ++last_id_;
    return last_id_;
  }

  base::Network& network_;
  MqttServer server_;
  base::StreamPtr stream_;
  OnMessage on_message_;
  OnEnd on_end_;
  std::string buffer_;
  std::deque<std::string> outgoing_;
  std::map<std::uint16_t, std::string> answers_;  ///< by packet id
  base::Event changed_;
  base::Error last_{ErrorCode::connection_closed, "the connection was closed", "", ""};
  std::optional<base::TimerId> timer_;
  std::uint16_t last_id_ = 0;
  bool open_ = false, writing_ = false, ping_out_ = false;
};

base::Task<base::Result<base::StreamPtr>> Client::open_stream(std::shared_ptr<Client> self) {
  const MqttServer& server = self->server_;
  if (!server.encrypted) {
    auto connecting = self->network_.connect(server.host, server.port, server.timeout_ms);
    auto stream = co_await std::move(connecting);
    co_return stream;
  }
  std::shared_ptr<const TlsContext> context;
  if (server.tls) {
    context = server.tls();
  } else {
    const auto system = system_tls();
    if (!system) co_return base::fail(system.error());
    context = *system;
  }
  auto connecting = connect_tls(&self->network_, server.host, server.port, server.timeout_ms, context);
  auto stream = co_await std::move(connecting);
  co_return stream;
}

base::Task<void> Client::write_loop(std::shared_ptr<Client> self) {
  self->writing_ = true;
  while (self->open_ && !self->outgoing_.empty()) {
    std::string bytes;
    while (!self->outgoing_.empty()) {
      bytes += self->outgoing_.front();
      self->outgoing_.pop_front();
    }
    auto writing = self->stream_->write_all(std::move(bytes), self->server_.timeout_ms);
    const Status written = co_await std::move(writing);
    if (!written) self->end(written.error());
  }
  self->writing_ = false;
}

base::Task<void> Client::read_loop(std::shared_ptr<Client> self) {
  std::string chunk(16u << 10, '\0');
  while (self->open_) {
    auto reading = self->stream_->read_some(chunk.data(), chunk.size(), -1);
    const auto got = co_await std::move(reading);
    if (!self->open_) break;
    if (!got || *got == 0) {
      self->end({ErrorCode::connection_closed, "the server closed the connection", "", ""});
      break;
    }
    self->buffer_.append(chunk.data(), *got);
    Received packet;
    base::Result<bool> whole = true;
    while (self->open_ && whole && *whole) {
      whole = take_packet(self->buffer_, packet, self->server_.message_max + 65'540);
      if (whole && *whole) self->take(std::move(packet));
    }
    if (!whole) self->end(whole.error());
  }
}

void Client::take(Received received) {
  const std::string& body = received.body;
  const auto bad = [this] { end({ErrorCode::connection_closed, "the peer does not speak MQTT", "", ""}); };
  switch (received.type) {
    case kConnack:
      if (body.size() != 2) return bad();
      answers_[0] = body;
      return changed_.notify();
    case kPuback:
    case kSuback:
      // No request has the number 0, and no answer is longer than one byte a filter.
      if (body.size() < 2 || body.size() > 1'024 || number_at(body, 0) == 0) return bad();
      answers_[number_at(body, 0)] = body.substr(2);
      return changed_.notify();
    case kPingresp:
      ping_out_ = false;
      return;
    case kPublish: {
      const unsigned qos = (received.flags >> 1) & 3u;
      if (body.size() < 2 || qos > 1) return bad();
      const std::size_t topic_end = 2u + number_at(body, 0);
      const std::size_t begin = topic_end + (qos == 1 ? 2 : 0);
      if (body.size() < begin) return bad();
      MqttMessage message;
      message.topic = body.substr(2, topic_end - 2);
      message.payload = body.substr(begin);
      message.id = qos == 1 ? number_at(body, topic_end) : std::uint16_t{0};
      message.duplicate = (received.flags & 8u) != 0;
      if (const OnMessage told = on_message_) told(std::move(message));
      return;
    }
    default:
      return bad();
  }
}

base::Task<base::Result<std::string>> Client::answer(std::shared_ptr<Client> self, std::uint16_t id) {
  // Each wait has its own end: the event may be notified for somebody else.
  const auto late = std::make_shared<bool>(false);
  const base::TimerId timer =
      self->network_.executor().post_after(std::chrono::milliseconds(self->server_.timeout_ms), [self, late] {
        *late = true;
        self->changed_.notify();
      });
  while (self->open_ && !*late && !self->answers_.contains(id)) {
    auto wait = self->changed_.wait(std::chrono::nanoseconds(-1));
    co_await wait;
  }
  self->network_.executor().cancel(timer);
  const auto found = self->answers_.find(id);
  if (found != self->answers_.end()) {
    std::string body = std::move(found->second);
    self->answers_.erase(found);
    co_return body;
  }
  if (*late) self->end({ErrorCode::timeout, "the server does not answer", "", ""});
  co_return base::fail(self->last_);
}

base::Task<Status> Client::connect(OnMessage on_message, OnEnd on_end) {
  const auto me = self();
  auto opening = open_stream(me);
  auto stream = co_await std::move(opening);
  if (!stream) co_return base::fail(stream.error());
  stream_ = *stream;
  open_ = true;
  on_message_ = std::move(on_message);
  base::spawn(read_loop(me));
  std::string body;
  append_text(body, "MQTT");
  body += '\x04';
  unsigned char flags = server_.clean_session ? 0x02 : 0x00;
  if (!server_.user.empty()) flags |= 0x80;
  if (!server_.password.empty()) flags |= 0x40;
  body += static_cast<char>(flags);
  append_number(body, static_cast<std::uint16_t>(server_.keep_alive_ms * 3 / 2 / 1000 + 1));
  append_text(body, server_.client_id);
  if (!server_.user.empty()) append_text(body, server_.user);
  if (!server_.password.empty()) append_text(body, server_.password);
  queue(packet(kConnect, 0, body));
  auto answering = answer(me, 0);
  const auto said = co_await std::move(answering);
  if (!said) co_return base::fail(said.error());
  const int code = static_cast<unsigned char>((*said)[1]);
  if (code != 0) {
    const bool login = code == 4 || code == 5;
    close();
    co_return base::fail(login ? ErrorCode::peer_login_refused : ErrorCode::peer_unavailable,
                         login ? "" : "the server refused the connection with code " + std::to_string(code));
  }
  on_end_ = std::move(on_end);
  arm_ping();
  co_return Status();
}

base::Task<Status> Client::subscribe(std::vector<std::string> topics) {
  const auto me = self();
  if (!open_) co_return base::fail(last_);
  const std::uint16_t id = next_id();
  std::string body;
  append_number(body, id);
  for (const std::string& topic : topics) {
    append_text(body, topic);
    body += '\x01';
  }
  queue(packet(kSubscribe, 2, body));
  auto answering = answer(me, id);
  const auto said = co_await std::move(answering);
  if (!said) co_return base::fail(said.error());
  for (const char code : *said)
    if (static_cast<unsigned char>(code) > 2)
      co_return base::fail(ErrorCode::peer_negative, "the server refused a topic");
  co_return Status();
}

base::Task<Status> Client::publish(std::string topic, std::string payload, bool retain, bool duplicate) {
  const auto me = self();
  if (!open_) co_return base::fail(last_);
  const std::uint16_t id = next_id();
  std::string body;
  append_text(body, topic);
  append_number(body, id);
  body += payload;
  const auto flags = static_cast<unsigned char>(0x02u | (retain ? 0x01u : 0u) | (duplicate ? 0x08u : 0u));
  queue(packet(kPublish, flags, body));
  auto answering = answer(me, id);
  const auto said = co_await std::move(answering);
  if (!said) co_return base::fail(said.error());
  co_return Status();
}

}  // namespace

std::shared_ptr<MqttClient> MqttClient::make(base::Network& network, MqttServer server) {
  return std::make_shared<Client>(network, std::move(server));
}

bool is_mqtt_topic(std::string_view text) {
  return !text.empty() && text.size() <= 65'535 && text.find_first_of(std::string_view("+#\0", 3)) == std::string_view::npos;
}

bool is_mqtt_filter(std::string_view text) {
  if (text.empty() || text.size() > 65'535 || text.find('\0') != std::string_view::npos) return false;
  const auto steps = base::split(text, '/');
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].find_first_of("+#") == std::string_view::npos) continue;
    if (steps[i] != "+" && steps[i] != "#") return false;
    if (steps[i] == "#" && i + 1 != steps.size()) return false;
  }
  return true;
}

}  // namespace kiln::channels
