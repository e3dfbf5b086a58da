#include "hl7/message.h"

kiln::hl7::Message make();

std::string_view use() {
#ifdef KILN_VALID
  static const auto message = make();
  return message.bytes();
#else
  return make().bytes();
#endif
}
