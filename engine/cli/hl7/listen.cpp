// kiln hl7 listen: a receiver to test senders with: prints what comes over MLLP, and answers it.

#include <csignal>
#include <memory>

#include "channels/net/net.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/command.h"
#include "engine/detail/reply.h"
#include "hl7/ack.h"
#include "hl7/mllp/framer.h"

namespace kiln::engine {
namespace {

using base::Result;

struct Job {
  channels::Net net;
  base::SystemClock clock;
  hl7::AckCode answer = hl7::AckCode::AA;
  std::string text;  ///< MSA-3
  bool json = false;
  std::uint64_t taken = 0, most = 0;  ///< messages; 0: any number
  std::vector<std::weak_ptr<base::Stream>> open;
};

void show(const Job& job, const std::string& peer, const std::string& bytes) {
  if (job.json) {
    base::JsonWriter json;
    json.begin_object().member("peer", peer);
    if (base::is_valid_utf8(bytes))
      json.member("message", bytes);
    else
      json.member("message_base64", base::base64_encode(bytes));
    return print(json.end_object().take() + "\n");
  }
  std::string lines = bytes;
  for (char& c : lines)
    if (c == '\r') c = '\n';
  if (!lines.ends_with('\n')) lines += '\n';
  print("# from " + peer + ", message " + std::to_string(job.taken) + "\n" + lines);
}

/// The frame of the answer; empty for what is no message: nobody can be answered then.
std::string answer_to(const Job& job, const std::string& bytes) {
  const auto message = hl7::Message::parse(bytes);
  if (!message) return {};
  hl7::AckInput input;
  input.code = job.answer;
  input.text = job.text;
  input.control_id = "L" + std::to_string(job.taken);
  input.time = detail::ack_time(job.clock.wall());
  auto frame = hl7::mllp::encode_frame(hl7::make_ack(*message, input));
  return frame ? std::move(*frame) : std::string();
}

base::Task<void> serve(Job* job, base::StreamPtr stream) {
  constexpr std::int64_t kIdleMs = 600'000, kWriteMs = 30'000;
  hl7::mllp::Framer framer;
  std::string buffer(65536, '\0');
  for (bool open = true; open;) {
    auto reading = stream->read_some(buffer.data(), buffer.size(), kIdleMs);
    const Result<std::size_t> got = co_await std::move(reading);
    if (!got || *got == 0) break;
    framer.push(std::string_view(buffer.data(), *got));
    while (auto event = framer.next()) {
      open = open && event->kind != hl7::mllp::EventKind::too_large && event->kind != hl7::mllp::EventKind::protocol_error;
      if (event->kind != hl7::mllp::EventKind::frame) continue;
      ++job->taken;
      show(*job, stream->peer(), event->bytes);
      std::string frame = answer_to(*job, event->bytes);
      if (!frame.empty()) {
        auto writing = stream->write_all(std::move(frame), kWriteMs);
        const base::Status written = co_await std::move(writing);
        open = open && written.has_value();
      }
      if (job->most != 0 && job->taken >= job->most) {
        open = false;
        job->net.stop();
        break;
      }
    }
  }
  stream->close();
}

int run(const Arguments& arguments) {
  Job job;
  job.json = arguments.json();
  job.text = arguments.text("--text");
  const auto code = hl7::ack_code(arguments.text("--ack", "AA"));
  if (!code) return report({base::ErrorCode::usage, "--ack is AA, AE, AR, CA, CE or CR", {}, {}}, arguments);
  job.answer = *code;
  const auto most = whole_number(arguments, "--count", 0, 1, INT64_MAX);
  if (!most) return report(most.error(), arguments);
  job.most = static_cast<std::uint64_t>(*most);
  const auto port = whole_number(arguments, "--port", 2575, 0, 65'535);
  if (!port) return report(port.error(), arguments);
  auto listener = job.net.listen(arguments.text("--bind", "127.0.0.1"), static_cast<std::uint16_t>(*port), [&job](base::StreamPtr stream) {
    job.open.push_back(stream);
    base::spawn(serve(&job, std::move(stream)));
  });
  if (!listener) return report(listener.error(), arguments);
  std::fprintf(stderr, "listening on port %u; Ctrl-C ends it\n", static_cast<unsigned>((*listener)->port()));
  job.net.on_signals({SIGINT, SIGTERM}, [&job](int) { job.net.stop(); });
  job.net.run();
  (*listener)->close();
  for (const auto& one : job.open)
    if (const auto stream = one.lock()) stream->close();
  job.net.poll();  // what waited on them ends
  return job.taken > 0 ? kExitOk : kExitFound;
}

constexpr OptionSpec kOptions[] = {{"--port", "PORT", "default 2575; 0 takes a free one, which is said"},
                                   {"--bind", "ADDRESS", "default 127.0.0.1; messages come without encryption"},
                                   {"--ack", "CODE", "what is answered: AA (default), AE, AR, CA, CE, CR"},
                                   {"--text", "TEXT", "MSA-3 of the answer"},
                                   {"--count", "N", "end after so many messages"}};
constexpr ExampleSpec kExamples[] = {{"kiln hl7 listen --port 2576", "a receiver for a destination that is being set up"},
                                     {"kiln hl7 listen --port 2576 --ack AE --text \"not today\"", "see what a sender does then"}};

}  // namespace

const CommandSpec& hl7_listen_spec() {
  static const CommandSpec spec{"hl7 listen",
                                "Files",
                                "print what comes over MLLP, and answer it",
                                "For tests: nothing is kept. Exit 1 when nothing came.",
                                {},
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
