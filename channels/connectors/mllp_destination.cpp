// Sends HL7 v2 messages over one kept MLLP connection, one message outstanding, and reads the acknowledgement
// (hl7v2.md §11, reliability.md R5): whatever is not the answer to this very message never counts and closes
// the connection.

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/hl7_answer.h"
#include "engine/base/failpoint.h"
#include "channels/tls_fields.h"
#include "channels/tls_settings.h"
#include "hl7/mllp/framer.h"

namespace kiln::channels {

namespace {

namespace mllp = hl7::mllp;
using base::ErrorCode;
using Kind = SendOutcome::Kind;

constexpr std::int64_t kCommitWriteMs = 5'000;
constexpr std::int64_t kDrainMs = 5'000;  ///< wait for the answer under way when the engine stops

constexpr const char* kUntilWords[] = {"ack", "commit"};

constexpr FieldSpec kOptions[] = {
    {.name = "host",
     .type = FieldType::string,
     .summary = "name or IP address of the receiver",
     .required = true},
    {.name = "port",
     .type = FieldType::integer,
     .summary = "TCP port",
     .required = true,
     .min = 1,
     .max = 65535},
    kTlsClient,
    {.name = "ack_timeout",
     .type = FieldType::duration,
     .summary = "wait for the acknowledgement, then close and resend",
     .default_value = "30s",
     .min = 10},
    {.name = "connect_timeout",
     .type = FieldType::duration,
     .summary = "wait for the connection",
     .default_value = "10s",
     .min = 10},
    {.name = "release",
     .type = FieldType::integer,
     .summary = "of MLLP; 2 waits for the commit byte of each frame",
     .default_value = "1",
     .min = 1,
     .max = 2},
    {.name = "until",
     .type = FieldType::word,
     .summary =
         "with release 2, what ends a delivery: the acknowledgement behind the commit byte, or that byte",
     .default_value = "ack",
     .words = kUntilWords},
    {.name = "start_byte",
     .type = FieldType::integer,
     .summary = "frame start",
     .default_value = "11",
     .max = 255},
    {.name = "end_byte",
     .type = FieldType::integer,
     .summary = "frame end",
     .default_value = "28",
     .max = 255},
    {.name = "trailer_byte",
     .type = FieldType::integer,
     .summary = "byte after the frame end",
     .default_value = "13",
     .max = 255},
};
constexpr ConnectorExample kExamples[] = {
    {"{ host \"pas.example.org\"; port 2600 }"},
    {"{ host \"127.0.0.1\"; port 2600; ack_timeout 5s; retry 10 backoff 1s..1m then quarantine; nak AR "
     "quarantine }"},
    {"{ host \"pas.example.org\"; port 2600; release 2; until commit }"},
    {"{ host \"pas.example.org\"; port 2600; tls { ca cred(\"pas-ca.crt\"); cert cred(\"kiln.crt\"); key "
     "cred(\"kiln.key\") } }"},
    {"{ host \"pas.example.org\"; port 2600; tls { cert cred(\"kiln.crt\") } }", false},
    {"{ host \"pas.example.org\"; port 2600; until commit }", false},
    {"{ host \"pas.example.org\" }", false},
    {"{ host \"pas.example.org\"; port 2600; connections 4 }", false},
};

/// One connection. Its reader runs from connect to close, so a peer that closes while nothing is sent is
/// noticed at once, and an answer that nobody waits for is seen as what it is.
struct Link {
  Link(base::StreamPtr s, const mllp::FramerOptions& options, base::TimerExecutor& executor)
      : stream(std::move(s)), framer(options), bytes(options.bytes), changed(executor) {}
  base::StreamPtr stream;
  mllp::Framer framer;
  mllp::FrameBytes bytes;
  bool alive = true;
  bool waiting = false;     ///< a message is out
  bool unreadable = false;  ///< the answer is no frame
  bool release2 = false;
  bool committed = false;    ///< the commit byte for the message that is out has come
  bool refused = false;      ///< the negative one has
  bool owes_commit = false;  ///< an acknowledgement came as a frame, which is to be committed too
  bool reader_running = true;
  std::optional<std::string> answer;
  base::Event changed;

