// What differs between two versions of a site, in words.
#include <catch2/catch.hpp>

#include <cstdlib>

#include "engine/detail/text_diff.h"
#include "engine/site_diff.h"

using namespace kiln;
using namespace kiln::engine;

namespace {

std::shared_ptr<channels::Site> load(const std::string& channel, const std::string& server = "") {
  auto loaded = channels::load_site_texts({{"kiln.conf", "server {\n" + server + "\n}\n"}, {"channels/c.channel", "module t\n" + channel}});
  INFO(base::render(loaded.diagnostics, loaded.library->sources()));
  REQUIRE(loaded.site);
  REQUIRE(channels::resolve_site(*loaded.site, base::system_env(), channels::process_references()));
  return loaded.site;
}

std::string channel(const std::string& name, int port, const std::string& destinations) {
  return "channel " + name + " {\n  source mllp { port " + std::to_string(port) + " }\n  accept hl7 ADT_A01 2.5.1\n" +
         destinations + "\n}\n";
}

std::string lines(const std::vector<std::string>& all) {
  std::string out;
  for (const std::string& line : all) out += line + "\n";
  return out;
}

const std::string kPas = "  to pas: mllp from source { host \"a\"; port 1 }";

}  // namespace

TEST_CASE("the same site differs in nothing", "[reload]") {
  const auto site = load(channel("c", 2575, kPas));
  const SiteDiff diff = diff_sites(*site, *load(channel("c", 2575, kPas)));
  CHECK(diff.same());
  CHECK(diff.effects.empty());
}

TEST_CASE("channels and destinations that come, go and change are told apart", "[reload]") {
  const auto was = load(channel("a", 1, kPas) + channel("gone", 2, kPas));
  const auto is = load(channel("a", 1, "  to pas: mllp from source { host \"b\"; port 1 }\n  to log: drop from source { }\n"
                                       "  to lab: mllp from source { host \"l\"; port 7 }") +
                       channel("fresh", 3, kPas));
  const SiteDiff diff = diff_sites(*was, *is);
  CHECK(diff.channels.size() == 3);
  CHECK((diff.channels.at("gone").kind == SiteDiff::Channel::Kind::removed));
  CHECK((diff.channels.at("fresh").kind == SiteDiff::Channel::Kind::added));
  const ChannelChange& change = diff.channels.at("a").connectors;
  CHECK_FALSE(change.source);
  CHECK(change.changed == std::set<std::string>{"pas"});
  CHECK(change.added == std::set<std::string>{"lab"});  // `drop` has no queue
  CHECK(change.removed.empty());
  CHECK(lines(diff.effects).find("destination pas changes (host \"a\" -> \"b\")") != std::string::npos);
  CHECK(diff.files.size() == 1);
  CHECK(diff.files[0].diff.find("\n+  to lab: mllp") != std::string::npos);
}

TEST_CASE("an option of the source, and only the maps", "[reload]") {
  const auto was = load(channel("c", 2575, kPas));
  CHECK(diff_sites(*was, *load(channel("c", 2580, kPas))).channels.at("c").connectors.source);
  const SiteDiff maps = diff_sites(*was, *load("channel c {\n  source mllp { port 2575 }\n  accept hl7 ADT_A01 2.5.1 where PV1-2 == \"I\"\n" +
                                               kPas + "\n}\n"));
  CHECK(maps.channels.at("c").other_maps);
  CHECK_FALSE(maps.channels.at("c").connectors.source);
  CHECK(lines(maps.effects).find("from the next message on") != std::string::npos);
}

TEST_CASE("a secret from the environment is compared and not told", "[reload]") {
  ::setenv("KILN_TEST_HOST", "first", 1);
  const std::string text = channel("c", 1, "  to pas: mllp from source { host env(\"KILN_TEST_HOST\"); port 1 }");
  const auto was = load(text);
  ::setenv("KILN_TEST_HOST", "second", 1);
  const SiteDiff diff = diff_sites(*was, *load(text));
  ::unsetenv("KILN_TEST_HOST");
  CHECK(diff.channels.at("c").connectors.changed.contains("pas"));
  CHECK(lines(diff.effects).find("first") == std::string::npos);
  CHECK(lines(diff.effects).find("second") == std::string::npos);
}

TEST_CASE("options of the server are used after a restart", "[reload]") {
  const SiteDiff diff = diff_sites(*load(channel("c", 1, kPas)), *load(channel("c", 1, kPas), "limits { inflight 2MB }"));
  CHECK(diff.channels.empty());
  CHECK(diff.restart == std::vector<std::string>{"limits.inflight"});
}

TEST_CASE("a disabled channel counts as absent", "[reload]") {
  const auto was = load(channel("c", 1, kPas) + channel("d", 2, kPas));
  const SiteDiff diff = diff_sites(*was, *load(channel("c", 1, kPas) + channel("d disabled", 2, kPas)));
  CHECK((diff.channels.at("d").kind == SiteDiff::Channel::Kind::removed));
}

TEST_CASE("a unified difference shows three lines around", "[reload]") {
  std::string was, is;
  for (int i = 1; i <= 20; ++i) was += "line " + std::to_string(i) + "\n";
  is = was;
  is.replace(is.find("line 10\n"), 8, "line ten\nline ten and a half\n");
  CHECK(detail::unified_diff(was, is) ==
        "@@ -7,7 +7,8 @@\n line 7\n line 8\n line 9\n-line 10\n+line ten\n+line ten and a half\n line 11\n line 12\n line 13\n");
  CHECK(detail::unified_diff(was, was).empty());
  CHECK(detail::unified_diff("", "a\n") == "@@ -1,0 +1,1 @@\n+a\n");
}

TEST_CASE("hours of a destination are in the zone of the source or of the server", "[reload]") {
  const auto text = [](const std::string& zone) {
    return "channel c {\n  source mllp { port 1" + zone + " }\n  accept hl7 ADT_A01 2.5.1\n" +
           "  to pas: mllp from source { host \"a\"; port 1; hours \"Mon-Fri 07:00-19:00\" }\n" +
           "  to log: mllp from source { host \"a\"; port 2 }\n}\n";
  };
  const std::string berlin = "; timezone \"Europe/Berlin\"";
  const SiteDiff diff = diff_sites(*load(text(berlin)), *load(text("; timezone \"America/Chicago\"")));
  CHECK(diff.channels.at("c").connectors.changed == std::set<std::string>{"pas"});
  CHECK(lines(diff.effects).find("destination pas changes (zone of its hours Europe/Berlin -> America/Chicago)") != std::string::npos);
  const SiteDiff server = diff_sites(*load(text("")), *load(text(""), "timezone \"Europe/Berlin\""));
  CHECK(server.channels.at("c").connectors.changed == std::set<std::string>{"pas"});
  CHECK_FALSE(server.channels.at("c").connectors.source);
}
