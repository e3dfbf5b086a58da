// The FHIR server over loopback, with durable commits: writes, reads, an import, and searches on a large store.
//   bench_fhir KILN [--seconds S] [--folder F] [--patients N] [--data DIR]
// --patients: 10 resources each in the large store (default 10,000; 100,000 make a million resources). --data: the
// folder of the large store; made when it is not there, and kept.

#include <sys/stat.h>

#include <cctype>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/fhir_population.h"
#include "tests/bench/http_load.h"

using namespace kiln::bench;
namespace fs = std::filesystem;

namespace {

struct Plan {
  std::string kiln;
  fs::path folder, data;
  double seconds = 3;
  std::uint64_t patients = 10'000;
};

int missed = 0;

/// A figure, and what it should be; `aim` 0: nothing is asked.
void figure(const std::string& what, double value, const char* unit, double aim, bool at_least) {
  std::printf("%-58s %10.*f %-12s", what.c_str(), value < 100 ? 2 : 0, value, unit);
  if (aim > 0) {
    const bool good = at_least ? value >= aim : value <= aim;
    missed += good ? 0 : 1;
    std::printf(" %s %g: %s", at_least ? ">=" : "<=", aim, good ? "reached" : "missed");
  }
  std::printf("\n");
  std::fflush(stdout);
}

void failures(const HttpLoadResult& result) {
  if (result.failed == 0) return;
  std::printf("  %llu answers were wrong; the first:\n%s\n", static_cast<unsigned long long>(result.failed),
              result.first_failure.c_str());
  ++missed;
}

/// A site of its own, and the engine on it.
class Site {
 public:
  Site(const Plan& plan, const fs::path& data) : port_(free_port()), folder_(plan.folder / ("site" + std::to_string(port_))) {
    fs::create_directories(folder_);
    fs::create_directories(data);
    std::ofstream(folder_ / "kiln.conf") << "server {\n  data \"" << fs::absolute(data).string()
                                         << "\"\n  http { listen 127.0.0.1:" << port_ << " }\n}\n";
    engine_ = std::make_unique<EngineProcess>(plan.kiln, folder_.string(), (folder_ / "log").string(), port_);
    if (!engine_->is_up()) {
      std::ifstream log(folder_ / "log");
      std::fprintf(stderr, "the engine did not start:\n%s\n",
                   std::string{std::istreambuf_iterator<char>(log), {}}.c_str());
      std::exit(1);
    }
  }
  std::uint16_t port() const { return port_; }
  const EngineProcess& engine() const { return *engine_; }
  std::string base() const { return "http://127.0.0.1:" + std::to_string(port_) + "/fhir"; }

 private:
  std::uint16_t port_;
  fs::path folder_;
  std::unique_ptr<EngineProcess> engine_;
};

HttpLoadResult load(const Site& site, std::size_t clients, double seconds,
                    std::function<std::string(std::uint64_t)> request) {
  HttpLoadPlan plan;
  plan.port = site.port();
  plan.connections = clients;
  plan.seconds = seconds;
  plan.request = std::move(request);
  HttpLoadResult result = run_http_load(plan);
  failures(result);
  return result;
}

// ---- create, read, update, delete ----

/// One resource of each of nine types, without an id.
std::string nine(std::uint64_t n) {
  static const char* const kOthers[] = {"Practitioner", "Organization", "Location"};
  const std::uint64_t kind = n % 9;
  if (kind < 6) {
    static const std::uint64_t kSlots[] = {0, 1, 2, 7, 8, 9};
    std::string line = Population::line(n / 9, kSlots[kind]);
    const std::size_t at = line.find("\"id\":\"");
    line.erase(at, line.find(',', at) + 1 - at);
    return line;
  }
  const std::string type = kOthers[kind - 6], number = std::to_string(n);
  const std::string name = kind == 6 ? R"("name":[{"family":"Invented)" + number + R"("}])" : R"("name":"Invented )" + number + "\"";
  return R"({"resourceType":")" + type + R"(","identifier":[{"system":"urn:invented","value":")" + number + R"("}],)" + name + "}";
}