  void close() {
    alive = false;
    stream->close();
    changed.notify();
  }
};
using LinkPtr = std::shared_ptr<Link>;

void take_events(Link& link) {
  while (auto event = link.framer.next()) {
    const bool commit =
        event->kind == mllp::EventKind::commit_ack || event->kind == mllp::EventKind::commit_nak;
    if (commit && link.release2 && link.waiting && !link.committed) {
      (event->kind == mllp::EventKind::commit_ack ? link.committed : link.refused) = true;
      continue;
    }
    const bool answer = event->kind == mllp::EventKind::frame && link.waiting && !link.answer;
    if (answer) {
      link.answer = std::move(event->bytes);
      link.owes_commit = link.release2;
    } else if (event->kind != mllp::EventKind::note && event->kind != mllp::EventKind::keep_alive) {
      link.unreadable = true;
      link.alive = false;
    }
  }
}

base::Task<void> read_answers(LinkPtr link) {
  std::string buffer(4096, '\0');
  while (link->alive) {
    auto reading = link->stream->read_some(buffer.data(), buffer.size(), -1);
    const auto got = co_await std::move(reading);
    if (got && *got != 0) {
      link->framer.push(std::string_view(buffer.data(), *got));
      if (link->framer.waits_for_silence())
        link->framer.silence();  // an answer without trailer need not wait for it
    } else {
      link->framer.finish();
      link->alive = false;
    }
    take_events(*link);
    if (link->owes_commit) {
      link->owes_commit = false;
      std::string commit = mllp::commit_frame(true, link->bytes);
      auto writing = link->stream->write_all(std::move(commit), kCommitWriteMs);
      const auto written = co_await std::move(writing);
      if (!written) link->alive = false;
    }
    link->changed.notify();
  }
  link->stream->close();
  link->reader_running = false;
  link->changed.notify();
}

using Connecting = base::Completion<base::Result<base::StreamPtr>>;

/// Apart from the sender, so that stop() need not wait for a connection that does not come.
base::Task<void> connect_into(base::Network* network, std::string host, std::uint16_t port,
                              std::int64_t timeout_ms, std::shared_ptr<TlsSettings> tls, Connecting done) {
  if (tls) {
    auto encrypting = connect_tls(network, std::move(host), port, timeout_ms, tls->current());
    auto encrypted = co_await std::move(encrypting);
    done.set(std::move(encrypted));
    co_return;
  }
  auto connecting = network->connect(std::move(host), port, timeout_ms);
  auto stream = co_await std::move(connecting);
  done.set(std::move(stream));
}

class MllpDestination final : public Destination {
 public:
  MllpDestination(const Options& options, const Surroundings& around)
      : options_(options), around_(around), idle_(around.network.executor()) {
    framing_.bytes.start = static_cast<char>(options.number("start_byte"));
    framing_.bytes.end = static_cast<char>(options.number("end_byte"));
    framing_.bytes.trailer = static_cast<char>(options.number("trailer_byte"));
    framing_.unframed = mllp::Unframed::report;
  }

  base::Status start() override {
    stopping_ = false;
    if (!options_.has("tls")) return {};
    auto tls = TlsSettings::client(options_.block("tls"), around_.env, around_.clock, around_.channel);
    if (!tls) return detail::option_error("tls", tls.error());
    tls_ = std::move(*tls);
    return {};
  }
  base::Task<SendOutcome> send(Outgoing message) override;
  base::Task<void> stop() override;
  ConnectorStatus status() const override {
    ConnectorStatus out = status_;
    out.connections = link_ && link_->alive ? 1 : 0;
    if (out.connections == 1) out.state = ConnectorStatus::State::up;
    return out;
  }

 private:
  base::Task<base::Status> open();
  base::Task<SendOutcome> attempt(Outgoing message);
  base::Task<SendOutcome> wait_for_answer(LinkPtr link, std::string control_id);
  SendOutcome judge(std::string answer, const std::string& control_id);
  SendOutcome refused();
  SendOutcome fail(Kind kind, base::Error why) {
    status_.last_error = why.message();
    if (link_) link_->close();
    return SendOutcome::failed(kind, std::move(why));
  }

