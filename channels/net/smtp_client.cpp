#include "channels/net/smtp_client.h"

#include "channels/limits.h"
#include "channels/net/detail/http_text.h"
#include "channels/net/http_client.h"
#include "engine/base/executor.h"
#include "engine/base/text.h"

namespace kiln::channels {

namespace {

using base::ErrorCode;
using base::Status;

/// RFC 2045: lines of at most 76 characters.
std::string base64_lines(std::string_view bytes) {
  const std::string text = base::base64_encode(bytes);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += 76) out += text.substr(at, 76) + "\r\n";
  return out;
}

bool is_plain_ascii(std::string_view text) {
  for (const char c : text)
    if (c < 0x20 || c > 0x7e) return false;
  return true;
}

/// RFC 2047, in words of at most 45 bytes of whole characters.
std::string header_text(std::string_view text) {
  if (is_plain_ascii(text) && text.size() <= 70) return std::string(text);
  std::string out;
  while (!text.empty()) {
    std::size_t size = std::min<std::size_t>(45, text.size());
    while (size < text.size() && size > 1 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    out += (out.empty() ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?") + base::base64_encode(text.substr(0, size)) + "?=";
    text.remove_prefix(size);
  }
  return out;
}

std::string file_name(std::string_view name) {
  std::string out;
  for (const char c : name) out += (c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '/') ? '_' : c;
  return out;
}

/// "Thu, 01 Jan 2026 12:00:00 +0000": as HTTP's date but for the zone.
std::string mail_date(base::WallTime time) {
  std::string out = detail::http_date(time.micros);
  return out.substr(0, out.size() - 3) + "+0000";
}

/// Lines that begin with a dot get another one (RFC 5321 §4.5.2). Every line ends with CR LF: base64 and headers alone.
std::string stuffed(const std::string& text) {
  std::string out = text.starts_with('.') ? "." : "";
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == '\n' && i + 1 < text.size() && text[i + 1] == '.') out += '.';
  }
  return out;
}

/// One conversation. Lives as long as its coroutine.
struct Talk {
  base::TimerExecutor* executor = nullptr;
  base::StreamPtr stream;
  std::string buffer;
  std::string answer;  ///< of the last command, all lines
  bool late = false, encrypted = false;
};
using TalkPtr = std::shared_ptr<Talk>;

/// The code of an answer of one or more lines.
base::Task<base::Result<int>> read_answer(TalkPtr talk) {
  talk->answer.clear();
  std::string chunk(1024, '\0');
  for (;;) {
    for (auto end = talk->buffer.find("\r\n"); end != std::string::npos; end = talk->buffer.find("\r\n")) {
      const std::string line = talk->buffer.substr(0, end);
      talk->buffer.erase(0, end + 2);
      talk->answer += line + "\n";
      const bool number = line.size() >= 3 && line.find_first_not_of("0123456789") >= 3;
      if (!number) co_return base::fail(ErrorCode::connection_closed, "the peer does not speak SMTP");
      if (line.size() == 3 || line[3] != '-') co_return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    }
    if (talk->buffer.size() + talk->answer.size() > limits::kSmtpAnswerBytesMax)
      co_return base::fail(ErrorCode::limit_exceeded, "the server's answer is too long");
    auto reading = talk->stream->read_some(chunk.data(), chunk.size(), -1);
    const auto got = co_await std::move(reading);
    if (!got) co_return base::fail(got.error());
    if (*got == 0) co_return base::fail(ErrorCode::connection_closed, "the server closed the connection");
    talk->buffer.append(chunk.data(), *got);
  }
}

base::Task<base::Result<int>> command(TalkPtr talk, std::string line) {
  auto writing = talk->stream->write_all(line + "\r\n", -1);
  const Status written = co_await std::move(writing);
  if (!written) co_return base::fail(written.error());
  auto reading = read_answer(talk);
  const auto code = co_await std::move(reading);
  co_return code;
}

tl::unexpected<base::Error> refused(const char* what, int code) {
  return base::fail(ErrorCode::peer_negative, std::string("the mail server answered ") + what + " with " + std::to_string(code));
}

bool offers(const TalkPtr& talk, std::string_view word) {
  for (const std::string_view line : base::split(talk->answer, '\n')) {
    const std::string upper = base::lower_ascii(line.size() > 4 ? line.substr(4) : std::string_view());
    if (upper.substr(0, upper.find(' ')) == word) return true;
  }
  return false;
}

/// Greeting, EHLO, STARTTLS.
base::Task<Status> begin(TalkPtr talk, SmtpServer server) {
  auto greeting = read_answer(talk);
  auto code = co_await std::move(greeting);
  if (!code) co_return base::fail(code.error());
  if (*code != 220) co_return refused("the connection", *code);
  auto hello = command(talk, "EHLO " + server.name);
  code = co_await std::move(hello);
  if (!code) co_return base::fail(code.error());
  if (*code != 250) co_return refused("EHLO", *code);
  if (server.security != SmtpServer::Security::starttls) co_return Status();
  if (!offers(talk, "starttls"))
    co_return base::fail(ErrorCode::tls_failed, "the mail server offers no STARTTLS");
  auto starting = command(talk, "STARTTLS");
  code = co_await std::move(starting);
  if (!code) co_return base::fail(code.error());
  if (*code != 220) co_return refused("STARTTLS", *code);
  if (!talk->buffer.empty()) co_return base::fail(ErrorCode::tls_failed, "bytes before the encryption");
  std::shared_ptr<const TlsContext> context = server.tls;
  if (!context) {
    const auto system = system_tls();
    if (!system) co_return base::fail(system.error());
    context = *system;
  }
  auto encrypting = begin_tls(talk->executor, talk->stream, server.host, server.timeout_ms, context);
  auto encrypted = co_await std::move(encrypting);
  if (!encrypted) co_return base::fail(encrypted.error());
  talk->stream = *encrypted;
  talk->encrypted = true;
  auto again = command(talk, "EHLO " + server.name);
  code = co_await std::move(again);
  if (!code) co_return base::fail(code.error());
  if (*code != 250) co_return refused("EHLO", *code);
  co_return Status();
}

base::Task<Status> log_in(TalkPtr talk, SmtpServer server) {
  if (server.user.empty()) co_return Status();
  if (!talk->encrypted)
    co_return base::fail(ErrorCode::tls_failed, "a password is not sent without encryption", "", "use starttls or tls");
  const std::string upper = base::lower_ascii(talk->answer);
  base::Result<int> code = 0;
  if (upper.find("plain") != std::string::npos || upper.find("login") == std::string::npos) {
    const std::string both = '\0' + server.user + '\0' + server.password;
    auto plain = command(talk, "AUTH PLAIN " + base::base64_encode(both));
    code = co_await std::move(plain);
  } else {
    auto login = command(talk, "AUTH LOGIN");
    code = co_await std::move(login);
    if (code && *code == 334) {
      auto user = command(talk, base::base64_encode(server.user));
      code = co_await std::move(user);
    }
    if (code && *code == 334) {
      auto password = command(talk, base::base64_encode(server.password));
      code = co_await std::move(password);
    }
  }
  if (!code) co_return base::fail(code.error());
  if (*code == 235) co_return Status();
  co_return base::fail(ErrorCode::peer_login_refused);
}

/// MAIL, RCPT, DATA and the text.
base::Task<MailOutcome> hand_over(TalkPtr talk, Mail mail) {
  MailOutcome out;
  auto sender = command(talk, "MAIL FROM:<" + mail.from + ">");
  auto code = co_await std::move(sender);
  std::size_t taken = 0;
  const char* what = "the sender";
  for (std::size_t i = 0; code && *code / 100 == 2 && i < mail.to.size(); ++i) {
    what = "a receiver";
    auto receiver = command(talk, "RCPT TO:<" + mail.to[i] + ">");
    auto each = co_await std::move(receiver);
    if (!each) code = base::fail(each.error());
    if (each && *each / 100 == 2) ++taken;
    if (each && *each / 100 != 2 && i + 1 == mail.to.size() && taken == 0) code = *each;
  }
  if (code && taken != 0) {
    what = "DATA";
    auto data = command(talk, "DATA");
    code = co_await std::move(data);
    if (code && *code == 354) {
      out.doubtful = true;
      auto text = command(talk, stuffed(print_mail(mail)) + ".");
      code = co_await std::move(text);
      out.doubtful = !code;
    }
  }
  if (!code) {
    out.status = base::fail(code.error());
  } else if (*code / 100 != 2 || taken == 0) {
    out.lasting = *code / 100 == 5;
    out.status = refused(what, *code);
  } else if (taken < mail.to.size()) {
    out.status = base::fail(ErrorCode::peer_negative, std::to_string(mail.to.size() - taken) + " of " +
                                                          std::to_string(mail.to.size()) + " receivers were refused");
    out.lasting = true;
  }
  co_return out;
}

base::Task<MailOutcome> converse(TalkPtr talk, SmtpServer server, Mail mail) {
  MailOutcome out;
  auto beginning = begin(talk, server);
  out.status = co_await std::move(beginning);
  if (!out.status) co_return out;
  auto logging_in = log_in(talk, server);
  out.status = co_await std::move(logging_in);
  if (!out.status) co_return out;
  auto handing = hand_over(talk, std::move(mail));
  out = co_await std::move(handing);
  auto leaving = talk->stream->write_all("QUIT\r\n", 1'000);
  static_cast<void>(co_await std::move(leaving));
  co_return out;
}

base::Task<base::Result<base::StreamPtr>> connect(base::Network* network, SmtpServer server) {
  if (server.security != SmtpServer::Security::tls) {
    auto connecting = network->connect(server.host, server.port, server.timeout_ms);
    auto stream = co_await std::move(connecting);
    co_return stream;
  }
  std::shared_ptr<const TlsContext> context = server.tls;
  if (!context) {
    const auto system = system_tls();
    if (!system) co_return base::fail(system.error());
    context = *system;
  }
  auto connecting = connect_tls(network, server.host, server.port, server.timeout_ms, context);
  auto stream = co_await std::move(connecting);
  co_return stream;
}

}  // namespace

bool is_mail_address(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == text.size() || text.size() > 254) return false;
  for (const char c : text)
    if (c <= 0x20 || c > 0x7e || c == '<' || c == '>' || c == ',' || c == '"') return false;
  return text.find('@', at + 1) == std::string_view::npos;
}

