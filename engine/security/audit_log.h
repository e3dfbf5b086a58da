#pragma once
// The audit trail of the admin API (security.md §5): who did what, when, from where, with what end. A
// database of its own (DATA/audit.db); each record holds the SHA-256 of the one before, so that a change, a
// gap or another order is found. Every kAuditCheckpointRecords records a checkpoint is authenticated
// (HMAC-SHA-256) with a key of a file of its own.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/env.h"
#include "engine/base/result.h"
#include "engine/base/sql/sqlite.h"
#include "engine/journal/reserve.h"

namespace kiln::engine {

struct AuditRecord {
  std::uint64_t number = 0;  ///< from 1, without gaps
  base::WallTime at;
  std::string user;     ///< "local": the socket of this machine's owner
  std::string from;     ///< peer address
  std::string action;   ///< "message.view"
  std::string target;   ///< "/messages/4711", may be empty
  std::string outcome;  ///< ok, refused, failed
  std::string detail;   ///< query, reason; may be empty. May name a patient: the trail is for auditors only
  std::string hash;     ///< 32 raw bytes
};

struct AuditHead {
  std::uint64_t number = 0;  ///< 0: nothing was recorded yet
  std::string hash;
};

struct AuditQuery {
  std::size_t limit = 100;
  std::uint64_t before = 0;           ///< only records below that number; 0: from the newest
  std::string user, action, outcome;  ///< exact; `action` also the beginning up to a dot; empty: any
};

struct AuditVerdict {
  bool ok = false;
  std::uint64_t records = 0, checkpoints = 0;
  AuditHead head;
  std::uint64_t broken_at = 0;  ///< the first record that is not what was written
  std::string text;             ///< in plain words
};

/// One thread at a time.
class AuditLog {
 public:
  /// `key_path`: the key of the checkpoints, made when it is not there. `reserve_path`: a file that takes up space for records of
  /// what is done about a full disk; empty: none. Errors: of the database, io_failed.
  static base::Result<AuditLog> open(base::Env& env, const std::string& path, const std::string& key_path,
                                     const std::string& reserve_path = {});

  /// Durable when it returns. Error: audit_failed. `number` and `hash` are filled in.
  base::Result<AuditRecord> append(AuditRecord record);
  /// Newest first.
  base::Result<std::vector<AuditRecord>> list(const AuditQuery& query);
  /// In order, from the first.
  base::Status each(const std::function<base::Status(const AuditRecord&)>& take);
  AuditHead head() const { return head_; }
  /// Walks the whole chain.
  base::Result<AuditVerdict> verify();

 private:
  base::Status write(const AuditRecord& record);
  base::Status checkpoint();
  std::string authenticate(const AuditHead& head) const;
  base::Database database_;
  std::string key_;
  AuditHead head_;
  Reserve reserve_;
};

/// The hash of a record that follows `previous`.
std::string audit_hash(const std::string& previous, const AuditRecord& record);
/// As FHIR R4 AuditEvent, compact.
std::string print_audit_event(const AuditRecord& record);

}  // namespace kiln::engine
