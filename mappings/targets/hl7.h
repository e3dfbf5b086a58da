#pragma once
// The HL7 v2 target: segments in structure order, fields padded, everything escaped (hmap.md §6).

#include <string>

#include "mappings/detail/run.h"

namespace kiln::mappings::detail {

class Hl7Target {
 public:
  explicit Hl7Target(Run& run) : run_(run), out_(run.result_.output) {}
  void print();

 private:
  void look_for_required();
  void print_group(const OutputNode& group);
  void print_segment(const OutputNode& segment);
  bool print_field(const OutputNode* field);
  void print_encoded(std::string_view text, int level);
  bool print_part(const OutputNode& part, int level);
  bool header_field(std::uint32_t number);
  void pad(std::uint32_t& at, std::uint32_t number);

  Run& run_;
  std::string& out_;
  bool failed_ = false;
};

}  // namespace kiln::mappings::detail
