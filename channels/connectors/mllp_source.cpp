// MLLP listener (hl7v2.md §12): framing by hl7/mllp, answers in order of arrival, time limits and caps.

#include <map>
#include <set>

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/listener_options.h"
#include "channels/connectors/detail/mllp_batch.h"
#include "channels/connectors/detail/mllp_connection.h"
#include "channels/connectors/detail/mllp_options.h"
#include "channels/connectors/detail/sender_rule.h"
#include "engine/base/failpoint.h"
#include "hl7/mllp/framer.h"

namespace kiln::channels {

namespace {

namespace mllp = hl7::mllp;
namespace limits = base::limits;

constexpr std::size_t kReadBytesMin = 4u << 10;
constexpr std::size_t kReadBytesMax = 256u << 10;
constexpr std::int64_t kSilenceMs = 250;   ///< after an end byte without trailer
constexpr std::int64_t kWriteMs = 30'000;  ///< a sender that does not read its answers
constexpr std::int64_t kPassMs = 250;  ///< how long a half-received frame waits before it asks for room again
using detail::MllpConnection;
using detail::MllpSlot;
using ConnectionPtr = std::shared_ptr<MllpConnection>;

class MllpSource final : public Source, public std::enable_shared_from_this<MllpSource> {
 public:
  MllpSource(const Options& options, const Surroundings& around)
      : options_(options),
        around_(around),
        framing_(detail::framer_options(options)),
        senders_(options),
        release_(static_cast<int>(options.number("release"))),
        // Release 2 has one message outstanding: what is sent beyond it waits in the socket.
        unanswered_max_(release_ == 2 ? 1 : limits::kMllpPipelinedMax),
        passed_(around.network.executor()),
        ended_(around.network.executor()) {}

  base::Status start(Intake& intake) override {
    intake_ = &intake;
    stopping_ = false;
    const std::weak_ptr<MllpSource> weak = weak_from_this();
    auto on_accept = [weak](base::StreamPtr stream) {
      if (const auto self = weak.lock())
        self->accept(std::move(stream));
      else
        stream->close();
    };
    const auto listen = detail::listen_as_asked(options_, around_);
    if (!listen) return detail::option_error("tls", listen.error());
    auto listener = (*listen)(on_accept);
    if (!listener) return detail::option_error("port", listener.error());
    listener_ = std::move(*listener);
    status_.state = ConnectorStatus::State::up;
    status_.port = listener_->port();
    return {};
  }

  base::Task<void> stop() override;

  ConnectorStatus status() const override {
    ConnectorStatus out = status_;
    out.connections = connections_.size();
    return out;
  }

 private:
  void accept(base::StreamPtr stream);
  void refuse(base::StreamPtr stream, const char* why);
  void handle_events(const ConnectionPtr& connection);
  void handle_event(const ConnectionPtr& connection, mllp::Event event);
  bool deny(const ConnectionPtr& connection, const mllp::Event& event);
  void take(const ConnectionPtr& connection, mllp::Event event);
  void report(const ConnectionPtr& connection, Unframed::Kind kind, mllp::Event event, bool reply);
  void flush(const ConnectionPtr& connection);
  void end_if_done(const ConnectionPtr& connection);
  std::int64_t read_timeout(const MllpConnection& connection) const;
  bool may_read(const ConnectionPtr& connection);
  void count_held(const ConnectionPtr& connection);
  void stop_holding(const ConnectionPtr& connection);
  std::string answer_of(const MllpSlot& slot, bool& close) const;

  static base::Task<void> wait_for_room(std::shared_ptr<MllpSource> self, ConnectionPtr connection);
  static base::Task<void> read_loop(std::shared_ptr<MllpSource> self, ConnectionPtr connection);
  static base::Task<void> run_accept(std::shared_ptr<MllpSource> self, ConnectionPtr connection,
                                     Inbound message, std::shared_ptr<MllpSlot> slot);
  static base::Task<void> run_batch(std::shared_ptr<MllpSource> self, ConnectionPtr connection, Inbound whole,
                                    std::shared_ptr<MllpSlot> slot);
  void report_batch(const ConnectionPtr& connection, std::vector<Unframed> notes);
  static base::Task<void> run_report(std::shared_ptr<MllpSource> self, ConnectionPtr connection,
                                     Unframed what, std::shared_ptr<MllpSlot> slot);
  static base::Task<void> write_answers(std::shared_ptr<MllpSource> self, ConnectionPtr connection);
  static base::Task<void> report_refused(std::shared_ptr<MllpSource> self, Unframed what);

