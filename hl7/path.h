#pragma once
// `PID-3[2].4.1`: the one spelling of a place in a message, for maps, command line, errors and the search
// index.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "hl7/message.h"

namespace kiln::hl7 {

/// A flat path: SEG[n]-F[r].C.S, all numbers from 1. An index is a number, `last` or `*`; a repetition may
/// also be chosen by `[where .5 == "MR"]` (`.C` or `.C.S`, `==` or `!=`, "" escapes as in JSON for quote and
/// backslash). Missing indexes mean 1. Groups (ORDER.OBX-5) need structure.h and are an error here. Compiled
/// once, immutable, any thread may use it.
class Path {
 public:
  /// Error bad_path; its place is "column N" (from 1) of `text`.
  static base::Result<Path> compile(std::string_view text);

  /// The first match. A piece at the depth of the path (`PID-3` is repetition 1); absent when nothing is
  /// there. A path of a segment alone (`PID`) gives field 0, which is absent: use segment().
  Piece get(const Message& message) const&;
  /// Every match in message order: more than one only with `[*]` or `[where …]`. Positions that exist but are
  /// empty are passed too. The visitor returns false to stop.
  void visit(const Message& message, const std::function<bool(const Piece&)>& visitor) const;
  /// The first segment the path names; does not exist when there is none.
  SegmentView segment(const Message& message) const;

  std::uint32_t segment_id() const { return segment_id_; }
  std::uint32_t field() const { return field_; }          ///< 0 when the path names a segment only
  std::uint32_t component() const { return component_; }  ///< 0 when not given
  std::uint32_t subcomponent() const { return subcomponent_; }
  /// True when more than one piece may match.
  bool many() const;
  /// As compiled, without redundant parts: "PID-3[2].4".
  std::string print() const;

 private:
  struct Index {
    enum class Kind : std::uint8_t { number, last, all, where } kind = Kind::number;
    std::uint32_t number = 1;
  };
  struct Where {
    std::uint32_t component = 1, subcomponent = 0;
    bool equal = true;
    std::string text;
  };
  friend class PathReader;
  friend class MessageEditor;
  Path() = default;
  bool visit_segment(const SegmentView& segment, const std::function<bool(const Piece&)>& visitor) const;
  bool matches(const RepetitionView& repetition) const;
  Piece deepen(const RepetitionView& repetition) const;

  std::uint32_t segment_id_ = 0;
  Index occurrence_;
  std::uint32_t field_ = 0;
  Index repetition_;
  bool whole_field_ = true;  ///< no [..] behind the field
  Where where_;
  std::uint32_t component_ = 0;
  std::uint32_t subcomponent_ = 0;
};

}  // namespace kiln::hl7
