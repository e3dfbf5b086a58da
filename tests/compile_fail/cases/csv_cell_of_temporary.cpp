#include "mappings/csv.h"

kiln::mappings::CsvFile make();

std::string_view use() {
#ifdef KILN_VALID
  static const auto file = make();
  return file.cell(0, 0);
#else
  return make().cell(0, 0);
#endif
}
