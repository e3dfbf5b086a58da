#pragma once
// The CSV target: one line a row, in the format of the csv declaration (hmap.md §6).

#include "mappings/detail/run.h"

namespace kiln::mappings::detail {

class CsvTarget {
 public:
  explicit CsvTarget(Run& run) : run_(run) {}
  void print();

 private:
  Run& run_;
};

}  // namespace kiln::mappings::detail
