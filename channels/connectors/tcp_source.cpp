// Messages over plain TCP with a framing of their own: devices and old systems that do not speak MLLP.

#include <set>

#include "channels/connectors/detail/sender_rule.h"
#include "channels/connectors/detail/common.h"
#include "channels/connectors/detail/listener_options.h"
#include "channels/connectors/detail/tcp_framing.h"

namespace kiln::channels {

namespace {

namespace limits = base::limits;

constexpr std::size_t kReadBytes = 64u << 10;
constexpr std::int64_t kWriteMs = 30'000;  ///< a sender that does not read its answers
constexpr const char* kContentWords[] = {"hl7", "fhir", "csv"};
constexpr FieldSpec kOptions[] = {
    detail::kPort,
    detail::kBind,
    kTlsListener,
    detail::kInsecure,
    detail::kFramingKind,
    detail::kFramingStart,
    detail::kFramingEnd,
    detail::kFramingLength,
    detail::kFramingOrder,
    detail::kFramingCounts,
    detail::kFramingSize,
    {.name = "content",
     .type = FieldType::word,
     .summary = "what a message holds",
     .default_value = "hl7",
     .words = kContentWords},
    {.name = "accepted_bytes",
     .type = FieldType::string,
     .summary = "answer to a message that was taken, in hexadecimal; without: the acknowledgement of hl7 in the same framing"},
    {.name = "refused_bytes", .type = FieldType::string, .summary = "answer to one that was not, with `accepted_bytes`"},
    detail::kCharset,
    detail::kTimezone,
    detail::kMaxMessage,
    detail::kConnections,
    {.name = "idle",
     .type = FieldType::duration,
     .summary = "quiet time between messages before closing",
     .default_value = "10m",
     .min = 10},
    {.name = "frame_timeout",
     .type = FieldType::duration,
     .summary = "time for one message to arrive",
     .default_value = "30s",
     .min = 10},
    detail::kOnStoreFailure,
    detail::kValidateOption,
};
constexpr ConnectorExample kExamples[] = {
    {"{ port 4000 }"},
    {"{ port 4000; framing length; length_bytes 2; length_order little; content csv; accepted_bytes \"06\"; refused_bytes \"15\" }"},
    {"{ port 4000; framing fixed; size 80; content csv; accepted_bytes \"06\" }"},
    {"{ port 4000; framing connection; max_message 1MB }"},
    {"{ port 4000; framing fixed }", false},
    {"{ port 4000; end_bytes \"xy\" }", false},
    {"{ framing length }", false},
};

class TcpSource final : public std::enable_shared_from_this<TcpSource> {
 public:
  TcpSource(const Options& options, const Surroundings& around)
      : options_(options), around_(around), framing_(detail::tcp_framing(options)), ended_(around.network.executor()) {
    const std::string content = options.text("content");
    content_ = content == "fhir" ? ContentKind::fhir : content == "csv" ? ContentKind::csv : ContentKind::hl7;
    accepted_ = detail::parse_hex(options.text("accepted_bytes")).value_or("");
    refused_ = detail::parse_hex(options.text("refused_bytes")).value_or("");
  }