std::string type_of(const std::string& resource) {
  const std::size_t at = resource.find(":\"") + 2;
  return resource.substr(at, resource.find('"', at) - at);
}

void bench_crud(const Plan& plan) {
  const Site site(plan, plan.folder / "crud");
  for (const std::size_t clients : {std::size_t{1}, std::size_t{32}}) {
    const HttpLoadResult made = load(site, clients, plan.seconds, [](std::uint64_t n) {
      const std::string body = nine(n);
      return http_request("POST", "/" + type_of(body), body);
    });
    const std::string who = std::to_string(clients) + (clients == 1 ? " client" : " clients");
    figure("create, nine types, " + who, made.per_second(), "/s", clients == 32 ? 1500 : 0, true);
    figure("  p99", made.quantile(0.99), "ms", 0, false);
  }
  constexpr std::uint64_t kKept = 2000;
  const auto identified = [](std::uint64_t n) {
    std::string body = nine(n);
    const std::string type = type_of(body), id = "b" + std::to_string(n);
    body.insert(body.find(',') + 1, R"("id":")" + id + "\",");
    return std::pair("/" + type + "/" + id, body);
  };
  HttpLoadPlan keep;
  keep.port = site.port();
  keep.connections = 32;
  keep.seconds = 60;
  keep.requests_max = kKept;
  keep.request = [&](std::uint64_t n) {
    const auto [url, body] = identified(n);
    return http_request("PUT", url, body);
  };
  failures(run_http_load(keep));
  for (const std::size_t clients : {std::size_t{8}, std::size_t{32}}) {
    const HttpLoadResult read = load(site, clients, plan.seconds, [&](std::uint64_t n) {
      return http_request("GET", identified(mixed(n) % kKept).first);
    });
    figure("read, " + std::to_string(clients) + " clients", read.per_second(), "/s", clients == 32 ? 15000 : 0, true);
    figure("  p99", read.quantile(0.99), "ms", 0, false);
  }
  // Each resource is made, read, changed and deleted, by whichever client comes next.
  std::vector<std::pair<std::string, std::string>> lives;
  for (std::uint64_t n = 0; n < 8192; ++n) lives.push_back(identified(1'000'000 + n));
  const HttpLoadResult mix = load(site, 64, plan.seconds, [&](std::uint64_t n) {
    // Steps of one resource are 8,192 requests apart: the one before has been answered.
    const auto& [url, body] = lives[n % lives.size()];
    switch (n / lives.size() % 4) {
      case 0:
        return http_request("PUT", url, body);
      case 1:
        return http_request("GET", url);
      case 2: {
        std::string changed = body;
        changed.insert(changed.size() - 1, R"(,"language":"en")");
        return http_request("PUT", url, changed);
      }
      default:
        return http_request("DELETE", url);
    }
  });
  figure("create, read, update, delete, nine types, 64 clients", mix.per_second(), "/s", 4000, true);
  figure("  p99", mix.quantile(0.99), "ms", 0, false);
}

// ---- import ----

double number_after(const std::string& text, const std::string& key) {
  const std::size_t at = text.find("\"" + key + "\":");
  return at == text.npos ? 0 : std::strtod(text.c_str() + at + key.size() + 3, nullptr);
}

std::string output_of(const std::string& command) {
  std::string text;
  if (std::FILE* pipe = ::popen(command.c_str(), "r")) {
    char buffer[4096];
    while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, got);
    ::pclose(pipe);
  }
  return text;
}

