#include <csignal>

#include "engine/command.h"

int main(int argc, char** argv) {
  // A peer or a pipe that closes is an error value where it is written, never the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  return kiln::engine::run_command_line(argc, argv);
}
