#include "engine/vault/backup.h"

#include <algorithm>
#include <set>

#include "engine/base/failpoint.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/partial_date.h"
#include "engine/journal/journal_files.h"
#include "engine/vault/file_copy.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;

constexpr const char* kManifest = "manifest.json";

std::string time_text(base::WallTime time) {
  return base::PartialDate::from_wall(time, base::DatePrecision::fraction).print_fhir();
}

/// What only the running process means, or what can be made again.
bool is_left_out(std::string_view name) {
  for (const std::string_view suffix : {"-wal", "-shm", "-journal", ".sock", ".lock", ".reserve"})
    if (name.ends_with(suffix)) return true;
  for (const std::string_view folder : {"journal/", "bulk/", "index/"})
    if (name.starts_with(folder)) return !(name.starts_with("journal/metadata-") && name.ends_with(".db"));
  return name.find(".tmp") != std::string_view::npos || name == "index.db" || name == "scrub.json";
}

/// Names of regular files below a folder, relative.
Status list_files(base::Env& env, const std::string& folder, const std::string& below, std::vector<std::string>& out) {
  TRY(const auto entries, env.list(base::join_path(folder, below)));
  for (const auto& entry : entries) {
    const std::string name = below.empty() ? entry.name : below + "/" + entry.name;
    if (entry.is_directory)
      TRY_VOID(list_files(env, folder, name, out));
    else if (entry.is_regular)
      out.push_back(name);
  }
  return {};
}

Status add_file(const BackupOptions& options, const std::string& name, BackupManifest& manifest) {
  TRY(const FileDigest digest, digest_file(base::join_path(options.target, name), options.stop));
  manifest.files.push_back({name, digest.bytes, digest.sha256});
  return {};
}

std::string print_manifest(const BackupManifest& manifest) {
  base::JsonWriter json;
  json.begin_object().key("format").integer(1).member("version", manifest.version).member("made", time_text(manifest.made));
  json.key("last").integer(static_cast<std::int64_t>(manifest.last)).key("files").begin_array();
  for (const BackupFile& file : manifest.files) {
    json.begin_object().member("name", file.name).key("bytes").integer(static_cast<std::int64_t>(file.bytes));
    json.member("sha256", file.sha256).end_object();
  }
  return json.end_array().end_object().take() + "\n";
}

tl::unexpected<base::Error> damaged(std::string text, std::string place) {
  return base::fail(ErrorCode::backup_damaged, std::move(text), std::move(place), "take another backup");
}

Result<BackupManifest> read_manifest(base::Env& env, const std::string& folder) {
  const std::string path = base::join_path(folder, kManifest);
  const auto text = env.read_file(path, base::limits::kHmapFileBytesMax);
  if (!text) return damaged("there is no manifest: this is no backup, or it was not finished", path);
  const auto document = base::parse_json(*text);
  if (!document || document->root()["format"].text() != "1") return damaged("the manifest is not readable", path);
  BackupManifest manifest;
  manifest.version = document->root()["version"].text();
  if (const auto made = base::PartialDate::parse_fhir(document->root()["made"].text())) manifest.made = {made->lowest_micros()};
  manifest.last = std::strtoull(std::string(document->root()["last"].text()).c_str(), nullptr, 10);
  for (const base::JsonView file : document->root()["files"]) {
    BackupFile& one = manifest.files.emplace_back();
    one.name = file["name"].text();
    one.bytes = std::strtoull(std::string(file["bytes"].text()).c_str(), nullptr, 10);
    one.sha256 = file["sha256"].text();
    if (one.name.empty() || one.name[0] == '/' || one.name.find("..") != std::string::npos)
      return damaged("the manifest names a file outside of the backup", path);
  }
  return manifest;
}

Status check_hashes(const std::string& folder, const BackupManifest& manifest) {
  for (const BackupFile& file : manifest.files) {
    const auto digest = digest_file(base::join_path(folder, file.name));
    if (!digest) return damaged("a file is missing", file.name);
    if (digest->bytes != file.bytes || digest->sha256 != file.sha256) return damaged("a file is not what was written", file.name);
  }
  return {};
}

/// What a reader leaves beside a database that nobody else has open.
void remove_traces(base::Env& env, const std::string& folder, const BackupManifest& manifest) {
  for (const BackupFile& file : manifest.files)
    for (const char* suffix : {"-wal", "-shm"})
      if (const std::string path = base::join_path(folder, file.name + suffix); env.exists(path)) (void)env.remove(path);
}

Status make_folder_of(base::Env& env, const std::string& path) {
  return env.make_folders(std::string(base::folder_of(path)));
}

}  // namespace

