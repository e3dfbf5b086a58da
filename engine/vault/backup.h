#pragma once
// A copy of a data folder as it was between two commits of the journal, without stopping intake (reliability.md R17,
// operations.md §9). A backup is a folder: the databases and files, and `manifest.json` with their hashes.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/env.h"
#include "engine/journal/sqlite_journal.h"
#include "engine/vault/file_copy.h"
#include "engine/vault/verify.h"

namespace kiln::engine {

struct BackupFile {
  std::string name;  ///< "journal/000007-20261122.db", relative
  std::uint64_t bytes = 0;
  std::string sha256;  ///< hex
};

struct BackupManifest {
  std::string version;  ///< of the program
  base::WallTime made;
  MessageId last = 0;  ///< every message up to this number is in it, none behind it
  std::vector<BackupFile> files;
};

struct BackupOptions {
  std::string data_folder;
  std::string target;  ///< must not exist, or be empty
  base::WallTime now;
  std::string version;
  bool gentle = true;  ///< with pauses: an engine serves beside it
  std::function<void(const std::string& name)> progress;  ///< may be empty
  StopAsked stop;                                         ///< may be empty
};

/// Of a running engine: `cut` is its picture of the journal. Errors: bad_value when the target is in use, disk_full,
/// io_failed, cancelled. What was begun is left in place without a manifest, so it is never taken for a backup.
base::Result<BackupManifest> make_backup(base::Env& env, SqliteJournal::Cut cut, const BackupOptions& options);

/// When no engine runs: the same of the files as they are.
base::Result<SqliteJournal::Cut> cut_at_rest(base::Env& env, const std::string& data_folder);

struct BackupCheck {
  BackupManifest manifest;
  VerifyReport report;  ///< of the journal in it, in full
};
/// Compares every hash, then every record and the books. With the master key sealed records are opened too; without it their
/// checksums are compared. Errors: backup_damaged.
base::Result<BackupCheck> verify_backup(base::Env& env, const std::string& folder, const MasterKeyPtr& master = {});

struct Restored {
  BackupManifest manifest;
  std::string moved_to;  ///< where the former data folder is; empty: there was none
  std::uint64_t pending = 0, in_doubt = 0;
  std::vector<std::string> held;  ///< what is paused: "adt_in" a channel with messages not yet mapped, "adt_in/pas"
};
/// Puts a backup in place of a data folder that nothing uses; what was there is moved aside when `replace`. Every output
/// that waits is in doubt (it may have been sent after the backup was made), and every destination is paused by a hold
/// until an operator lets it go. Errors: backup_damaged, journal_key when `master` does not open it (nothing is moved), bad_value when the folder is not empty and `replace` is false.
base::Result<Restored> restore_backup(base::Env& env, const std::string& folder, const std::string& data_folder, bool replace,
                                      base::WallTime now, const MasterKeyPtr& master = {});

}  // namespace kiln::engine
