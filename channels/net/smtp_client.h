#pragma once
// Sends one mail to one server (RFC 5321), encrypted by STARTTLS (RFC 3207) or from the first byte, with AUTH PLAIN or
// LOGIN (RFC 4954, only over an encrypted connection).

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "channels/net/tls.h"
#include "engine/base/clock.h"
#include "engine/base/network.h"

namespace kiln::channels {

struct SmtpServer {
  enum class Security : std::uint8_t { none, starttls, tls };
  std::string host;
  std::uint16_t port = 587;
  Security security = Security::starttls;
  std::string user;      ///< empty: no login
  std::string password;
  std::string name = "localhost";                ///< what EHLO says of this side
  std::shared_ptr<const TlsContext> tls;         ///< null: the system's authorities
  std::int64_t timeout_ms = 30'000;              ///< for the whole mail
};

struct MailAttachment {
  std::string name;          ///< file name
  std::string content_type;  ///< "application/hl7-v2"
  std::string bytes;
};

/// Text is UTF-8. Addresses are plain ("alarm@example.org").
struct Mail {
  std::string from;
  std::vector<std::string> to;
  std::string subject;
  std::string text;
  std::vector<MailAttachment> attachments;
  std::string id;        ///< left part of the Message-ID: the same for a repetition; empty: of the time
  base::WallTime time;   ///< of the Date field
};

struct MailOutcome {
  base::Status status;
  bool lasting = false;  ///< the server refused it for good (5xx): the same mail is refused again
  bool doubtful = false; ///< the text was sent, and no answer came
};

/// Errors: connect_failed, tls_failed, timeout, connection_closed; bad_value for an address that is none;
/// peer_login_refused; peer_negative with the server's code, never its text. When some of several receivers are refused, the
/// mail goes to the others and the status says how many.
base::Task<MailOutcome> send_mail(base::Network* network, SmtpServer server, Mail mail);

/// Headers and body as sent, without dot stuffing; for tests.
std::string print_mail(const Mail& mail);
/// True for "a@b": one @, no blanks, controls, brackets or line ends.
bool is_mail_address(std::string_view text);

}  // namespace kiln::channels
