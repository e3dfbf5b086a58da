#include "engine/security/audit_log.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "engine/admin/message_json.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/limits.h"
#include "engine/security/password.h"
#include "engine/security/random_key.h"

namespace kiln::engine {
namespace {

constexpr std::uint64_t kReserveBytes = 2u << 20;  ///< of the disk: thousands of records of what is done when it is full


using base::ErrorCode;
using base::Result;
using base::Status;

constexpr std::size_t kKeyBytes = 32;
constexpr const char* kSchema = R"sql(
create table if not exists record(
  n integer primary key, at integer not null, user text not null, source text not null, action text not null,
  target text not null, outcome text not null, detail text not null, hash blob not null);
create table if not exists checkpoint(n integer primary key, hash blob not null, mac blob not null);
)sql";
constexpr const char* kColumns =
    "select n, at, user, source, action, target, outcome, detail, hash from record ";

/// Length first: no two lists of fields give the same bytes.
void add_field(std::string& out, std::string_view field) {
  out += std::to_string(field.size()) + ':';
  out += field;
}

AuditRecord read_record(const base::Statement& row) {
  AuditRecord out;
  out.number = static_cast<std::uint64_t>(row.integer(0));
  out.at.micros = row.integer(1);
  out.user = row.text(2);
  out.from = row.text(3);
  out.action = row.text(4);
  out.target = row.text(5);
  out.outcome = row.text(6);
  out.detail = row.text(7);
  out.hash = row.blob(8);
  return out;
}

Result<std::string> read_key(base::Env& env, const std::string& path) {
  if (env.exists(path)) {
    TRY(std::string key, env.read_file(path, kKeyBytes));
    if (key.size() == kKeyBytes) return key;
    return base::fail(ErrorCode::audit_broken,
                      "the key of the audit trail has another length than was written", path);
  }
  TRY(const std::string key, random_key(kKeyBytes));
  TRY_VOID(env.write_file_atomic(path, key));
  return key;
}

}  // namespace

std::string audit_hash(const std::string& previous, const AuditRecord& record) {
  std::string bytes = previous;
  add_field(bytes, std::to_string(record.number));
  add_field(bytes, std::to_string(record.at.micros));
  for (const std::string* field :
       {&record.user, &record.from, &record.action, &record.target, &record.outcome, &record.detail})
    add_field(bytes, *field);
  return base::sha256(bytes);
}

Result<AuditLog> AuditLog::open(base::Env& env, const std::string& path, const std::string& key_path,
                                const std::string& reserve_path) {
  base::DatabaseOptions options;
  options.path = path;
  options.page_size = 4096;
  options.cache_kib = 512;
  options.busy_timeout_ms = 1'000;  // nobody else writes it; who asks must not wait long for a refusal
  options.vfs = env.sqlite_vfs();
  options.wal_autocheckpoint_pages = 100;  // a log that grows needs space that a full disk does not have
  AuditLog out;
  if (!reserve_path.empty()) out.reserve_ = Reserve(reserve_path, kReserveBytes);
  const bool is_new = !env.exists(path);
  TRY(out.database_, base::Database::open(options));
  TRY_VOID(out.database_.exec(kSchema));
  if (is_new) TRY_VOID(env.sync_folder(std::string(base::folder_of(path))));
  TRY(out.key_, read_key(env, key_path));
  TRY(auto last, out.database_.prepare("select n, hash from record order by n desc limit 1"));
  TRY(const bool any, last.step());
  if (any) out.head_ = {static_cast<std::uint64_t>(last.integer(0)), std::string(last.blob(1))};
  return out;
}

Result<AuditRecord> AuditLog::append(AuditRecord record) {
  record.number = head_.number + 1;
  if (record.detail.size() > limits::kAuditDetailBytesMax) {
    record.detail.resize(limits::kAuditDetailBytesMax);
    while (!record.detail.empty() && !base::is_valid_utf8(record.detail)) record.detail.pop_back();
    record.detail += " (cut)";
  }
  record.hash = audit_hash(head_.hash, record);
  Status done = write(record);
  if (!done && done.error().code == ErrorCode::disk_full && reserve_.release()) done = write(record);
  if (!done)
    return base::fail(ErrorCode::audit_failed, "the audit record could not be written: " + done.error().message(), {},
                      "make room on the disk of the data folder");
  if (reserve_.is_wanted() && !reserve_.is_held()) reserve_.take();
  head_ = {record.number, record.hash};
  return record;
}

Status AuditLog::write(const AuditRecord& record) {
  auto insert = database_.cached("insert into record values(?,?,?,?,?,?,?,?,?)");
  Status done = insert ? Status{} : Status(base::fail(insert.error()));
  if (done) done = database_.begin();
  if (done) {
    insert->bind(1, static_cast<std::int64_t>(record.number)).bind(2, record.at.micros).bind(3, record.user);
    insert->bind(4, record.from).bind(5, record.action).bind(6, record.target).bind(7, record.outcome);
    insert->bind(8, record.detail).bind_blob(9, record.hash);
    done = insert->run();
    if (done && record.number % limits::kAuditCheckpointRecords == 0) {
      const AuditHead before = std::exchange(head_, AuditHead{record.number, record.hash});
      done = checkpoint();
      head_ = before;
    }
    if (done)
      done = database_.commit();
    else
      database_.rollback();
  }
  if (!done && database_.in_transaction()) database_.rollback();
  return done;
}