  Options options_;
  Surroundings around_;
  mllp::FramerOptions framing_;
  std::shared_ptr<TlsSettings> tls_;  ///< null: plaintext
  LinkPtr link_;
  std::optional<Connecting> connecting_;
  base::Event idle_;  ///< a send has ended
  bool sending_ = false;
  bool stopping_ = false;
  ConnectorStatus status_;
};

base::Task<base::Status> MllpDestination::open() {
  if (link_ && link_->alive) co_return base::Status();
  status_.state = ConnectorStatus::State::connecting;
  const Connecting connecting(around_.network.executor());
  connecting_ = connecting;
  base::spawn(connect_into(&around_.network, options_.text("host"),
                           static_cast<std::uint16_t>(options_.number("port")),
                           options_.number("connect_timeout"), tls_, connecting));
  auto stream = co_await connecting;
  base::failpoint_here("mllp.connect");
  connecting_.reset();
  status_.state = ConnectorStatus::State::down;
  if (!stream) co_return base::fail(stream.error());
  link_ = std::make_shared<Link>(std::move(*stream), framing_, around_.network.executor());
  link_->release2 = options_.number("release") == 2;
  ++status_.connections_total;
  base::spawn(read_answers(link_));
  co_return base::Status();
}

base::Task<SendOutcome> MllpDestination::send(Outgoing message) {
  sending_ = true;
  auto attempting = attempt(std::move(message));
  SendOutcome outcome = co_await std::move(attempting);
  sending_ = false;
  idle_.notify();
  co_return outcome;
}

base::Task<SendOutcome> MllpDestination::attempt(Outgoing message) {
  auto frame = mllp::encode_frame(message.bytes, framing_.bytes);
  if (!frame) co_return SendOutcome::failed(Kind::bad, frame.error());
  auto opening = open();
  const auto opened = co_await std::move(opening);
  if (!opened) co_return fail(Kind::retry, opened.error());
  const LinkPtr link = link_;
  if (stopping_) co_return fail(Kind::retry, base::Error{ErrorCode::cancelled, "stopped", "", ""});
  link->waiting = true;
  link->committed = false;
  link->refused = false;
  link->answer.reset();
  if (base::failpoint_torn("mllp.send")) frame->resize(frame->size() / 2);
  auto writing = link->stream->write_all(std::move(*frame), options_.number("ack_timeout"));
  const auto written = co_await std::move(writing);
  base::failpoint_here("mllp.send.torn");
  if (!written) co_return fail(Kind::in_doubt, written.error());
  auto waiting = wait_for_answer(link, message.control_id);
  SendOutcome outcome = co_await std::move(waiting);
  link->waiting = false;
  co_return outcome;
}

base::Task<SendOutcome> MllpDestination::wait_for_answer(LinkPtr link, std::string control_id) {
  const auto end = around_.clock.mono() + std::chrono::milliseconds(options_.number("ack_timeout"));
  const bool until_commit = link->release2 && options_.text("until") == "commit";
  while (!link->answer && !link->refused && !(until_commit && link->committed) && link->alive) {
    const auto left = end - around_.clock.mono();
    if (left.count() <= 0) break;
    auto wait = link->changed.wait(left);
    const bool changed = co_await wait;
    if (!changed) break;
  }
  if (link->refused) co_return refused();
  base::failpoint_here("mllp.answer");
  if (link->answer) co_return judge(std::move(*link->answer), control_id);
  if (until_commit && link->committed) {
    ++status_.messages;
    status_.last_error.clear();
    co_return SendOutcome::sent("commit");
  }
  if (link->alive)
    co_return fail(Kind::in_doubt, base::Error{ErrorCode::timeout, "no acknowledgement in time", "", ""});
  const bool garbage = link->unreadable;
  base::Error why;
  why.code = garbage ? ErrorCode::answer_unreadable : ErrorCode::connection_closed;
  why.text =
      garbage ? "the answer is no MLLP frame" : "the connection was closed before the acknowledgement came";
  co_return fail(Kind::in_doubt, std::move(why));
}

/// The receiver could not store it: the same bytes again, on the same connection.
SendOutcome MllpDestination::refused() {
  SendOutcome out = SendOutcome::failed(
      Kind::retry,
      base::Error{ErrorCode::peer_unavailable, "the receiver could not store the message", "", ""});
  out.code = "NAK";
  status_.last_error = out.detail;
  return out;
}

/// What no longer fits the connection's order of question and answer ends it.
SendOutcome MllpDestination::judge(std::string answer, const std::string& control_id) {
  SendOutcome out = detail::judge_acknowledgement(std::move(answer), control_id);
  if (out.kind == Kind::sent) {
    ++status_.messages;
    status_.last_error.clear();
  } else if (out.kind == Kind::in_doubt) {
    status_.last_error = out.detail;
    if (link_) link_->close();
  }
  return out;
}

base::Task<void> MllpDestination::stop() {
  stopping_ = true;
  if (connecting_) connecting_->set(base::fail(ErrorCode::cancelled, "stopped"));
  // A message on its way gets its answer, so that nothing is in doubt when the receiver answers
  // (reliability.md R12).
  const auto end = around_.clock.mono() + std::chrono::milliseconds(kDrainMs);
  while (sending_) {
    const auto left = end - around_.clock.mono();
    if (left.count() <= 0) break;
    auto wait = idle_.wait(left);
    co_await wait;
  }
  const LinkPtr link = link_;
  if (link) link->close();
  while (sending_) {
    auto wait = idle_.wait(std::chrono::nanoseconds(-1));
    co_await wait;
  }
  while (link && link->reader_running) {
    auto wait = link->changed.wait(std::chrono::nanoseconds(-1));
    co_await wait;
  }
  link_ = nullptr;
}

std::vector<OptionProblem> check(const Options& options) {
  const bool release2 = options.number("release") == 2;
  if (release2 || options.text("until") != "commit") return {};
  return {{ErrorCode::E0917, "until", "release 1 has no commit byte", "`release 2`, or leave `until` out"}};
}

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<MllpDestination>(options, around);
}

}  // namespace

const ConnectorSpec& mllp_destination_spec() {
  static const ConnectorSpec spec{
      .name = "mllp",
      .role = ConnectorRole::destination,
      .summary = "sends HL7 v2 messages over MLLP and waits for each acknowledgement",
      .content = {.hl7 = true},
      .options = kOptions,
      .examples = kExamples,
      .check = &check,
      .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