void bench_import(const Plan& plan) {
  const fs::path corpus = fs::path(KILN_SOURCE_DIR) / "../shared/corpus/synthea";
  if (!fs::exists(corpus)) {
    std::puts("Synthea import: skipped, ../shared/corpus/synthea is not there");
    return;
  }
  const Site site(plan, plan.folder / "import");
  double accepted = 0, refused = 0, best = 0;
  for (int i = 0; i < 3; ++i) {  // ids by the server: each run writes everything again
    const std::string sum = output_of(plan.kiln + " fhir import --json --parallel 8 --server-ids --to " + site.base() +
                                      (i == 0 ? " " + corpus.string() : " " + corpus.string() + "/[1-9]*.json") + " 2>&1");
    accepted += number_after(sum, "accepted");
    refused += number_after(sum, "refused");
    best = std::max(best, number_after(sum, "per_second"));
  }
  figure("Synthea import over HTTP, resources (refused " + std::to_string(static_cast<int>(refused)) + ")", best, "/s",
         4000, true);
  const HttpLoadResult big = [&] {
    HttpLoadPlan one;
    one.port = site.port();
    one.requests_max = 1;
    one.seconds = 120;
    one.request = [](std::uint64_t) {
      std::string body = R"({"resourceType":"Bundle","type":"transaction","entry":[)";
      for (std::uint64_t n = 0; n < 5000; ++n) {
        const std::string resource = Population::line(2'000'000 + n / 10, n % 10);
        const std::string type = type_of(resource);
        const std::size_t at = resource.find("\"id\":\"") + 6;
        body += (n == 0 ? "" : ",");
        body += R"({"resource":)" + resource + R"(,"request":{"method":"PUT","url":")" + type + "/" +
                resource.substr(at, resource.find('"', at) - at) + R"("}})";
      }
      return http_request("POST", "/", body + "]}", "Prefer: return=minimal\r\n");
    };
    return run_http_load(one);
  }();
  failures(big);
  figure("a transaction of 5,000 entries", big.quantile(1), "ms", 0, false);
}

// ---- a large store ----

bool make_store(const Plan& plan) {
  if (fs::exists(plan.data / "fhir.db")) return true;
  fs::create_directories(plan.data);
  const fs::path input = plan.folder / "population.ndjson";
  {
    std::ofstream out(input, std::ios::binary);
    for (std::uint64_t n = 0; n < plan.patients; ++n)
      for (std::uint64_t slot = 0; slot < kResourcesAPatient; ++slot) out << Population::line(n, slot) << '\n';
  }
  const std::string sum =
      output_of(plan.kiln + " fhir import --json --data " + plan.data.string() + " " + input.string());
  fs::remove(input);
  figure("load of the large store, full indexes", number_after(sum, "per_second"), "resources/s", 0, true);
  return number_after(sum, "accepted") == static_cast<double>(plan.patients * kResourcesAPatient);
}

struct Shape {
  const char* name;
  std::function<std::string(std::uint64_t)> target;
};

std::vector<Shape> shapes(std::uint64_t patients) {
  const auto pick = [patients](std::uint64_t n) { return mixed(n + 77) % patients; };
  return {
      {"token, identifier", [=](std::uint64_t n) { return "/Patient?identifier=urn:invented:mrn%7C" + std::to_string(pick(n)); }},
      {"string, family", [=](std::uint64_t n) { return "/Patient?_count=20&_total=none&family=" + Population::family(pick(n)); }},
      {"date, birthdate", [=](std::uint64_t n) { return "/Patient?_count=20&_total=none&birthdate=" + Population::birth(pick(n)); }},
      {"date, ge and lt", [=](std::uint64_t n) { return "/Patient?_count=20&_total=none&birthdate=ge" + Population::birth(pick(n)) + "&gender=female"; }},
      {"reference, subject", [=](std::uint64_t n) { return "/Observation?_count=20&subject=Patient/" + Population::patient_id(pick(n)); }},
      {"reference and token", [=](std::uint64_t n) { return "/Observation?_count=20&patient=" + Population::patient_id(pick(n)) + "&code=http://loinc.org%7C" + kCodes[n % 8]; }},
      {"token, 20 of many", [](std::uint64_t n) { return std::string("/Observation?_count=20&_total=none&code=http://loinc.org%7C") + kCodes[n % 8]; }},
      {"quantity", [](std::uint64_t n) { return "/Observation?_count=20&_total=none&value-quantity=" + std::to_string(n % 200) + "." + std::to_string(n / 200 % 10); }},
      {"composite", [](std::uint64_t n) { return std::string("/Observation?_count=20&_total=none&code-value-quantity=http://loinc.org%7C") + kCodes[n % 8] + "$" + std::to_string(n % 200) + ".5"; }},
      {"_sort=-_lastUpdated", [](std::uint64_t n) { return std::string("/Observation?_count=20&_total=none&_sort=-_lastUpdated&code=http://loinc.org%7C") + kCodes[n % 8]; }},
      {"compartment", [=](std::uint64_t n) { return "/Patient/" + Population::patient_id(pick(n)) + "/Observation?_count=20"; }},
  };
}

