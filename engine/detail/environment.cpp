#include "engine/detail/environment.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "channels/definition.h"
#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/detail/site_data.h"
#include "engine/journal/master_key.h"
#include "engine/security/certificates.h"

namespace kiln::engine::detail {
namespace {

class Doctor {
 public:
  std::vector<EnvironmentFinding> findings;

  void ok(std::string what, std::string text) {
    findings.push_back({"ok", std::move(what), std::move(text), {}});
  }
  void warn(std::string what, std::string text, std::string fix) {
    findings.push_back({"warning", std::move(what), std::move(text), std::move(fix)});
  }
  void error(std::string what, std::string text, std::string fix) {
    findings.push_back({"error", std::move(what), std::move(text), std::move(fix)});
  }

  void look_at_machine() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    constexpr rlim_t kFilesWanted = 4'096;
    if (files.rlim_cur < kFilesWanted)
      warn("open files", "at most " + std::to_string(files.rlim_cur),
           "ulimit -n 65536, or LimitNOFILE=65536 in the unit");
    else
      ok("open files", "at most " + std::to_string(files.rlim_cur));
    timex state{};
    const int synchronised = ::adjtimex(&state);
    if (synchronised == TIME_ERROR)
      warn("clock", "the system clock is not synchronised",
           "install chrony or systemd-timesyncd; message times come from it");
    else
      ok("clock", "synchronised");
    constexpr std::int64_t kYear2025 = 1'735'689'600;
    if (base::SystemClock().wall().micros / 1'000'000 < kYear2025)
      error("clock", "the date is in the past", "set the date");
    if (::geteuid() == 0) warn("user", "it runs as root", "run the engine as a user of its own");
  }

  void look_at_data(const std::string& data) {
    base::Env& env = base::system_env();
    if (!env.exists(data)) {
      const std::string parent(base::folder_of(data));
      if (::access(parent.c_str(), W_OK) != 0)
        error("data", data + " cannot be made", "give the user write access to " + parent);
      else
        ok("data", data + " will be made at the first start");
      return look_at_disk(parent);
    }
    struct stat info {};
    if (::stat(data.c_str(), &info) == 0 && (info.st_mode & 0077) != 0)
      error("data", data + " is open to others", "chmod 700 " + data);
    else if (::access(data.c_str(), R_OK | W_OK | X_OK) != 0)
      error("data", data + " cannot be written", "chown it to the user of the engine");
    else
      ok("data", data + " is the engine's own");
    look_at_disk(data);
    look_at_sync(data);
  }

  void look_at_site(const channels::Site& site) {
    look_at_listener("http", site.server.block("http").text("listen"));
    if (site.server.has("console")) look_at_listener("console", site.server.block("console").text("listen"));
    for (const auto& channel : site.channels) {
      if (channel.disabled) continue;
      if (channel.source->listens_on != nullptr)
        look_at_listener("channel " + channel.name, channel.source->listens_on(channel.source_options));
      for (const auto& destination : channel.destinations) look_at_destination(channel.name, destination);
    }
    look_at_keys(site);
    const std::int64_t now = base::SystemClock().wall().micros;
    for (const auto& one : certificates_of(site)) {
      const std::int64_t days = (one.expires.micros - now) / 86'400'000'000;
      if (days < 0)
        error("certificate of " + one.where, "it has expired", "put a new one in its place");
      else if (days < 30)
        warn("certificate of " + one.where, "it expires in " + std::to_string(days) + " days",
             "order a new one");
      else
        ok("certificate of " + one.where, std::to_string(days) + " days left");
    }
  }

  bool running = false;

 private:
  /// Whoever takes the disk away must not have the key with it (security.md §7).
  void look_at_keys(const channels::Site& site) {
    const channels::OptionValue* master = site.server.block("keys").find("master");
    if (master == nullptr)
      return warn("encryption", "messages are stored in the clear", "give `keys { master file(\"…\") }` in kiln.conf");
    const auto key = read_master_key(site.server, site.data_folder);
    if (!key) return error("encryption", key.error().message(), key.error().remedy);
    const std::string file = channels::file_of(*master, channels::process_references());
    struct stat of_key {}, of_data {};
    const bool known = !file.empty() && ::stat(file.c_str(), &of_key) == 0 && ::stat(site.data_folder.c_str(), &of_data) == 0;
    if (known && master->origin == channels::OptionValue::Origin::file && (of_key.st_mode & 077) != 0)
      return warn("encryption", "others can read the file of the master key, " + file, "chmod 600 " + file);
    if (known && of_key.st_dev == of_data.st_dev)
      return warn("encryption", "the master key lies on the disk of the journal", "put it on another one, or use cred(\"…\")");
    ok("encryption", "master key " + (*key)->id());
  }

