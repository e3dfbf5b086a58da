#pragma once
// What the maps of a channel, or of a set of files, read of many messages and what they had to say about
// them: nothing disappears uncounted (hmap.md §14).

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "mappings/program.h"

namespace kiln::mappings {

/// Not thread-safe. Bounded by kCoverageFieldsMax and kCoverageNotesMax; holds no patient data: the example
/// of a note is masked as in RunDiagnostic.
class FieldCoverage {
 public:
  struct Field {
    std::uint64_t valued = 0;  ///< messages in which it has a value
    std::uint64_t unread = 0;  ///< of these, messages in which no rule read one of its values
  };
  struct Note {
    std::string code, rule, source;  ///< as in RunDiagnostic, `source` without positions
    std::string text;                ///< of the last one
    std::string example;             ///< masked value of the last one that had any
    std::uint64_t count = 0;
    std::uint64_t last_message = 0;
  };

  /// The leaves of one message. After several maps: merge() them first.
  void add_fields(std::span<const InputValue> values);
  /// What maps said about one message; `message` is its number in the journal or the input. `dropped`: more
  /// notes than are listed.
  void add_notes(std::span<const RunDiagnostic> notes, std::uint64_t dropped, std::uint64_t message);

  std::uint64_t messages_looked_at() const { return looked_at_; }
  /// By path: segments in order of their names, fields by number.
  std::vector<std::pair<std::string, Field>> fields() const;
  /// Most frequent first.
  std::vector<Note> notes() const;
  /// Notes per code, those beyond the caps too.
  const std::map<std::string, std::uint64_t, std::less<>>& codes() const { return codes_; }
  /// Notes that no Note counts, and leaves that no Field does, for want of room.
  std::uint64_t notes_beyond() const { return notes_beyond_; }
  std::uint64_t fields_beyond() const { return fields_beyond_; }

 private:
  struct Seen : Field {
    std::uint64_t valued_in = 0, unread_in = 0;  ///< looked_at_ of the last message that counted
  };
  std::map<std::string, Seen, std::less<>> fields_;
  std::map<std::tuple<std::string, std::string, std::string>, Note> notes_;
  std::map<std::string, std::uint64_t, std::less<>> codes_;
  std::uint64_t looked_at_ = 0, notes_beyond_ = 0, fields_beyond_ = 0;
};

/// A value that one of several maps on the same input read is read. An empty `all` becomes `next`.
void merge(std::vector<InputValue>& all, std::vector<InputValue> next);

}  // namespace kiln::mappings