/// The mix of fhir.md section 17: each kind of parameter, the prefixes of dates, :contains and :missing, pages of 100.
std::vector<Shape> designed_mix(std::uint64_t patients) {
  const auto pick = [patients](std::uint64_t n) { return mixed(n + 55) % patients; };
  const auto patient = [](const std::string& query) { return "/Patient?_count=100&" + query; };
  const auto observation = [](const std::string& query) { return "/Observation?_count=100&" + query; };
  return {
      {"string", [=](std::uint64_t n) { return patient("family=" + Population::family(pick(n))); }},
      {"string :contains", [=](std::uint64_t n) { return patient("_total=none&family:contains=" + Population::family(pick(n)).substr(2)); }},
      {"date eq", [=](std::uint64_t n) { return patient("birthdate=" + Population::birth(pick(n))); }},
      {"date ne", [=](std::uint64_t n) { return patient("_total=none&birthdate=ne" + Population::birth(pick(n))); }},
      {"date lt", [=](std::uint64_t n) { return patient("_total=none&birthdate=lt" + Population::birth(pick(n))); }},
      {"date gt", [=](std::uint64_t n) { return observation("_total=none&date=gt" + Population::birth(pick(n))); }},
      {"reference", [=](std::uint64_t n) { return observation("subject=Patient/" + Population::patient_id(pick(n))); }},
      {"token", [=](std::uint64_t n) { return patient("identifier=urn:invented:mrn%7C" + std::to_string(pick(n))); }},
      {"token of many", [=](std::uint64_t n) { return observation(std::string("_total=none&code=http://loinc.org%7C") + kCodes[n % 8]); }},
      {"quantity", [=](std::uint64_t n) { return observation("_total=none&value-quantity=" + std::to_string(n % 200) + "." + std::to_string(n / 200 % 10)); }},
      {"composite", [=](std::uint64_t n) { return observation(std::string("_total=none&code-value-quantity=http://loinc.org%7C") + kCodes[n % 8] + "$" + std::to_string(n % 200) + ".5"); }},
      {":missing", [=](std::uint64_t n) { return n % 2 ? patient("_total=none&death-date:missing=true") : observation("_total=none&value-string:missing=false"); }},
  };
}

double own_cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// `name` at ten clients, what one request costs server and client, and each shape by itself.
void bench_mix(const Plan& plan, const Site& site, const char* name, const std::vector<Shape>& all) {
  const double server = site.engine().cpu_seconds(), client = own_cpu_seconds();
  const HttpLoadResult mixed_result =
      load(site, 10, plan.seconds, [&](std::uint64_t n) { return http_request("GET", all[n % all.size()].target(n)); });
  const double answers = static_cast<double>(std::max<std::uint64_t>(mixed_result.answers, 1));
  figure(std::string(name) + ", 10 clients", mixed_result.per_second(), "/s", 2000, true);
  figure("  p50", mixed_result.quantile(0.5), "ms", 0, false);
  figure("  p99", mixed_result.quantile(0.99), "ms", 20, false);
  figure("  processor time of the server, a request", (site.engine().cpu_seconds() - server) * 1000 / answers, "ms", 0, false);
  figure("  processor time of the client, a request", (own_cpu_seconds() - client) * 1000 / answers, "ms", 0, false);
  figure("  bytes of an answer", static_cast<double>(mixed_result.bytes) / answers, "", 0, false);
  for (const Shape& shape : all) {
    const HttpLoadResult one = load(site, 4, std::min(plan.seconds, 0.5),
                                    [&](std::uint64_t n) { return http_request("GET", shape.target(n)); });
    figure(std::string("  ") + shape.name + ", 4 clients", one.per_second(), "/s", 0, true);
    figure("    p99", one.quantile(0.99), "ms", 20, false);
  }
}

