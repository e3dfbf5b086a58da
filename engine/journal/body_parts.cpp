#include "engine/journal/body_parts.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "engine/base/failpoint.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/limits.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

/// Fields of a segment, found by their separator alone: a message that does not parse is kept all the same.
void find_fields(std::string_view body, std::size_t part_min, std::vector<BodyPart>& out) {
  const char separator = body[3];
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= body.size(); ++at) {
    if (at < body.size() && body[at] != separator && body[at] != '\r' && body[at] != '\n') continue;
    if (at - begin >= part_min) out.push_back({begin, at - begin, 0});
    begin = at + 1;
  }
}

std::optional<std::vector<BodyPart>> parse_parts(std::string_view text) {
  std::vector<BodyPart> out;
  for (const std::string_view one : base::split(text, ',')) {
    const auto numbers = base::split(one, ':');
    if (numbers.size() != 3) return std::nullopt;
    std::uint64_t values[3] = {};
    for (std::size_t i = 0; i < 3; ++i) {
      const auto read = std::from_chars(numbers[i].data(), numbers[i].data() + numbers[i].size(), values[i]);
      if (read.ec != std::errc() || read.ptr != numbers[i].data() + numbers[i].size()) return std::nullopt;
    }
    out.push_back({values[0], values[1], static_cast<std::int64_t>(values[2])});
  }
  return out;
}

tl::unexpected<base::Error> damaged() {
  return base::fail(ErrorCode::corrupt_record, "a part of the body");
}

/// The bytes of a part as they are stored: sealed, when the file has a key.
Result<std::string> sealed_part(RowSource file, std::int64_t id, std::string_view bytes) {
  if (file.keys.writing() == 0) return std::string(bytes);
  return file.keys.seal(row_name("attachment", static_cast<std::uint64_t>(id)), bytes);
}

/// These bytes are those of row `id`, whose own are damaged: whatever refers to it is whole again.
Result<std::int64_t> mend_attachment(RowSource file, std::int64_t id, std::string_view bytes) {
  TRY(const std::string stored, sealed_part(file, id, bytes));
  TRY(auto update, file.database.cached("UPDATE attachment SET key_id=?, crc=?, body=? WHERE id=?"));
  update.bind(1, file.keys.writing()).bind(2, std::int64_t{sealed_crc(stored, file.keys.writing())});
  TRY_VOID(update.bind_blob(3, stored).bind(4, id).run());
  base::log(base::LogLevel::warn, "attachment-mended", {{"attachment", id}});
  return id;
}

/// The stored bytes of one part, compared with their checksum, and the key they are sealed with.
Result<std::string> read_attachment(RowSource file, std::int64_t id, std::int64_t& key) {
  TRY(auto select, file.database.cached("SELECT key_id, crc, body FROM attachment WHERE id=?"));
  TRY(const bool found, select.bind(1, id).step());
  if (!found) return damaged();
  key = select.integer(0);
  const bool intact = sealed_crc(select.blob(2), key) == static_cast<std::uint32_t>(select.integer(1));
  std::string stored(select.blob(2));
  select.reset();
  if (!intact) return damaged();
  return stored;
}

}  // namespace

std::vector<BodyPart> find_parts(std::string_view body, channels::ContentKind kind, std::size_t part_min) {
  constexpr std::size_t kHeaderMin = 8;  // MSH|^~\&
  std::vector<BodyPart> out;
  if (part_min == 0 || body.size() < part_min) return out;
  if (kind == channels::ContentKind::hl7 && body.size() > kHeaderMin) {
    find_fields(body, part_min, out);
    std::size_t rest = body.size();
    for (const BodyPart& part : out) rest -= part.length;
    if (rest < limits::kHotBodyFactor * part_min) return out;
    out.clear();
  }
  out.push_back({0, body.size(), 0});
  return out;
}

std::string without_parts(std::string_view body, const std::vector<BodyPart>& parts) {
  std::string out;
  std::size_t at = 0;
  for (const BodyPart& part : parts) {
    out += body.substr(at, part.offset - at);
    at = part.offset + part.length;
  }
  return out += body.substr(at);
}

