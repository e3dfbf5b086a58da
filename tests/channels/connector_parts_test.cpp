// Parts of connectors that need no peer: framings, parameters, mails, assertions, bindings of certificates, programs.
#include <catch2/catch.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "channels/connectors/detail/child_process.h"
#include "channels/connectors/detail/sender_rule.h"
#include "channels/connectors/detail/tcp_framing.h"
#include "channels/doors.h"
#include "channels/net/mqtt_client.h"
#include "channels/net/oauth_client.h"
#include "channels/net/smtp_client.h"
#include "engine/base/json.h"
#include "engine/base/sql/sql_link.h"
#include "engine/base/text.h"
#include "tests/channels/fixture.h"

namespace kiln::channels {
namespace {

using detail::TcpFramer;
using detail::TcpFraming;

std::vector<std::string> read_all(const TcpFraming& framing, const std::string& bytes, std::size_t step) {
  TcpFramer framer(framing);
  std::vector<std::string> out;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    framer.push(std::string_view(bytes).substr(at, step));
    while (auto message = framer.next()) out.push_back(*message);
  }
  if (auto message = framer.finish()) out.push_back(*message);
  return out;
}

TEST_CASE("every framing gives back what was framed, however it is cut", "[tcp]") {
  TcpFraming framing;
  framing.start = "\x0b";
  framing.end = "\x1c\r";
  std::vector<TcpFraming> all = {framing};
  framing.start.clear();
  all.push_back(framing);
  framing.kind = TcpFraming::Kind::length;
  for (const std::size_t size : {1, 2, 4})
    for (const bool little : {false, true})
      for (const bool counts : {false, true}) {
        framing.length_bytes = size;
        framing.little = little;
        framing.counts_itself = counts;
        all.push_back(framing);
      }
  framing.kind = TcpFraming::Kind::fixed;
  framing.size = 5;
  all.push_back(framing);
  const std::vector<std::string> messages = {"hello", "\x02\x03\x1c\n", std::string("a\0bcd", 5)};
  for (const TcpFraming& one : all) {
    std::string bytes;
    std::vector<std::string> sent;
    for (const std::string& message : messages) {
      const auto frame = detail::encode_frame(message, one);
      if (!frame) continue;
      bytes += *frame;
      sent.push_back(message);
    }
    CHECK(sent.size() >= 2);
    for (std::size_t step = 1; step <= bytes.size(); ++step) CHECK(read_all(one, bytes, step) == sent);
  }
}

TEST_CASE("framings refuse what they cannot say and what is too large", "[tcp]") {
  TcpFraming framing;
  framing.start = "\x02";
  framing.end = "\x03";
  CHECK_FALSE(detail::encode_frame("a\x03z", framing));
  CHECK_FALSE(detail::encode_frame("a\x02z", framing));
  framing.max = 4;
  TcpFramer marked(framing);
  marked.push("noise\x02" "12345678");
  CHECK_FALSE(marked.next());
  CHECK(marked.too_large());
  CHECK(marked.take_lost() == 5);
  framing.kind = TcpFraming::Kind::length;
  framing.length_bytes = 1;
  CHECK_FALSE(detail::encode_frame(std::string(256, 'x'), framing));
  TcpFramer counted(framing);
  counted.push("\x05");
  CHECK_FALSE(counted.next());
  CHECK(counted.too_large());
  framing.counts_itself = true;
  TcpFramer impossible(framing);
  impossible.push(std::string_view("\0", 1));
  CHECK_FALSE(impossible.next());
  CHECK(impossible.too_large());
  CHECK(detail::parse_hex("0B1c") == std::string("\x0b\x1c"));
  CHECK_FALSE(detail::parse_hex("0"));
  CHECK_FALSE(detail::parse_hex("0x"));
}

TEST_CASE("named parameters become numbers, and only those", "[sql]") {
  const auto numbered = base::number_parameters(
      "select a::text, ':no', \":no\" from t -- :no\n where x = :one and y = :two /* :no */ and z = :one and s = 'it''s :no'");
  CHECK(numbered.text ==
        "select a::text, ':no', \":no\" from t -- :no\n where x = $1 and y = $2 /* :no */ and z = $1 and s = 'it''s :no'");
  CHECK(numbered.names == std::vector<std::string>{"one", "two"});
  CHECK(base::number_parameters("select ':open").names.empty());
  CHECK(base::number_parameters("a:").names.empty());
}

TEST_CASE("a mail is one mail, whatever stands in it", "[smtp]") {
  Mail mail;
  mail.from = "kiln@example.org";
  mail.to = {"a@example.org"};
  mail.subject = "Grüße";
  mail.text = "one\r\n.\r\ntwo";
  mail.time = base::WallTime{1'767'268'800'000'000};
  mail.id = "c.d.7\r\nBcc: x";
  const std::string text = print_mail(mail);
  CHECK(text.find("Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n") != std::string::npos);
  CHECK(text.find("Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n") != std::string::npos);
  CHECK(text.find("\r\nBcc") == std::string::npos);
  CHECK(text.find("\r\n.\r\n") == std::string::npos);
  for (const char* bad : {"a", "@b", "a@", "a@b@c", "a b@c", "a@b>", "a@b\r\nDATA"}) CHECK_FALSE(is_mail_address(bad));
  CHECK(is_mail_address("alarm@example.org"));
}

TEST_CASE("topics and filters of MQTT", "[mqtt]") {
  for (const char* good : {"a", "a/b", "/a"}) CHECK(is_mqtt_topic(good));
  for (const char* bad : {"", "a/+", "#"}) CHECK_FALSE(is_mqtt_topic(bad));
  for (const char* good : {"a", "+/b", "a/#", "#", "+"}) CHECK(is_mqtt_filter(good));
  for (const char* bad : {"", "a+/b", "a/#/b", "a#"}) CHECK_FALSE(is_mqtt_filter(bad));
}

TEST_CASE("a certificate is named by whole parts of its subject, or an alternative name", "[tls]") {
  const std::string subject = "CN=his.example.org,O=North\\, South Hospital,C=DE";
  CHECK(names_certificate("CN=his.example.org", subject, {}));
  CHECK(names_certificate("CN=his.example.org, C=DE", subject, {}));
  CHECK(names_certificate("O=North\\, South Hospital", subject, {}));
  CHECK(names_certificate("DNS:his.example.org", subject, {"DNS:his.example.org"}));
  for (const char* other : {"CN=his.example", "his.example.org", "CN=HIS.example.org", "CN=his.example.org,C=FR", "", ",", "O=North"})
    CHECK_FALSE(names_certificate(other, subject, {}));
  CHECK_FALSE(names_certificate("CN=his.example.org", "", {}));
}

TEST_CASE("MSH-3 decides who a message is from", "[tls]") {
  const std::vector<std::string> his = {"HIS"};
  CHECK(detail::may_send("MSH|^~\\&|HIS|A|B\r", his));
  CHECK(detail::may_send("MSH|^~\\&|HIS^1.2^ISO|A|B\r", his));
  CHECK(detail::may_send("MSH$^~\\&$HIS$A\r", his));
  for (const char* other : {"MSH|^~\\&|LAB|HIS|B\r", "MSH|^~\\&|HI|A\r", "MSH|^~\\&|HISX|A\r", "MSH|^~\\&\rPID|HIS\r", "MSH|2~\\&|HIS2|A\r", "MSH|O~\\&|HISO|A\r", "PID|HIS", "", "MSH"})
    CHECK_FALSE(detail::may_send(other, his));
  CHECK_FALSE(detail::may_send("MSH|^~\\&||A|B\r", {}));
}

/// A fresh key as PEM.
std::string new_key(bool rsa, const char* curve = "P-384") {
  EVP_PKEY* key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen(curve);
  BIO* out = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::string text(BIO_ctrl_pending(out), '\0');
  BIO_read(out, text.data(), static_cast<int>(text.size()));
  BIO_free(out);
  EVP_PKEY_free(key);
  return text;
}

std::string from_base64_url(std::string text) {
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (text.size() % 4 != 0) text += '=';
  std::string out;
  REQUIRE(base::base64_decode(text, out));
  return out;
}

TEST_CASE("an assertion says who asks, for five minutes, and once", "[oauth]") {
  for (const bool rsa : {true, false}) {
    OAuthOptions options;
    options.token_url_text = "https://example.org/token";
    options.client_id = "kiln";
    options.key_id = "k1";
    options.key = new_key(rsa);
    REQUIRE(check_assertion_key(options.key));
    const auto jwt = sign_assertion(options, base::WallTime{1'000'000'000}, "only once");
    REQUIRE(jwt);
    const auto parts = base::split(*jwt, '.');
    REQUIRE(parts.size() == 3);
    CHECK(from_base64_url(std::string(parts[0])) ==
          std::string("{\"alg\":\"") + (rsa ? "RS384" : "ES384") + "\",\"typ\":\"JWT\",\"kid\":\"k1\"}");
    CHECK(from_base64_url(std::string(parts[1])) ==
          "{\"iss\":\"kiln\",\"sub\":\"kiln\",\"aud\":\"https://example.org/token\",\"iat\":1000,\"exp\":1300,\"jti\":\"only once\"}");
    CHECK(from_base64_url(std::string(parts[2])).size() == (rsa ? 256u : 96u));
  }
  CHECK_FALSE(check_assertion_key(new_key(false, "P-256")));
  CHECK_FALSE(check_assertion_key("no key"));
}

TEST_CASE("a program gets its input, its limits and nothing else", "[process]") {
  const std::atomic<bool> go{false};
  detail::ChildRun run;
  run.folder = "/";
  run.command = {"/bin/cat"};
  run.input = std::string(1 << 20, 'x');
  auto end = detail::run_child(run, go);
  REQUIRE(end);
  CHECK(end->output == run.input);
  run.output_max = 1000;
  CHECK((detail::run_child(run, go).error().code == base::ErrorCode::limit_exceeded));
  run.command = {"/bin/sh", "-c", "echo to nobody >&2; exit 7"};  // reads nothing of its input
  end = detail::run_child(run, go);
  REQUIRE(end);
  CHECK(end->exit_code == 7);
  CHECK(end->has_complained);
  run.command = {"/usr/bin/env"};
  run.environment = {"A=b"};
  end = detail::run_child(run, go);
  CHECK(end->output == "A=b\n");
  run.command = {"/bin/sh", "-c", "sleep 60 & sleep 60"};
  run.timeout_ms = 100;
  CHECK((detail::run_child(run, go).error().code == base::ErrorCode::timeout));
  run.command = {"/nowhere/at/all"};
  CHECK((detail::run_child(run, go).error().code == base::ErrorCode::file_not_found));
  const std::atomic<bool> stop{true};
  run.command = {"/bin/sleep", "60"};
  run.timeout_ms = 60'000;
  CHECK((detail::run_child(run, stop).error().code == base::ErrorCode::cancelled));
}

TEST_CASE("a chain asks again for what is still on its way, and says that it may be there", "[channel]") {
  test::World world;
  ChannelDoors doors;
  doors.open("hub", world.intake);
  Surroundings around = world.around();
  around.doors = &doors;
  const auto& spec = *find_connector(ConnectorRole::destination, "channel");
  const auto destination = spec.make_destination(test::parse(spec, "{ name \"hub\" }"), around);
  REQUIRE(destination->start());
  Outgoing message;
  message.msg_id = 7;
  message.bytes = "MSH|";
  bool late = true, stored = true;
  world.intake.answer = [&](const Inbound&) {
    Answer out;
    out.id = 12;
    out.taken = !stored ? Taken::not_stored : late ? Taken::refused : Taken::stored;
    out.code = late ? "late" : "";
    out.pending = late;
    return out;
  };
  for (const bool is_stored : {true, false}) {  // as `late AE` says, and as a source says that stops
    stored = is_stored;
    const SendOutcome outcome = world.send(*destination, message);
    CHECK((outcome.kind == SendOutcome::Kind::in_doubt));
    CHECK((outcome.error == base::ErrorCode::timeout));
    CHECK(outcome.detail.find("message 12 of hub is not delivered yet") != std::string::npos);
  }
  late = false;
  CHECK((world.send(*destination, message).kind == SendOutcome::Kind::retry));
  {  // the word of the receiver behind it goes back
    const auto before = world.intake.answer;
    world.intake.answer = [](const Inbound&) {
      Answer out;
      out.taken = Taken::refused;
      out.code = "AR";
      out.reply = "MSH|^~\\&|B||A||20250101||ACK|9|P|2.5.1\rMSA|AR|ID1\r";
      return out;
    };
    const SendOutcome refused = world.send(*destination, message);
    CHECK((refused.kind == SendOutcome::Kind::negative));
    CHECK(refused.code == "AR");
    CHECK(refused.detail.ends_with("AR"));
    world.intake.answer = before;
  }
  stored = true;
  CHECK((world.send(*destination, message).kind == SendOutcome::Kind::sent));
  const auto& messages = world.intake.messages;
  REQUIRE(messages.size() == 5);
  CHECK(messages[0].key == messages[4].key);
  world.run(destination->stop());
}

}  // namespace
}  // namespace kiln::channels
