#pragma once
// What the gateway does at start and stop, with the parts of a simulated process.

#include "tests/simulation/world.h"

namespace kiln::simulation {

struct ProcessParts {
  Process* process;
  std::shared_ptr<channels::Site> site;
  base::Env* env;
  base::ManualClock* clock;
  std::string folder;
  std::function<void()> fail_stop;
  std::function<void(const std::string&)> tell;  ///< why it cannot start
};
/// Opens the journal, recovers, starts the queues, then the source (gateway_recovery.cpp). On the loop of the
/// process.
void start(ProcessParts parts);
/// As after SIGTERM (gateway.cpp): no more is taken, what is under way ends, everything is recorded.
void stop(Process* process);

}  // namespace kiln::simulation
