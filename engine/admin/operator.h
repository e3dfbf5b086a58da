#pragma once
// Who asks for an action, for what the journal keeps of it.

#include "engine/admin/route.h"
#include "engine/control.h"

namespace kiln::engine {

/// The account; over the socket, which holds all rights, the name that the command line gives. `reason` of the body.
Operator operator_of(const Call& call);

}  // namespace kiln::engine
