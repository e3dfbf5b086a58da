// File and CSV connectors on real files.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "channels/connectors/detail/csv_file.h"
#include "channels/connectors/detail/polled_folder.h"
#include "tests/channels/fixture.h"

namespace kiln::channels {
namespace {

base::Env& env() {
  return base::system_env();
}
void write(const std::string& path, const std::string& text) {
  REQUIRE(env().write_file_atomic(path, text));
}
std::string read(const std::string& path) {
  return env().read_file(path, 1 << 20).value_or("<none>");
}

struct FolderFixture {
  test::World world;
  std::unique_ptr<Source> source;
  void start(const std::string& connector, const std::string& options) {
    const auto& spec = *find_connector(ConnectorRole::source, connector);
    source = spec.make_source(test::parse(spec, options), world.around());
    REQUIRE(source->start(world.intake));
  }
  ~FolderFixture() {
    if (source) world.run(source->stop());
  }
};

TEST_CASE("file source takes files in order of name and archives them", "[files]") {
  FolderFixture fixture;
  auto& world = fixture.world;
  write(world.path("in/b.hl7"), "MSH|^~\\&|B\r");
  write(world.path("in/a.hl7"), "MSH|^~\\&|A1\rPID|1\rMSH|^~\\&|A2\r");
  write(world.path("in/other.txt"), "not taken");
  fixture.start("file", "{ folder \"in\"; pattern \"*.hl7\"; poll 10ms; stable 30ms }");
  REQUIRE(world.until([&] { return env().exists(world.path("in/archive/b.hl7")); }));
  REQUIRE(world.intake.messages.size() == 3);
  CHECK(world.intake.messages[0].bytes == "MSH|^~\\&|A1\rPID|1\r");
  CHECK(world.intake.messages[0].name == "a.hl7");
  CHECK(world.intake.messages[1].key != world.intake.messages[0].key);
  CHECK(world.intake.messages[2].bytes == "MSH|^~\\&|B\r");
  CHECK(env().exists(world.path("in/other.txt")));
  write(world.path("in/b.hl7"), "MSH|^~\\&|B again\r");
  REQUIRE(world.until([&] { return env().exists(world.path("in/archive/b.hl7.2")); }));
  CHECK(read(world.path("in/archive/b.hl7")) == "MSH|^~\\&|B\r");
}

TEST_CASE("file source waits until a file no longer changes", "[files]") {
  FolderFixture fixture;
  auto& world = fixture.world;
  fixture.start("file", "{ folder \"in\"; poll 10ms; stable 150ms }");
  auto growing = env().open_append(world.path("in/slow.hl7"));
  REQUIRE(growing);
  for (int i = 0; i < 6; ++i) {
    REQUIRE((*growing)->append(i == 0 ? "MSH|^~\\&|" : "x"));
    world.wait(40);
    CHECK(world.intake.messages.empty());
  }
  REQUIRE(world.until([&] { return !world.intake.messages.empty(); }));
  CHECK(world.intake.messages[0].bytes == "MSH|^~\\&|xxxxx");
}

TEST_CASE("a refused file goes to failed, one that was not stored is tried again", "[files]") {
  FolderFixture fixture;
  auto& world = fixture.world;
  int failures = 3;
  world.intake.answer = [&](const Inbound& message) {
    Answer out;
    out.taken = message.name == "bad.csv" ? Taken::refused
                : failures-- > 0          ? Taken::not_stored
                                          : Taken::stored;
    return out;
  };
  write(world.path("in/bad.csv"), "a;b\n");
  write(world.path("in/good.csv"), "c;d\n");
  fixture.start("csv", "{ folder \"in\"; poll 10ms; stable 0s }");
  REQUIRE(world.until([&] { return env().exists(world.path("in/archive/good.csv")); }));
  CHECK(env().exists(world.path("in/failed/bad.csv")));
  CHECK(world.intake.messages.size() == 5);
  CHECK(world.intake.messages[1].key == world.intake.messages[4].key);
}

TEST_CASE("file source reports what holds no message, is too large, or is a link", "[files]") {
  FolderFixture fixture;
  auto& world = fixture.world;
  write(world.path("in/empty.hl7"), "nothing here");
  write(world.path("in/large.hl7"), "MSH|" + std::string(5000, 'x'));
  write(world.path("secret"), "MSH|^~\\&|SECRET\r");
  REQUIRE(symlink(world.path("secret").c_str(), world.path("in/link.hl7").c_str()) == 0);
  fixture.start("file", "{ folder \"in\"; poll 10ms; stable 0s; max_file 4kB }");
  REQUIRE(world.until(
      [&] { return world.intake.reports.size() >= 2 && env().exists(world.path("in/failed/large.hl7")); }));
  CHECK(env().exists(world.path("in/failed/empty.hl7")));
  CHECK(world.intake.messages.empty());
  CHECK(env().exists(world.path("in/link.hl7")));
  bool oversize = false;
  for (const auto& report : world.intake.reports)
    oversize = oversize || report.kind == Unframed::Kind::oversize;
  CHECK(oversize);
}

TEST_CASE("a file left in the work folder by a crash is taken first", "[files]") {
  FolderFixture fixture;
  auto& world = fixture.world;
  REQUIRE(env().make_folders(world.path("in/.taken")));
  write(world.path("in/.taken/z.csv"), "left");
  write(world.path("in/a.csv"), "new");
  fixture.start("csv", "{ folder \"in\"; poll 10ms; stable 0s }");
  REQUIRE(world.until([&] { return world.intake.messages.size() == 2; }));
  CHECK(world.intake.messages[0].name == "z.csv");
}

TEST_CASE("file name patterns", "[files]") {
  CHECK(detail::matches_pattern("a.hl7", "*"));
  CHECK(detail::matches_pattern("a.hl7", "*.hl7"));
  CHECK(detail::matches_pattern("ab.hl7", "a?.*"));
  CHECK_FALSE(detail::matches_pattern("a.txt", "*.hl7"));
  CHECK_FALSE(detail::matches_pattern("a", "??"));
  CHECK(detail::matches_pattern("aXbXc", "a*b*c"));
  CHECK_FALSE(detail::matches_pattern(std::string(5000, 'a'), "*a*a*a*a*a*b"));
}

struct OutFixture {
  test::World world;
  std::unique_ptr<Destination> destination;
  OutFixture(const std::string& connector, const std::string& options) {
    const auto& spec = *find_connector(ConnectorRole::destination, connector);
    destination = spec.make_destination(test::parse(spec, options), world.around());
    REQUIRE(destination->start());
  }
  ~OutFixture() { world.run(destination->stop()); }
  SendOutcome::Kind send(const std::string& file, const std::string& bytes, const std::string& header = "") {
    Outgoing message;
    message.bytes = bytes;
    message.csv_header = header;
    message.rendered = {{"file", file}};
    return world.send(*destination, message).kind;
  }
};

TEST_CASE("file destination writes whole files and never outside of where it should", "[files]") {
  OutFixture fixture("file", "{ file \"x\" }");
  CHECK((fixture.send("out/deep/a.txt", "one") == SendOutcome::Kind::sent));
  CHECK((fixture.send("out/deep/a.txt", "two") == SendOutcome::Kind::sent));
  CHECK(read(fixture.world.path("out/deep/a.txt")) == "one");
  CHECK(read(fixture.world.path("out/deep/a.txt.2")) == "two");
  for (const char* name : {"../a", "out/../../a", "out//a", "", "out/./a", "a\nb", "a\\b"})
    CHECK((fixture.send(name, "x") == SendOutcome::Kind::bad));
}

TEST_CASE("csv destination writes the header once and repairs a torn last record", "[files]") {
  OutFixture fixture("csv", "{ file \"x\"; sync each }");
  CHECK((fixture.send("day.csv", "1;a\n", "id;name\n") == SendOutcome::Kind::sent));
  CHECK((fixture.send("day.csv", "2;b\n", "id;name\n") == SendOutcome::Kind::sent));
  CHECK(read(fixture.world.path("day.csv")) == "id;name\n1;a\n2;b\n");
  fixture.world.run(fixture.destination->stop());
  write(fixture.world.path("day.csv"), "id;name\n1;a\n2;\"torn\nin a quo");
  CHECK((fixture.send("day.csv", "2;b\n", "id;name\n") == SendOutcome::Kind::sent));
  CHECK(read(fixture.world.path("day.csv")) == "id;name\n1;a\n2;b\n");
  REQUIRE(env().remove(fixture.world.path("day.csv")));  // rotated away while open
  CHECK((fixture.send("day.csv", "3;c\n", "id;name\n") == SendOutcome::Kind::sent));
  CHECK(read(fixture.world.path("day.csv")) == "id;name\n3;c\n");
}

TEST_CASE("csv records end at line ends outside of quotes", "[files]") {
  CHECK(detail::end_of_last_record("") == 0);
  CHECK(detail::end_of_last_record("a\nb") == 2);
  CHECK(detail::end_of_last_record("a\n\"x\ny\"\n") == 8);
  CHECK(detail::end_of_last_record("a\n\"x\n") == 2);
  CHECK(detail::end_of_last_record("\"a\"\"b\"\n") == 7);
}

}  // namespace
}  // namespace kiln::channels
