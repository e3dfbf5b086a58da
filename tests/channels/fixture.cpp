#include "tests/channels/fixture.h"

#include <catch2/catch.hpp>

#include "channels/detail/option_parser.h"
#include "mappings/parser.h"

namespace kiln::channels::test {

namespace {

base::Task<void> sleep_task(Net* net, int ms) {
  base::Event never(net->executor());
  auto wait = never.wait(std::chrono::milliseconds(ms));
  co_await wait;
}

base::Task<void> send_task(Destination* destination, Outgoing message, SendOutcome* out) {
  auto sending = destination->send(std::move(message));
  *out = co_await std::move(sending);
}

base::Task<void> talk_task(Net* net, std::uint16_t port, std::string bytes, std::string* out,
                           int silence_ms) {
  auto connecting = net->connect("127.0.0.1", port, 1000);
  auto stream = co_await std::move(connecting);
  if (!stream) co_return;
  auto writing = (*stream)->write_all(std::move(bytes), 1000);
  co_await std::move(writing);
  char chunk[4096];
  for (;;) {
    auto reading = (*stream)->read_some(chunk, sizeof chunk, silence_ms);
    const auto got = co_await std::move(reading);
    if (got && *got == 0) out->append("<closed>");
    if (!got || *got == 0) break;
    out->append(chunk, *got);
  }
  (*stream)->close();
}

}  // namespace

base::Task<Answer> RecordingIntake::accept(Inbound message) {
  const std::size_t number = messages.size();
  messages.push_back(message);
  if (number < delays.size()) {
    auto sleeping = sleep_task(&net_, delays[number]);
    co_await std::move(sleeping);
  }
  Answer out;
  out.taken = Taken::stored;
  out.reply = "ack:" + message.bytes;
  if (answer) out = answer(message);
  co_return out;
}

base::Task<Answer> RecordingIntake::report(Unframed what) {
  Answer out;
  if (what.kind == Unframed::Kind::oversize) out.reply = "AR";
  out.close = what.kind == Unframed::Kind::oversize;
  reports.push_back(std::move(what));
  co_return out;
}

base::Task<void> RecordingIntake::room() {
  while (!has_room()) {
    auto sleeping = sleep_task(&net_, 5);
    co_await std::move(sleeping);
  }
}

base::Task<std::vector<SendOutcome>> RecordingStore::apply_batch(std::vector<Outgoing> messages) {
  std::vector<SendOutcome> out(messages.size(), SendOutcome::sent("201"));
  for (Outgoing& message : messages) applied.push_back(std::move(message));
  co_return out;
}

base::Task<base::Result<ChangeBatch>> RecordingStore::read(std::uint64_t after, std::size_t limit,
                                                           std::int64_t wait_ms) {
  if (changes_.empty() || changes_.back().position <= after) {
    auto wait = changed_.wait(std::chrono::milliseconds(wait_ms));
    co_await wait;
  }
  ChangeBatch out;
  out.read_up_to = after;
  for (const Change& change : changes_) {
    if (change.position <= after || out.changes.size() >= limit) continue;
    out.changes.push_back(change);
    out.read_up_to = change.position;
  }
  co_return out;
}

base::Task<base::Status> RecordingStore::advance(std::string, std::uint64_t position) {
  position_ = position;
  co_return base::Status();
}

void RecordingStore::add(Change change) {
  change.position = changes_.size() + 1;
  changes_.push_back(std::move(change));
  changed_.notify();
}

World::World() {
  REQUIRE(base::system_env().make_folders(path("in")));
}

Surroundings World::around() {
  return Surroundings{.network = net,
                      .env = base::system_env(),
                      .file_work = files,
                      .clock = clock,
                      .channel = "c",
                      .site = folder.path(),
                      .feed = &store,
                      .sink = &store,
                      .state = path("state")};
}

void World::wait(int ms) {
  run_to_end(net, sleep_task(&net, ms));
}

bool World::until(const std::function<bool()>& done) {
  for (int i = 0; i < 600; ++i) {
    if (done()) return true;
    wait(5);
  }
  return done();
}

SendOutcome World::send(Destination& destination, Outgoing message) {
  SendOutcome out;
  run_to_end(net, send_task(&destination, std::move(message), &out));
  return out;
}

Options parse(const ConnectorSpec& spec, const std::string& block) {
  const bool source = spec.role == ConnectorRole::source;
  const std::string text =
      source ? "channel c { source " + std::string(spec.name) + " " + block + " to d: drop from source { } }"
             : "channel c { source fhir { } to d: " + std::string(spec.name) + " from source " + block + " }";
  base::SourceMap sources;
  base::Diagnostics diagnostics;
  const std::uint32_t index = sources.add("c.channel", text);
  const auto file = mappings::ast::File(mappings::parse(sources, index, diagnostics));
  const auto& channel = std::get<mappings::ast::ChannelDecl>(file.decls.front().node);
  const auto& written = source ? channel.sources.front().options : channel.destinations.front().options;
  auto parsed = detail::parse_options(written, spec.options, spec.name, {}, diagnostics);
  INFO(base::render(diagnostics, sources));
  REQUIRE(diagnostics.ok());
  return parsed.options;
}

std::string talk(World& world, std::uint16_t port, const std::string& bytes, int silence_ms) {
  std::string out;
  run_to_end(world.net, talk_task(&world.net, port, bytes, &out, silence_ms));
  return out;
}

}  // namespace kiln::channels::test