std::string print_parts(const std::vector<BodyPart>& parts) {
  std::string out;
  for (const BodyPart& part : parts)
    out += (out.empty() ? "" : ",") + std::to_string(part.offset) + ":" + std::to_string(part.length) + ":" +
           std::to_string(part.attachment);
  return out;
}

Result<std::int64_t> keep_attachment(RowSource file, std::string_view bytes) {
  const bool seals = file.keys.writing() != 0;
  const std::string digest = base::sha256(bytes);
  const std::string hash = seals ? hmac_sha256(file.keys.token_key(), digest) : digest;
  {
    TRY(auto find, file.database.cached("SELECT id, key_id, crc, body FROM attachment WHERE hash=?"));
    TRY(const bool found, find.bind_blob(1, hash).step());
    if (found) {
      const std::int64_t id = find.integer(0);
      const bool intact = sealed_crc(find.blob(3), find.integer(1)) == static_cast<std::uint32_t>(find.integer(2));
      find.reset();
      TRY(auto count, file.database.cached("UPDATE attachment SET uses=uses+1 WHERE id=?"));
      TRY_VOID(count.bind(1, id).run());
      return intact ? Result<std::int64_t>(id) : mend_attachment(file, id, bytes);
    }
  }
  std::int64_t id = 0;
  {
    TRY(auto last, file.database.cached("SELECT ifnull(max(id), 0) + 1 FROM attachment"));
    TRY_VOID(last.step());
    id = last.integer(0);
    last.reset();
  }
  TRY(const std::string stored, sealed_part(file, id, bytes));
  TRY_VOID(base::failpoint("journal.attachment"));
  TRY(auto insert, file.database.cached("INSERT INTO attachment(id, hash, key_id, crc, uses, body) VALUES(?,?,?,?,1,?)"));
  insert.bind(1, id).bind_blob(2, hash).bind(3, file.keys.writing()).bind(4, std::int64_t{sealed_crc(stored, file.keys.writing())});
  TRY_VOID(insert.bind_blob(5, stored).run());
  return id;
}

Status drop_attachments(base::Database& database, std::string_view parts, std::string_view kept) {
  const auto list = parse_parts(parts), still = kept.empty() ? std::vector<BodyPart>() : parse_parts(kept);
  if (!list || !still) return {};  // damaged: what it names stays
  for (const BodyPart& part : *list) {
    TRY(auto count, database.cached("UPDATE attachment SET uses=uses-1 WHERE id=? AND uses>0"));
    TRY_VOID(count.bind(1, part.attachment).run());
    const bool is_kept = std::any_of(still->begin(), still->end(), [&part](const BodyPart& other) {
      return other.attachment == part.attachment;
    });
    if (is_kept) continue;
    TRY(auto remove, database.cached("DELETE FROM attachment WHERE id=? AND uses=0"));
    TRY_VOID(remove.bind(1, part.attachment).run());
  }
  return {};
}

Result<std::string> join_parts(RowSource file, std::string_view parts, std::string_view rest) {
  const auto list = parse_parts(parts);
  if (!list) return damaged();
  std::string out;
  base::Status locked;
  for (const BodyPart& part : *list) {
    std::int64_t key = 0;
    TRY(std::string bytes, read_attachment(file, part.attachment, key));
    if (key != 0) {
      auto opened = open_sealed(file, key, row_name("attachment", static_cast<std::uint64_t>(part.attachment)), bytes);
      if (!opened && opened.error().code == ErrorCode::journal_key) {
        locked = base::fail(opened.error());
        continue;
      }
      if (!opened) return base::fail(opened.error());
      bytes = std::move(*opened);
    }
    if (!locked) continue;
    if (part.offset < out.size() || part.offset - out.size() > rest.size() || bytes.size() != part.length) return damaged();
    const std::size_t before = part.offset - out.size();
    out += rest.substr(0, before);
    rest.remove_prefix(before);
    out += bytes;
  }
  if (!locked) return base::fail(locked.error());
  return out += rest;
}

}  // namespace kiln::engine
