// The running site and its files: reload on request and on change, tables with `reload`.

#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/base/metrics.h"
#include "engine/gateway.h"
#include "engine/limits.h"

namespace kiln::engine {

using base::Task;

void Gateway::make_reload() {
  SiteReload::Parts parts;
  parts.env = &env_;
  parts.executor = &net_.executor();
  parts.work = &bulk_work_;
  parts.clock = &clock_;
  parts.journal = journal_.get();
  parts.site = &site_;
  parts.channels = &channels_;
  parts.make_channel = [this](const channels::ChannelDefinition& definition,
                              std::shared_ptr<const channels::Site> site) {
    auto channel = std::make_unique<ChannelRuntime>(channel_parts(definition, std::move(site)));
    holds_->attach(*channel);
    return channel;
  };
  parts.version_of = [this](std::string hash) { return version_of(std::move(hash)); };
  parts.changed = [this] { use_site(); };
  parts.say = [this](const std::string& line) { say(line); };
  reload_ = std::make_unique<SiteReload>(std::move(parts));
}

void Gateway::make_replays() {
  ReplayJobs::Parts parts;
  parts.executor = &net_.executor();
  parts.work = &bulk_work_;
  parts.env = &env_;
  parts.clock = &clock_;
  parts.journal = journal_.get();
  parts.channels = &channels_;
  parts.site = [this] { return site_; };
  parts.with_journal = [this](auto work) {
    journal_read_.post([this, work = std::move(work)] { work(journal_reader()); });
  };
  parts.open_reader = [this, folder = base::join_path(site_->data_folder, "journal")] {
    return JournalReader::open(env_, folder, master_key_);
  };
  replays_ = std::make_unique<ReplayJobs>(std::move(parts));
}

/// The site is another one: what was made of the old one outside the channels.
void Gateway::use_site() {
  ++site_generation_;
  lookups_.forget();
  if (facade_) facade_->look_again();
  if (admin_) admin_->look_at_site();
  table_watch_ = nullptr;  // a look under way keeps its own
  watch_tables();
}

Task<void> Gateway::reload_and_say(std::string by) {
  ReloadRequest request;
  request.by = std::move(by);
  observer_->reloading();
  auto reloading = reload_->reload(std::move(request));
  const base::Result<std::string> done = co_await std::move(reloading);
  observer_->reloaded(done.has_value());
  if (!done) {
    say("reload refused, the site goes on as it was: " + done.error().message());
    co_return;
  }
  const auto told = base::parse_json(*done);
  if (!told) co_return;
  if (!told->root()["applied"].boolean()) say("reload: nothing has changed");
  for (const char* list : {"effects", "restart", "left"})
    for (const base::JsonView line : told->root()[list])
      say(std::string(list == std::string_view("restart") ? "reload: used after a restart: " : "reload: ") +
          std::string(line.text()));
}

namespace {

/// Names, sizes and times of everything a site is made of, below a folder.
void look_into(base::Env& env, const std::string& folder, const std::string& data, int depth,
               std::string& out) {
  const auto entries = env.list(folder);
  if (!entries || depth == 0 || out.size() > limits::kSiteSignatureMax) return;
  for (const base::FileInfo& entry : *entries) {
    const std::string path = base::join_path(folder, entry.name);
    if (entry.name.starts_with('.') || path == data) continue;
    if (entry.is_directory) {
      look_into(env, path, data, depth - 1, out);
      continue;
    }
    const bool read = entry.name == "kiln.conf" || entry.name == "hmap.lock" ||
                      entry.name.ends_with(".channel") || entry.name.ends_with(".hmap") ||
                      folder.find("/tables") != std::string::npos || entry.name.ends_with(".json") ||
                      entry.name.ends_with(".csv");
    if (read)
      out += path + '\t' + std::to_string(entry.size) + '\t' + std::to_string(entry.modified.micros) + '\n';
  }
}

}  // namespace

/// `reload { on_change true }`: a change is used when the files have been the same for two looks.
void Gateway::watch_site() {
  const channels::Options& options = site_->server.block("reload");
  if (!options.flag("on_change") || stopping_) return;
  net_.executor().post_after(std::chrono::milliseconds(options.number("every")), [this] {
    if (stopping_) return;
    file_work_.post([this, folder = site_->folder, data = site_->data_folder] {
      constexpr int kDepth = 8;
      std::string signature;
      look_into(env_, folder, data, kDepth, signature);
      net_.executor().post([this, signature = std::move(signature)] { look_at_site(signature); });
    });
  });
}

void Gateway::look_at_site(const std::string& signature) {
  if (site_signature_.empty()) site_signature_ = signature;  // as they were at the start
  const bool settled = signature == site_changing_;
  site_changing_ = signature;
  if (signature != site_signature_ && settled && !reload_->is_running()) {
    site_signature_ = signature;
    base::spawn(reload_and_say("file change"));
  }
  watch_site();
}

/// Whether the files of the site are what is in use: a figure, whoever takes them over. They are compiled again only when
/// something about them has changed.
void Gateway::watch_drift() {
  if (stopping_) return;
  constexpr std::chrono::seconds kEvery(30);
  net_.executor().post_after(kEvery, [this] {
    if (stopping_) return;
    file_work_.post([this, folder = site_->folder, data = site_->data_folder, hash = site_->hash, known = drift_signature_] {
      constexpr int kDepth = 8;
      std::string signature = hash + '\n';
      look_into(env_, folder, data, kDepth, signature);
      if (signature == known) return net_.executor().post([this] { watch_drift(); });
      const auto found = channels::load_site(env_, folder);
      const bool same = found && found->site && found->site->hash == hash;
      net_.executor().post([this, same, signature = std::move(signature)] {
        drift_signature_ = signature;
        base::Metrics::process().gauge(base::Metric::config_drift).set(same ? 0.0 : 1.0);
        watch_drift();
      });
    });
  });
}

/// Looks at the files of tables on the thread for files; channels change over between two messages.
void Gateway::watch_tables() {
  if (!table_watch_) table_watch_ = std::make_shared<TableWatch>(site_, env_);
  if (table_watch_->interval_ms() == 0 || stopping_) return;
  net_.executor().post_after(std::chrono::milliseconds(table_watch_->interval_ms()),
                             [this, watch = table_watch_, generation = site_generation_] {
                               if (stopping_ || generation != site_generation_) return;
                               file_work_.post([this, watch, generation] {
                                 TableWatch::Change change = watch->look();
                                 net_.executor().post([this, generation, change = std::move(change)] {
                                   use_tables(generation, change);
                                 });
                               });
                             });
}

/// `generation`: of the site that was looked at; another one has a watch of its own.
void Gateway::use_tables(std::uint64_t generation, TableWatch::Change change) {
  if (generation != site_generation_) return;
  if (!change.problem.empty()) {
    base::log(base::LogLevel::error, "tables-not-reloaded", {{"config", base::Safe::name(site_->hash)}});
    say("note: changed tables are not used: " + change.problem);
  }
  if (change.site && !stopping_) {
    journal_->keep_config(change.site->hash, print_site_version(*change.site));
    site_ = change.site;
    for (const auto& channel : channels_) channel->use_site(site_);
    base::log(base::LogLevel::info, "tables-reloaded", {{"config", base::Safe::name(site_->hash)}});
  }
  watch_tables();
}

}  // namespace kiln::engine
