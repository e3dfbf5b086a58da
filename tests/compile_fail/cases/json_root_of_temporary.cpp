#include "engine/base/json.h"

kiln::base::JsonDocument make();

kiln::base::JsonView use() {
#ifdef KILN_VALID
  static const auto document = make();
  return document.root();
#else
  return make().root();
#endif
}
