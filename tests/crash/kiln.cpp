// crash_kiln: the program itself, from the same libraries, with what KILN_FAILPOINTS says at its failpoints.

#include <sys/stat.h>

#include <csignal>
#include <cstdio>

#include "engine/command.h"
#include "tests/support/failpoints.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  ::umask(077);
  if (const auto armed = kiln::test::arm_failpoints_from_environment(); !armed) {
    std::fprintf(stderr, "%s\n", armed.error().message().c_str());
    return 64;
  }
  return kiln::engine::run_command_line(argc, argv);
}
