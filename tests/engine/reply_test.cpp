// What a sender is told: validation, original and enhanced mode, acknowledgements as an exchange of their own.
#include <catch2/catch.hpp>

#include "channels/definition.h"
#include "engine/process.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

struct Told {
  Plan plan;
  std::string reply;  ///< CR as LF, two messages with a line `--` between them
};

std::shared_ptr<channels::Site> load(const std::string& source, const std::string& rest = "",
                                     const std::string& profile = "") {
  std::string channel = "channel c {\n  source mllp { port 0; " + source +
                        " }\n  accept hl7 ADT_A01 2.5.1\n  " + rest +
                        "\n  to d: mllp from source { host \"127.0.0.1\"; port 1 }\n}\n";
  std::vector<std::pair<std::string, std::string>> files = {{"channels/c.channel", channel}};
  if (!profile.empty()) files.emplace_back("profiles/p.json", profile);
  auto loaded = channels::load_site_texts(files);
  INFO(base::render(loaded.diagnostics, loaded.library->sources()));
  REQUIRE(loaded.site);
  return loaded.site;
}

Told tell(const channels::Site& site, const std::string& header_end, const std::string& pid, bool replay = false) {
  NewMessage message;
  message.channel = "c";
  message.received = base::WallTime{1'795'000'000'000'000};
  message.body = "MSH|^~\\&|KIS|NORD|LAB|SUED|20260101||ADT^A01^ADT_A01|M1|P|2.5.1" + header_end + "\rEVN||20260101\r" +
                 pid + "\rPV1||I\r";
  if (replay) message.replay_of = 7;
  const auto& channel = site.channels[0];
  Processor processor;
  const Opened opened = open_message(site, channel, message);
  Told out{processor.process(site, channel, message, opened), {}};
  const bool rejected = out.plan.verdict == Plan::Verdict::rejected;
  const std::string reply =
      make_reply(channel, message, opened, 5, rejected ? out.plan.ack : hl7::AckCode::AA,
                 rejected ? out.plan.errors : std::vector<hl7::AckError>(), rejected ? out.plan.reason : "");
  for (std::size_t i = 0; i < reply.size(); ++i) {
    if (std::string_view(reply).substr(i).starts_with(channels::kReplySeparator)) {
      out.reply += "--\n";
      i += channels::kReplySeparator.size() - 1;
    } else {
      out.reply += reply[i] == '\r' ? '\n' : reply[i];
    }
  }
  return out;
}

std::string msa(const std::string& reply) {
  std::string out;
  for (std::size_t at = reply.find("MSA|"); at != reply.npos; at = reply.find("MSA|", at + 1))
    out += (out.empty() ? "" : " ") + reply.substr(at + 4, 2);
  return out;
}

const std::string kGood = "PID|1||1^^^X^MR||Test^Nora||19700101|F", kBad = "PID|1||||Test^Nora||1970-01-01|F";

const Output* ack_output(const Plan& plan) {
  for (const Output& output : plan.outputs)
    if (output.destination == "acks") return &output;
  return nullptr;
}

}  // namespace

TEST_CASE("a channel that validates refuses with one ERR per error", "[reply]") {
  const auto site = load("validate standard { }");
  CHECK(msa(tell(*site, "", kGood).reply) == "AA");
  const Told bad = tell(*site, "", kBad);
  CHECK(bad.plan.code == "validation");
  CHECK(bad.plan.reason == "PID-3: required field is missing: Patient Identifier List, and 1 more");
  CHECK(bad.reply ==
        "MSH|^~\\&|LAB|SUED|KIS|NORD|20261118110640+0000||ACK^A01^ACK|K5|P|2.5.1\n"
        "MSA|AE|M1|PID-3: required field is missing: Patient Identifier List, and 1 more\n"
        "ERR||PID^1^3|101^Required field missing^HL70357|E|required||required field is missing: Patient "
        "Identifier List\n"
        "ERR||PID^1^7^1^1|102^Data type error^HL70357|E|datatype||not a date or time: Time\n");
  CHECK(bad.plan.outputs.empty());
}

TEST_CASE("a channel says what counts as an error, and where", "[reply]") {
  const auto lax = load("validate standard { required warning; at \"PID-7 off\" }");
  CHECK(msa(tell(*lax, "", kBad).reply) == "AA");
  const auto aside = load("validate standard { on_error quarantine }");
  const Told kept = tell(*aside, "", kBad);
  CHECK(kept.plan.verdict == Plan::Verdict::quarantined);
  CHECK(msa(kept.reply) == "AA");
  const auto none = load("");
  CHECK(msa(tell(*none, "", kBad).reply) == "AA");
}