std::string print_mail(const Mail& mail) {
  std::string to;
  for (const std::string& one : mail.to) to += (to.empty() ? "<" : ",\r\n <") + one + ">";
  const std::string id = mail.id.empty() ? std::to_string(mail.time.micros) : mail.id;
  std::string out = "From: <" + mail.from + ">\r\nTo: " + to + "\r\nSubject: " + header_text(mail.subject) +
                    "\r\nDate: " + mail_date(mail.time) + "\r\nMessage-ID: <" + file_name(id) + "@" +
                    mail.from.substr(mail.from.find('@') + 1) + ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
  const std::string text = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
                           base64_lines(mail.text);
  if (mail.attachments.empty()) return out + text;
  const std::string boundary = "kiln-" + base::sha256_hex(id + mail.text).substr(0, 32);
  out += "Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\r\n\r\n--" + boundary + "\r\n" + text;
  for (const MailAttachment& one : mail.attachments)
    out += "--" + boundary + "\r\nContent-Type: " + one.content_type +
           "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"" + file_name(one.name) +
           "\"\r\n\r\n" + base64_lines(one.bytes);
  return out + "--" + boundary + "--\r\n";
}

base::Task<MailOutcome> send_mail(base::Network* network, SmtpServer server, Mail mail) {
  MailOutcome out;
  bool good = is_mail_address(mail.from) && !mail.to.empty();
  for (const std::string& one : mail.to) good = good && is_mail_address(one);
  if (!good) {
    out.status = base::fail(ErrorCode::bad_value, "a mail address is not usable");
    out.lasting = true;
    co_return out;
  }
  for (char& c : mail.subject)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  auto connecting = connect(network, server);
  auto stream = co_await std::move(connecting);
  if (!stream) {
    out.status = base::fail(stream.error());
    co_return out;
  }
  const auto talk = std::make_shared<Talk>();
  talk->executor = &network->executor();
  talk->stream = *stream;
  talk->encrypted = server.security == SmtpServer::Security::tls;
  const base::TimerId timer = talk->executor->post_after(std::chrono::milliseconds(server.timeout_ms), [talk] {
    talk->late = true;
    talk->stream->close();
  });
  auto talking = converse(talk, server, std::move(mail));
  out = co_await std::move(talking);
  talk->executor->cancel(timer);
  talk->stream->close();
  if (!out.status && talk->late) out.status = base::fail(ErrorCode::timeout, "the mail server did not answer in time");
  co_return out;
}

}  // namespace kiln::channels
