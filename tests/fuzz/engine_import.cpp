// Fuzz target of the import: any NDJSON file or document becomes requests and problems; each request is a Bundle of
// entries with a method and an address, lines are told once, and the same file gives the same requests again. The first
// byte says whether it is NDJSON. Useful sizes: up to 2,000 bytes (-max_len=2000).

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "engine/base/json.h"
#include "engine/bulk/import_reader.h"

namespace {

using namespace kiln;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Taken {
  std::vector<std::string> bodies;
  std::size_t problems = 0;
  bool operator==(const Taken&) const = default;
};

Taken read_all(const engine::ImportFile& file, bool server_ids) {
  Taken out;
  engine::ImportReader::Options options;
  options.files.push_back(file);
  options.done.push_back(0);
  options.server_ids = server_ids;
  options.problem = [&](engine::ImportProblem problem) {
    ++out.problems;
    require(!problem.code.empty() && !problem.place.empty());
  };
  engine::ImportReader reader(std::move(options));
  engine::ImportUnit unit;
  std::set<std::uint64_t> lines;
  while (reader.next(unit)) {
    const auto bundle = base::parse_json(unit.body, {64u << 20, base::limits::kJsonDepthMax + 8});
    require(bundle && bundle->root()["resourceType"].text() == "Bundle");
    require(bundle->root()["entry"].size() == unit.entries);
    for (const base::JsonView entry : bundle->root()["entry"]) require(entry["request"].is_object());
    for (const std::uint64_t line : unit.lines) require(lines.insert(line).second);
    out.bodies.push_back(unit.body);
    unit = {};
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const int memory = ::memfd_create("import", MFD_CLOEXEC);
  require(memory >= 0 && ::write(memory, data + 1, size - 1) == static_cast<ssize_t>(size - 1));
  engine::ImportFile file;
  file.path = "/proc/self/fd/" + std::to_string(memory);
  file.size = size - 1;
  file.lines = data[0] % 2 == 0;
  const bool server_ids = data[0] % 4 >= 2;
  const Taken first = read_all(file, server_ids), second = read_all(file, server_ids);
  ::close(memory);
  if (!server_ids) require(first == second);
  return 0;
}
