#pragma once
// Another version of the site while it runs (reliability.md R13): load, check, compare, apply. Connectors of
// the new version are made and listeners opened before anything changes over; when one cannot be, nothing has
// changed.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "channels/definition.h"
#include "engine/base/env.h"
#include "engine/base/task.h"
#include "engine/pipeline.h"
#include "engine/site_diff.h"

namespace kiln::engine {

struct ReloadRequest {
  std::string version;  ///< of history(): its number, or the beginning of its hash; empty: the files on disk
  bool dry_run = false;
  std::string by, reason;
};

/// How the newest reload ended.
struct ReloadState {
  std::uint64_t applied = 0, refused = 0;  ///< since the start
  base::WallTime at;
  std::string problem;  ///< why the newest was refused; empty: it was not
};

/// Home executor only. One reload at a time.
class SiteReload {
 public:
  struct Parts {
    base::Env* env;
    base::TimerExecutor* executor;
    base::Executor* work;  ///< where sites are read and compiled
    const base::Clock* clock;
    Journal* journal;
    std::shared_ptr<const channels::Site>* site;  ///< the one in use; exchanged by apply
    std::vector<std::unique_ptr<ChannelRuntime>>* channels;
    /// A channel of that site, not started; what operators hold of it is held.
    std::function<std::unique_ptr<ChannelRuntime>(const channels::ChannelDefinition&,
                                                  std::shared_ptr<const channels::Site>)>
        make_channel;
    std::function<base::Task<std::shared_ptr<const channels::Site>>(std::string)> version_of;
    std::function<void()> changed;  ///< the site in use is another one
    std::function<void(const std::string&)> say;
  };
  explicit SiteReload(Parts parts);

  /// What the journal holds for destinations that the site does not have, "channel/destination", and accepted
  /// messages of channels it does not have: they go on when a reload brings those.
  void park(const std::string& address, QueueStart waiting) { parked_[address] = waiting; }
  void park(const std::string& channel, std::vector<MessageId> unprocessed) {
    unprocessed_[channel] = std::move(unprocessed);
  }
  /// Accepted messages of channels that the site does not have, not mapped yet.
  const std::map<std::string, std::vector<MessageId>>& unprocessed() const { return unprocessed_; }
  /// What waited there is no longer in the journal, or is set aside.
  void forget_parked(const std::string& address) { parked_.erase(address); }
  /// Remembers which version was started, when it is another than the last.
  base::Task<void> note_start();

  /// {"applied", "config", "effects": […], "restart": […], "left": […]}. Errors: reload_running; site_invalid
  /// with the first finding; config_version_not_found; restart_needed; those of connectors with the channel
  /// as place. After an error the site that runs is the one that ran.
  base::Task<base::Result<std::string>> reload(ReloadRequest request);
  /// The files on disk against what runs: print_diff(). Errors as of reload().
  base::Task<base::Result<std::string>> diff();
  /// {"versions": [{"version", "hash", "at", "by", "reason", "current"}]}, the newest first.
  base::Task<base::Result<std::string>> history();

  /// False when the next start must take outputs of destinations that the site does not have now as in doubt.
  bool is_orderly() const {
    return std::all_of(parked_.begin(), parked_.end(), [](const auto& one) { return one.second.clean_stop; });
  }
  const ReloadState& state() const { return state_; }
  bool is_running() const { return running_; }
  /// No further reload is begun; waits for the end of one under way.
  base::Task<void> stop();

 private:
  using SitePtr = std::shared_ptr<const channels::Site>;
  struct Work {
    SitePtr site;
    SiteDiff diff;
    std::vector<std::pair<ChannelRuntime*, ChannelRuntime::Prepared>> changed;
    std::vector<std::unique_ptr<ChannelRuntime>> added;
    std::vector<std::unique_ptr<ChannelRuntime>> removed;
    std::vector<std::string> left;  ///< what stays in the journal, for people
  };

  base::Task<base::Result<SitePtr>> load(std::string version);
  base::Task<base::Result<SitePtr>> load_version(std::string version);
  base::Task<base::Result<std::string>> reload_once(ReloadRequest request);
  base::Task<base::Status> apply(Work* work);
  base::Status prepare(Work& work);
  base::Task<base::Status> change_sources(Work* work);
  base::Task<void> take_back(Work* work, std::size_t changed, std::size_t added);
  void commit(Work& work);
  base::Task<void> begin_added(ChannelRuntime* channel);
  base::Task<void> end_removed(Work* work);
  base::Task<void> keep(std::string was, ReloadRequest request, const SiteDiff* diff);
  std::map<std::string, QueueStart> take_parked(const std::string& channel);
  void leave(Work& work, const std::string& channel, const std::map<std::string, QueueStart>& queues);
  ChannelRuntime* find(const std::string& channel) const;

  Parts parts_;
  ReloadState state_;
  bool running_ = false, stopping_ = false;
  std::map<std::string, QueueStart> parked_;
  std::map<std::string, std::vector<MessageId>> unprocessed_;
  std::vector<std::unique_ptr<ChannelRuntime>> retired_;  ///< until nobody is inside them
};

/// Reads, checks and resolves the site of that folder. Errors: site_invalid with place, excerpt and remedy of
/// its first finding; those of resolve_site(); restart_needed when its data are elsewhere.
base::Result<std::shared_ptr<const channels::Site>> load_checked(base::Env& env,
                                                                 const channels::Site& running);

}  // namespace kiln::engine