  Options options_;
  Surroundings around_;
  mllp::FramerOptions framing_;
  detail::SenderRule senders_;
  int release_;                 ///< of MLLP: 1 or 2
  std::size_t unanswered_max_;  ///< frames of a connection; beyond, it is not read
  Intake* intake_ = nullptr;
  ConnectionPtr passing_;  ///< reads on inside its frame although there is no room
  base::Event passed_;     ///< passing_ has ended its frame
  std::unique_ptr<base::Listener> listener_;
  std::set<ConnectionPtr> connections_;
  std::map<std::string, std::size_t> per_peer_;
  std::size_t reports_ = 0;  ///< running, of refused connections
  std::size_t loops_ = 0;    ///< read loops that have not ended: a frame left waiting would never be freed
  base::Event ended_;
  bool stopping_ = false;
  ConnectorStatus status_;
};

void MllpSource::accept(base::StreamPtr stream) {
  const std::string host = detail::host_of(stream->peer());
  if (stopping_) return stream->close();
  if (connections_.size() >= static_cast<std::size_t>(options_.number("connections")))
    return refuse(std::move(stream), "the listener has its most connections");
  if (per_peer_[host] >= static_cast<std::size_t>(options_.number("connections_per_peer")))
    return refuse(std::move(stream), "the address has its most connections");
  ++per_peer_[host];
  ++status_.connections_total;
  auto connection = std::make_shared<MllpConnection>(std::move(stream), framing_, around_.network.executor());
  if (senders_.restricts()) connection->applications = senders_.names_for(connection->stream);
  connections_.insert(connection);
  ++loops_;
  base::spawn(read_loop(shared_from_this(), connection));
}

void MllpSource::refuse(base::StreamPtr stream, const char* why) {
  Unframed what;
  what.kind = Unframed::Kind::refused_peer;
  what.peer = stream->peer();
  what.detail = why;
  what.received_at = around_.clock.wall();
  stream->close();
  ++status_.refused_connections;
  status_.last_error = why;
  ++reports_;
  base::spawn(report_refused(shared_from_this(), std::move(what)));
}

base::Task<void> MllpSource::report_refused(std::shared_ptr<MllpSource> self, Unframed what) {
  auto reporting = self->intake_->report(std::move(what));
  co_await std::move(reporting);
  --self->reports_;
  self->ended_.notify();
}

/// A frame has its time from its first byte, prolonged as long as it comes faster than
/// kMllpBytesPerSecondMin.
std::int64_t MllpSource::read_timeout(const MllpConnection& connection) const {
  if (connection.framer.waits_for_silence()) return kSilenceMs;
  if (!connection.framer.in_frame()) return options_.number("idle");
  const auto elapsed = around_.clock.mono() - connection.frame_began;
  const auto allowed = std::max<std::int64_t>(
      options_.number("frame_timeout"),
      static_cast<std::int64_t>(connection.frame_bytes) * 1000 / limits::kMllpBytesPerSecondMin);
  const std::int64_t left = allowed - std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count();
  return std::max<std::int64_t>(left, 0);
}

/// Without room nothing is read, but half-received frames together could fill the budget for ever: one of
/// them may always go on, so that at least one message ends and frees what it held.
bool MllpSource::may_read(const ConnectionPtr& connection) {
  if (intake_->has_room()) return true;
  if (!connection->framer.in_frame() || (passing_ && passing_ != connection)) return false;
  passing_ = connection;
  return true;
}

base::Task<void> MllpSource::wait_for_room(std::shared_ptr<MllpSource> self, ConnectionPtr connection) {
  if (!connection->framer.in_frame()) {
    auto room = self->intake_->room();
    co_await std::move(room);
    co_return;
  }
  const base::MonoTime began = self->around_.clock.mono();
  auto wait = self->passed_.wait(std::chrono::milliseconds(kPassMs));
  co_await wait;
  // The sender is not slow: it was not read.
  connection->frame_began += self->around_.clock.mono() - began;
}

void MllpSource::count_held(const ConnectionPtr& connection) {
  const std::size_t now = connection->read_ended ? 0 : connection->framer.buffered();
  if (now > connection->held) intake_->hold(now - connection->held);
  if (now < connection->held) intake_->release(connection->held - now);
  connection->held = now;
  if (passing_ == connection && (now == 0 || !connection->framer.in_frame())) {
    passing_ = nullptr;
    passed_.notify();
  }
}

void MllpSource::stop_holding(const ConnectionPtr& connection) {
  if (connection->held != 0) intake_->release(std::exchange(connection->held, 0));
  if (passing_ != connection) return;
  passing_ = nullptr;
  passed_.notify();
}

base::Task<void> MllpSource::read_loop(std::shared_ptr<MllpSource> self, ConnectionPtr connection) {
  std::string buffer(kReadBytesMin, '\0');
  while (!connection->read_ended) {
    while (connection->busy() >= self->unanswered_max_ && !connection->read_ended) {
      auto wait = connection->drained.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    if (!self->may_read(connection)) {
      auto waiting = wait_for_room(self, connection);
      co_await std::move(waiting);
      continue;
    }
    const std::int64_t timeout_ms = self->read_timeout(*connection);
    auto reading = connection->stream->read_some(buffer.data(), buffer.size(), timeout_ms);
    const auto got = co_await std::move(reading);
    if (connection->read_ended) break;
    if (got && *got != 0) {
      const bool was_in_frame = connection->framer.in_frame();
      connection->framer.push(std::string_view(buffer.data(), *got));
      self->handle_events(connection);
      if (!was_in_frame && connection->framer.in_frame())
        connection->frame_began = self->around_.clock.mono();
      connection->frame_bytes = connection->framer.buffered();
      self->count_held(connection);
      if (*got == buffer.size() && buffer.size() < kReadBytesMax) buffer.assign(buffer.size() * 2, '\0');
      continue;
    }
    const bool quiet = !got && got.error().code == base::ErrorCode::timeout;
    if (quiet && connection->framer.waits_for_silence()) {
      connection->framer.silence();
      self->handle_events(connection);
      self->count_held(connection);
      continue;
    }
    // Closed by the peer, idle for too long, or a frame that does not end: what is unfinished is reported.
    connection->framer.finish();
    self->handle_events(connection);
    connection->read_ended = true;
  }
  self->stop_holding(connection);
  self->end_if_done(connection);
  --self->loops_;
  self->ended_.notify();
}

void MllpSource::handle_events(const ConnectionPtr& connection) {
  while (!connection->read_ended) {
    auto event = connection->framer.next();
    if (!event) return;
    handle_event(connection, std::move(*event));
  }
}

void MllpSource::handle_event(const ConnectionPtr& connection, mllp::Event event) {
  switch (event.kind) {
    case mllp::EventKind::frame:
      return take(connection, std::move(event));
    case mllp::EventKind::note:
      connection->framing_fault = true;
      return;
    case mllp::EventKind::garbage:
      return report(connection, Unframed::Kind::garbage, std::move(event), false);
    case mllp::EventKind::lost_frame:
      connection->framing_fault = event.code == base::ErrorCode::mllp_lost_end;
      return report(connection, Unframed::Kind::cut_frame, std::move(event), false);
    case mllp::EventKind::too_large:
      report(connection, Unframed::Kind::oversize, std::move(event), true);
      connection->read_ended = true;
      return;
    case mllp::EventKind::protocol_error:
      connection->read_ended = true;
      return;
    case mllp::EventKind::commit_nak:
      // The sender could not keep our acknowledgement: it sends its message again and gets the stored one.
      if (release_ == 2) connection->read_ended = true;
      return;
    case mllp::EventKind::commit_ack:
    case mllp::EventKind::keep_alive:
      return;
  }
}

/// A message whose MSH-3 the certificate of its sender does not stand for: answered AR, never processed.
bool MllpSource::deny(const ConnectionPtr& connection, const mllp::Event& event) {
  if (!senders_.restricts()) return false;
  std::string denied = detail::first_denied(event.bytes, connection->applications);
  if (denied.empty()) return false;
  mllp::Event head;
  head.size = event.bytes.size();
  head.bytes = std::move(denied);
  head.code = base::ErrorCode::sender_not_allowed;
  report(connection, Unframed::Kind::refused_sender, std::move(head), true);
  return true;
}

void MllpSource::take(const ConnectionPtr& connection, mllp::Event event) {
  if (deny(connection, event)) return;
  Inbound message;
  message.bytes = std::move(event.bytes);
  message.kind = ContentKind::hl7;
  message.peer = connection->stream->peer();
  message.received_at = around_.clock.wall();
  message.framing_fault = std::exchange(connection->framing_fault, false);
  auto slot = std::make_shared<MllpSlot>();
  connection->unanswered.push_back(slot);
  ++connection->running;
  if (detail::is_batch(message.bytes))
    return base::spawn(run_batch(shared_from_this(), connection, std::move(message), slot));
  ++status_.messages;
  base::spawn(run_accept(shared_from_this(), connection, std::move(message), slot));
}

/// What of a batch is no message, and counts that do not agree: recorded, its messages are taken all the
/// same.
void MllpSource::report_batch(const ConnectionPtr& connection, std::vector<Unframed> notes) {
  for (Unframed& what : notes) {
    ++status_.unframed;
    status_.last_error = what.detail;
    ++connection->running;
    base::spawn(run_report(shared_from_this(), connection, std::move(what), nullptr));
  }
}

/// One frame, one answer (hl7v2.md §10).
base::Task<void> MllpSource::run_batch(std::shared_ptr<MllpSource> self, ConnectionPtr connection,
                                       Inbound whole, std::shared_ptr<MllpSlot> slot) {
  const hl7::Batch batch = hl7::split_batch(whole.bytes);
  self->status_.messages += batch.messages.size();
  self->report_batch(connection, detail::batch_notes(whole, batch));
  auto accepting = detail::accept_all(self->intake_, &self->around_.network.executor(),
                                      detail::batch_messages(whole, batch));
  std::vector<Answer> answers = co_await std::move(accepting);
  slot->durable = true;
  for (const Answer& answer : answers) {
    slot->close = slot->close || answer.close;
    slot->durable = slot->durable && answer.taken != Taken::not_stored;
  }
  slot->reply =
      detail::batch_answer(whole, batch, std::move(answers), self->options_.text("batch_answer") == "errors");
  slot->ready = true;
  --connection->running;
  connection->drained.notify();
  self->flush(connection);
}

void MllpSource::report(const ConnectionPtr& connection, Unframed::Kind kind, mllp::Event event, bool reply) {
  Unframed what;
  what.kind = kind;
  what.bytes = event.size;
  what.head = std::move(event.bytes);
  if (what.head.size() > limits::kMllpGarbageMax) what.head.resize(limits::kMllpGarbageMax);
  what.peer = connection->stream->peer();
  what.detail = base::error_info(event.code).text;
  what.received_at = around_.clock.wall();
  ++status_.unframed;
  status_.last_error = what.detail;
  std::shared_ptr<MllpSlot> slot;
  if (reply) {
    slot = std::make_shared<MllpSlot>();
    connection->unanswered.push_back(slot);
  }
  ++connection->running;
  base::spawn(run_report(shared_from_this(), connection, std::move(what), slot));
}

base::Task<void> MllpSource::run_accept(std::shared_ptr<MllpSource> self, ConnectionPtr connection,
                                        Inbound message, std::shared_ptr<MllpSlot> slot) {
  message.early = [self, connection, slot](std::string reply) {
    slot->begin(std::move(reply));
    self->flush(connection);
  };
  auto accepting = self->intake_->accept(std::move(message));
  Answer answer = co_await std::move(accepting);
  if (slot->begun) slot = connection->follow();
  slot->reply = std::move(answer.reply);
  slot->close = answer.close;
  slot->durable = answer.taken != Taken::not_stored;
  slot->ready = true;
  --connection->running;
  connection->drained.notify();
  self->flush(connection);
}

base::Task<void> MllpSource::run_report(std::shared_ptr<MllpSource> self, ConnectionPtr connection,
                                        Unframed what, std::shared_ptr<MllpSlot> slot) {
  auto reporting = self->intake_->report(std::move(what));
  Answer answer = co_await std::move(reporting);
  --connection->running;
  connection->drained.notify();
  if (slot) {
    slot->reply = std::move(answer.reply);
    slot->close = answer.close || slot->reply.empty();
    slot->ready = true;
  }
  self->flush(connection);
}

void MllpSource::flush(const ConnectionPtr& connection) {
  if (connection->writing) return;
  if (connection->unanswered.empty() || !connection->unanswered.front()->ready)
    return end_if_done(connection);
  connection->writing = true;
  base::spawn(write_answers(shared_from_this(), connection));
}

/// Release 2: the commit answer, then the acknowledgement as a frame of its own, if there is one.
std::string MllpSource::answer_of(const MllpSlot& slot, bool& close) const {
  close = slot.close;
  std::string out;
  if (release_ == 2 && !slot.follows) out = mllp::commit_frame(slot.durable, framing_.bytes);
  if (slot.reply.empty()) return out;
  const auto frames = detail::encode_reply(slot.reply, framing_.bytes);
  if (!frames) close = true;
  return frames ? out + *frames : out;
}

base::Task<void> MllpSource::write_answers(std::shared_ptr<MllpSource> self, ConnectionPtr connection) {
  bool close = false;
  while (!close && !connection->unanswered.empty() && connection->unanswered.front()->ready) {
    std::string out;  // all answers that are ready leave in one write
    while (!close && !connection->unanswered.empty() && connection->unanswered.front()->ready) {
      out += self->answer_of(*connection->unanswered.front(), close);
      connection->unanswered.pop_front();
    }
    connection->drained.notify();
    if (out.empty()) continue;
    if (base::failpoint_torn("mllp.ack")) out.resize(out.size() / 2);
    auto writing = connection->stream->write_all(std::move(out), kWriteMs);
    const auto written = co_await std::move(writing);
    base::failpoint_here("mllp.ack.torn");
    if (!written) close = true;
  }
  connection->writing = false;
  if (close) {
    connection->unanswered.clear();
    connection->close();
    connection->drained.notify();
  }
  self->end_if_done(connection);
}

/// Closes and forgets a connection that reads no more and owes nothing.
void MllpSource::end_if_done(const ConnectionPtr& connection) {
  if (!connection->read_ended || connection->running != 0 || connection->writing ||
      !connection->unanswered.empty())
    return;
  connection->stream->close();
  if (connections_.erase(connection) == 0) return;
  const auto peer = per_peer_.find(detail::host_of(connection->stream->peer()));
  if (--peer->second == 0) per_peer_.erase(peer);
  ended_.notify();
}

base::Task<void> MllpSource::stop() {
  const auto self = shared_from_this();
  stopping_ = true;
  if (listener_) listener_->close();
  const auto open = connections_;
  for (const auto& connection : open) {
    connection->read_ended = true;
    connection->drained.notify();
    if (connection->running == 0 && !connection->writing) connection->stream->close();
    end_if_done(connection);
  }
  while (!connections_.empty() || reports_ != 0 || loops_ != 0) {
    auto wait = ended_.wait(std::chrono::nanoseconds(-1));
    co_await wait;
  }
  listener_ = nullptr;
  status_.state = ConnectorStatus::State::down;
  status_.port = 0;
}

std::unique_ptr<Source> make(const Options& options, const Surroundings& around) {
  return std::make_unique<detail::SharedSource<MllpSource>>(std::make_shared<MllpSource>(options, around));
}

}  // namespace

const ConnectorSpec& mllp_source_spec() {
  static const ConnectorSpec spec{.name = "mllp",
                                  .role = ConnectorRole::source,
                                  .summary = "listens for HL7 v2 messages over MLLP",
                                  .content = {.hl7 = true},
                                  .options = detail::mllp_source_options(),
                                  .examples = detail::mllp_source_examples(),
                                  .make_source = &make,
                                  .listens_on = &detail::listens_on};
  return spec;
}

}  // namespace kiln::channels
