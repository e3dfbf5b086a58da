#include "hl7/message.h"

kiln::hl7::Message make();

kiln::hl7::SegmentView use() {
#ifdef KILN_VALID
  static const auto message = make();
  return message.find("PID");
#else
  return make().find("PID");
#endif
}
