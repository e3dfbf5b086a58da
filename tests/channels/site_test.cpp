// Whole sites: definitions, diagnostics pinned by goldens, references.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "channels/definition.h"
#include "channels/detail/option_text.h"
#include "engine/base/env.h"

namespace kiln::channels {
namespace {

const std::string kFolder = std::string(KILN_SOURCE_DIR) + "/tests/diagnostics/channels/";

/// `tests/diagnostics/channels/<name>.site` holds files, each after a line `=== name`; `<name>.txt` what is
/// reported.
std::vector<std::pair<std::string, std::string>> read_site_file(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> out;
  const std::string text = base::system_env().read_file(path, 1 << 20).value_or("");
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string line = text.substr(at, end - at);
    at = end;
    if (line.starts_with("=== "))
      out.emplace_back(line.substr(4, line.size() - 5), "");
    else if (!out.empty())
      out.back().second += line;
  }
  return out;
}

TEST_CASE("diagnostics of sites", "[site]") {
  const auto files = base::system_env().list(kFolder);
  REQUIRE(files);
  std::size_t seen = 0;
  for (const auto& file : *files) {
    if (!file.name.ends_with(".site")) continue;
    ++seen;
    INFO(file.name);
    const SiteLoad loaded = load_site_texts(read_site_file(kFolder + file.name));
    std::string text = base::render(loaded.diagnostics, loaded.library->sources());
    if (text.empty()) text = "no findings\n";
    const std::string golden = kFolder + file.name.substr(0, file.name.size() - 5) + ".txt";
    if (std::getenv("APPROVE") != nullptr) REQUIRE(base::system_env().write_file_atomic(golden, text));
    CHECK(base::system_env().read_file(golden, 1 << 20).value_or("<no golden: run with APPROVE=1>") == text);
  }
  CHECK(seen >= 15);
}

TEST_CASE("every option table can be read", "[site]") {
  const auto read = [](std::span<const FieldSpec> fields, auto&& self) -> void {
    for (const FieldSpec& field : fields) {
      INFO(field.name);
      CHECK(std::string(field.summary) != "");
      if (field.default_value != nullptr && field.type != FieldType::retry && field.type != FieldType::nak)
        CHECK(detail::default_of(field).has_value());
      self(field.fields, self);
    }
  };
  for (const ConnectorSpec* spec : all_connectors()) read(spec->options, read);
  read(server_options(), read);
  read(common_destination_options(), read);
  CHECK(print_field_schema(server_options()).find("\"x-later\":true") != std::string::npos);
}

const char* const kChannel = R"(channel c {
  source mllp { port env("KILN_TEST_PORT"); max_message env("KILN_TEST_SIZE") }
  accept hl7 ADT_A01 2.5.1 where MSH-9.2 == "A01" else skip "other event"
  to out: file from source if PV1-2 == "I" { file "out/${MSH-10}.hl7"; retry 3 backoff 2s..8s then stop; nak AR quarantine }
  to rest: drop from source { }
}
)";

const char* environment(const char* name) {
  if (std::string(name) == "KILN_TEST_PORT") return "2575";
  if (std::string(name) == "KILN_TEST_SIZE") return "4MB";
  return nullptr;
}

