#include "engine/base/failpoint.h"

namespace kiln::base::detail {

Status failpoint_error(FailpointAction action) {
  switch (action) {
    case FailpointAction::disk_full:
      return fail(ErrorCode::disk_full, "failpoint");
    case FailpointAction::io_failed:
      return fail(ErrorCode::io_failed, "failpoint");
    case FailpointAction::fsync_failed:
      return fail(ErrorCode::fsync_failed, "failpoint");
    case FailpointAction::none:
    case FailpointAction::torn:
      break;
  }
  return {};
}

}  // namespace kiln::base::detail
