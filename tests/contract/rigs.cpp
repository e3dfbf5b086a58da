#include <catch2/catch.hpp>

#include "engine/base/sql/sqlite.h"
#include "tests/contract/rig.h"

namespace kiln::channels::test {

namespace {

using Role = ConnectorRole;

/// A pin that no server has: what is tested here happens before.
constexpr const char* kPin = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

std::string port_text(std::uint16_t port) {
  return "port " + std::to_string(port);
}
std::string plain(World&, std::uint16_t) {
  return "{ }";
}
std::string next_channel(World&, std::uint16_t) {
  return "{ name \"next\" }";
}
std::string folder(World&, std::uint16_t) {
  return "{ folder \"in\"; poll 10ms; stable 0s }";
}
std::string out_file(World&, std::uint16_t) {
  return "{ file \"out/x\" }";
}
std::string listener(World&, std::uint16_t) {
  return "{ port 0; max_message 1kB }";
}
std::string mllp(World&, std::uint16_t port) {
  return "{ host \"127.0.0.1\"; " + port_text(port) + "; connect_timeout 500ms; ack_timeout 500ms }";
}
std::string http(World&, std::uint16_t port) {
  return "{ url \"http://127.0.0.1:" + std::to_string(port) + "/hl7\"; timeout 500ms }";
}
std::string sftp_source(World&, std::uint16_t port) {
  return "{ host \"127.0.0.1\"; " + port_text(port) + "; user \"u\"; password env(\"HOME\"); host_key \"" + kPin +
         "\"; timeout 500ms; folder \"in\" }";
}
std::string sftp_destination(World&, std::uint16_t port) {
  return "{ host \"127.0.0.1\"; " + port_text(port) + "; user \"u\"; password env(\"HOME\"); host_key \"" + kPin +
         "\"; timeout 500ms; file \"out/x\" }";
}
std::string sql_source(World& world, std::uint16_t) {
  base::DatabaseOptions options;  // a source whose database is not there is down
  options.path = world.path("none.db");
  auto database = base::Database::open(options);
  REQUIRE((database && database->exec("CREATE TABLE IF NOT EXISTS t(id INTEGER)")));
  return "{ file \"" + world.path("none.db") + "\"; query \"select id from t where id > :after\"; cursor \"id\"; poll 10ms }";
}
std::string sql_destination(World&, std::uint16_t port) {
  return "{ postgres { host \"127.0.0.1\"; " + port_text(port) +
         "; database \"d\"; user \"u\" }; timeout 500ms; statement \"insert into t values (:message)\" }";
}
std::string tcp(World&, std::uint16_t port) {
  return "{ host \"127.0.0.1\"; " + port_text(port) + "; connect_timeout 500ms; timeout 500ms }";
}
std::string email(World&, std::uint16_t port) {
  return "{ host \"127.0.0.1\"; " + port_text(port) +
         "; security none; from \"kiln@example.org\"; to \"a@example.org\"; timeout 500ms }";
}
std::string mqtt_source(World&, std::uint16_t) {
  return "{ host \"127.0.0.1\"; port 1; topic \"a\"; timeout 500ms }";
}
std::string mqtt_destination(World&, std::uint16_t port) {
  return "{ host \"127.0.0.1\"; " + port_text(port) + "; topic \"out/x\"; timeout 500ms }";
}
std::string process_source(World&, std::uint16_t) {
  return "{ program \"/bin/true\"; every 10ms }";
}
std::string process_destination(World&, std::uint16_t) {
  return "{ program \"/bin/cat\" }";
}
std::string timer(World&, std::uint16_t) {
  return "{ every 1h }";
}
std::string large_marked() {
  return "\x02" + std::string(4000, 'x') + "\x03";
}
std::string large_frame() {
  return "\x0bMSH|^~\\&|A|B|C|D|20250101||ADT^A01|7|P|2.5.1\rNTE|1||" + std::string(4000, 'x') + "\r\x1c\r";
}
std::string large_post() {
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/hl7-v2\r\nContent-Length: 4000\r\n\r\n" + std::string(4000, 'x');
}

constexpr ContractRig kRigs[] = {
    {"channel", Role::destination, &next_channel, false, false, nullptr, ContentKind::hl7, true},
    {"channel", Role::source, &plain},
    {"csv", Role::destination, &out_file, false, false, nullptr, ContentKind::csv},
    {"csv", Role::source, &folder},
    {"drop", Role::destination, &plain},
    {"email", Role::destination, &email, true},
    {"fhir", Role::destination, &plain, false, false, nullptr, ContentKind::fhir},
    {"fhir", Role::source, &plain},
    {"file", Role::destination, &out_file},
    {"file", Role::source, &folder},
    {"http", Role::destination, &http, true},
    {"http", Role::source, &listener, false, true, &large_post},
    {"mllp", Role::destination, &mllp, true},
    {"mllp", Role::source, &listener, false, true, &large_frame},
    {"mqtt", Role::destination, &mqtt_destination, true},
    {"mqtt", Role::source, &mqtt_source},
    {"process", Role::destination, &process_destination},
    {"process", Role::source, &process_source},
    {"sftp", Role::destination, &sftp_destination, true},
    {"sftp", Role::source, &sftp_source},
    {"sql", Role::destination, &sql_destination, true},
    {"sql", Role::source, &sql_source},
    {"tcp", Role::destination, &tcp, true},
    {"tcp", Role::source, &listener, false, true, &large_marked},
    {"timer", Role::source, &timer},
};

}  // namespace

std::span<const ContractRig> contract_rigs() {
  return kRigs;
}

}  // namespace kiln::channels::test
