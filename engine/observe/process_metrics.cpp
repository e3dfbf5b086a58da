#include "engine/observe/process_metrics.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

namespace kiln::engine {
namespace {

double seconds(const timeval& time) {
  constexpr double kMicros = 1e6;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / kMicros;
}

std::size_t open_files() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  constexpr std::size_t kNotCounted = 3;  // "." and ".." and the folder itself
  return count < kNotCounted ? 0 : count - kNotCounted;
}

std::string metric(const char* name, const char* type, const char* help, double value) {
  return fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", name, type, help, value);
}

}  // namespace

std::string print_process_metrics(base::WallTime start) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  unsigned long virtual_pages = 0, resident_pages = 0;
  if (std::FILE* statm = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(statm, "%lu %lu", &virtual_pages, &resident_pages) != 2) virtual_pages = resident_pages = 0;
    std::fclose(statm);
  }
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  constexpr double kMicros = 1e6;
  return metric("process_cpu_seconds_total", "counter", "Processor time used", seconds(used.ru_utime) + seconds(used.ru_stime)) +
         metric("process_resident_memory_bytes", "gauge", "Memory in use", static_cast<double>(resident_pages) * page) +
         metric("process_virtual_memory_bytes", "gauge", "Address space in use", static_cast<double>(virtual_pages) * page) +
         metric("process_open_fds", "gauge", "Open files and sockets", static_cast<double>(open_files())) +
         metric("process_max_fds", "gauge", "Most files and sockets allowed", static_cast<double>(files.rlim_cur)) +
         metric("process_start_time_seconds", "gauge", "When the process started", static_cast<double>(start.micros) / kMicros);
}

}  // namespace kiln::engine