Result<SqliteJournal::Cut> cut_at_rest(base::Env& env, const std::string& data_folder) {
  TRY(auto files, open_journal_files(env, base::join_path(data_folder, "journal")));
  SqliteJournal::Cut cut;
  for (JournalFile& file : files) {
    TRY_VOID(file.database.exec("BEGIN; SELECT count(*) FROM meta"));
    {
      TRY(auto last, file.database.prepare("SELECT ifnull(max(id), 0) FROM msg"));
      TRY_VOID(last.step());
      cut.last = std::max({cut.last, static_cast<MessageId>(last.integer(0)), file.first_id - 1});
    }
    cut.files.emplace_back(file.name.print(), std::move(file.database));
  }
  return cut;
}

Result<BackupManifest> make_backup(base::Env& env, SqliteJournal::Cut cut, const BackupOptions& options) {
  if (const auto there = env.list(options.target); there && !there->empty())
    return base::fail(ErrorCode::bad_value, "the folder for the backup is not empty", options.target, "name a new folder");
  TRY_VOID(env.make_folders(base::join_path(options.target, "journal")));
  BackupManifest manifest;
  manifest.version = options.version;
  manifest.made = options.now;
  manifest.last = cut.last;
  for (auto& [name, database] : cut.files) {
    const std::string relative = "journal/" + name;
    if (options.progress) options.progress(relative);
    TRY_VOID(base::failpoint("backup.copy"));
    TRY_VOID(database.copy_to(base::join_path(options.target, relative), options.gentle, options.stop));
    TRY_VOID(add_file(options, relative, manifest));
    database = base::Database();  // the log of that file may be emptied again
  }
  // The store after the journal: it remembers the deliveries it has had, so being ahead loses and repeats nothing.
  std::vector<std::string> names;
  TRY_VOID(list_files(env, options.data_folder, "", names));
  for (const std::string& name : names) {
    if (is_left_out(name)) continue;
    if (options.progress) options.progress(name);
    const std::string from = base::join_path(options.data_folder, name), to = base::join_path(options.target, name);
    TRY_VOID(make_folder_of(env, to));
    if (name.ends_with(".db")) {
      base::DatabaseOptions source;
      source.path = from;
      source.read_only = true;
      source.vfs = env.sqlite_vfs();
      TRY(auto database, base::Database::open(source));
      TRY_VOID(database.copy_to(to, options.gentle, options.stop));
      TRY_VOID(add_file(options, name, manifest));
    } else {
      TRY(const FileDigest digest, copy_file(from, to, options.stop));
      manifest.files.push_back({name, digest.bytes, digest.sha256});
    }
  }
  TRY_VOID(env.sync_folder(base::join_path(options.target, "journal")));
  TRY_VOID(base::failpoint("backup.manifest"));
  TRY_VOID(env.write_file_atomic(base::join_path(options.target, kManifest), print_manifest(manifest)));
  return manifest;
}

Result<BackupCheck> verify_backup(base::Env& env, const std::string& folder, const MasterKeyPtr& master) {
  BackupCheck check;
  TRY(check.manifest, read_manifest(env, folder));
  TRY_VOID(check_hashes(folder, check.manifest));
  VerifyOptions options;
  options.full = true;
  options.master = master;
  auto report = verify_journal(env, base::join_path(folder, "journal"), options);
  remove_traces(env, folder, check.manifest);
  if (!report) return base::fail(report.error());
  check.report = std::move(*report);
  if (check.report.messages > 0 && check.report.last > check.manifest.last)
    return damaged("it holds messages behind its last one", folder);
  return check;
}

