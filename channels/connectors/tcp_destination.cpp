// Sends messages over plain TCP with a framing of their own, one outstanding, and reads the answer.

#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/hl7_answer.h"
#include "channels/connectors/detail/tcp_framing.h"
#include "channels/tls_fields.h"
#include "channels/tls_settings.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;
using Kind = SendOutcome::Kind;

constexpr const char* kUntilWords[] = {"answer", "bytes", "written"};
constexpr FieldSpec kOptions[] = {
    {.name = "host", .type = FieldType::string, .summary = "name or IP address of the receiver", .required = true},
    {.name = "port", .type = FieldType::integer, .summary = "TCP port", .required = true, .min = 1, .max = 65535},
    detail::kFramingKind,
    detail::kFramingStart,
    detail::kFramingEnd,
    detail::kFramingLength,
    detail::kFramingOrder,
    detail::kFramingCounts,
    detail::kFramingSize,
    {.name = "until",
     .type = FieldType::word,
     .summary = "what ends a delivery: an acknowledgement of HL7 in the same framing, `accepted_bytes`, or that it was "
                "written, which says nothing of its arrival",
     .default_value = "answer",
     .words = kUntilWords},
    {.name = "accepted_bytes", .type = FieldType::string, .summary = "answer of a receiver that took it, in hexadecimal"},
    {.name = "timeout",
     .type = FieldType::duration,
     .summary = "wait for the answer, then close and resend",
     .default_value = "30s",
     .min = 10},
    {.name = "connect_timeout",
     .type = FieldType::duration,
     .summary = "wait for the connection",
     .default_value = "10s",
     .min = 10},
    kTlsClient,
};
constexpr ConnectorExample kExamples[] = {
    {"{ host \"analyser.example.org\"; port 4000 }"},
    {"{ host \"printer.example.org\"; port 9100; framing connection; until written }"},
    {"{ host \"analyser.example.org\"; port 4000; framing length; length_bytes 2; until bytes; accepted_bytes \"06\"; timeout 5s }"},
    {"{ host \"analyser.example.org\"; port 4000; until bytes }", false},
    {"{ host \"analyser.example.org\"; port 4000; framing connection; until answer }", false},
    {"{ host \"analyser.example.org\" }", false},
};

class TcpDestination final : public Destination {
 public:
  TcpDestination(const Options& options, const Surroundings& around)
      : options_(options),
        around_(around),
        framing_(detail::tcp_framing(options)),
        accepted_(detail::parse_hex(options.text("accepted_bytes")).value_or("")),
        idle_(around.network.executor()) {}

  base::Status start() override {
    stopping_ = false;
    if (!options_.has("tls")) return {};
    auto tls = TlsSettings::client(options_.block("tls"), around_.env, around_.clock, around_.channel);
    if (!tls) return detail::option_error("tls", tls.error());
    tls_ = std::move(*tls);
    return {};
  }

  base::Task<SendOutcome> send(Outgoing message) override {
    sending_ = true;
    auto attempting = attempt(std::move(message));
    SendOutcome outcome = co_await std::move(attempting);
    const bool good = outcome.kind == Kind::sent || outcome.kind == Kind::negative;
    if (outcome.kind == Kind::sent) ++status_.messages;
    status_.last_error = outcome.detail;
    if (!good || framing_.kind == detail::TcpFraming::Kind::connection) close();
    status_.state = good ? ConnectorStatus::State::up : ConnectorStatus::State::down;
    sending_ = false;
    idle_.notify();
    co_return outcome;
  }

