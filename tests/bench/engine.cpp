// The whole engine under load: durable MLLP acknowledgements per second against a raw group-commit log on the
// same disk in the same run; time to start and memory at rest.
// K15: also at 256 connections, and beside the raw log of the same run.
//   bench_engine KILN [--seconds S] [--folder F] [--only intake|quickstart] [--connections N]
// F is on the disk that is measured; a folder of its own is made there and removed at the end.

#include <stdlib.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "tests/bench/engine_process.h"
#include "tests/bench/mllp_client.h"
#include "tests/bench/mllp_receiver.h"
#include "tests/bench/raw_log.h"

namespace {

using namespace kiln;
namespace fs = std::filesystem;
constexpr std::size_t kConcurrency[] = {1, 8, 32, 128, 256};
constexpr std::uint64_t kPatients = 5000;

struct Plan {
  std::string kiln;
  fs::path folder;
  std::chrono::milliseconds duration{3000};
  std::string only;
  std::size_t connections = 0;  ///< 0: each of kConcurrency
};

/// An admission of about 1.1 KB; control ids differ, because a repeated one would be answered from the
/// journal.
std::string admission(std::uint64_t number) {
  static const std::string run = std::to_string(::getpid());
  const std::string n = std::to_string(number), patient = std::to_string(700000 + number % kPatients);
  return "MSH|^~\\&|WARDS|NORTH|EHR|NORTH|20260302081500+0100||ADT^A01^ADT_A01|B" + run + "-" + n +
         "|P|2.5.1||||||UNICODE UTF-8\r"
         "EVN||20260302081000|||OPER7^Clerk^Ada\r"
         "PID|1||" +
         patient +
         "^^^NORTH&1.2.840.99999&ISO^MR||Lindqvist^Marja^Tove^^Dr.^^L||19790411|F|||"
         "Havnegade 4^2. th.^Aarhus^^8000^DK^H||^PRN^PH^^45^^55501234~^NET^Internet^marja@example.org|"
         "^WPN^PH^^45^^55509999|da^Danish^ISO639|M|LUT\r"
         "NK1|1|Lindqvist^Per^^^^^L|SPO^Spouse^HL70063|Havnegade 4^2. "
         "th.^Aarhus^^8000^DK|^PRN^PH^^45^^55501235\r"
         "PV1|1|I|M3^04^B^NORTH|E|||0815^Okafor^Ben^^^Dr.^^^NORTH&1.2.840.99999&ISO|0921^Meyer^Lis||MED||||7|"
         "||||V" +
         patient +
         "^^^NORTH&1.2.840.99999&ISO^VN|||||||||||||||||||||||||20260302080000+0100\r"
         "PV2|||R07.4^Chest pain^I10\r"
         "AL1|1|DA|7980^Penicillin G^RXNORM|SV|Urticaria|20150301\r"
         "AL1|2|FA|^Hazelnut|MI\r"
         "DG1|1||I20.9^Angina pectoris, unspecified^I10||20260302|A\r";
}

void write_file(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

std::string read_file(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

void replace(std::string& text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  if (at == std::string::npos) {
    std::fprintf(stderr, "the quickstart site has no \"%s\" any more: adapt bench_engine\n", what.c_str());
    std::exit(1);
  }
  text.replace(at, what.size(), with);
}

struct Ports {
  std::uint16_t adt = bench::free_port(), http = bench::free_port();
};

/// Takes a message, answers when it is stored, drops it.
void make_intake_site(const fs::path& folder, const Ports& ports) {
  write_file(folder / "kiln.conf", "server {\n  data \"data\"\n  http { listen 127.0.0.1:" +
                                       std::to_string(ports.http) + " }\n}\n");
  write_file(folder / "channels/intake.channel",
             "module bench.channels\n\nchannel intake {\n  source mllp {\n    port " +
                 std::to_string(ports.adt) +
                 "\n    connections_per_peer 300\n  }\n  accept hl7 ADT_A01 2.5.1\n  ack original on stored\n"
                 "  to nowhere: drop from source {}\n}\n");
}

/// The quickstart site on free ports. Its stand-in for the patient administration is left out: `pas` is the
/// bench's receiver.
void make_quickstart_site(const fs::path& folder, const Ports& ports, std::uint16_t receiver) {
  const fs::path from = fs::path(KILN_SOURCE_DIR) / "examples/quickstart";
  fs::create_directories(folder);
  for (const char* part : {"channels", "maps", "tables"})
    if (fs::exists(from / part)) fs::copy(from / part, folder / part, fs::copy_options::recursive);
  fs::remove(folder / "channels/pas.channel");
  std::string conf = read_file(from / "kiln.conf");
  replace(conf, "127.0.0.1:8080", "127.0.0.1:" + std::to_string(ports.http));
  write_file(folder / "kiln.conf", conf);
  fs::copy_file(from / "hmap.lock", folder / "hmap.lock");
  for (const auto& entry : fs::directory_iterator(folder / "channels")) {
    std::string text = read_file(entry.path());
    // Whole: a port that was put in may hold the digits of one that is still looked for.
    const auto swap_port = [&](const std::string& port, std::uint16_t with, const std::string& more) {
      const auto at = text.find(" " + port + "\n");
      if (at != std::string::npos) text.replace(at + 1, port.size(), std::to_string(with) + more);
    };
    swap_port("2575", ports.adt, "\n    connections_per_peer 300");
    swap_port("2576", bench::free_port(), "");
    swap_port("2577", bench::free_port(), "");
    swap_port("2600", receiver, "");
    write_file(entry.path(), text);
  }
}

struct Row {
  std::size_t connections = 0;
  double raw = 0;     ///< bare SQLite, a second
  double append = 0;  ///< append file, a second
  bench::LoadResult load;
  double cpu_us = 0;  ///< of the engine, for each message
  std::uint64_t forwarded = 0;
};

void print_raw(const char* name, std::size_t writers, const bench::RawLogResult& raw) {
  std::printf("%-11s writers=%-4zu %8.0f /s  p50 %6.2f ms  p99 %6.2f ms  %.1f records a sync\n", name,
              writers, raw.per_second(), raw.quantile_ms(0.5), raw.quantile_ms(0.99),
              raw.syncs == 0 ? 0 : static_cast<double>(raw.records) / static_cast<double>(raw.syncs));
}

void print_row(const char* name, const Row& row) {
  std::printf(
      "%-11s connections=%-4zu %8.0f ack/s  p50 %6.2f ms  p99 %6.2f ms  ratio %.2f (to the append file %.2f)"
      "  engine %4.0f us cpu/msg",
      name, row.connections, row.load.per_second(), row.load.quantile_ms(0.5), row.load.quantile_ms(0.99),
      row.load.per_second() / row.raw, row.load.per_second() / row.append, row.cpu_us);
  if (row.forwarded > 0)
    std::printf("  forwarded meanwhile %.0f/s", static_cast<double>(row.forwarded) / row.load.seconds);
  std::printf("\n");
  std::fflush(stdout);
}

/// One engine on a fresh site, loaded once.
bool run_engine(const Plan& plan, const char* name, std::size_t connections, double raw, double append) {
  const fs::path site = plan.folder / name;
  fs::remove_all(site);
  bench::MllpReceiver receiver;  // before the ports, so that none of them is its own
  const Ports ports;
  const bool quickstart = std::strcmp(name, "quickstart") == 0;
  if (quickstart)
    make_quickstart_site(site, ports, receiver.port());
  else
    make_intake_site(site, ports);
  const std::string log = (plan.folder / (std::string(name) + ".log")).string();
  Row row;
  {
    bench::EngineProcess engine(plan.kiln, site.string(), log, ports.adt);
    if (!engine.is_up()) {
      std::fprintf(stderr, "%s: the engine did not start:\n%s", name, read_file(log).c_str());
      return false;
    }
    bench::LoadPlan load;
    load.port = ports.adt;
    load.connections = connections;
    load.duration = plan.duration;
    load.message = admission;
    const double cpu = engine.cpu_seconds();
    row.connections = connections;
    row.raw = raw;
    row.append = append;
    row.load = bench::run_load(std::move(load));
    row.cpu_us = (engine.cpu_seconds() - cpu) * 1e6 /
                 static_cast<double>(std::max<std::uint64_t>(1, row.load.answers));
    row.forwarded = receiver.received();
    print_row(name, row);
  }
  const bool good = row.load.errors == 0 && row.load.answers > 0 && row.load.positive == row.load.answers;
  if (!good)
    std::fprintf(stderr, "%s: %llu of %llu answers positive, %llu connections failed; log:\n%s", name,
                 static_cast<unsigned long long>(row.load.positive),
                 static_cast<unsigned long long>(row.load.answers),
                 static_cast<unsigned long long>(row.load.errors), read_file(log).substr(0, 4000).c_str());
  fs::remove_all(site);
  return good;
}

/// Time from exec to the first connection taken, on a fresh site and again on the data it left; memory two
/// seconds later.
bool run_start(const Plan& plan) {
  const fs::path site = plan.folder / "start";
  bench::MllpReceiver receiver;  // before the ports, so that none of them is its own
  const Ports ports;
  make_quickstart_site(site, ports, receiver.port());
  const std::string log = (plan.folder / "start.log").string();
  double first = 0, best = 1e9;
  for (int i = 0; i < 6; ++i) {
    bench::EngineProcess engine(plan.kiln, site.string(), log, ports.adt);
    if (!engine.is_up()) {
      std::fprintf(stderr, "the engine did not start:\n%s", read_file(log).c_str());
      return false;
    }
    if (i == 0)
      first = engine.start_ms();
    else
      best = std::min(best, engine.start_ms());
    if (i != 5) continue;
    std::this_thread::sleep_for(std::chrono::seconds(2));
    std::printf("start-ms %.1f (first start, files made: %.1f)\n", best, first);
    std::printf("idle-rss-mb %.1f (anonymous %.1f, file pages %.1f)\n", engine.status_mb("VmRSS"),
                engine.status_mb("RssAnon"), engine.status_mb("RssFile"));
  }
  std::fflush(stdout);
  fs::remove_all(site);
  return true;
}

bool run_all(const Plan& plan) {
  bool good = run_start(plan);
  bench::RawLog sqlite_log(bench::bare_sqlite((plan.folder / "raw.db").string()));
  bench::RawLog append_log(bench::append_file((plan.folder / "raw.log").string()));
  const std::string record = admission(1);
  for (const std::size_t connections : kConcurrency) {
    if (plan.connections != 0 && plan.connections != connections) continue;
    const bench::RawLogResult raw = sqlite_log.run(connections, plan.duration, record);
    const bench::RawLogResult append = append_log.run(connections, plan.duration, record);
    if (raw.failed || append.failed) {
      std::fprintf(stderr, "a raw log cannot be written in %s\n", plan.folder.c_str());
      return false;
    }
    print_raw("raw-log", connections, raw);
    print_raw("append-file", connections, append);
    for (const char* name : {"intake", "quickstart"})
      if (plan.only.empty() || plan.only == name)
        good = run_engine(plan, name, connections, raw.per_second(), append.per_second()) && good;
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  Plan plan;
  plan.folder = fs::current_path();
  if (argc < 2) {
    std::fprintf(
        stderr,
        "usage: bench_engine KILN [--seconds S] [--folder F] [--only intake|quickstart] [--connections N]\n");
    return 2;
  }
  plan.kiln = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--seconds")
      plan.duration = std::chrono::milliseconds(static_cast<int>(std::atof(argv[i + 1]) * 1000));
    if (option == "--folder") plan.folder = argv[i + 1];
    if (option == "--only") plan.only = argv[i + 1];
    if (option == "--connections") plan.connections = static_cast<std::size_t>(std::atoi(argv[i + 1]));
  }
  std::string own = (plan.folder / "kiln-bench-XXXXXX").string();
  if (::mkdtemp(own.data()) == nullptr) {
    std::perror(own.c_str());
    return 1;
  }
  plan.folder = own;
  const bool good = run_all(plan);
  fs::remove_all(plan.folder);
  return good ? 0 : 1;
}