TEST_CASE("a site is loaded, resolved and loaded again from its files", "[site]") {
  const SiteLoad loaded = load_site_texts({{"channels/c.channel", kChannel}});
  INFO(base::render(loaded.diagnostics, loaded.library->sources()));
  REQUIRE(loaded.site);
  Site& site = *loaded.site;
  REQUIRE(site.channels.size() == 1);
  const ChannelDefinition& channel = site.channels[0];
  CHECK(channel.accept[0].structure == "ADT_A01");
  CHECK((channel.accept_else.kind == AcceptElse::Kind::skip));
  CHECK(channel.accept_where->per_accept.size() == 1);
  const DestinationDefinition& out = channel.destinations[0];
  CHECK(out.options.retry.attempts_max == 3);
  CHECK((out.options.retry.then == RetryEnd::stop));
  CHECK((out.options.nak.on_reject == NakAction::quarantine));
  REQUIRE(out.templates.size() == 1);
  CHECK(render(out.templates[0], out.options, {"ID7"}).value() == "out/ID7.hl7");
  CHECK_FALSE(render(out.templates[0], out.options, {"../x"}));
  CHECK(load_site_texts(site.files).site->hash == site.hash);

  ReferenceSource references;
  references.environment = &environment;
  REQUIRE(resolve_site(site, base::system_env(), references));
  CHECK(channel.source_options.number("port") == 2575);
  CHECK(channel.source_options.number("max_message") == 4 << 20);
  CHECK(site.server.block("http").text("listen") == "127.0.0.1:8080");
}

TEST_CASE("a reference without value, or of the wrong type, is named", "[site]") {
  const SiteLoad loaded = load_site_texts({{"channels/c.channel", kChannel}});
  REQUIRE(loaded.site);
  ReferenceSource references;
  references.environment = [](const char*) -> const char* { return nullptr; };
  const auto missing = resolve_site(*loaded.site, base::system_env(), references);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message().find("KILN_TEST_") != std::string::npos);
  references.environment = [](const char*) -> const char* { return "secret-nonsense"; };
  const auto wrong = resolve_site(*loaded.site, base::system_env(), references);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message().find("secret-nonsense") == std::string::npos);
}

TEST_CASE("what a reference stands for is checked when it is filled in", "[site]") {
  const auto refused = [](const char* server, const char* source, const char* destination) {
    const SiteLoad loaded = load_site_texts({{"kiln.conf", std::string("server { ") + server + " }"},
                                             {"channels/c.channel", std::string("channel c {\n  source mllp { port 2575 ") + source +
                                                                        " }\n  accept hl7 ADT_A01 2.5.1\n  to out: http from source { " +
                                                                        destination + " }\n}\n"}});
    REQUIRE(loaded.site);
    CHECK(loaded.diagnostics.ok());
    ReferenceSource references;
    references.environment = [](const char* name) -> const char* {
      const std::string asked(name);
      return asked == "BIND" ? "0.0.0.0" : asked == "LISTEN" ? "0.0.0.0:9464" : asked == "URL" ? "http://pas.example.org" : "secret";
    };
    const auto done = resolve_site(*loaded.site, base::system_env(), references);
    return done ? std::string("served") : std::string(done.error().info().code);
  };
  const char* const kUrl = "url \"https://pas.example.org\"";
  CHECK(refused("", "", kUrl) == "served");
  CHECK(refused("", "; bind env(\"BIND\")", kUrl) == "E0911");
  CHECK(refused("", "; bind env(\"BIND\"); insecure accept_risk", kUrl) == "served");
  CHECK(refused("http { listen env(\"LISTEN\") }", "", kUrl) == "E0911");
  CHECK(refused("console { listen env(\"LISTEN\") }", "", kUrl) == "E0911");
  CHECK(refused("health { listen env(\"LISTEN\") }", "", kUrl) == "E0911");
  CHECK(refused("notify a { webhook env(\"URL\"); authorization env(\"T\") }", "", kUrl) == "E0910");
  CHECK(refused("", "", "url \"http://127.0.0.1:80\"; token env(\"T\")") == "served");
  CHECK(refused("", "", "url env(\"URL\")") == "served");
  CHECK(refused("", "", "url env(\"URL\"); token env(\"T\")") == "E0910");
  CHECK(refused("", "", "url env(\"URL\"); token env(\"T\"); insecure accept_risk") == "served");
}

