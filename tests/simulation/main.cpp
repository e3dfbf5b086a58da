// simulation: seeds of the simulated engine (reliability.md T3).
//
//   simulation --folder F [--seed S] [--count N] [--trace]     seeds S, S+1, …; what seed S leaves stands in
//   F/S
//
// A line for each finding, and one for each seed. tests/simulation/seeds.sh looks at what they leave.
#include <malloc.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/base/log.h"
#include "tests/simulation/world.h"

using namespace kiln;
using namespace kiln::simulation;

namespace {

/// In a process of its own: what dies in a simulation is left in memory, and each seed finds the same heap.
bool run_seed(std::uint64_t seed, const std::vector<Site>& sites, const std::string& folder, bool traces) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) {
    std::perror("fork");
    std::exit(1);
  }
  if (child == 0) {
    auto* const world = new World(seed, sites, traces);
    const bool good = world->run(folder + "/" + std::to_string(seed));
    std::printf("seed %llu ended: %s\n", static_cast<unsigned long long>(seed), world->summary().c_str());
    std::fflush(stdout);
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    std::printf("seed %llu: ended by signal %d\n", static_cast<unsigned long long>(seed), WTERMSIG(status));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Sets of pointers are gone through in the order of addresses: the same addresses, the same run.
  const int persona = ::personality(0xffffffff);
  if (persona >= 0 && (persona & ADDR_NO_RANDOMIZE) == 0 &&
      ::personality(static_cast<unsigned long>(persona) | ADDR_NO_RANDOMIZE) >= 0)
    ::execv("/proc/self/exe", argv);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);  // memory that goes back to the system comes at once again
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TOP_PAD, 4 << 20);
  std::uint64_t first = 1, count = 1;
  std::string folder;
  bool traces = false;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--trace") {
      traces = true;
      continue;
    }
    if (i + 1 == argc) break;
    const char* const value = argv[++i];
    if (name == "--seed") first = std::strtoull(value, nullptr, 10);
    if (name == "--count") count = std::strtoull(value, nullptr, 10);
    if (name == "--folder") folder = value;
  }
  if (folder.empty()) {
    std::fprintf(stderr, "simulation --folder F [--seed S] [--count N] [--trace]\n");
    return 64;
  }
  // The engine logs what the seeds do to it.
  if (!traces && std::freopen("/dev/null", "w", stderr) == nullptr) return 1;
  const std::vector<Site> sites = load_sites();
  bool good = true;
  for (std::uint64_t seed = first; seed < first + count; ++seed)
    good = run_seed(seed, sites, folder, traces) && good;
  return good ? 0 : 1;
}
