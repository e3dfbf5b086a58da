// A mail for each message: that it came, and only when asked for the message itself.

#include "channels/connectors/detail/common.h"
#include "channels/net/smtp_client.h"
#include "channels/tls_fields.h"
#include "channels/tls_settings.h"
#include "engine/base/text.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;
using Kind = SendOutcome::Kind;

constexpr const char* kSecurityWords[] = {"none", "starttls", "tls"};
constexpr FieldSpec kOptions[] = {
    {.name = "host", .type = FieldType::string, .summary = "mail server", .required = true},
    {.name = "port",
     .type = FieldType::integer,
     .summary = "TCP port",
     .default_value = "587",
     .min = 1,
     .max = 65535},
    {.name = "security",
     .type = FieldType::word,
     .summary = "how the connection is encrypted",
     .default_value = "starttls",
     .words = kSecurityWords},
    {.name = "user", .type = FieldType::string, .summary = "account, when the server asks for one"},
    {.name = "password", .type = FieldType::secret, .summary = "its password"},
    {.name = "from", .type = FieldType::string, .summary = "sender's address", .required = true},
    {.name = "to", .type = FieldType::string, .summary = "receiver's address", .required = true, .repeated = true},
    {.name = "subject",
     .type = FieldType::string,
     .summary = "of each mail",
     .default_value = "\"Kiln: a message\""},
    {.name = "attach",
     .type = FieldType::boolean,
     .summary = "attach the message; false: the mail names channel, number and control id only",
     .default_value = "false"},
    {.name = "timeout",
     .type = FieldType::duration,
     .summary = "time for one mail",
     .default_value = "30s",
     .min = 100},
    kTlsClient,
};
constexpr ConnectorExample kExamples[] = {
    {"{ host \"mail.example.org\"; user \"kiln\"; password env(\"MAIL_PASSWORD\"); from \"kiln@example.org\"; to "
     "\"alarm@example.org\"; subject \"Critical result\" }"},
    {"{ host \"127.0.0.1\"; port 25; security none; from \"kiln@example.org\"; to \"a@example.org\"; to \"b@example.org\" }"},
    {"{ host \"mail.example.org\"; security none; attach true; from \"kiln@example.org\"; to \"a@example.org\" }", false},
    {"{ host \"mail.example.org\"; security none; user \"u\"; password env(\"P\"); from \"k@example.org\"; to \"a@example.org\" }",
     false},
    {"{ host \"mail.example.org\"; from \"kiln\"; to \"a@example.org\" }", false},
    {"{ host \"mail.example.org\"; from \"kiln@example.org\" }", false},
};

std::vector<OptionProblem> check(const Options& options) {
  std::vector<OptionProblem> out;
  for (const char* name : {"from", "to"})
    if (const auto* values = options.all(name))
      for (const OptionValue& value : *values)
        if (value.resolved && !is_mail_address(value.text))
          out.push_back({ErrorCode::E0917, name, "not a plain mail address", "\"name@example.org\""});
  if (options.has("user") != options.has("password"))
    out.push_back({ErrorCode::E0905, options.has("user") ? "user" : "password", "`user` and `password` belong together",
                   "password env(\"X\")"});
  if (options.text("security") != "none") return out;
  if (options.has("user"))
    out.push_back({ErrorCode::E0910, "security", "a password is not sent without encryption", "security starttls"});
  if (options.flag("attach") && !detail::is_this_machine(options.text("host")))
    out.push_back({ErrorCode::E0910, "security", "a message is not mailed without encryption", "security starttls"});
  return out;
}

const char* content_type(ContentKind kind) {
  return kind == ContentKind::hl7 ? "application/hl7-v2" : kind == ContentKind::fhir ? "application/fhir+json" : "text/csv";
}

class EmailDestination final : public Destination {
 public:
  EmailDestination(const Options& options, const Surroundings& around)
      : options_(options), around_(around), idle_(around.network.executor()) {}

  base::Status start() override {
    if (!options_.has("tls")) return {};
    auto tls = TlsSettings::client(options_.block("tls"), around_.env, around_.clock, around_.channel);
    if (!tls) return detail::option_error("tls", tls.error());
    tls_ = std::move(*tls);
    return {};
  }

  base::Task<SendOutcome> send(Outgoing message) override {
    sending_ = true;
    auto sending = send_mail(&around_.network, server(), mail_of(message));
    const MailOutcome done = co_await std::move(sending);
    sending_ = false;
    idle_.notify();
    SendOutcome outcome = SendOutcome::sent();
    if (!done.status)
      outcome = SendOutcome::failed(done.lasting ? Kind::bad : done.doubtful ? Kind::in_doubt : Kind::retry, done.status.error());
    if (done.status) ++status_.messages;
    status_.last_error = outcome.detail;
    status_.state = done.status ? ConnectorStatus::State::up : ConnectorStatus::State::down;
    co_return outcome;
  }

  /// A mail under way ends within its time-out.
  base::Task<void> stop() override {
    while (sending_) {
      auto wait = idle_.wait(std::chrono::nanoseconds(-1));
      co_await wait;
    }
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  SmtpServer server() const {
    SmtpServer out;
    out.host = options_.text("host");
    out.port = static_cast<std::uint16_t>(options_.number("port"));
    const std::string security = options_.text("security");
    out.security = security == "tls"    ? SmtpServer::Security::tls
                   : security == "none" ? SmtpServer::Security::none
                                        : SmtpServer::Security::starttls;
    out.user = options_.text("user");
    out.password = options_.text("password");
    out.timeout_ms = options_.number("timeout");
    if (tls_) out.tls = tls_->current();
    return out;
  }

  Mail mail_of(const Outgoing& message) const {
    Mail out;
    out.from = options_.text("from");
    for (const OptionValue& to : *options_.all("to")) out.to.push_back(to.text);
    out.subject = options_.text("subject");
    out.time = around_.clock.wall();
    out.id = message.channel + "." + message.destination + "." + std::to_string(message.msg_id);
    out.text = "Channel: " + message.channel + "\r\nMessage: " + std::to_string(message.msg_id) + "\r\n";
    if (!message.control_id.empty()) out.text += "Control id: " + message.control_id + "\r\n";
    if (options_.flag("attach"))
      out.attachments.push_back({std::to_string(message.msg_id) + (message.kind == ContentKind::hl7    ? ".hl7"
                                                                   : message.kind == ContentKind::fhir ? ".json"
                                                                                                       : ".csv"),
                                 content_type(message.kind), message.csv_header + message.bytes});
    return out;
  }

  Options options_;
  Surroundings around_;
  std::shared_ptr<TlsSettings> tls_;
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<EmailDestination>(options, around);
}

}  // namespace

const ConnectorSpec& email_destination_spec() {
  static const ConnectorSpec spec{.name = "email",
                                  .role = ConnectorRole::destination,
                                  .summary = "mails that a message came, or the message",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .check = &check,
                                  .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
