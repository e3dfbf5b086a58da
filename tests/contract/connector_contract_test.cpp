// What every connector promises, checked for all of them: tables that can be read, examples that parse as
// they say, start, stop, start again, refusal with the option's name.
#include <catch2/catch.hpp>

#include "channels/connector.h"
#include "channels/definition.h"
#include "tests/channels/fixture.h"

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

TEST_CASE("every connector: its examples are accepted or refused as they say", "[contract]") {
  REQUIRE(all_connectors().size() >= 9);
  for (const ConnectorSpec* spec : all_connectors()) {
    CHECK(spec->examples.size() >= 2);
    CHECK((spec->make_source != nullptr) == (spec->role == ConnectorRole::source));
    CHECK((spec->make_destination != nullptr) == (spec->role == ConnectorRole::destination));
    CHECK_FALSE(print_field_table(spec->options).empty());
    for (const ConnectorExample& example : spec->examples) {
      INFO(spec->name << " " << example.text);
      const SiteLoad loaded = load_site_texts({{"channels/c.channel", channel_with(*spec, example.text)}});
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
  Options options(const ConnectorSpec& spec) {
    std::string text = "{ }";
    const std::string name = spec.name;
    if (spec.role == ConnectorRole::source && (name == "mllp" || name == "http")) text = "{ port 0 }";
    if (spec.role == ConnectorRole::destination && name == "http")
      text = "{ url \"http://127.0.0.1:1/hl7\" }";
    if (spec.role == ConnectorRole::source && (name == "file" || name == "csv"))
      text = "{ folder \"in\"; poll 10ms; stable 0s }";
    if (spec.role == ConnectorRole::destination && name == "mllp")
      text = "{ host \"127.0.0.1\"; port 1; connect_timeout 200ms }";
    if (spec.role == ConnectorRole::destination && (name == "file" || name == "csv"))
      text = "{ file \"out/x\" }";
    return test::parse(spec, text);
  }
};

TEST_CASE("every source starts, stops and starts again", "[contract]") {
  for (const ConnectorSpec* spec : all_connectors()) {
    if (spec->role != ConnectorRole::source) continue;
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

TEST_CASE("every destination ends a send with an outcome, and can be stopped and started again",
          "[contract]") {
  for (const ConnectorSpec* spec : all_connectors()) {
    if (spec->role != ConnectorRole::destination) continue;
    INFO(spec->name);
    Setup setup;
    const auto destination = spec->make_destination(setup.options(*spec), setup.world.around());
    for (int i = 0; i < 2; ++i) {
      REQUIRE(destination->start());
      Outgoing message;
      message.bytes = "MSH|^~\\&|A|B|C|D|20250101||ADT^A01|7|P|2.5.1\r";
      message.control_id = "7";
      message.rendered = {{"file", "out/x"}};
      const auto outcome = setup.world.send(*destination, message);
      const std::string name = spec->name;
      const bool dead_port = name == "mllp" || name == "http";
      CHECK((outcome.kind == (dead_port ? SendOutcome::Kind::retry : SendOutcome::Kind::sent)));
      setup.world.run(destination->stop());
      setup.world.run(destination->stop());
    }
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
