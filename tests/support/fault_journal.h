#pragma once
// A journal that fails where a test says so and passes everything else on.

#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "engine/base/executor.h"
#include "engine/journal/journal.h"

namespace kiln::test {

/// Failures are counted down per message; a failed call changes nothing, as on a full disk. `inner` outlives this object.
class FaultJournal final : public engine::Journal {
 public:
  explicit FaultJournal(engine::Journal& inner) : inner_(inner) {}

  std::map<engine::MessageId, int> fail_store;  ///< how many more store() calls of that message fail
  std::map<engine::MessageId, int> fail_end;    ///< the same of end()
  std::function<void(const engine::Processed&)> before_store;  ///< called first; may be empty
  int fail_append = 0;                          ///< how many more append() calls fail
  int fail_find = 0;                            ///< of find_duplicate()
  int fail_hold = 0;                            ///< of set_hold()
  int fail_attempts = 0;                        ///< how many more note_attempt() calls fail
  bool hold_appends = false;                    ///< append() calls wait for release_appends()
  base::ErrorCode error = base::ErrorCode::disk_full;
  base::Executor* later = nullptr;  ///< where failures are told; nullptr: inside the call

  void append(engine::NewMessage message, std::function<void(base::Result<engine::MessageId>)> done) override {
    if (fail_append > 0 && fail_append-- > 0) return tell(std::move(done));
    if (!hold_appends) return inner_.append(std::move(message), std::move(done));
    held_.push_back([this, message = std::move(message), done = std::move(done)] { inner_.append(message, done); });
  }
  void release_appends() {
    for (const auto& one : std::exchange(held_, {})) one();
  }
  void append_with_next(engine::NewMessage message,
                        std::function<void(base::Result<engine::MessageId>)> done) override {
    if (fail_append > 0 && fail_append-- > 0) return tell(std::move(done));
    inner_.append_with_next(std::move(message), std::move(done));
  }
  void store(engine::Processed processed, std::function<void(base::Status)> done) override {
    if (before_store) before_store(processed);
    if (int& left = fail_store[processed.id]; left > 0 && left-- > 0) return tell(std::move(done));
    inner_.store(std::move(processed), std::move(done));
  }
  void flush() override { inner_.flush(); }
  void end(engine::MessageId id, std::string channel, engine::Ending ending, std::function<void(base::Status)> done) override {
    if (int& left = fail_end[id]; left > 0 && left-- > 0) return tell(std::move(done));
    inner_.end(id, std::move(channel), std::move(ending), std::move(done));
  }
  using Journal::note_attempt;
  void note_attempt(engine::MessageId id, std::string channel, std::string destination, engine::Attempt attempt,
                    std::function<void(base::Status)> done) override {
    if (fail_attempts > 0) {
      --fail_attempts;
      if (done) tell(std::move(done));
      return;
    }
    inner_.note_attempt(id, std::move(channel), std::move(destination), std::move(attempt), std::move(done));
  }
  void set_hold(engine::Hold hold, std::function<void(base::Status)> done) override {
    if (fail_hold > 0 && fail_hold-- > 0) return tell(std::move(done));
    inner_.set_hold(std::move(hold), std::move(done));
  }
  void read_holds(std::function<void(base::Result<std::vector<engine::Hold>>)> done) override {
    inner_.read_holds(std::move(done));
  }
  void note_quarantine(engine::MessageId id, std::string destination, engine::QuarantineNote note,
                       std::function<void(base::Status)> done) override {
    inner_.note_quarantine(id, std::move(destination), std::move(note), std::move(done));
  }
  void read_quarantine_note(engine::MessageId id, std::string destination,
                            std::function<void(base::Result<std::optional<engine::QuarantineNote>>)> done) override {
    inner_.read_quarantine_note(id, std::move(destination), std::move(done));
  }
  void keep_job(engine::JobRecord job, std::function<void(base::Result<engine::JobId>)> done) override {
    inner_.keep_job(std::move(job), std::move(done));
  }
  void read_jobs(std::size_t limit, std::function<void(base::Result<std::vector<engine::JobRecord>>)> done) override {
    inner_.read_jobs(limit, std::move(done));
  }
  void note_unframed(std::string channel, channels::Unframed what) override {
    inner_.note_unframed(std::move(channel), std::move(what));
  }
  void note_processing(engine::MessageId id, std::function<void(base::Result<std::uint32_t>)> done) override {
    inner_.note_processing(id, std::move(done));
  }
  void note_sending(engine::MessageId id, std::string channel, std::string destination,
                    std::function<void(base::Result<std::uint32_t>)> done) override {
    inner_.note_sending(id, std::move(channel), std::move(destination), std::move(done));
  }
  void forget_sending(engine::MessageId id, std::string channel, std::string destination) override {
    inner_.forget_sending(id, std::move(channel), std::move(destination));
  }
  void read_pending(std::string channel, std::string destination, engine::MessageId after, std::size_t limit,
                    std::size_t bytes_max,
                    std::function<void(base::Result<std::vector<engine::PendingOutput>>)> done) override {
    inner_.read_pending(std::move(channel), std::move(destination), after, limit, bytes_max, std::move(done));
  }
  void read_message(engine::MessageId id, std::function<void(base::Result<engine::StoredMessage>)> done) override {
    inner_.read_message(id, std::move(done));
  }
  void read_ending(engine::MessageId id, std::string destination,
                   std::function<void(base::Result<std::optional<engine::Ending>>)> done) override {
    inner_.read_ending(id, std::move(destination), std::move(done));
  }
  bool maybe_seen(const engine::DedupeKey& key) const override { return inner_.maybe_seen(key); }
  void find_duplicate(engine::DedupeKey key, std::function<void(base::Result<engine::MessageId>)> done) override {
    if (fail_find > 0 && fail_find-- > 0) return tell(std::move(done));
    inner_.find_duplicate(key, std::move(done));
  }
  void read_fragments(std::string channel,
                      std::function<void(base::Result<std::vector<engine::MessageId>>)> done) override {
    inner_.read_fragments(std::move(channel), std::move(done));
  }
  void drop_fragments(std::vector<engine::MessageId> ids) override { inner_.drop_fragments(std::move(ids)); }
  void read_links(std::string channel,
                  std::function<void(base::Result<engine::LinkStates>)> done) override {
    inner_.read_links(std::move(channel), std::move(done));
  }
  void set_link(engine::MessageId newest, hl7::SequenceState state, std::function<void(base::Status)> done) override {
    inner_.set_link(newest, state, std::move(done));
  }
  void keep_config(std::string hash, std::string text) override { inner_.keep_config(std::move(hash), std::move(text)); }
  void read_config(std::string hash, std::function<void(base::Result<std::string>)> done) override {
    inner_.read_config(std::move(hash), std::move(done));
  }

 private:
  template <class Done>
  void tell(Done done) {
    if (later == nullptr) return done(base::fail(error));
    later->post([done = std::move(done), code = error] { done(base::fail(code)); });
  }

  engine::Journal& inner_;
  std::vector<std::function<void()>> held_;
};

}  // namespace kiln::test
