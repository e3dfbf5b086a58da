#pragma once
// A journal in memory, for tests of channels. One thread; callbacks run at once.

#include <map>
#include <set>

#include "engine/journal/journal.h"

namespace kiln::engine::detail {

class MemoryJournal final : public Journal {
 public:
  struct Record {
    NewMessage message;
    std::map<std::string, PendingOutput> pending;  ///< by destination
    std::map<std::string, Ending> endings;
    std::map<std::string, std::vector<Attempt>> attempts;  ///< by destination, those with a code
    std::map<std::string, QuarantineNote> notes;           ///< by "channel/destination" or "-"
    bool processed = false;
  };
  const std::map<MessageId, Record>& records() const { return records_; }

  void append(NewMessage message, std::function<void(base::Result<MessageId>)> done) override;
  void append_with_next(NewMessage message, std::function<void(base::Result<MessageId>)> done) override {
    append(std::move(message), std::move(done));
  }
  void store(Processed processed, std::function<void(base::Status)> done) override;
  void flush() override {}
  void end(MessageId id, std::string channel, Ending ending, std::function<void(base::Status)> done) override;
  using Journal::note_attempt;
  void note_attempt(MessageId id, std::string channel, std::string destination, Attempt attempt,
                    std::function<void(base::Status)> done) override;
  void note_unframed(std::string channel, channels::Unframed what) override;
  void note_processing(MessageId id, std::function<void(base::Result<std::uint32_t>)> done) override;
  void note_sending(MessageId, std::string, std::string, std::function<void(base::Result<std::uint32_t>)> done) override {
    done(1u);
  }
  void forget_sending(MessageId, std::string, std::string) override {}
  void read_pending(std::string channel, std::string destination, MessageId after, std::size_t limit,
                    std::size_t bytes_max,
                    std::function<void(base::Result<std::vector<PendingOutput>>)> done) override;
  void read_message(MessageId id, std::function<void(base::Result<StoredMessage>)> done) override;
  void read_ending(MessageId id, std::string destination,
                   std::function<void(base::Result<std::optional<Ending>>)> done) override;
  bool maybe_seen(const DedupeKey& key) const override { return seen_.contains(key); }
  void find_duplicate(DedupeKey key, std::function<void(base::Result<MessageId>)> done) override;
  void read_fragments(std::string channel,
                      std::function<void(base::Result<std::vector<MessageId>>)> done) override;
  void drop_fragments(std::vector<MessageId> ids) override;
  void read_links(std::string channel,
                  std::function<void(base::Result<LinkStates>)> done) override;
  void set_link(MessageId newest, hl7::SequenceState state, std::function<void(base::Status)> done) override;
  void set_hold(Hold hold, std::function<void(base::Status)> done) override;
  void read_holds(std::function<void(base::Result<std::vector<Hold>>)> done) override;
  void note_quarantine(MessageId id, std::string destination, QuarantineNote note,
                       std::function<void(base::Status)> done) override;
  void read_quarantine_note(MessageId id, std::string destination,
                            std::function<void(base::Result<std::optional<QuarantineNote>>)> done) override;
  void keep_job(JobRecord job, std::function<void(base::Result<JobId>)> done) override;
  void read_jobs(std::size_t limit, std::function<void(base::Result<std::vector<JobRecord>>)> done) override;
  void keep_config(std::string hash, std::string text) override;
  void read_config(std::string hash, std::function<void(base::Result<std::string>)> done) override;

 private:
  std::map<MessageId, Record> records_;
  std::map<DedupeKey, MessageId> seen_;
  std::map<std::string, std::string> configs_;
  std::map<std::string, Hold> holds_;  ///< by subject
  std::map<JobId, JobRecord> jobs_;
  std::vector<channels::Unframed> unframed_;
};

}  // namespace kiln::engine::detail