TEST_CASE("a channel validates against a profile of its folder", "[reply]") {
  const auto site = load("validate \"profiles/p.json\" { }", "",
                         R"({"profile":"p","version":"2.5.1","structure":"ADT_A01",
                             "rules":{"PID-3.4.1":{"value":"NORD"},"MSH-4":{"usage":"X"}}})");
  const Told told = tell(*site, "", kGood);
  CHECK(msa(told.reply) == "AE");
  CHECK(told.plan.reason == "PID-3[1].4.1: not the value that was agreed on: Namespace ID");
  CHECK(site->files.back().first == "profiles/p.json");  // the version of the site is complete
}

TEST_CASE("point 23: original and enhanced mode, accept and application acknowledgement", "[reply]") {
  const auto plain = load("validate standard { }");
  CHECK(msa(tell(*plain, "", kGood).reply) == "AA");
  CHECK(msa(tell(*plain, "|||AL|NE", kGood).reply) == "CA");
  CHECK(msa(tell(*plain, "|||AL|NE", kBad).reply) == "CE");
  CHECK(msa(tell(*plain, "|||NE|AL", kGood).reply).empty());
  CHECK(msa(tell(*plain, "|||ER|NE", kGood).reply).empty());
  CHECK(msa(tell(*plain, "|||ER|NE", kBad).reply) == "CE");
  CHECK(msa(tell(*plain, "|||SU|NE", kGood).reply) == "CA");
  CHECK(msa(tell(*plain, "|||SU|NE", kBad).reply).empty());

  const auto both = load("validate standard { }; application_ack same_connection");
  const Told good = tell(*both, "|||AL|AL", kGood);
  CHECK(good.reply ==
        "MSH|^~\\&|LAB|SUED|KIS|NORD|20261118110640+0000||ACK^A01^ACK|K5|P|2.5.1\nMSA|CA|M1\n--\n"
        "MSH|^~\\&|LAB|SUED|KIS|NORD|20261118110640+0000||ACK^A01^ACK|K5A|P|2.5.1|||NE|NE\nMSA|AA|M1\n");
  // The message is stored: the accept acknowledgement says so, the application one what is wrong with it.
  CHECK(msa(tell(*both, "|||AL|AL", kBad).reply) == "CA AE");
  CHECK(msa(tell(*both, "|||NE|ER", kBad).reply) == "AE");
  CHECK(msa(tell(*both, "|||AL|ER", kGood).reply) == "CA");
  CHECK(msa(tell(*both, "|||AL|NE", kBad).reply) == "CE");
  CHECK(msa(tell(*both, "", kBad).reply) == "AE");  // original mode
}

TEST_CASE("point 23: the application acknowledgement as an exchange of its own", "[reply]") {
  const auto site = load("validate standard { }", "to acks: mllp from ack { host \"127.0.0.1\"; port 2 }");
  const Told good = tell(*site, "|||AL|AL", kGood);
  CHECK(msa(good.reply) == "CA");
  const Output* output = ack_output(good.plan);
  REQUIRE(output != nullptr);
  CHECK(output->body.find("|||AL|NE\rMSA|AA|M1\r") != std::string::npos);
  CHECK(output->body.find("|" + output->control_id + "|P|2.5.1") != std::string::npos);
  CHECK(ack_output(tell(*site, "|||AL|AL", kGood).plan)->body == output->body);  // recovery makes the same
  const Told bad = tell(*site, "|||AL|AL", kBad);
  CHECK(msa(bad.reply) == "CA");
  REQUIRE(ack_output(bad.plan) != nullptr);
  CHECK(ack_output(bad.plan)->body.find("MSA|AE|M1") != std::string::npos);
  CHECK(bad.plan.outputs.size() == 1);
  // Nobody asked, it was said already, or it is a replay.
  CHECK(ack_output(tell(*site, "|||AL|NE", kGood).plan) == nullptr);
  CHECK(ack_output(tell(*site, "|||AL|ER", kGood).plan) == nullptr);
  CHECK(ack_output(tell(*site, "", kGood).plan) == nullptr);
  CHECK(ack_output(tell(*site, "|||AL|AL", kGood, true).plan) == nullptr);
}

TEST_CASE("point 24: a repetition is the same sender, id and content", "[reply]") {
  const auto site = load("");
  const auto key = [&](const std::string& sender, const std::string& id, const std::string& name) {
    NewMessage message;
    message.channel = "c";
    message.body = "MSH|^~\\&|" + sender + "||||||ADT^A01|" + id + "|P|2.5.1\rPID|||1||" + name + "\r";
    identify(site->channels[0], "", open_message(*site, site->channels[0], message), message);
    return message.dedupe;
  };
  CHECK(key("A", "1", "X") == key("A", "1", "X"));
  CHECK(key("A", "1", "X") != key("A", "1", "Y"));
  CHECK(key("A", "1", "X") != key("B", "1", "X"));
  CHECK(key("A", "1", "X") != key("A", "2", "X"));
  CHECK(key("A", "", "X") == DedupeKey{});
}