  base::Status start(Intake& intake) {
    intake_ = &intake;
    stopping_ = false;
    const std::weak_ptr<TcpSource> weak = weak_from_this();
    auto on_accept = [weak](base::StreamPtr stream) {
      const auto self = weak.lock();
      if (!self || self->stopping_) return stream->close();
      if (self->streams_.size() >= static_cast<std::size_t>(self->options_.number("connections"))) {
        ++self->status_.refused_connections;
        return stream->close();
      }
      self->streams_.insert(stream);
      ++self->status_.connections_total;
      base::spawn(serve(self, std::move(stream)));
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
  base::Task<void> stop() { return end(shared_from_this()); }
  ConnectorStatus status() const {
    ConnectorStatus out = status_;
    out.connections = streams_.size();
    return out;
  }

 private:
  /// Messages that were given to the channel get their answers; connections that wait for one close at once.
  static base::Task<void> end(std::shared_ptr<TcpSource> self) {
    self->stopping_ = true;
    if (self->listener_) self->listener_->close();
    const auto open = self->streams_;
    for (const base::StreamPtr& stream : open)
      if (!self->answering_.contains(stream)) stream->close();
    while (!self->streams_.empty()) {
      auto wait = self->ended_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    self->listener_ = nullptr;
    self->status_.state = ConnectorStatus::State::down;
    self->status_.port = 0;
  }

  static base::Task<void> report(std::shared_ptr<TcpSource> self, base::StreamPtr stream, Unframed::Kind kind, std::size_t bytes,
                                 std::string head, const char* why) {
    Unframed what;
    what.kind = kind;
    what.bytes = bytes;
    what.head = std::move(head);
    what.head.resize(std::min(what.head.size(), limits::kMllpGarbageMax));
    what.peer = stream->peer();
    what.detail = why;
    what.received_at = self->around_.clock.wall();
    ++self->status_.unframed;
    self->status_.last_error = why;
    auto reporting = self->intake_->report(std::move(what));
    co_await std::move(reporting);
  }

  /// The bytes of the answer, or nothing.
  std::string answer_bytes(const Answer& answer) const {
    if (!accepted_.empty()) return answer.taken == Taken::stored ? accepted_ : refused_;
    std::string reply = answer.reply;
    if (const std::size_t at = reply.find(kReplySeparator); at != reply.npos) reply.erase(0, at + kReplySeparator.size());
    if (reply.empty()) return {};
    return detail::encode_frame(reply, framing_).value_or("");
  }

  /// True: the certificate of the sender does not stand for this message (`tls { allow … }`); of content without MSH-3 it must
  /// be one of those that are named at all.
  bool denies(const base::StreamPtr& stream, const std::string& bytes) const {
    if (!senders_.restricts()) return false;
    const std::vector<std::string> names = senders_.names_for(stream);
    return content_ == ContentKind::hl7 ? !detail::first_denied(bytes, names).empty() : names.empty();
  }

  /// One message after the other: the next is read when this one is answered. False: the connection is to end.
  static base::Task<bool> take(std::shared_ptr<TcpSource> self, base::StreamPtr stream, std::string bytes) {
    while (!self->intake_->has_room()) {
      auto room = self->intake_->room();
      co_await std::move(room);
    }
    if (self->denies(stream, bytes)) {
      auto reporting = report(self, stream, Unframed::Kind::refused_sender, bytes.size(), bytes,
                              base::error_info(base::ErrorCode::sender_not_allowed).text);
      co_await std::move(reporting);
      co_return false;
    }
    Inbound message;
    message.bytes = std::move(bytes);
    message.kind = self->content_;
    message.peer = stream->peer();
    message.received_at = self->around_.clock.wall();
    ++self->status_.messages;
    self->answering_.insert(stream);
    auto accepting = self->intake_->accept(std::move(message));
    const Answer answer = co_await std::move(accepting);
    std::string out = self->answer_bytes(answer);
    bool good = !answer.close;
    if (!out.empty()) {
      auto writing = stream->write_all(std::move(out), kWriteMs);
      const base::Status written = co_await std::move(writing);
      good = good && written;
    }
    self->answering_.erase(stream);
    co_return good && !self->stopping_;
  }

  static base::Task<void> serve(std::shared_ptr<TcpSource> self, base::StreamPtr stream) {
    detail::TcpFramer framer(self->framing_);
    std::string buffer(kReadBytes, '\0');
    auto began = self->around_.clock.mono();
    for (bool open = true; open && !self->stopping_;) {
      const std::int64_t spent = (self->around_.clock.mono() - began) / std::chrono::milliseconds(1);
      const std::int64_t wait = framer.in_message() ? std::max<std::int64_t>(1, self->options_.number("frame_timeout") - spent)
                                                    : self->options_.number("idle");
      auto reading = stream->read_some(buffer.data(), buffer.size(), wait);
      const auto got = co_await std::move(reading);
      const bool more = got && *got != 0;
      if (more && !framer.in_message()) began = self->around_.clock.mono();
      if (more) framer.push(std::string_view(buffer.data(), *got));
      std::optional<std::string> message = framer.next();
      // A connection that timed out has not said that its message is whole.
      if (!more && !message && got) message = framer.finish();
      while (open && message) {
        auto taking = take(self, stream, std::move(*message));
        open = co_await std::move(taking);
        began = self->around_.clock.mono();
        message = framer.next();
      }
      if (const std::size_t lost = framer.take_lost(); lost != 0) {
        auto reporting = report(self, stream, Unframed::Kind::garbage, lost, "", "bytes outside of a message");
        co_await std::move(reporting);
      }
      if (framer.too_large()) {
        auto reporting = report(self, stream, Unframed::Kind::oversize, framer.rest().size(), framer.rest(), "a message larger than `max_message`");
        co_await std::move(reporting);
        break;
      }
      if (more) continue;
      if (framer.in_message() && !self->stopping_) {
        auto reporting = report(self, stream, Unframed::Kind::cut_frame, framer.rest().size(), framer.rest(), "a message that was never finished");
        co_await std::move(reporting);
      }
      break;
    }
    stream->close();
    self->streams_.erase(stream);
    self->ended_.notify();
  }

  Options options_;
  Surroundings around_;
  detail::SenderRule senders_{options_};
  detail::TcpFraming framing_;
  ContentKind content_ = ContentKind::hl7;
  std::string accepted_, refused_;
  Intake* intake_ = nullptr;
  std::unique_ptr<base::Listener> listener_;
  std::set<base::StreamPtr> streams_, answering_;
  base::Event ended_;
  bool stopping_ = false;
  ConnectorStatus status_;
};

std::vector<OptionProblem> check(const Options& options) {
  std::vector<OptionProblem> out = detail::check_framing(options);
  for (const char* name : {"accepted_bytes", "refused_bytes"})
    if (!detail::parse_hex(options.text(name)))
      out.push_back({base::ErrorCode::E0917, name, "an even number of hexadecimal digits is expected", "\"06\""});
  if (options.has("refused_bytes") && !options.has("accepted_bytes"))
    out.push_back({base::ErrorCode::E0905, "refused_bytes", "`refused_bytes` needs `accepted_bytes`", "accepted_bytes \"06\""});
  return out;
}

std::unique_ptr<Source> make(const Options& options, const Surroundings& around) {
  return std::make_unique<detail::SharedSource<TcpSource>>(std::make_shared<TcpSource>(options, around));
}

}  // namespace

const ConnectorSpec& tcp_source_spec() {
  static const ConnectorSpec spec{.name = "tcp",
                                  .role = ConnectorRole::source,
                                  .summary = "listens for messages over TCP with a framing of their own",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_source = &make,
                                  .listens_on = &detail::listens_on};
  return spec;
}

}  // namespace kiln::channels
