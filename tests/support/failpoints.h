#pragma once
// What happens at the failpoints of the program (engine/base/failpoint.h), for test programs.

#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace kiln::test {

/// "journal.commit.before=crash@3; mllp.ack=torn@1; journal.message=disk_full@2": at the n-th time that a place is passed,
/// once. Actions: crash (the process is gone as after kill -9), delay (20 ms), torn (half is written, then crash),
/// disk_full, io_failed, fsync_failed. Replaces what was armed before; empty: nothing happens anywhere. `hits` names a file
/// that gets the name of every place when it is passed for the first time in this process; empty: none.
base::Status arm_failpoints(std::string_view spec, const std::string& hits);

/// The same by the variables KILN_FAILPOINTS and KILN_FAILPOINT_HITS.
base::Status arm_failpoints_from_environment();

}  // namespace kiln::test