std::string AuditLog::authenticate(const AuditHead& head) const {
  const std::string bytes = std::to_string(head.number) + ":" + head.hash;
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), mac.data(), &size);
  return std::string(reinterpret_cast<const char*>(mac.data()), size);
}

Status AuditLog::checkpoint() {
  TRY(auto write, database_.cached("insert or replace into checkpoint values(?,?,?)"));
  const std::string mac = authenticate(head_);
  write.bind(1, static_cast<std::int64_t>(head_.number)).bind_blob(2, head_.hash).bind_blob(3, mac);
  return write.run();
}

Result<std::vector<AuditRecord>> AuditLog::list(const AuditQuery& query) {
  TRY(auto rows,
      database_.cached(std::string(kColumns) +
                       "where (?1 = 0 or n < ?1) and (?2 = '' or user = ?2) and (?3 = '' or action = ?3 or "
                       "substr(action, 1, length(?3) + 1) = ?3 || '.') and (?4 = '' or outcome = ?4) "
                       "order by n desc limit ?5"));
  rows.bind(1, static_cast<std::int64_t>(query.before)).bind(2, query.user).bind(3, query.action);
  rows.bind(4, query.outcome).bind(5, static_cast<std::int64_t>(query.limit));
  std::vector<AuditRecord> out;
  for (;;) {
    TRY(const bool more, rows.step());
    if (!more) return out;
    out.push_back(read_record(rows));
  }
}

Status AuditLog::each(const std::function<Status(const AuditRecord&)>& take) {
  TRY(auto rows, database_.prepare(std::string(kColumns) + "order by n"));
  for (;;) {
    TRY(const bool more, rows.step());
    if (!more) return {};
    TRY_VOID(take(read_record(rows)));
  }
}

Result<AuditVerdict> AuditLog::verify() {
  AuditVerdict out;
  std::string previous;
  const auto broken = [&out](std::uint64_t at, std::string text) {
    if (out.broken_at != 0) return;
    out.broken_at = at;
    out.text = std::move(text);
  };
  TRY(auto checks, database_.prepare("select n, hash, mac from checkpoint order by n"));
  TRY(bool check_waits, checks.step());
  const auto check = [&](const AuditRecord& record) -> Status {
    while (out.broken_at == 0 && check_waits &&
           static_cast<std::uint64_t>(checks.integer(0)) <= record.number) {
      const AuditHead head{static_cast<std::uint64_t>(checks.integer(0)), std::string(checks.blob(1))};
      if (head.number != record.number || head.hash != record.hash ||
          !equals_in_constant_time(authenticate(head), checks.blob(2)))
        broken(head.number, "the checkpoint at record " + std::to_string(head.number) + " does not fit");
      ++out.checkpoints;
      TRY(check_waits, checks.step());
    }
    return {};
  };
  TRY_VOID(each([&](const AuditRecord& record) -> Status {
    ++out.records;
    if (record.number != out.records)
      broken(out.records, "record " + std::to_string(out.records) + " is missing");
    else if (record.hash != audit_hash(previous, record))
      broken(record.number, "record " + std::to_string(record.number) + " was changed");
    previous = record.hash;
    out.head = {record.number, record.hash};
    return check(record);
  }));
  if (check_waits && out.broken_at == 0)
    broken(out.records + 1,
           "the end was cut: there is a checkpoint at record " + std::to_string(checks.integer(0)));
  // What this process wrote last is known without the file.
  if (out.broken_at == 0 && (out.head.number != head_.number || out.head.hash != head_.hash))
    broken(out.records, "the newest records are not those that were written");
  out.ok = out.broken_at == 0;
  if (out.ok)
    out.text = std::to_string(out.records) +
               " records, each follows from the one before. A cut end shows only against a "
               "head that was noted elsewhere: " +
               std::to_string(out.head.number) + " " + base::hex(out.head.hash);
  return out;
}

std::string print_audit_event(const AuditRecord& record) {
  base::JsonWriter json;
  json.begin_object().member("resourceType", "AuditEvent");
  json.key("extension").begin_array().begin_object().member("url", "urn:kiln:audit-chain");
  json.member("valueString", std::to_string(record.number) + " " + base::hex(record.hash))
      .end_object()
      .end_array();
  json.key("type").begin_object().member("system", "http://dicom.nema.org/resources/ontology/DCM");
  json.member("code", "110100").member("display", "Application Activity").end_object();
  json.key("subtype").begin_array().begin_object().member("system", "urn:kiln:admin-action");
  json.member("code", record.action).end_object().end_array();
  json.member("recorded", print_time(record.at));
  json.member("outcome", record.outcome == "ok" ? "0" : record.outcome == "refused" ? "4" : "8");
  if (!record.detail.empty()) json.member("outcomeDesc", record.detail);
  json.key("agent").begin_array().begin_object().key("who").begin_object();
  json.member("display", record.user.empty() ? "nobody" : record.user)
      .end_object()
      .key("requestor")
      .boolean(true);
  if (!record.from.empty()) json.key("network").begin_object().member("address", record.from).end_object();
  json.end_object().end_array();
  json.key("source")
      .begin_object()
      .key("observer")
      .begin_object()
      .member("display", "Kiln")
      .end_object()
      .end_object();
  if (!record.target.empty()) {
    json.key("entity").begin_array().begin_object().key("what").begin_object();
    json.member("display", record.target).end_object().end_object().end_array();
  }
  return json.end_object().take();
}

}  // namespace kiln::engine
