#include "engine/store/dictionary.h"

#include <algorithm>

#include "engine/base/limits.h"

namespace kiln::engine {

using base::Result;

Result<std::int64_t> Dictionary::lookup(Numbers& cache, const char* select, const char* insert,
                                        std::string_view text) {
  if (const auto found = cache.find(text); found != cache.end()) return found->second;
  std::int64_t id = kUnknown;
  {
    TRY(auto statement, database_->cached(select));
    statement.bind(1, text);
    TRY(const bool row, statement.step());
    if (row) id = statement.integer(0);
  }
  if (id == kUnknown) {
    if (!may_write_ || only_look_) return kUnknown;
    TRY(auto statement, database_->cached(insert));
    statement.bind(1, text);
    TRY_VOID(statement.run());
    id = database_->last_insert_rowid();
    added_ = true;
  }
  // Systems come from outside: what does not fit is looked up each time.
  if (cache.size() >= base::limits::kStoreWordsCachedMax) cache.clear();
  cache.emplace(std::string(text), id);
  return id;
}

Result<std::int64_t> Dictionary::type(std::string_view name) {
  return lookup(types_, "SELECT id FROM type WHERE name=?", "INSERT INTO type(name) VALUES(?)", name);
}

Result<std::int64_t> Dictionary::word(std::string_view text) {
  if (text.empty()) return 0;
  return lookup(words_, "SELECT id FROM word WHERE text=?", "INSERT INTO word(text) VALUES(?)", text);
}

Result<std::int64_t> Dictionary::known_word(std::string_view text) {
  if (const auto found = words_.find(text); found != words_.end()) return found->second;
  TRY(auto statement, database_->cached("SELECT id FROM word WHERE text=?"));
  statement.bind(1, text);
  TRY(const bool row, statement.step());
  return row ? statement.integer(0) : kUnknown;
}

Result<std::string> Dictionary::type_name(std::int64_t id) {
  if (const auto found = type_names_.find(id); found != type_names_.end()) return found->second;
  TRY(auto statement, database_->cached("SELECT name FROM type WHERE id=?"));
  statement.bind(1, id);
  TRY(const bool row, statement.step());
  if (!row) return std::string();
  return type_names_.emplace(id, std::string(statement.text(0))).first->second;
}

Result<std::string> Dictionary::word_text(std::int64_t id) {
  if (id == 0) return std::string();
  if (const auto found = word_texts_.find(id); found != word_texts_.end()) return found->second;
  TRY(auto statement, database_->cached("SELECT text FROM word WHERE id=?"));
  statement.bind(1, id);
  TRY(const bool row, statement.step());
  if (!row) return std::string();
  if (word_texts_.size() >= base::limits::kStoreWordsCachedMax) word_texts_.clear();
  return word_texts_.emplace(id, std::string(statement.text(0))).first->second;
}

Result<std::int64_t> Dictionary::parameter(std::int64_t type, std::string_view code) {
  {
    TRY(auto select, database_->cached("SELECT id FROM param WHERE type=? AND code=?"));
    select.bind(1, type).bind(2, code);
    TRY(const bool row, select.step());
    if (row) return select.integer(0);
  }
  if (!may_write_ || only_look_) return kUnknown;
  TRY(auto insert, database_->cached("INSERT INTO param(type, code) VALUES(?,?)"));
  insert.bind(1, type).bind(2, code);
  TRY_VOID(insert.run());
  added_ = true;
  return database_->last_insert_rowid();
}

Result<const std::vector<std::int64_t>*> Dictionary::parameters(const fhir::TypeParameters& type) {
  if (const auto found = parameters_.find(&type); found != parameters_.end()) return &found->second;
  TRY(const std::int64_t type_id, this->type(type.type()));
  std::vector<std::int64_t> ids;
  for (const fhir::Parameter& one : type.all()) {
    TRY(const std::int64_t id, parameter(type_id, one.code));
    ids.push_back(id);
  }
  for (const fhir::CompositeParameter& one : type.composites()) {
    TRY(const std::int64_t id, parameter(type_id, one.code));
    ids.push_back(id);
  }
  if (std::find(ids.begin(), ids.end(), kUnknown) != ids.end()) {
    // A reader may come before the first write of the type: answer for now, look again next time.
    incomplete_ = std::move(ids);
    return &incomplete_;
  }
  return &parameters_.emplace(&type, std::move(ids)).first->second;
}

void Dictionary::rolled_back() {
  if (!added_) return;
  types_.clear();
  words_.clear();
  type_names_.clear();
  word_texts_.clear();
  parameters_.clear();
}

}  // namespace kiln::engine
