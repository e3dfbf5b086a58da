#pragma once
// The data keys of one journal file: what its rows are encrypted with (security.md §7, README.md of this folder).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/sql/sqlite.h"
#include "engine/journal/journal.h"
#include "engine/journal/master_key.h"

namespace kiln::engine {

/// What a sealed value is and where it belongs: table, number and, where it has one, name. A value that was moved to another row,
/// or to another file, cannot be opened.
std::string row_name(const char* table, std::uint64_t id, std::string_view name = {}, std::uint64_t n = 0);

/// One thread at a time. Move-only.
class FileKeys {
 public:
  FileKeys() = default;  ///< of a file without keys: every row is in the clear
  /// Keys that cannot be opened are no error yet: what is in the clear can be read.
  static base::Result<FileKeys> load(base::Database& database, std::uint32_t generation, MasterKeyPtr master);

  /// Before rows are written, outside of a transaction: makes a data key when there is a master key and the file has none to
  /// write with, or the one it has was used for `records_max` values. Commits.
  base::Status prepare(base::Database& database, std::uint64_t records_max);
  /// False after a change of the file: prepare() has something to do.
  bool is_prepared() const { return !master_ || (writing_ != 0 && left_ > reserve_); }

  /// Counts what the transaction under way has sealed beyond what is noted, in it. Call before it is committed.
  base::Status note_over(base::Database& database);

  /// The file was of the present format when this was loaded: every table is there.
  bool is_whole() const { return whole_; }

  /// journal_key, with what to do, when a key of the file cannot be opened.
  base::Status usable() const;
  bool has_keys() const { return !keys_.empty() || failure_.has_value(); }
  /// What rows are written with; 0: in the clear.
  std::int64_t writing() const { return writing_; }

  /// With the key writing(), which is not 0.
  base::Result<std::string> seal(const std::string& row, std::string_view text);
  /// Of a file that another connection may write to see open_sealed(). Errors: journal_key; corrupt_record, when it is not what was
  /// sealed for this row of this file.
  base::Result<std::string> open(std::int64_t key, const std::string& row, std::string_view sealed);

  /// For tokens by which values are found that stand nowhere in the clear; empty: the file has no key.
  const std::string& token_key() const { return token_key_; }
  /// What stands in column `control_id` of a sealed message.
  std::string control_token(std::string_view control_id) const;

 private:
  static constexpr std::uint64_t kBlock = 1u << 20;    ///< values that one note in `data_key.used` covers
  static constexpr std::uint64_t kReserve = 1u << 17;  ///< more than one transaction seals
  friend base::Result<std::string> open_sealed(struct RowSource file, std::int64_t key, const std::string& row, std::string_view sealed);
  base::Status add_key(base::Database& database);
  base::Status read_keys(base::Database& database);
  void take(std::int64_t id, std::string key);
  std::string bound(const std::string& row) const { return place_ + row; }

  MasterKeyPtr master_;
  std::string place_;  ///< what every row name begins with: format and generation
  std::map<std::int64_t, Sealer> keys_;
  bool whole_ = false;
  std::int64_t writing_ = 0;
  std::uint64_t used_ = 0;  ///< of that key, as noted in the file
  std::uint64_t left_ = 0;  ///< of what is noted, not used yet
  std::uint64_t over_ = 0;  ///< used and not noted yet
  std::uint64_t reserve_ = kReserve;
  std::string token_key_;
  std::optional<base::Error> failure_;
};

/// A journal file as the functions of rows.h read it: any of its connections, and its keys.
struct RowSource {
  base::Database& database;
  FileKeys& keys;
};

/// What was sealed for that row: with a key that another connection has added meanwhile too. Errors: as FileKeys::open().
base::Result<std::string> open_sealed(RowSource file, std::int64_t key, const std::string& row, std::string_view sealed);

/// Numbers and texts of a row, one after the other: the checksum of what stands beside a body.
class RowSum {
 public:
  RowSum& add(std::int64_t number);
  RowSum& add(std::string_view text);
  std::int64_t value() const;

 private:
  std::string bytes_;
};

/// The checksum of a text that may be sealed, and of whether it is: one that is marked wrongly does not fit.
std::uint32_t sealed_crc(std::string_view stored, std::int64_t key);

/// Texts that are sealed together: each with its length before it.
std::string join_texts(std::initializer_list<std::string_view> texts);
/// The first text of `joined`, which is taken off. False when it is not what join_texts() made.
bool take_text(std::string_view& joined, std::string_view& text);

}  // namespace kiln::engine
