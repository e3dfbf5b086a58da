#include "mappings/importer/condition.h"

#include <vector>

namespace kiln::mappings {
namespace {

/// Words, quoted texts with their quotes, and the characters ( ) ,
std::optional<std::vector<std::string>> words_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == ' ') {
      ++at;
    } else if (c == '(' || c == ')' || c == ',') {
      out.emplace_back(1, c);
      ++at;
    } else if (c == '"') {
      const std::size_t end = text.find('"', at + 1);
      if (end == std::string_view::npos || end == at + 1) return std::nullopt;
      out.emplace_back(text.substr(at, end - at + 1));
      at = end + 1;
    } else {
      const std::size_t end = text.find_first_of(" (),\"", at);
      out.emplace_back(text.substr(at, end - at));
      at = end == std::string_view::npos ? text.size() : end;
    }
  }
  return out;
}

class Reader {
 public:
  Reader(std::vector<std::string> words, const ConditionSource& source)
      : words_(std::move(words)), source_(source) {}

  std::optional<std::string> all() {
    if (!take("IF")) return std::nullopt;
    std::string out, joint;
    while (true) {
      const auto one = predicate();
      if (!one) return std::nullopt;
      out += *one;
      if (at_ == words_.size()) return out;
      const bool is_and = take("AND");
      if (!is_and && !take("OR")) return std::nullopt;
      const std::string now = is_and ? " and " : " or ";
      if (!joint.empty() && joint != now) return std::nullopt;  // which binds first is a guess
      out += joint = now;
      take("IF");
    }
  }

 private:
  bool take(std::string_view word) {
    if (at_ == words_.size() || words_[at_] != word) return false;
    ++at_;
    return true;
  }

  std::optional<std::string> text() {
    if (at_ == words_.size() || words_[at_].front() != '"') return std::nullopt;
    if (words_[at_].find_first_of("\\$") != std::string::npos) return std::nullopt;
    return words_[at_++];
  }

  std::optional<std::string> predicate() {
    if (at_ == words_.size()) return std::nullopt;
    const auto path = source_(words_[at_++]);
    if (!path) return std::nullopt;
    const bool is = take("IS");
    const bool negated = take("NOT");
    if (take("VALUED")) return *path + (negated ? " is not valued" : " is valued");
    if (take("EQUALS") || take("EQUAL") || (is && at_ < words_.size() && words_[at_].front() == '"')) {
      const auto value = text();
      if (!value) return std::nullopt;
      return *path + (negated ? " != " : " == ") + *value;
    }
    if (!take("IN") || !take("(")) return std::nullopt;
    std::string list;
    do {
      const auto value = text();
      if (!value) return std::nullopt;
      list += (list.empty() ? "" : ", ") + *value;
    } while (take(","));
    if (!take(")")) return std::nullopt;
    return negated ? "not (" + *path + " in [" + list + "])" : *path + " in [" + list + "]";
  }

  std::vector<std::string> words_;
  const ConditionSource& source_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::string> translate_condition(std::string_view text, const ConditionSource& source) {
  auto words = words_of(text);
  if (!words) return std::nullopt;
  return Reader(std::move(*words), source).all();
}

}  // namespace kiln::mappings
