#pragma once
// Paths through groups: ORDER_OBSERVATION[2].OBSERVATION[*].OBX-5 (hl7v2.md §6).

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "hl7/path.h"
#include "hl7/structure.h"

namespace kiln::hl7 {

/// A path with or without groups before its segment. A group is found below the one before it, direct members
/// first; its index counts the instances there (number, `last`, `*`; 1 when missing). The segment's index
/// counts the segments of that name directly in the group, or, when there are none, in the groups below.
/// Immutable, any thread may use it.
class GroupPath {
 public:
  /// Error bad_path; its place is "column N" (from 1) of `text`.
  static base::Result<GroupPath> compile(std::string_view text);

  bool has_groups() const { return !groups_.empty(); }
  const std::string& text() const& { return text_; }
  const std::string& text() const&& = delete;
  /// Names a segment without a field.
  bool segment_only() const { return flat_.field() == 0; }

  /// Every match in message order, as Path::visit; `tree` is what match() made of the message. Nothing when
  /// the structure has no such group. A path of a segment alone visits nothing: use segments().
  void visit(const Message& message, const GroupTree& tree,
             const std::function<bool(const Piece&)>& visitor) const;
  /// Positions of the segments the path names.
  std::vector<std::uint32_t> segments(const Message& message, const GroupTree& tree) const;

 private:
  struct Step {
    enum class Kind : std::uint8_t { number, last, all } kind = Kind::number;
    std::uint32_t number = 1;
    std::string name;
  };
  explicit GroupPath(Path flat) : flat_(std::move(flat)) {}
  static base::Result<Step> read_step(std::string_view text, std::size_t column);
  template <class T>
  static std::vector<T> choose(const std::vector<T>& all, const Step& step);

  std::string text_;
  std::vector<Step> groups_;
  Step segment_;
  std::string rest_;  ///< from the field on: "-5[2].1"
  Path flat_;         ///< without the groups
};

}  // namespace kiln::hl7
