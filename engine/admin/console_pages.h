#pragma once
#include "engine/base/http_message.h"

namespace kiln::engine {

/// The files of the console below /console/, and the way there from "/". Nothing but what is in the binary.
base::HttpResponse console_page(const base::HttpRequest& request);

}  // namespace kiln::engine