  base::Task<void> stop() override {
    stopping_ = true;
    close();
    while (sending_) {
      auto wait = idle_.wait(std::chrono::milliseconds(20));
      co_await wait;
      close();
    }
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override {
    ConnectorStatus out = status_;
    out.connections = stream_ ? 1 : 0;
    return out;
  }

 private:
  void close() {
    if (stream_) stream_->close();
    stream_ = nullptr;
  }

  base::Task<base::Status> open() {
    if (stream_) co_return base::Status();
    const std::string host = options_.text("host");
    const auto port = static_cast<std::uint16_t>(options_.number("port"));
    const std::int64_t timeout = options_.number("connect_timeout");
    base::Result<base::StreamPtr> made = base::fail(ErrorCode::internal);
    if (tls_) {
      auto connecting = connect_tls(&around_.network, host, port, timeout, tls_->current());
      made = co_await std::move(connecting);
    } else {
      auto connecting = around_.network.connect(host, port, timeout);
      made = co_await std::move(connecting);
    }
    if (!made) co_return base::fail(made.error());
    stream_ = *made;
    ++status_.connections_total;
    co_return base::Status();
  }

  base::Task<SendOutcome> attempt(Outgoing message) {
    auto frame = detail::encode_frame(message.csv_header + message.bytes, framing_);
    if (!frame) co_return SendOutcome::failed(Kind::bad, frame.error());
    auto opening = open();
    const base::Status opened = co_await std::move(opening);
    if (!opened) co_return SendOutcome::failed(Kind::retry, opened.error());
    if (stopping_) co_return SendOutcome::failed(Kind::retry, {ErrorCode::cancelled, "stopped", "", ""});
    const base::StreamPtr stream = stream_;
    auto writing = stream->write_all(std::move(*frame), options_.number("timeout"));
    const base::Status written = co_await std::move(writing);
    if (!written) co_return SendOutcome::failed(Kind::in_doubt, written.error());
    if (options_.text("until") == "written") co_return SendOutcome::sent("written");
    auto reading = read_answer(stream, std::move(message.control_id));
    SendOutcome outcome = co_await std::move(reading);
    co_return outcome;
  }

  /// Whatever is not the answer to this very message leaves it in doubt and ends the connection.
  base::Task<SendOutcome> read_answer(base::StreamPtr stream, std::string control_id) {
    const bool bytes = options_.text("until") == "bytes";
    const auto end = around_.clock.mono() + std::chrono::milliseconds(options_.number("timeout"));
    detail::TcpFramer framer(framing_);
    std::string got_bytes, buffer(4096, '\0');
    for (;;) {
      const std::int64_t left = (end - around_.clock.mono()) / std::chrono::milliseconds(1);
      auto reading = stream->read_some(buffer.data(), buffer.size(), std::max<std::int64_t>(left, 0));
      const auto got = co_await std::move(reading);
      if (!got && got.error().code == ErrorCode::timeout)
        co_return SendOutcome::failed(Kind::in_doubt, {ErrorCode::timeout, "no answer in time", "", ""});
      if (!got || *got == 0)
        co_return SendOutcome::failed(Kind::in_doubt, {ErrorCode::connection_closed, "the connection was closed before the answer came", "", ""});
      if (bytes) {
        got_bytes.append(buffer.data(), *got);
        if (got_bytes == accepted_) co_return SendOutcome::sent("accepted");
        if (!accepted_.starts_with(got_bytes)) co_return refused(std::move(got_bytes));
        continue;
      }
      framer.push(std::string_view(buffer.data(), *got));
      std::optional<std::string> frame = framer.next();
      if (framer.too_large())
        co_return SendOutcome::failed(Kind::in_doubt, {ErrorCode::answer_unreadable, "the answer is too large", "", ""});
      if (!frame) continue;
      if (framer.in_message())
        co_return SendOutcome::failed(Kind::in_doubt, {ErrorCode::answer_unreadable, "more than one answer", "", ""});
      co_return detail::judge_acknowledgement(std::move(*frame), control_id);
    }
  }

  static SendOutcome refused(std::string answer) {
    SendOutcome out = SendOutcome::failed(Kind::negative, {ErrorCode::peer_negative, "the receiver answered other bytes than `accepted_bytes`", "", ""});
    out.code = "AE";
    out.reply = std::move(answer);
    return out;
  }

  Options options_;
  Surroundings around_;
  detail::TcpFraming framing_;
  std::string accepted_;
  std::shared_ptr<TlsSettings> tls_;
  base::StreamPtr stream_;
  base::Event idle_;
  bool sending_ = false, stopping_ = false;
  ConnectorStatus status_;
};

std::vector<OptionProblem> check(const Options& options) {
  std::vector<OptionProblem> out = detail::check_framing(options);
  const std::string until = options.text("until");
  const auto accepted = detail::parse_hex(options.text("accepted_bytes"));
  if (!accepted) out.push_back({ErrorCode::E0917, "accepted_bytes", "an even number of hexadecimal digits is expected", "\"06\""});
  if ((until == "bytes") != options.has("accepted_bytes"))
    out.push_back({ErrorCode::E0905, until == "bytes" ? "until" : "accepted_bytes", "`until bytes` and `accepted_bytes` belong together",
                   "until bytes; accepted_bytes \"06\""});
  if (until == "answer" && options.text("framing") == "connection")
    out.push_back({ErrorCode::E0917, "until", "with one message a connection there is no answer in the same framing", "until written"});
  return out;
}

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<TcpDestination>(options, around);
}

}  // namespace

const ConnectorSpec& tcp_destination_spec() {
  static const ConnectorSpec spec{.name = "tcp",
                                  .role = ConnectorRole::destination,
                                  .summary = "sends messages over TCP with a framing of their own",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
