#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/sql/sqlite.h"

namespace kiln::engine {

/// SQL text with '?' and what is bound to each, in order.
struct SqlText {
  std::string sql;
  std::vector<std::variant<std::int64_t, std::string>> values;

  SqlText& add(std::string_view text) {
    sql += text;
    return *this;
  }
  SqlText& value(std::int64_t number) {
    values.emplace_back(number);
    return *this;
  }
  SqlText& value(std::string text) {
    values.emplace_back(std::move(text));
    return *this;
  }
  SqlText& add(const SqlText& other) {
    sql += other.sql;
    values.insert(values.end(), other.values.begin(), other.values.end());
    return *this;
  }
  /// The values must outlive the run of the statement.
  void bind_to(base::Statement& statement) const;
};

}  // namespace kiln::engine