TEST_CASE("the example channels of the design check without findings", "[site]") {
  const std::string folder = std::string(KILN_SOURCE_DIR) + "/../shared/design/hmap-examples/";
  if (!base::system_env().exists(folder)) {
    WARN("skipped: no design examples beside this checkout");
    return;
  }
  std::vector<std::pair<std::string, std::string>> files;
  for (const char* name :
       {"channels/adt_in.channel", "channels/patient_out.channel", "maps/patient_to_a08.hmap"}) {
    auto text = base::system_env().read_file(folder + std::string(base::name_of(name)), 1 << 20);
    REQUIRE(text);
    files.emplace_back(name, std::move(*text));
  }
  const SiteLoad loaded = load_site_texts(files);
  INFO(base::render(loaded.diagnostics, loaded.library->sources()));
  CHECK(loaded.diagnostics.ok());
}

std::string unavailable(const std::string& channel, const std::string& server = "") {
  const SiteLoad loaded =
      load_site_texts({{"kiln.conf", "server {\n" + server + "\n}\n"}, {"channels/c.channel", "channel c {\n" + channel + "\n}\n"}});
  INFO(base::render(loaded.diagnostics, loaded.library->sources()));
  CHECK(loaded.site);  // tests run
  std::string out;
  for (const base::Diagnostic& finding : loaded.unavailable.list()) {
    CHECK((finding.code == base::ErrorCode::E0915));
    CHECK(!finding.helps.empty());
    out += finding.message.substr(0, finding.message.find(" is not in this version")) + "\n";
  }
  const auto resolved = loaded.site ? resolve_site(*loaded.site, base::system_env(), ReferenceSource()) : base::Status();
  CHECK(out.empty() == resolved.has_value());  // the start says no to the same sites
  return out;
}

TEST_CASE("what is not in this version is said by the check already", "[site]") {
  const std::string source = "source mllp { port 2575 }\naccept hl7 ADT_A01 2.5.1\n", sink = "to out: drop from source { }";
  CHECK(unavailable(source + sink) == "");
  CHECK(unavailable(source + "ack original on delivered\n" + sink) == "");
  CHECK(unavailable(source + "to out: mllp from source { host \"127.0.0.1\"; port 2600; connections 4; order by PID-3[1].1 }") ==
        "");
  CHECK(unavailable(source + sink, "journal { durability relaxed }") == "`durability relaxed`\n");
  CHECK(unavailable(source + sink, "journal { durability full }") == "");
  CHECK(unavailable(source + sink, "journal { retention 30d; metadata 90d; sent drop }") == "");
}

TEST_CASE("the receiver of traces is compared with egress, also when an env() names it", "[site]") {
  const auto start = [](const char* url) {
    ::setenv("KILN_TEST_TRACE", url, 1);
    const SiteLoad loaded = load_site_texts(
        {{"kiln.conf", "server {\n  egress { allow \"127.0.0.1:4318\" }\n  trace { url env(\"KILN_TEST_TRACE\") }\n}\n"}});
    REQUIRE(loaded.site);
    return resolve_site(*loaded.site, base::system_env(), process_references());
  };
  CHECK(start("http://127.0.0.1:4318/v1/traces"));
  const auto refused = start("http://10.0.0.1:4318/v1/traces");
  REQUIRE_FALSE(refused);
  CHECK((refused.error().code == base::ErrorCode::egress_denied));
  CHECK(refused.error().place.find("trace") != std::string::npos);
}

