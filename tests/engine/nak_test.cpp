// What becomes of a message by what its receiver answered, or did not.
#include "tests/engine/pipeline_fixture.h"

using namespace kiln;
using namespace kiln::engine;
using namespace kiln::engine::test;

namespace {

std::string with_policy(const std::string& nak) {
  return R"(channel c {
  source mllp { port 0 }
  accept hl7 ADT_A01 2.5.1
  to d: mllp from source { host "127.0.0.1"; port 1; retry forever backoff 20ms..20ms; )" +
         nak + " }\n}\n";
}

SendOutcome outcome_of(const std::string& word) {
  SendOutcome out;
  if (word == "timeout" || word == "mismatch") {
    const auto code = word == "timeout" ? base::ErrorCode::timeout : base::ErrorCode::ack_foreign;
    return SendOutcome::failed(SendOutcome::Kind::in_doubt, {code, {}, {}, {}});
  }
  out.kind = SendOutcome::Kind::negative;
  out.error = base::ErrorCode::peer_negative;
  out.code = word;
  return out;
}

/// Sends one message that is answered so once, then AA: "AE: quarantined", "AE: sent in doubt", "AE: blocked".
std::string course(const std::string& nak, const std::string& word) {
  Fixture f(with_policy(nak));
  f.start();
  int left = 1;
  f.receiver.answer = [&](const channels::Outgoing&) { return left-- > 0 ? outcome_of(word) : SendOutcome::sent("AA"); };
  f.send(adt("M1"));
  f.executor.run(seconds(2));
  const QueueStatus status = f.channel->queues()[0]->status();
  if (status.blocked) return word + ": blocked" + (status.in_doubt > 0 ? " in doubt" : "");
  std::string out = word + ": none";
  f.disk->read_ending(1, "c/d", [&](base::Result<std::optional<Ending>> ending) {
    if (ending && *ending) out = word + ": " + name_of((*ending)->state) + ((*ending)->in_doubt ? " in doubt" : "");
  });
  f.executor.run_ready();
  return out;
}

}  // namespace

TEST_CASE("by itself nothing is lost, whatever is answered", "[delivery][nak]") {
  CHECK(course("", "AE") == "AE: sent");
  CHECK(course("", "CE") == "CE: sent");
  CHECK(course("", "AR") == "AR: blocked");
  CHECK(course("", "CR") == "CR: blocked");
  CHECK(course("", "timeout") == "timeout: sent in doubt");
  CHECK(course("", "mismatch") == "mismatch: sent in doubt");
}

TEST_CASE("each answer has a policy of its own", "[delivery][nak]") {
  const std::string nak = "nak AE quarantine; nak AR skip; nak CE retry; nak CR block; nak timeout quarantine; nak mismatch skip";
  CHECK(course(nak, "AE") == "AE: quarantined");
  CHECK(course(nak, "AR") == "AR: rejected");
  CHECK(course(nak, "CE") == "CE: sent");
  CHECK(course(nak, "CR") == "CR: blocked");
  CHECK(course(nak, "timeout") == "timeout: quarantined in doubt");
  CHECK(course(nak, "mismatch") == "mismatch: expired in doubt");
  CHECK(course("nak timeout block", "timeout") == "timeout: blocked in doubt");
}

TEST_CASE("CE and CR follow AE and AR unless they are named", "[delivery][nak]") {
  CHECK(course("nak AE quarantine", "CE") == "CE: quarantined");
  CHECK(course("nak AR quarantine", "CR") == "CR: quarantined");
}

TEST_CASE("a skipped message lets the next one go", "[delivery][nak]") {
  Fixture f(with_policy("nak AE skip"));
  f.start();
  f.receiver.answer = [](const channels::Outgoing& message) {
    return message.control_id == "M1" ? outcome_of("AE") : SendOutcome::sent("AA");
  };
  f.send(adt("M1"));
  f.send(adt("M2"));
  f.executor.run(seconds(1));
  CHECK(f.receiver.got == "M1 M2 ");
  CHECK(f.channel->queues()[0]->status().pending == 0);
}