namespace {

/// What waits may have been sent after the backup was made, so it is marked; nothing is sent until somebody has looked.
Status doubt_and_hold(base::Env& env, const std::string& data_folder, base::WallTime now, Restored& out) {
  std::set<std::string> destinations, channels;
  const std::string folder = base::join_path(data_folder, "journal");
  TRY(const auto entries, env.list(folder));
  std::string newest;
  for (const auto& entry : entries) {
    if (!DayFileName::parse(entry.name)) continue;
    newest = entry.name;
    base::DatabaseOptions options;
    options.path = base::join_path(folder, entry.name);
    options.vfs = env.sqlite_vfs();
    TRY(auto database, base::Database::open(options));
    TRY_VOID(database.begin());
    TRY_VOID(database.exec("UPDATE outbox SET in_doubt=1; UPDATE meta SET value='0' WHERE key='clean_stop'"));
    // A replay that was under way may have gone on after the backup: somebody resumes it.
    TRY(auto jobs, database.prepare("SELECT 1 FROM sqlite_master WHERE type='table' AND name='job'"));
    TRY(const bool has_jobs, jobs.step());
    jobs.reset();
    if (has_jobs) TRY_VOID(database.exec("UPDATE job SET state=1 WHERE state=0"));
    {
      TRY(auto count, database.prepare("SELECT count(*) FROM outbox"));
      TRY_VOID(count.step());
      out.pending += static_cast<std::uint64_t>(count.integer(0));
      count.reset();
      // Accepted and not yet mapped: it was perhaps mapped and sent after the backup, so its whole channel waits.
      TRY(auto unmapped, database.prepare("SELECT DISTINCT m.channel FROM unprocessed u JOIN msg m ON m.id=u.id"));
      for (;;) {
        TRY(const bool row, unmapped.step());
        if (!row) break;
        channels.emplace(unmapped.text(0));
      }
      unmapped.reset();
      TRY(auto names, database.prepare("SELECT dest FROM outbox UNION SELECT dest FROM delivery WHERE dest<>'-'"));
      for (;;) {
        TRY(const bool row, names.step());
        if (!row) break;
        destinations.emplace(names.text(0));
      }
    }
    TRY_VOID(database.commit());
    TRY_VOID(database.checkpoint());
  }
  out.in_doubt = out.pending;
  const auto name = DayFileName::parse(newest);
  if (!name) return {};
  DayFileOptions locked;  // holds are in the clear
  locked.may_be_locked = true;
  TRY(DayFile file, DayFile::open(env, folder, *name, 1, locked));
  TRY_VOID(file.begin());
  Hold hold;
  hold.state = HoldState::paused;
  hold.by = "restore";
  hold.reason = "restored from a backup of " + time_text(out.manifest.made) + ": what waits may have been sent";
  hold.since = now;
  for (const std::string& channel : channels) {
    hold.subject = "channel:" + channel;
    TRY_VOID(file.set_hold(hold));
    out.held.push_back(channel);
  }
  for (const std::string& destination : destinations) {
    hold.subject = "destination:" + destination;
    TRY_VOID(file.set_hold(hold));
    out.held.push_back(destination);
  }
  TRY_VOID(file.commit());
  return file.checkpoint();
}

}  // namespace

Result<Restored> restore_backup(base::Env& env, const std::string& folder, const std::string& data_folder, bool replace,
                                base::WallTime now, const MasterKeyPtr& master) {
  Restored out;
  TRY(BackupCheck check, verify_backup(env, folder, master));
  if (check.report.findings_total > 0)
    return damaged(std::to_string(check.report.findings_total) + " records or counts in it are not right", folder);
  if (check.report.locked > 0)  // no engine could start on it
    return base::fail(ErrorCode::journal_key,
                      master ? "the master key of the site is not the one that the backup was encrypted with"
                             : "the backup is encrypted, and the site has no master key",
                      folder, "give the key of that time in kiln.conf: keys { master file(\"…\") }");
  out.manifest = std::move(check.manifest);
  const auto there = env.list(data_folder);
  const bool empty = !there || std::all_of(there->begin(), there->end(), [](const auto& entry) {
    return entry.name == "kiln.lock";
  });
  if (!empty && !replace)
    return base::fail(ErrorCode::bad_value, "the data folder is not empty", data_folder,
                      "--replace moves what is there aside");
  // Beside its place first: the folder appears whole or not at all.
  const std::string made = data_folder + ".restoring";
  if (const auto left = env.list(made); left && !left->empty())
    return base::fail(ErrorCode::bad_value, "an earlier restore was interrupted", made, "remove that folder");
  for (const BackupFile& file : out.manifest.files) {
    const std::string to = base::join_path(made, file.name);
    TRY_VOID(make_folder_of(env, to));
    TRY_VOID(base::failpoint("restore.copy"));
    TRY(const FileDigest digest, copy_file(base::join_path(folder, file.name), to));
    if (digest.sha256 != file.sha256) return damaged("a file changed while it was read", file.name);
  }
  TRY_VOID(doubt_and_hold(env, made, now, out));
  TRY_VOID(env.sync_folder(base::join_path(made, "journal")));
  TRY_VOID(env.sync_folder(made));
  if (env.exists(data_folder)) {
    out.moved_to = data_folder + ".before-" + base::PartialDate::from_wall(now, base::DatePrecision::second).print_hl7().substr(0, 14);
    TRY_VOID(env.rename(data_folder, out.moved_to, false));
  }
  TRY_VOID(base::failpoint("restore.rename"));
  TRY_VOID(env.rename(made, data_folder, false));
  return out;
}

}  // namespace kiln::engine
