#include "mappings/field_coverage.h"

#include <algorithm>

#include "engine/base/limits.h"

namespace kiln::mappings {
namespace {

/// "OBX[3]-5[2].1" -> "OBX-5.1", "row 3 column taken" -> "column taken": what repeats is counted together.
std::string without_positions(std::string_view path) {
  if (path.starts_with("row ")) path.remove_prefix(std::min(path.size(), path.find("column")));
  std::string out;
  bool inside = false;
  for (const char c : path) {
    inside = inside || c == '[';
    if (!inside) out += c;
    inside = inside && c != ']';
  }
  return out;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Numbers inside the names by value: PID-3 before PID-10.
bool path_less(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  while (i < a.size() && i < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[i])) {
      if (a[i] != b[i]) return a[i] < b[i];
      ++i;
      continue;
    }
    const auto end = [i](std::string_view text) {
      return std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(), is_digit) -
             text.begin();
    };
    const auto to_a = static_cast<std::size_t>(end(a)), to_b = static_cast<std::size_t>(end(b));
    if (to_a != to_b) return to_a < to_b;
    if (const int order = a.substr(i, to_a - i).compare(b.substr(i, to_b - i)); order != 0) return order < 0;
    i = to_a;
  }
  return a.size() < b.size();
}

}  // namespace

void FieldCoverage::add_fields(std::span<const InputValue> values) {
  ++looked_at_;
  for (const InputValue& value : values) {
    auto found = fields_.find(value.path);
    if (found == fields_.end()) {
      if (fields_.size() >= base::limits::kCoverageFieldsMax) {
        ++fields_beyond_;
        continue;
      }
      found = fields_.try_emplace(value.path).first;
    }
    Seen& field = found->second;
    if (std::exchange(field.valued_in, looked_at_) != looked_at_) ++field.valued;
    if (!value.read && std::exchange(field.unread_in, looked_at_) != looked_at_) ++field.unread;
  }
}

void FieldCoverage::add_notes(std::span<const RunDiagnostic> notes, std::uint64_t dropped,
                              std::uint64_t message) {
  notes_beyond_ += dropped;
  for (const RunDiagnostic& said : notes) {
    ++codes_[std::string(said.code)];
    auto key = std::make_tuple(std::string(said.code), said.rule, without_positions(said.source));
    auto found = notes_.find(key);
    if (found == notes_.end()) {
      if (notes_.size() >= base::limits::kCoverageNotesMax) {
        ++notes_beyond_;
        continue;
      }
      found = notes_.try_emplace(key).first;
      std::tie(found->second.code, found->second.rule, found->second.source) = std::move(key);
    }
    Note& note = found->second;
    ++note.count;
    note.last_message = message;
    note.text = said.text;
    if (!said.value.empty()) note.example = said.value;
  }
}

std::vector<std::pair<std::string, FieldCoverage::Field>> FieldCoverage::fields() const {
  std::vector<std::pair<std::string, Field>> out(fields_.begin(), fields_.end());
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return path_less(a.first, b.first); });
  return out;
}

std::vector<FieldCoverage::Note> FieldCoverage::notes() const {
  std::vector<Note> out;
  for (const auto& [key, note] : notes_) out.push_back(note);
  std::stable_sort(out.begin(), out.end(), [](const Note& a, const Note& b) { return a.count > b.count; });
  return out;
}

void merge(std::vector<InputValue>& all, std::vector<InputValue> next) {
  if (all.empty()) {
    all = std::move(next);
    return;
  }
  for (std::size_t i = 0; i < all.size() && i < next.size(); ++i) all[i].read = all[i].read || next[i].read;
}

}  // namespace kiln::mappings
