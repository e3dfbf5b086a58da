#include <sys/stat.h>

#include <csignal>

#include "engine/command.h"

int main(int argc, char** argv) {
  // A peer or a pipe that closes is an error value where it is written, never the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  // What is written holds patient data: for the owner only, also in a folder that others may list (SQLite
  // makes its files 0644).
  ::umask(077);
  return kiln::engine::run_command_line(argc, argv);
}