TEST_CASE("what an env() names is compared with egress at the start", "[site]") {
  const auto start = [](const char* host) {
    ::setenv("KILN_TEST_HOST", host, 1);
    const SiteLoad loaded = load_site_texts({{"kiln.conf", "server { egress { allow \"127.0.0.1:2600\" } }\n"},
                                             {"channels/c.channel", R"(channel c {
  source mllp { port 2575 }
  accept hl7 ADT_A01 2.5.1
  to out: mllp from source { host env("KILN_TEST_HOST"); port 2600 }
}
)"}});
    REQUIRE(loaded.site);
    return resolve_site(*loaded.site, base::system_env(), process_references());
  };
  CHECK(start("127.0.0.1"));
  const auto refused = start("10.0.0.1");
  REQUIRE_FALSE(refused);
  CHECK((refused.error().code == base::ErrorCode::egress_denied));
  CHECK(refused.error().remedy.find("10.0.0.1:2600") != std::string::npos);
}

TEST_CASE("encrypted listeners and destinations are in this version", "[site]") {
  const SiteLoad loaded = load_site_texts({{"channels/c.channel", R"(channel c {
  source mllp { port 2575; bind "0.0.0.0"; tls { cert cred("a.crt"); key cred("a.key") } }
  accept hl7 ADT_A01 2.5.1
  to out: http from source { url "https://pas.example.org/hl7"; tls { ca cred("pas.crt") } }
}
)"}});
  INFO(base::render(loaded.diagnostics, loaded.library->sources()));
  CHECK(loaded.diagnostics.ok());
  CHECK(loaded.unavailable.errors() == 0);
}

TEST_CASE("a time zone of the server that does not exist is found", "[site]") {
  const SiteLoad loaded = load_site_texts({{"kiln.conf", "server {\n  timezone \"Mars/Olympus\"\n}\n"}});
  REQUIRE(loaded.diagnostics.errors() == 1);
  CHECK((loaded.diagnostics.list()[0].code == base::ErrorCode::E0917));
}

TEST_CASE("what an acknowledgement that waits or is made needs", "[site]") {
  const auto found = [](const std::string& source, const std::string& ack, const std::string& more) {
    const SiteLoad loaded = load_site_texts({{"channels/c.channel", R"(module t
map made(msg: hl7 ADT_A01 2.5.1) -> hl7 ACK 2.5.1 {
  MSA-1 = "AA"
}
map told(msg: hl7 ACK 2.5.1) -> hl7 ACK 2.5.1 {
  MSA-1 = MSA-1
}
channel c {
  source )" + source + "\n  accept hl7 ADT_A01 2.5.1\n  " + ack + "\n  " + more + "\n" + R"(  to out: mllp from source { host "127.0.0.1"; port 2600 }
}
)"}});
    std::string out;
    for (const auto& one : loaded.diagnostics.list())
      if (one.severity == base::Severity::error) out += std::string(base::error_info(one.code).code) + " " + one.message + "\n";
    return out;
  };
  const std::string mllp = "mllp { port 2575 }", delivered = "ack auto on delivered ";
  CHECK(found(mllp, delivered, "") == "");
  CHECK(found(mllp, delivered + "{ timeout 10s; late AA; of out }", "") == "");
  CHECK(found(mllp, delivered + "{ late close; reply answer }", "map answer = told of out") == "");
  CHECK(found(mllp, "ack original on mapped { reply answer }", "map answer = made") == "");
  CHECK(found(mllp, "ack original on mapped { timeout 10s }", "") == "E0900 `timeout` needs `on delivered`\n");
  CHECK(found(mllp, delivered + "{ late AX }", "").starts_with("E0917 `late`"));
  CHECK(found(mllp, delivered + "{ of pas }", "") == "E0901 `of`: this channel has no destination `pas`\n");
  CHECK(found(mllp, delivered + "{ reply nothing }", "") == "E0901 `reply`: no `map` of this channel sets `nothing`\n");
  CHECK(found(mllp, "ack original on mapped { reply answer }", "map answer = told of out") ==
        "E0902 what `out` answers is known when it has the message\n");
  CHECK(found(mllp, delivered, "map answer = told of out") == "E0902 nobody waits for the reply of `out`\n");
  CHECK(found(mllp, "ack original on stored { reply answer }", "map answer = made") ==
        "E0902 `reply` is known when the maps have run\n");
  CHECK(found(mllp, "ack none on delivered", "") == "E0902 `ack none` answers nobody\n");
  CHECK(found(mllp, delivered, "to back: mllp from ack { host \"127.0.0.1\"; port 2601 }") ==
        "E0902 `from ack` is queued when the message is mapped, and `ack … on delivered` knows later\n");
}

}  // namespace
}  // namespace kiln::channels
