#include "engine/journal/file_keys.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "engine/base/failpoint.h"
#include "engine/base/text.h"
#include "engine/journal/day_file.h"
#include "engine/journal/rows.h"
#include "engine/security/random_key.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

/// Of the layout of sealed values: another one gets another number.
constexpr const char* kSealedAs = "kiln journal 4\n";

std::string key_name(std::int64_t id) {
  return "data key " + std::to_string(id);
}

}  // namespace

std::string row_name(const char* table, std::uint64_t id, std::string_view name, std::uint64_t n) {
  std::string out = table;
  out += '\n';
  out += std::to_string(id);
  out += '\n';
  out += name;
  out += '\n';
  return out += std::to_string(n);
}

Result<FileKeys> FileKeys::load(base::Database& database, std::uint32_t generation, MasterKeyPtr master) {
  FileKeys out;
  out.master_ = std::move(master);
  out.place_ = kSealedAs + std::to_string(generation) + "\n";
  TRY_VOID(out.read_keys(database));
  TRY(auto format, database.prepare("SELECT 1 FROM meta WHERE key='format' AND CAST(value AS INTEGER)>=?"));
  TRY(out.whole_, format.bind(1, kJournalFormat).step());
  return out;
}

/// Those that are not known yet.
Status FileKeys::read_keys(base::Database& database) {
  TRY(const bool has_keys, has_table(database, "data_key"));
  if (!has_keys) return {};
  TRY(auto select, database.prepare("SELECT id, master, wrapped, used FROM data_key WHERE id>? ORDER BY id"));
  select.bind(1, writing_);
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return {};
    const std::string wanted(select.text(1));
    if (!master_) {
      failure_ = base::Error{ErrorCode::journal_key, "the journal is encrypted with master key " + wanted + ", and none is given",
                             {}, "give it in kiln.conf: keys { master file(\"…\") }"};
      continue;
    }
    if (wanted != master_->id()) {
      failure_ = base::Error{ErrorCode::journal_key,
                             "the journal is encrypted with master key " + wanted + "; the one given is " + master_->id(),
                             {}, "give the key that the journal was written with"};
      continue;
    }
    const std::int64_t id = select.integer(0);
    auto key = master_->unwrap(select.blob(2), bound(key_name(id)));
    if (!key) {
      failure_ = key.error();
      failure_->remedy = "restore the file from a backup";
      continue;
    }
    take(id, std::move(*key));
    // What was noted and perhaps not used is not used again.
    used_ = static_cast<std::uint64_t>(select.integer(3));
  }
}

void FileKeys::take(std::int64_t id, std::string key) {
  if (token_key_.empty()) token_key_ = hmac_sha256(key, "kiln tokens");
  keys_.emplace(id, Sealer(key));
  OPENSSL_cleanse(key.data(), key.size());
  writing_ = id;
  left_ = 0;
}

Status FileKeys::usable() const {
  if (!failure_) return {};
  return base::fail(*failure_);
}

Status FileKeys::add_key(base::Database& database) {
  TRY(std::string key, random_key(kKeyBytes));
  const std::int64_t id = writing_ + 1;
  TRY(const std::string wrapped, master_->wrap(key, bound(key_name(id))));
  TRY(auto insert, database.cached("INSERT INTO data_key(id, master, wrapped, used) VALUES(?, ?, ?, 0)"));
  TRY_VOID(insert.bind(1, id).bind(2, std::string_view(master_->id())).bind_blob(3, wrapped).run());
  TRY_VOID(base::failpoint("journal.key"));
  TRY_VOID(database.commit());
  take(id, std::move(key));
  used_ = over_ = 0;  // of the key before it all is noted
  return {};
}

Status FileKeys::prepare(base::Database& database, std::uint64_t records_max) {
  TRY_VOID(usable());
  if (writing_ == 0 || used_ + over_ >= records_max) {
    TRY_VOID(database.begin());
    if (const Status added = add_key(database); !added) {
      database.rollback();
      return added;
    }
  }
  TRY_VOID(database.begin());
  TRY(auto note, database.cached("UPDATE data_key SET used=? WHERE id=?"));
  const std::uint64_t block = std::min(kBlock, records_max), used = used_ + over_ + block;
  Status done = note.bind(1, static_cast<std::int64_t>(used)).bind(2, writing_).run();
  if (done) done = database.commit();
  if (!done) {
    database.rollback();
    return done;
  }
  used_ = used;
  over_ = 0;
  left_ += block;
  reserve_ = std::min(kReserve, block / 2);
  return {};
}

Result<std::string> FileKeys::seal(const std::string& row, std::string_view text) {
  const auto key = keys_.find(writing_);
  if (key == keys_.end()) return base::fail(ErrorCode::internal, "a record was to be encrypted without a key");
  if (left_ > 0)
    --left_;
  else
    ++over_;
  return key->second.seal(bound(row), text);
}

Result<std::string> FileKeys::open(std::int64_t key, const std::string& row, std::string_view sealed) {
  const auto found = keys_.find(key);
  if (found != keys_.end()) return found->second.open(bound(row), sealed);
  TRY_VOID(usable());
  return base::fail(ErrorCode::corrupt_record, "a record names a key that the file does not have");
}

/// A transaction that is rolled back behind it has sealed all the same, and is counted again with the next one.
Status FileKeys::note_over(base::Database& database) {
  if (over_ == 0) return {};
  TRY(auto note, database.cached("UPDATE data_key SET used=? WHERE id=?"));
  return note.bind(1, static_cast<std::int64_t>(used_ + over_)).bind(2, writing_).run();
}

Result<std::string> open_sealed(RowSource file, std::int64_t key, const std::string& row, std::string_view sealed) {
  // Whatever says a key of which nobody knows stands in a row that is newer than the keys here, or is damaged.
  if (key > 0 && !file.keys.keys_.contains(key) && file.keys.master_) TRY_VOID(file.keys.read_keys(file.database));
  return file.keys.open(key, row, sealed);
}

std::string FileKeys::control_token(std::string_view control_id) const {
  if (control_id.empty()) return {};
  constexpr std::size_t kBytes = 12;
  return "~" + base::hex(hmac_sha256(token_key_, "control id\n" + std::string(control_id)).substr(0, kBytes));
}

RowSum& RowSum::add(std::int64_t number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  bytes_.append(bytes, sizeof bytes);
  return *this;
}

RowSum& RowSum::add(std::string_view text) {
  add(static_cast<std::int64_t>(text.size()));
  bytes_ += text;
  return *this;
}

std::int64_t RowSum::value() const {
  return base::crc32c(bytes_);
}

std::uint32_t sealed_crc(std::string_view stored, std::int64_t key) {
  return base::crc32c(stored, static_cast<std::uint32_t>(key));
}

std::string join_texts(std::initializer_list<std::string_view> texts) {
  std::string out;
  for (const std::string_view text : texts) {
    const auto size = static_cast<std::uint32_t>(text.size());
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(size >> shift & 0xffu);
    out += text;
  }
  return out;
}

bool take_text(std::string_view& joined, std::string_view& text) {
  if (joined.size() < 4) return false;
  std::uint32_t size = 0;
  for (int i = 0; i < 4; ++i) size |= std::uint32_t{static_cast<unsigned char>(joined[static_cast<std::size_t>(i)])} << (8 * i);
  joined.remove_prefix(4);
  if (joined.size() < size) return false;
  text = joined.substr(0, size);
  joined.remove_prefix(size);
  return true;
}

}  // namespace kiln::engine
