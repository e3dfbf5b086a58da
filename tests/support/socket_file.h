#pragma once
// Helpers for tests of unix-domain sockets.

#include <string>

namespace kiln::test {

/// Permission bits of a file; -1 when it does not exist.
int file_mode(const std::string& path);
/// Leaves a socket file that nobody listens on, as a killed process does.
void leave_dead_socket(const std::string& path);

}  // namespace kiln::test