void bench_links(const Plan& plan, const Site& site) {
  const auto pick = [&](std::uint64_t n) { return mixed(n + 99) % plan.patients; };
  const std::vector<Shape> all = {
      {"chain, narrow end", [=](std::uint64_t n) { return "/Observation?_count=20&subject:Patient.identifier=urn:invented:mrn%7C" + std::to_string(pick(n)); }},
      {"chain, name", [=](std::uint64_t n) { return "/Observation?_count=20&_total=none&patient.family=" + Population::family(pick(n)); }},
      {"chain, wide end", [](std::uint64_t n) { return std::string("/Observation?_count=20&_total=none&patient.gender=female&code=http://loinc.org%7C") + kCodes[n % 8]; }},
      {"_has, code", [](std::uint64_t n) { return std::string("/Patient?_count=20&_total=none&_has:Observation:patient:code=http://loinc.org%7C") + kCodes[n % 8]; }},
      {"_has with a name", [=](std::uint64_t n) { return "/Patient?_count=20&_total=none&family=" + Population::family(pick(n)) + "&_has:Condition:patient:code=http://snomed.info/sct%7C" + std::to_string(10000 + n % 500); }},
  };
  for (const Shape& shape : all) {
    const HttpLoadResult one =
        load(site, 4, std::min(plan.seconds, 1.0), [&](std::uint64_t n) { return http_request("GET", shape.target(n)); });
    figure(shape.name, one.quantile(0.5), "ms p50", 50, false);
    figure("  p99", one.quantile(0.99), "ms", 50, false);
  }
}

/// Sorted by values: everything, what a clause leaves, and what one patient has.
void bench_sorts(const Plan& plan, const Site& site) {
  const auto pick = [&](std::uint64_t n) { return mixed(n + 33) % plan.patients; };
  const auto same = [](const char* target) { return [target](std::uint64_t) { return std::string(target); }; };
  const std::vector<Shape> all = {
      {"_sort=-date", same("/Observation?_count=50&_total=none&_sort=-date")},
      {"_sort=family", same("/Patient?_count=50&_total=none&_sort=family")},
      {"_sort=-_id", same("/Patient?_count=50&_total=none&_sort=-_id")},
      {"_sort=-date with a code", [](std::uint64_t n) { return std::string("/Observation?_count=50&_total=none&_sort=-date&code=http://loinc.org%7C") + kCodes[n % 8]; }},
      {"_sort=status,-date", same("/Observation?_count=50&_total=none&_sort=status,-date")},
      {"_sort=family,-birthdate", same("/Patient?_count=50&_total=none&_sort=family,-birthdate")},
      {"_sort=-date of a patient", [=](std::uint64_t n) { return "/Observation?_count=50&_sort=-date&patient=" + Population::patient_id(pick(n)); }},
      {"_sort=date from a day on", [](std::uint64_t n) { return "/Observation?_count=50&_total=none&_sort=date&date=ge20" + std::to_string(16 + n % 8) + "-03-01"; }},
  };
  for (const Shape& shape : all) {
    const HttpLoadResult one =
        load(site, 4, std::min(plan.seconds, 1.0), [&](std::uint64_t n) { return http_request("GET", shape.target(n)); });
    figure(shape.name, one.quantile(0.5), "ms p50", 50, false);
    figure("  p99", one.quantile(0.99), "ms", 0, false);
  }
}

