#include "engine/detail/memory_journal.h"

#include <algorithm>

namespace kiln::engine::detail {

using base::Result;
using base::Status;

void MemoryJournal::append(NewMessage message, std::function<void(Result<MessageId>)> done) {
  const MessageId id = records_.size() + 1;
  if (message.dedupe != DedupeKey{}) seen_[message.dedupe] = id;
  if (const auto job = jobs_.find(message.job); job != jobs_.end()) {
    job->second.position = std::max(job->second.position, message.replay_of);
    ++job->second.done;
  }
  records_[id].message = std::move(message);
  done(id);
}

void MemoryJournal::store(Processed processed, std::function<void(Status)> done) {
  Record& record = records_[processed.id];
  record.processed = true;
  record.message.lookups = processed.lookups;
  for (Output& output : processed.outputs) {
    PendingOutput pending;
    pending.id = processed.id;
    if (output.is_source) output.body = record.message.body;
    pending.output = output;
    record.pending[output.destination] = std::move(pending);
  }
  for (const Ending& ending : processed.endings) record.endings[ending.destination] = ending;
  for (std::size_t i = 0; i < processed.children.size(); ++i) {
    Record child;
    child.message = processed.children[i];
    child.message.parent = processed.id;
    child.processed = true;
    child.endings[processed.child_endings[i].destination] = processed.child_endings[i];
    records_[records_.size() + 1] = std::move(child);
  }
  done({});
}

void MemoryJournal::end(MessageId id, std::string, Ending ending, std::function<void(Status)> done) {
  records_[id].pending.erase(ending.destination);
  records_[id].endings[ending.destination] = std::move(ending);
  if (done) done({});
}

void MemoryJournal::note_attempt(MessageId id, std::string, std::string destination, Attempt attempt,
                                 std::function<void(Status)> done) {
  Record& record = records_[id];
  if (const auto pending = record.pending.find(destination); pending != record.pending.end()) {
    pending->second.attempts = attempt.number;
    pending->second.in_doubt = attempt.in_doubt;
  }
  if (!attempt.code.empty()) record.attempts[destination].push_back(std::move(attempt));
  if (done) done({});
}

void MemoryJournal::note_unframed(std::string, channels::Unframed what) {
  unframed_.push_back(std::move(what));
}

void MemoryJournal::note_processing(MessageId, std::function<void(Result<std::uint32_t>)> done) {
  done(1u);
}

void MemoryJournal::read_pending(std::string, std::string destination, MessageId after, std::size_t limit,
                                 std::size_t, std::function<void(Result<std::vector<PendingOutput>>)> done) {
  std::vector<PendingOutput> out;
  for (auto at = records_.upper_bound(after); at != records_.end() && out.size() < limit; ++at)
    if (const auto found = at->second.pending.find(destination); found != at->second.pending.end())
      out.push_back(found->second);
  done(std::move(out));
}

void MemoryJournal::read_message(MessageId id, std::function<void(Result<StoredMessage>)> done) {
  const auto found = records_.find(id);
  if (found == records_.end()) return done(base::fail(base::ErrorCode::message_not_found));
  done(StoredMessage{id, found->second.message});
}

void MemoryJournal::read_ending(MessageId id, std::string destination,
                                std::function<void(Result<std::optional<Ending>>)> done) {
  const auto& endings = records_[id].endings;
  const auto found = endings.find(destination);
  done(found == endings.end() ? std::optional<Ending>() : std::optional<Ending>(found->second));
}

void MemoryJournal::find_duplicate(DedupeKey key, std::function<void(Result<MessageId>)> done) {
  const auto found = seen_.find(key);
  done(found == seen_.end() ? MessageId{0} : found->second);
}

void MemoryJournal::read_fragments(std::string channel,
                                   std::function<void(Result<std::vector<MessageId>>)> done) {
  std::vector<MessageId> ids;
  for (const auto& [id, record] : records_)
    if (record.message.channel == channel && record.message.fragment) ids.push_back(id);
  done(std::move(ids));
}

void MemoryJournal::drop_fragments(std::vector<MessageId> ids) {
  for (const MessageId id : ids) records_[id].message.fragment = false;
}

void MemoryJournal::read_links(
    std::string channel, std::function<void(Result<LinkStates>)> done) {
  LinkStates links;
  for (const auto& [id, record] : records_)
    if (record.message.channel == channel && record.message.step)
      links[record.message.step->link] = {record.message.step->decision.next, id};
  done(std::move(links));
}

void MemoryJournal::set_link(MessageId newest, hl7::SequenceState state, std::function<void(Status)> done) {
  if (std::optional<LinkStep>& step = records_[newest].message.step) step->decision.next = state;
  done({});
}

void MemoryJournal::set_hold(Hold hold, std::function<void(Status)> done) {
  if (hold.state == HoldState::running)
    holds_.erase(hold.subject);
  else
    holds_[hold.subject] = std::move(hold);
  if (done) done({});
}

void MemoryJournal::read_holds(std::function<void(Result<std::vector<Hold>>)> done) {
  std::vector<Hold> out;
  for (const auto& [subject, hold] : holds_) out.push_back(hold);
  done(std::move(out));
}

void MemoryJournal::note_quarantine(MessageId id, std::string destination, QuarantineNote note,
                                    std::function<void(Status)> done) {
  const auto found = records_.find(id);
  const auto name = destination.substr(destination.find('/') + 1);
  const auto tell = [&](Status status) {
    if (done) done(std::move(status));
  };
  if (found == records_.end()) return tell(base::fail(base::ErrorCode::message_not_found));
  const auto ending = found->second.endings.find(name);
  const bool known = found->second.notes.contains(destination);
  if (ending == found->second.endings.end() || (!known && ending->second.state != DeliveryState::quarantined))
    return tell(base::fail(base::ErrorCode::message_not_found, "nothing is quarantined there"));
  if (note.resolution == Resolution::dropped) ending->second.state = DeliveryState::removed;
  found->second.notes[destination] = std::move(note);
  tell({});
}

void MemoryJournal::read_quarantine_note(MessageId id, std::string destination,
                                         std::function<void(Result<std::optional<QuarantineNote>>)> done) {
  const auto& notes = records_[id].notes;
  const auto found = notes.find(destination);
  done(found == notes.end() ? std::optional<QuarantineNote>() : std::optional<QuarantineNote>(found->second));
}

void MemoryJournal::keep_job(JobRecord job, std::function<void(Result<JobId>)> done) {
  if (job.id == 0) job.id = jobs_.empty() ? 1 : jobs_.rbegin()->first + 1;
  if (const auto old = jobs_.find(job.id); old != jobs_.end()) {
    job.position = std::max(job.position, old->second.position);
    job.done = std::max(job.done, old->second.done);
  }
  const JobId id = job.id;
  jobs_[id] = std::move(job);
  if (done) done(id);
}

void MemoryJournal::read_jobs(std::size_t limit, std::function<void(Result<std::vector<JobRecord>>)> done) {
  std::vector<JobRecord> out;
  for (auto at = jobs_.rbegin(); at != jobs_.rend() && out.size() < limit; ++at) out.push_back(at->second);
  done(std::move(out));
}

void MemoryJournal::keep_config(std::string hash, std::string text) {
  configs_[std::move(hash)] = std::move(text);
}

void MemoryJournal::read_config(std::string hash, std::function<void(Result<std::string>)> done) {
  const auto found = configs_.find(hash);
  if (found == configs_.end()) return done(base::fail(base::ErrorCode::message_not_found));
  done(found->second);
}

}  // namespace kiln::engine::detail
