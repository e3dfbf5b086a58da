#include "engine/base/task.h"

kiln::base::Task<int> make();

void use() {
  auto task = make();
#ifdef KILN_VALID
  auto other = std::move(task);
#else
  auto other = task;
#endif
  (void)other;
}
