// kiln send: sends HL7 v2 messages over MLLP and shows the answers.

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "channels/net/net.h"
#include "engine/base/clock.h"
#include "engine/command.h"
#include "engine/detail/map_files.h"
#include "hl7/ack.h"
#include "hl7/mllp/framer.h"

namespace kiln::engine {
namespace {

using base::Result;

struct Sent {
  std::string control_id, type, code, text;
  double milliseconds = 0;
  bool positive = false;
};

struct Job {
  std::string host;
  std::uint16_t port = 0;
  std::int64_t timeout_ms = 30'000;
  std::vector<std::string> messages;
  std::vector<Sent> sent;
  base::Status status;
};

std::string msa3(const std::string& ack) {
  const auto message = hl7::Message::parse(ack);
  if (!message) return {};
  const std::string text = message->field("MSA", 3).to_text();
  return text.empty() ? message->field("ERR", 7).to_text() : text;
}

/// Reads until one frame is there.
base::Task<Result<std::string>> read_frame(base::StreamPtr stream, std::int64_t timeout_ms) {
  hl7::mllp::Framer framer;
  std::string buffer(65536, '\0');
  for (;;) {
    auto reading = stream->read_some(buffer.data(), buffer.size(), timeout_ms);
    const Result<std::size_t> got = co_await std::move(reading);
    if (!got) co_return base::fail(got.error());
    if (*got == 0)
      co_return base::fail(base::ErrorCode::connection_closed,
                           "the receiver closed the connection without an answer");
    framer.push(std::string_view(buffer.data(), *got));
    while (auto event = framer.next())
      if (event->kind == hl7::mllp::EventKind::frame) co_return std::move(event->bytes);
  }
}

base::Task<void> send_all(channels::Net& net, Job* job) {
  auto connecting = net.connect(job->host, job->port, job->timeout_ms);
  const Result<base::StreamPtr> stream = co_await std::move(connecting);
  if (!stream) {
    job->status = base::fail(stream.error());
    co_return;
  }
  const base::SystemClock clock;
  Progress progress("sending");
  for (const std::string& text : job->messages) {
    progress.step(job->sent.size(), job->messages.size());
    auto frame = hl7::mllp::encode_frame(text);
    if (!frame) {
      job->status = base::fail(frame.error());
      break;
    }
    Sent sent;
    if (const auto message = hl7::Message::parse(text)) {
      sent.control_id = message->header().field(10).to_text();
      sent.type = message->header().field(9).raw();
    }
    const base::MonoTime begin = clock.mono();
    auto writing = (*stream)->write_all(std::move(*frame), job->timeout_ms);
    job->status = co_await std::move(writing);
    if (!job->status) break;
    auto reading = read_frame(*stream, job->timeout_ms);
    const Result<std::string> answer = co_await std::move(reading);
    if (!answer) {
      job->status = base::fail(answer.error());
      break;
    }
    sent.milliseconds = std::chrono::duration<double, std::milli>(clock.mono() - begin).count();
    const hl7::AckOutcome outcome = hl7::parse_ack(*answer, sent.control_id);
    sent.code = hl7::name_of(outcome.verdict);
    sent.positive =
        outcome.verdict == hl7::AckVerdict::application_accept || outcome.verdict == hl7::AckVerdict::accept;
    if (!sent.positive) sent.text = msa3(*answer);
    job->sent.push_back(std::move(sent));
  }
  (*stream)->close();
}

void print_results(const Job& job, bool json) {
  if (json) {
    base::JsonWriter out;
    out.begin_array();
    for (const Sent& sent : job.sent) {
      char ms[32];
      std::snprintf(ms, sizeof ms, "%.3f", sent.milliseconds);
      out.begin_object()
          .member("control_id", sent.control_id)
          .member("type", sent.type)
          .member("ack", sent.code)
          .member("text", sent.text);
      out.key("milliseconds").number(ms).end_object();
    }
    print(out.end_array().str() + "\n");
    return;
  }
  for (const Sent& sent : job.sent) {
    char line[512];
    std::snprintf(line, sizeof line, "%-20s %-18s %-20s %8.1f ms  %s\n", sent.control_id.c_str(),
                  sent.type.c_str(), sent.code.c_str(), sent.milliseconds, sent.text.c_str());
    print(line);
  }
}

/// Segments end with CR on the wire; a file edited on this system has LF. A message that holds a CR is sent
/// as it is.
void end_segments_with_cr(std::string& message) {
  if (message.find('\r') == std::string::npos) std::replace(message.begin(), message.end(), '\n', '\r');
}

int run(const Arguments& arguments) {
  Job job;
  const std::string to = arguments.text("--to");
  const auto colon = to.rfind(':');
  char* end = nullptr;
  const unsigned long port = colon == std::string::npos ? 0 : std::strtoul(to.c_str() + colon + 1, &end, 10);
  if (port == 0 || port > 65535 || *end != '\0')
    return report({base::ErrorCode::usage, "--to needs HOST:PORT", {}, "for example --to 127.0.0.1:2575"},
                  arguments);
  job.host = to.substr(0, colon);
  job.port = static_cast<std::uint16_t>(port);
  if (arguments.has("--timeout"))
    job.timeout_ms = std::strtoll(arguments.text("--timeout").c_str(), nullptr, 10) * 1000;
  for (const std::string& path : arguments.all("FILE")) {
    auto input = detail::read_input(path);
    if (!input) return report(input.error(), arguments);
    if (input->kind != channels::ContentKind::hl7)
      return report({base::ErrorCode::bad_value, "the file holds no HL7 message", path, {}}, arguments);
    for (std::string& message : input->messages) {
      end_segments_with_cr(message);
      job.messages.push_back(std::move(message));
    }
  }
  channels::Net net;
  channels::run_to_end(net, send_all(net, &job));
  print_results(job, arguments.json());
  if (!job.status) return report(job.status.error(), arguments);
  for (const Sent& sent : job.sent)
    if (!sent.positive) return kExitFound;
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {
    {"FILE", "HL7 v2 messages, also batches; - reads standard input", true, true}};
constexpr OptionSpec kOptions[] = {{"--to", "HOST:PORT", "the MLLP listener", true},
                                   {"--timeout", "SECONDS", "wait for each answer (default 30)"}};
constexpr ExampleSpec kExamples[] = {{"kiln send --to 127.0.0.1:2575 examples/quickstart/samples/*.hl7",
                                      "send the samples, one answer a line"}};

}  // namespace

const CommandSpec& send_spec() {
  static const CommandSpec spec{"send",
                                "Files",
                                "send HL7 v2 messages over MLLP and show the answers",
                                "Line feeds of a file without CR are sent as CR. Exit 1 when an answer is "
                                "not positive, 69 when nothing listens.",
                                kArguments,
                                kOptions,
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
