// What every connector promises, checked for all of them: tables that can be read, examples that parse as
// they say, start, stop, start again, refusal with the option's name.
#include <catch2/catch.hpp>

#include <cstdlib>

#include "channels/connector.h"
#include "channels/connector_docs.h"
#include "channels/definition.h"
#include "engine/base/env.h"
#include "tests/channels/fixture.h"
#include "tests/contract/rig.h"

namespace kiln::channels {
namespace {

std::string channel_with(const ConnectorSpec& spec, const std::string& options) {
  const char* kind = spec.content.hl7 ? "hl7" : spec.content.csv ? "csv" : "fhir";
  if (spec.role == ConnectorRole::source)
    return "channel c {\n  source " + std::string(spec.name) + " " + options +
           "\n  to out: drop from source { }\n}\n";
  const std::string source = kind == std::string("fhir")
                                 ? "source fhir { }"
                                 : std::string("source file { folder \"in\"; content ") + kind + " }";
  const std::string accept = kind == std::string("hl7")   ? "  accept hl7 ADT_A01 2.5.1\n"
                             : kind == std::string("csv") ? ""
                                                          : "";
  return "channel c {\n  " + source + "\n" + accept + "  to out: " + spec.name + " from source " + options +
         "\n}\n";
}

/// What an example hands on to.
constexpr const char* kNext = "channel lab_routing {\n  source channel { }\n  to out: drop from source { }\n}\n";

TEST_CASE("every connector: its examples are accepted or refused as they say", "[contract]") {
  REQUIRE(all_connectors().size() >= 9);
  for (const ConnectorSpec* spec : all_connectors()) {
    CHECK(spec->examples.size() >= 2);
    CHECK((spec->make_source != nullptr) == (spec->role == ConnectorRole::source));
    CHECK((spec->make_destination != nullptr) == (spec->role == ConnectorRole::destination));
    CHECK_FALSE(print_field_table(spec->options).empty());
    for (const ConnectorExample& example : spec->examples) {
      INFO(spec->name << " " << example.text);
      const SiteLoad loaded = load_site_texts({{"channels/c.channel", channel_with(*spec, example.text)},
                                               {"channels/lab.channel", kNext}});
      // A csv name may use a condition on rows: without accept its expression cannot be typed.
      const bool typed = std::string(example.text).find("${") == std::string::npos || spec->content.hl7;
      if (!typed) continue;
      INFO(base::render(loaded.diagnostics, loaded.library->sources()));
      CHECK(loaded.diagnostics.ok() == example.valid);
    }
  }
}

struct Setup {
  test::World world;
  Options options(const ConnectorSpec& spec, std::uint16_t port = 1) {
    return test::parse(spec, rig_of(spec)->options(world, port));
  }
  static const test::ContractRig* rig_of(const ConnectorSpec& spec) {
    for (const test::ContractRig& rig : test::contract_rigs())
      if (rig.role == spec.role && rig.name == std::string_view(spec.name)) return &rig;
    return nullptr;
  }
};

std::vector<const ConnectorSpec*> specs_of(ConnectorRole role) {
  std::vector<const ConnectorSpec*> out;
  for (const ConnectorSpec* spec : all_connectors())
    if (spec->role == role) out.push_back(spec);
  return out;
}

Outgoing message_for(const test::ContractRig& rig) {
  Outgoing message;
  message.kind = rig.kind;
  message.bytes = "MSH|^~\\&|A|B|C|D|20250101||ADT^A01|7|P|2.5.1\r";
  message.control_id = "7";
  message.rendered = {{"file", "out/x"}, {"topic", "out/x"}};
  if (rig.kind == ContentKind::fhir) message.bytes = R"({"resourceType":"Patient"})";
  if (rig.kind == ContentKind::csv) message.bytes = "a,b\r\n";
  return message;
}

TEST_CASE("every connector has a rig", "[contract]") {
  for (const ConnectorSpec* spec : all_connectors()) {
    INFO(spec->name);
    CHECK(Setup::rig_of(*spec) != nullptr);
  }
  CHECK(test::contract_rigs().size() == all_connectors().size());
}

TEST_CASE("the page of connectors is what their specs say", "[contract]") {
  const std::string path = std::string(KILN_SOURCE_DIR) + "/channels/connectors/README.md";
  const std::string page = print_connectors();
  if (std::getenv("APPROVE") != nullptr) REQUIRE(base::system_env().write_file_atomic(path, page));
  const auto committed = base::system_env().read_file(path, 1u << 20);
  REQUIRE(committed);
  CHECK(*committed == page);  // kiln doc connectors --output channels/connectors/README.md
}

TEST_CASE("every source starts, stops and starts again", "[contract]") {
  for (const ConnectorSpec* spec : specs_of(ConnectorRole::source)) {
    INFO(spec->name);
    Setup setup;
    const auto source = spec->make_source(setup.options(*spec), setup.world.around());
    for (int i = 0; i < 2; ++i) {
      const auto started = source->start(setup.world.intake);
      REQUIRE(started);
      CHECK(source->status().state == ConnectorStatus::State::up);
      setup.world.wait(20);
      setup.world.run(source->stop());
      CHECK(source->status().state == ConnectorStatus::State::down);
      setup.world.run(source->stop());
    }
  }
}

TEST_CASE("every listener refuses what is too large, goes on, and gives its port back", "[contract]") {
  for (const ConnectorSpec* spec : specs_of(ConnectorRole::source)) {
    const test::ContractRig& rig = *Setup::rig_of(*spec);
    if (!rig.listens) continue;
    INFO(spec->name);
    Setup setup;
    const auto source = spec->make_source(setup.options(*spec), setup.world.around());
    REQUIRE(source->start(setup.world.intake));
    const std::uint16_t port = source->status().port;
    REQUIRE(port != 0);
    const std::string answer = test::talk(setup.world, port, rig.oversize(), 500);
    INFO(answer);
    // HTTP may reset the connection behind its 413, since it does not read the rest.
    CHECK((answer.find("<closed>") != std::string::npos || answer.starts_with("HTTP/1.1 413 ")));
    CHECK(setup.world.intake.messages.empty());
    test::talk(setup.world, port, "", 20);  // still there
    CHECK(source->status().state == ConnectorStatus::State::up);
    setup.world.run(source->stop());
    CHECK(test::talk(setup.world, port, "x", 20).empty());
  }
}

TEST_CASE("every destination ends a send with an outcome, and can be stopped and started again", "[contract]") {
  for (const ConnectorSpec* spec : specs_of(ConnectorRole::destination)) {
    const test::ContractRig& rig = *Setup::rig_of(*spec);
    INFO(spec->name);
    Setup setup;
    const auto destination = spec->make_destination(setup.options(*spec), setup.world.around());
    for (int i = 0; i < 2; ++i) {
      REQUIRE(destination->start());
      const auto outcome = setup.world.send(*destination, message_for(rig));  // a peer's port is dead
      const bool waits = rig.peer || rig.inside;
      CHECK((outcome.kind == (waits ? SendOutcome::Kind::retry : SendOutcome::Kind::sent)));
      if (rig.peer) CHECK_FALSE(outcome.detail.empty());
      CHECK(outcome.detail.find("ADT") == std::string::npos);
      setup.world.run(destination->stop());
      setup.world.run(destination->stop());
    }
  }
}

/// Takes connections and what they say, and answers nothing; closes after the first bytes when `closes`.
struct Peer {
  Peer(test::World& world, bool closes) {
    auto made = world.net.listen("127.0.0.1", 0, [this, closes](base::StreamPtr stream) {
      streams.push_back(stream);
      base::spawn(listen_to(stream, closes));
    });
    REQUIRE(made);
    listener = std::move(*made);
  }
  ~Peer() {
    listener->close();
    for (const auto& stream : streams) stream->close();
  }
  static base::Task<void> listen_to(base::StreamPtr stream, bool closes) {
    std::string buffer(4096, '\0');
    for (;;) {
      auto reading = stream->read_some(buffer.data(), buffer.size(), -1);
      const auto got = co_await std::move(reading);
      if (closes || !got || *got == 0) break;
    }
    stream->close();
  }
  std::unique_ptr<base::Listener> listener;
  std::vector<base::StreamPtr> streams;
};

base::Task<void> keep_outcome(Destination* destination, Outgoing message, std::optional<SendOutcome>* out) {
  auto sending = destination->send(std::move(message));
  *out = co_await std::move(sending);
}

TEST_CASE("a peer that says nothing, or goes away, is never taken for one that has the message", "[contract]") {
  for (const ConnectorSpec* spec : specs_of(ConnectorRole::destination)) {
    const test::ContractRig& rig = *Setup::rig_of(*spec);
    if (!rig.peer) continue;
    for (const bool closes : {false, true}) {
      INFO(spec->name << (closes ? " closing" : " silent"));
      Setup setup;
      Peer peer(setup.world, closes);
      const auto destination = spec->make_destination(setup.options(*spec, peer.listener->port()), setup.world.around());
      REQUIRE(destination->start());
      const auto outcome = setup.world.send(*destination, message_for(rig));
      CHECK((outcome.kind == SendOutcome::Kind::in_doubt || outcome.kind == SendOutcome::Kind::retry));
      CHECK_FALSE(outcome.detail.empty());
      setup.world.run(destination->stop());
    }
  }
}

TEST_CASE("stopping ends a send that waits", "[contract]") {
  for (const ConnectorSpec* spec : specs_of(ConnectorRole::destination)) {
    const test::ContractRig& rig = *Setup::rig_of(*spec);
    if (!rig.peer) continue;
    INFO(spec->name);
    Setup setup;
    Peer peer(setup.world, false);
    const auto destination = spec->make_destination(setup.options(*spec, peer.listener->port()), setup.world.around());
    REQUIRE(destination->start());
    std::optional<SendOutcome> outcome;
    base::spawn(keep_outcome(destination.get(), message_for(rig), &outcome));
    setup.world.wait(50);
    CHECK_FALSE(outcome);
    setup.world.run(destination->stop());
    REQUIRE(outcome);
    CHECK((outcome->kind == SendOutcome::Kind::in_doubt || outcome->kind == SendOutcome::Kind::retry));
  }
}

TEST_CASE("sources refuse what cannot work and name the option", "[contract]") {
  Setup setup;
  const auto& mllp = *find_connector(ConnectorRole::source, "mllp");
  const auto first = mllp.make_source(test::parse(mllp, "{ port 0 }"), setup.world.around());
  REQUIRE(first->start(setup.world.intake));
  const std::string port = std::to_string(first->status().port);
  const auto second = mllp.make_source(test::parse(mllp, "{ port " + port + " }"), setup.world.around());
  const auto refused = second->start(setup.world.intake);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message().find("option port") != std::string::npos);
  setup.world.run(first->stop());
  REQUIRE(second->start(setup.world.intake));  // the port is free again
  setup.world.run(second->stop());
  const auto& file = *find_connector(ConnectorRole::source, "file");
  const auto missing =
      file.make_source(test::parse(file, "{ folder \"/nowhere/at/all\" }"), setup.world.around());
  const auto no_folder = missing->start(setup.world.intake);
  REQUIRE_FALSE(no_folder);
  CHECK(no_folder.error().message().find("option folder") != std::string::npos);
}

}  // namespace
}  // namespace kiln::channels