  void look_at_disk(const std::string& folder) {
    struct statvfs found {};
    if (::statvfs(folder.c_str(), &found) != 0) return;
    const std::uint64_t free = std::uint64_t{found.f_bavail} * found.f_frsize,
                        all = std::uint64_t{found.f_blocks} * found.f_frsize;
    const std::string text = std::to_string(free >> 20) + " MB of " + std::to_string(all >> 20) + " MB free";
    if (free < (256u << 20) || free * 33 < all)
      error("disk", text, "make room: when it is full, messages are refused");
    else if (free * 10 < all)
      warn("disk", text, "make room, or shorten the retention");
    else
      ok("disk", text);
  }

  /// The time one confirmed write takes: every acknowledgement waits for one.
  void look_at_sync(const std::string& data) {
    base::Env& env = base::system_env();
    const std::string path = base::join_path(data, "doctor.tmp");
    auto file = env.open_append(path);
    if (!file)
      return error("disk", "no file can be written in " + data, "look at its owner and at mount options");
    const base::SystemClock clock;
    const base::MonoTime begin = clock.mono();
    constexpr int kWrites = 20;
    bool good = true;
    for (int i = 0; i < kWrites && good; ++i)
      good = (*file)->append(std::string(4096, 'x')).has_value() && (*file)->sync().has_value();
    const auto each =
        std::chrono::duration_cast<std::chrono::microseconds>(clock.mono() - begin).count() / kWrites;
    (void)env.remove(path);
    const std::string text = std::to_string(each) + " us for a confirmed write";
    if (!good)
      error("disk", "a write was not confirmed", "look at the kernel log: the disk may be failing");
    else if (each > 20'000)
      warn("disk", text,
           "use a faster disk, or one with a protected write cache: each acknowledgement waits for it");
    else
      ok("disk", text);
  }

  void look_at_listener(const std::string& what, const std::string& address) {
    if (address.empty() || running) return;
    const auto colon = address.rfind(':');
    const std::string host = address.substr(0, colon);
    const int port = std::atoi(address.c_str() + colon + 1);
    if (port == 0) return;
    const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET, host.c_str(), &place.sin_addr) != 1) {
      ::close(file);
      return;
    }
    const bool free = ::bind(file, reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0;
    const int why = errno;
    ::close(file);
    if (free)
      ok(what, "port " + address + " is free");
    else if (why == EACCES)
      error(what, "port " + address + " needs a right that the user does not have",
            "a port above 1023, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit");
    else
      error(what, "port " + address + " is taken by another program", "ss -ltnp shows which");
  }

  void look_at_destination(const std::string& channel, const channels::DestinationDefinition& destination) {
    const auto* host = channels::find_field(destination.options.fields(), "host");
    if (host == nullptr || !destination.options.has("host")) return;
    const std::string name = destination.options.text("host"),
                      what = "destination " + channel + "/" + destination.name;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0)
      error(what, "the name " + name + " is not known", "look at DNS or /etc/hosts");
    else
      ok(what, name + " is known");
    if (found != nullptr) ::freeaddrinfo(found);
  }
};

}  // namespace

base::Result<std::vector<EnvironmentFinding>> look_at_environment(const Arguments& arguments, const std::string& site) {
  Doctor doctor;
  doctor.look_at_machine();
  std::string data;
  if (site.empty()) {
    TRY(data, data_folder(arguments));
  } else {
    TRY(data, data_folder_of(site));
  }
  base::HttpRequest ping;
  ping.method = "GET";
  ping.target = "/api/v1/session";
  doctor.running = control_request(data, ping).has_value();
  doctor.look_at_data(data);
  if (!site.empty() || !arguments.has("--data")) {
    TRY(auto load, channels::load_site(base::system_env(), site.empty() ? arguments.text("--site", ".") : site));
    const base::Status resolved =
        load.site ? channels::resolve_site(*load.site, base::system_env(), channels::process_references()) : base::Status();
    if (!load.site)
      doctor.error("site", "it has errors", "`kiln check` shows them");
    else if (!resolved)
      doctor.error("site", resolved.error().message(), "set what it names; `kiln run` needs it");
    else
      doctor.look_at_site(*load.site);
  }
  doctor.ok("engine", doctor.running ? "one runs on this data folder" : "none runs on this data folder");
  return std::move(doctor.findings);
}

std::string print_findings(const std::vector<EnvironmentFinding>& findings, bool all) {
  std::string out;
  for (const EnvironmentFinding& one : findings) {
    const std::string_view level = one.level;
    if (level == "ok" && !all) continue;
    out += (level == "ok" ? "ok       " : level == "warning" ? "warning  " : "ERROR    ") + one.what + ": " + one.text + "\n";
    if (!one.fix.empty()) out += "         " + one.fix + "\n";
  }
  return out;
}

void write_findings(base::JsonWriter& json, const std::vector<EnvironmentFinding>& findings) {
  json.begin_array();
  for (const EnvironmentFinding& one : findings) {
    json.begin_object().member("level", one.level).member("what", one.what).member("text", one.text);
    if (!one.fix.empty()) json.member("fix", one.fix);
    json.end_object();
  }
  json.end_array();
}

bool has_error(const std::vector<EnvironmentFinding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const auto& one) { return std::string_view(one.level) == "error"; });
}

}  // namespace kiln::engine::detail
