#pragma once
// Shared by connectors: blocking work off the loop, many accepts at once, outcomes.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "channels/connector.h"

namespace kiln::channels::detail {

/// Runs `work` on `where`; the Completion resumes its awaiter on `home`.
template <class T>
base::Completion<T> offload(base::Executor& where, base::Executor& home, std::function<T()> work) {
  const base::Completion<T> done(home);
  where.post([done, work = std::move(work)] { done.set(work()); });
  return done;
}

/// Gives all messages to the intake, in order and overlapping (one group commit can hold many), and waits for
/// all answers.
base::Task<std::vector<Answer>> accept_all(Intake* intake, base::TimerExecutor* executor,
                                           std::vector<Inbound> messages);

/// The same when there are many: some at a time, each time when there is room. Ends behind those of which one was not stored,
/// so that there may be fewer answers than messages; without `replies` theirs are empty.
base::Task<std::vector<Answer>> accept_in_steps(Intake* intake, base::TimerExecutor* executor, std::vector<Inbound> messages,
                                                bool replies);

/// co_await pause(…): a wait that nothing shortens.
base::Task<void> pause(base::TimerExecutor* executor, std::int64_t ms);

/// Gives shared ownership (running coroutines and handlers keep the source) behind the unique_ptr of the factory. `T` has
/// the members of a Source.
template <class T>
class SharedSource final : public Source {
 public:
  explicit SharedSource(std::shared_ptr<T> source) : source_(std::move(source)) {}
  base::Status start(Intake& intake) override { return source_->start(intake); }
  base::Task<void> stop() override { return source_->stop(); }
  ConnectorStatus status() const override { return source_->status(); }

 private:
  std::shared_ptr<T> source_;
};

/// Whether a connection to `host` does not leave this machine.
bool is_this_machine(std::string_view host);
inline constexpr const char* kAcceptRisk[] = {"accept_risk"};
/// Of destinations that say who they are.
inline constexpr FieldSpec kInsecureLogin = {.name = "insecure",
                                             .type = FieldType::word,
                                             .summary = "a password or token in plain text beyond this machine, knowingly",
                                             .words = kAcceptRisk};

/// A path of an option: absolute, or below the site.
std::string site_path(const Surroundings& around, const std::string& path);

/// Error to option: "port: cannot listen: …".
tl::unexpected<base::Error> option_error(const char* option, const base::Error& why);

/// True when `path` has no empty, "." or ".." step and no control character or backslash; a leading '/' is
/// allowed.
bool is_plain_path(std::string_view path);

}  // namespace kiln::channels::detail
