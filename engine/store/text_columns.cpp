#include "engine/store/text_columns.h"

#include <algorithm>
#include <cstring>

#include "engine/limits.h"

namespace kiln::engine {

namespace {

/// As find(), and faster where the first letter of `part` is frequent.
std::size_t place_of(std::string_view part, std::string_view text, std::size_t from) {
  const void* found = ::memmem(text.data() + from, text.size() - from, part.data(), part.size());
  return found == nullptr ? text.npos : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

bool TextColumn::add(std::string_view folded, std::int64_t rid) {
  if (too_large_) return false;
  const bool repeats = !begins_.empty() && std::string_view(texts_).substr(begins_.back()) == folded;
  if (!repeats) {
    texts_ += '\0';
    begins_.push_back(static_cast<std::uint32_t>(texts_.size()));
    first_.push_back(static_cast<std::uint32_t>(rids_.size()));
    texts_ += folded;
  }
  rids_.push_back(rid);
  if (bytes() <= limits::kTextColumnBytesMax) return true;
  too_large_ = true;
  texts_ = {};
  begins_ = {};
  first_ = {};
  rids_ = {};
  return false;
}

std::size_t TextColumn::bytes() const {
  return texts_.size() + begins_.size() * 2 * sizeof(std::uint32_t) + rids_.size() * sizeof(std::int64_t);
}

void TextColumn::each_with(std::string_view part, const std::function<void(std::int64_t)>& found) const {
  const std::string_view all = texts_;
  for (std::size_t at = place_of(part, all, 0); at != all.npos;) {
    const auto behind = std::upper_bound(begins_.begin(), begins_.end(), static_cast<std::uint32_t>(at));
    const auto text = static_cast<std::size_t>(behind - begins_.begin()) - 1;
    const std::size_t end = text + 1 < first_.size() ? first_[text + 1] : rids_.size();
    for (std::size_t i = first_[text]; i < end; ++i) found(rids_[i]);
    if (behind == begins_.end()) return;
    at = place_of(part, all, *behind);
  }
}

TextColumns::Column TextColumns::find(std::int64_t param) {
  const std::lock_guard lock(mutex_);
  const auto found = columns_.find(param);
  if (found == columns_.end()) return nullptr;
  found->second.asked = ++asks_;
  return found->second.column;
}

void TextColumns::keep(std::int64_t param, Column column) {
  const std::lock_guard lock(mutex_);
  Kept& kept = columns_[param];
  if (kept.column && kept.column->seq() > column->seq()) return;
  kept = {std::move(column), ++asks_};
  for (;;) {
    std::size_t bytes = 0;
    for (const auto& [number, one] : columns_) bytes += one.column->bytes();
    if (bytes <= limits::kTextColumnsBytes) return;
    columns_.erase(std::min_element(columns_.begin(), columns_.end(), [](const auto& a, const auto& b) {
      return a.second.asked < b.second.asked;
    }));
  }
}

}  // namespace kiln::engine
