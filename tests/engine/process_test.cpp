// What a map decides reaches the sender: MSA-1 and ERR with segment, field, repetition and component.

#include <catch2/catch.hpp>

#include "engine/process.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

constexpr const char* kMap = R"(module t
map m(msg: hl7 ADT_A01 2.5.1, ward: string) -> fhir Bundle transaction {
  require PID-3[2].4.1 is valued else reject AE 101 "the second identifier has no authority"
  require PV1-2 is valued else reject AR 103 "no class"
  create patient: Patient { name += { text = "${PID-5.1.1} ${ward}" } }
}
)";

constexpr const char* kChannel = R"(module t
channel c {
  source mllp { port 0 }
  accept hl7 ADT_A01 2.5.1
  ack original on mapped
  map bundle = m(ward = "W1")
  to d: file from bundle { file "out/x.json" }
}
)";

std::shared_ptr<channels::Site> site() {
  auto loaded = channels::load_site_texts({{"maps/t.hmap", kMap}, {"channels/c.channel", kChannel}});
  INFO(base::render(loaded.diagnostics, loaded.library->sources()));
  REQUIRE(loaded.site);
  return loaded.site;
}

struct Answered {
  Plan plan;
  std::string reply;
};

Answered process(const std::string& pid, const std::string& pv1) {
  const auto loaded = site();
  NewMessage message;
  message.channel = "c";
  message.body =
      "MSH|^~\\&|A|B|C|D|20260101||ADT^A01^ADT_A01|M1|P|2.5.1\rEVN||20260101\r" + pid + "\r" + pv1 + "\r";
  const auto& channel = loaded->channels[0];
  const Opened opened = open_message(*loaded, channel, message);
  Processor processor;
  Answered out;
  out.plan = processor.process(*loaded, channel, message, opened);
  out.reply = make_reply(channel, message, opened, 7, out.plan.ack, out.plan.errors, out.plan.reason);
  return out;
}

}  // namespace

TEST_CASE("a rejection of a map names the place in ERR", "[process]") {
  const Answered field = process("PID|1||P1^^^A~P2||EVERYMAN", "PV1|1|I");
  CHECK(field.plan.verdict == Plan::Verdict::rejected);
  CHECK(field.reply.find("\rMSA|AE|M1") != std::string::npos);
  CHECK(field.reply.find("\rERR||PID^1^3^2^4^1|101") != std::string::npos);
  CHECK(field.reply.find("the second identifier has no authority") != std::string::npos);
  const Answered whole = process("PID|1||P1^^^A~P2^^^B||EVERYMAN", "PV1|1");
  CHECK(whole.reply.find("\rMSA|AR|M1") != std::string::npos);
  CHECK(whole.reply.find("\rERR||PV1^1^2") != std::string::npos);
}

TEST_CASE("the fields of a message are looked at when asked, and a field that one map read is read", "[process]") {
  const auto loaded = [] {
    const std::string other = "module u\nmap o(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {\n"
                              "  create p: Patient { birthDate = PID-7 }\n}\n";
    std::string channel = kChannel;
    channel.insert(channel.find("  to d"), "  map second = u.o\n");
    auto out = channels::load_site_texts(
        {{"maps/t.hmap", kMap}, {"maps/u.hmap", other}, {"channels/c.channel", channel}});
    INFO(base::render(out.diagnostics, out.library->sources()));
    REQUIRE(out.site);
    return out.site;
  }();
  NewMessage message;
  message.channel = "c";
  message.body = "MSH|^~\\&|A|B|C|D|20260101||ADT^A01^ADT_A01|M1|P|2.5.1\rEVN||20260101\r"
                 "PID|1||P1^^^A~P2^^^B||EVERYMAN||19610615|M\rPV1|1|I\r";
  const auto& channel = loaded->channels[0];
  const Opened opened = open_message(*loaded, channel, message);
  Processor processor;
  CHECK(processor.process(*loaded, channel, message, opened).fields.empty());
  const Plan plan = processor.process(*loaded, channel, message, opened, true);
  std::string read, unread;
  for (const mappings::InputValue& value : plan.fields)
    if (value.path.starts_with("PID")) (value.read ? read : unread) += value.path + " ";
  CHECK(read == "PID-3.4 PID-5 PID-7 ");
  CHECK(unread == "PID-1 PID-3.1 PID-3.4 PID-3.1 PID-8 ");
}

TEST_CASE("the arguments of a map statement are its parameters", "[process]") {
  const Answered fine = process("PID|1||P1^^^A~P2^^^B||EVERYMAN", "PV1|1|I");
  CHECK(fine.plan.verdict == Plan::Verdict::accepted);
  REQUIRE(fine.plan.outputs.size() == 1);
  CHECK(fine.plan.outputs[0].body.find("EVERYMAN W1") != std::string::npos);
}

TEST_CASE("a map statement without a needed argument is an error", "[process]") {
  std::string text = kChannel;
  text.replace(text.find("(ward = \"W1\")"), 13, "");
  auto loaded = channels::load_site_texts({{"maps/t.hmap", kMap}, {"channels/c.channel", text}});
  CHECK_FALSE(loaded.site);
  CHECK(base::render(loaded.diagnostics, loaded.library->sources()).find("needs the argument `ward`") !=
        std::string::npos);
  text.replace(text.find("= m"), 3, "= m(wart = \"W1\")");
  auto wrong = channels::load_site_texts({{"maps/t.hmap", kMap}, {"channels/c.channel", text}});
  CHECK_FALSE(wrong.site);
  CHECK(base::render(wrong.diagnostics, wrong.library->sources()).find("no parameter `wart`") != std::string::npos);
}
