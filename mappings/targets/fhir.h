#pragma once
// The FHIR target: resources of a run to a Bundle, or to one resource (hmap.md §6, §9).

#include <string>
#include <string_view>
#include <vector>

#include "mappings/detail/run.h"
#include "mappings/targets/output_buffer.h"

namespace kiln::mappings::detail {

/// Settles the resources of a run (dedupe, identities, references) and prints them into its result.
class FhirTarget {
 public:
  /// Prints into `out`, which it empties first.
  FhirTarget(Run& run, OutputBuffer& out) : FhirTarget(run, out, run.context_->lineage) {}
  void print();
  /// Prints an object without references by itself; empty when it prints nothing. Valid until the next use of
  /// `out`.
  static std::string_view print_apart(Run& run, const OutputNode& object, OutputBuffer& out,
                                      std::vector<LineageRecord>& lineage);

 private:
  FhirTarget(Run& run, OutputBuffer& out, bool lineage) : run_(run), out_(out), lineage_(lineage) {
    out_.clear();
  }
  void merge_duplicates();
  OutputNode* other_variant(OutputNode& object, std::uint32_t at) const;
  static bool contradict(const OutputNode& a, const OutputNode& b);
  void merge(OutputNode& into, OutputNode& from);
  void merge_list(OutputNode& into, OutputNode& from);
  void add_identity(CreatedNode& node);
  void settle_references();
  void name_resources();
  CreatedNode* first_with_identity(CreatedNode& node);
  std::string_view seed_of(const CreatedNode& node);

  void print_bundle();
  void print_bundle_start(std::string_view type);
  void print_request(const CreatedNode& node);
  void print_conditional(const CreatedNode& node);
  void print_patch(const CreatedNode& node);
  void print_resource(const OutputNode& object, std::string_view id);
  bool print_members(const OutputNode& object);
  bool print_object(const OutputNode& object);
  void print_kept(const OutputNode& object);
  bool print_member(const OutputNode& node, const MemberFacts& member);
  bool print_value(const OutputNode& node, const MemberFacts& member);
  bool print_items(const OutputNode& list, const MemberFacts& member);
  void print_json(const base::JsonView& view);
  bool conditional(const CreatedNode& node) const;
  std::string_view own_id(const CreatedNode& node) const;
  void record(const OutputNode& node);
  void record(const OutputNode& node, std::size_t at);

  Run& run_;
  OutputBuffer& out_;
  const bool lineage_;
  std::string_view token_;  ///< the system that was printed last in a search value, and where
  std::size_t token_at_ = 0, token_size_ = 0;
};

const CreatedNode& survivor(const CreatedNode& node);

}  // namespace kiln::mappings::detail
