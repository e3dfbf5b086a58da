// kiln run: serves a site.

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "channels/definition.h"
#include "engine/base/env.h"
#include "engine/base/json.h"
#include "engine/command.h"
#include "engine/gateway.h"
#include "engine/version.h"

namespace kiln::engine {
namespace {

void say(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

/// The site, checked and with its references filled in; nullptr after its errors were printed.
std::shared_ptr<channels::Site> load(const std::string& folder, int& exit_code, const Arguments& arguments) {
  auto load = channels::load_site(base::system_env(), folder);
  if (!load) {
    exit_code = report(load.error(), arguments);
    return nullptr;
  }
  for (const base::Diagnostics* part : {&load->diagnostics, &load->unavailable})
    std::fputs(base::render(*part, load->library->sources(), is_terminal(stderr)).c_str(), stderr);
  if (!load->site || !load->unavailable.ok()) {
    exit_code = kExitConfig;
    say("kiln: the site has errors and is not started");
    return nullptr;
  }
  const base::Status resolved =
      channels::resolve_site(*load->site, base::system_env(), channels::process_references());
  if (!resolved) {
    report(resolved.error(), arguments);
    exit_code = kExitConfig;
    return nullptr;
  }
  return load->site;
}

void print_ready(const Gateway& gateway) {
  say("kiln " + std::string(kVersion) + " serves " + gateway.site().folder);
  for (const auto& channel : gateway.channels()) {
    const auto status = channel->source_status();
    std::string line = "  " + channel->definition().name + ": " + channel->definition().source->name;
    if (status.port != 0) line += " on port " + std::to_string(status.port);
    for (const auto& destination : channel->definition().destinations)
      line +=
          (&destination == &channel->definition().destinations.front() ? " -> " : ", ") + destination.name;
    say(line);
  }
  say("  FHIR: " + gateway.fhir_url());
  say("ready (Ctrl-C stops)");
}

/// Whether the process has a controlling terminal; it loses it when the terminal is closed.
bool has_terminal() {
  const int terminal = ::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (terminal >= 0) ::close(terminal);
  return terminal >= 0;
}

int run(const Arguments& arguments) {
  int exit_code = kExitOk;
  // Until the gateway takes it over: a start that recovers is not to be cut short by it.
  std::signal(SIGHUP, SIG_IGN);
  const auto site = load(arguments.text("SITE"), exit_code, arguments);
  if (!site) return exit_code;
  GatewayOptions options;
  options.say = say;
  options.terminal_is_gone = [had_terminal = has_terminal()] { return had_terminal && !has_terminal(); };
  const auto terminal_is_gone = options.terminal_is_gone;
  if (const char* socket = std::getenv("NOTIFY_SOCKET")) options.notify_socket = socket;
  // systemd wants a sign of life within that time; it gets one each second.
  if (const char* watchdog = std::getenv("WATCHDOG_USEC")) options.watchdog_us = std::strtoll(watchdog, nullptr, 10);
  Gateway gateway(base::system_env(), site, std::move(options));
  if (const base::Status started = gateway.start(); !started) return report(started.error(), arguments);
  print_ready(gateway);
  if (terminal_is_gone()) gateway.stop();
  return gateway.run();
}

constexpr ArgumentSpec kArguments[] = {{"SITE", "folder with kiln.conf, channels/, maps/, tables/"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln run examples/quickstart", "serve the quickstart site until Ctrl-C"},
    {"PAS_HOST=10.0.0.5 kiln run /etc/kiln/site", "a site that takes a host name by env(\"PAS_HOST\")"}};

}  // namespace

const CommandSpec& run_spec() {
  static const CommandSpec spec{"run",
                                "Run",
                                "serve a site",
                                "Checks the site, recovers what a crash left behind, then listens. SIGINT, "
                                "SIGTERM and a closed terminal drain:\n"
                                "no new messages, sends in progress are finished. Any other SIGHUP reloads the "
                                "site, as `kiln reload` does. Logs are JSON\n"
                                "lines on stderr. Exit 78: the site has errors; 74: the disk did not confirm a write; 75: another engine uses the "
                                "data folder.",
                                kArguments,
                                {},
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