std::string next_of(const std::string& bundle) {
  const std::size_t at = bundle.find("\"relation\":\"next\",\"url\":\"");
  if (at == bundle.npos) return {};
  const std::size_t begin = bundle.find("/fhir", at) + 5;
  return bundle.substr(begin, bundle.find('"', begin) - begin);
}

/// The first pages against those a thousand further on.
void bench_paging(const Site& site, const std::string& what, std::string target) {
  std::vector<double> ms;
  for (int page = 0; page < 400 && !target.empty(); ++page) {
    std::string body;
    ms.push_back(ask_once(site.port(), target, &body));
    target = next_of(body);
  }
  const auto median = [](std::vector<double> list) {
    std::sort(list.begin(), list.end());
    return list[list.size() / 2];
  };
  if (ms.size() < 100) {
    std::printf("%s: only %zu pages\n", what.c_str(), ms.size());
    ++missed;
    return;
  }
  const double first = median({ms.begin() + 1, ms.begin() + 41}), last = median({ms.end() - 40, ms.end()});
  figure(what + ", first pages", first, "ms", 0, false);
  figure("  after " + std::to_string(ms.size()) + " pages", last, "ms", 0, false);
  figure("  ratio", last / first, "", 2, false);
}

void bench_large(const Plan& plan) {
  if (!make_store(plan)) {
    std::puts("the large store could not be made");
    ++missed;
    return;
  }
  const double resources = static_cast<double>(plan.patients * kResourcesAPatient);
  std::printf("-- a store of %.0f resources, %.0f MB --\n", resources,
              static_cast<double>(fs::file_size(plan.data / "fhir.db")) / 1e6);
  const Site site(plan, plan.data);
  figure("start", site.engine().start_ms(), "ms", 1000, false);
  ask_once(site.port(), "/metadata");
  bench_mix(plan, site, "search mix, pages of 100", designed_mix(plan.patients));
  bench_mix(plan, site, "search mix, pages of 20", shapes(plan.patients));
  bench_links(plan, site);
  bench_sorts(plan, site);
  bench_paging(site, "pages of Observation by date, 50 each", "/Observation?_count=50&_total=none&_sort=-date");
  bench_paging(site, "pages of Patient by family, 50 each", "/Patient?_count=50&_total=none&_sort=family");
  bench_paging(site, "pages of Observation, 50 each", "/Observation?_count=50&_total=none");
  bench_paging(site, "pages of the history of everything, 50 each", "/_history?_count=50");
  figure("memory after all of it (RSS)", site.engine().status_mb("VmRSS"), "MB", 256, false);
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench_fhir KILN [--seconds S] [--folder F] [--patients N] [--data DIR] [--only crud|import|large]\n");
    return 2;
  }
  Plan plan;
  plan.kiln = argv[1];
  plan.folder = fs::current_path();
  std::string only;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string option = argv[i], value = argv[i + 1];
    if (option == "--seconds") plan.seconds = std::atof(value.c_str());
    if (option == "--folder") plan.folder = value;
    if (option == "--patients") plan.patients = std::strtoull(value.c_str(), nullptr, 10);
    if (option == "--data") plan.data = value;
    if (option == "--only") only = value;
  }
  std::string own = (plan.folder / "kiln-fhir-XXXXXX").string();
  if (::mkdtemp(own.data()) == nullptr) {
    std::perror(own.c_str());
    return 1;
  }
  plan.folder = own;
  if (plan.data.empty()) plan.data = plan.folder / "large";
  if (only.empty() || only == "crud") bench_crud(plan);
  if (only.empty() || only == "import") bench_import(plan);
  if (only.empty() || only == "large") bench_large(plan);
  fs::remove_all(plan.folder);
  std::printf("missed %d\n", missed);
  return 0;
}
