// Small changes that concern a message which is stored already, and bytes that made none.

#include "engine/base/log.h"
#include "engine/journal/sqlite_journal.h"

namespace kiln::engine {

using base::Result;
using base::Status;

void SqliteJournal::note_unframed(std::string channel, channels::Unframed what) {
  Job job;
  job.bytes = what.head.size();
  job.change = [channel = std::move(channel), what = std::move(what)](DayFile& file) {
    return file.insert_unframed(channel, what);
  };
  job.done = [](const Status& status) {
    if (!status)
      base::log(base::LogLevel::error, "unframed-not-journaled",
                {{"error", base::Safe::code(status.error().code)}});
  };
  enqueue(std::move(job));
}

void SqliteJournal::note_processing(MessageId id, std::function<void(Result<std::uint32_t>)> done) {
  Job job;
  job.file_of = id;
  auto attempts = std::make_shared<std::uint32_t>(0);
  job.change = [id, attempts](DayFile& file) -> Status {
    TRY(*attempts, file.count_processing(id));
    return {};
  };
  job.done = [attempts, done = std::move(done)](const Status& status) {
    if (!status) return done(base::fail(status.error()));
    done(*attempts);
  };
  enqueue(std::move(job));
}

void SqliteJournal::note_sending(MessageId id, std::string channel, std::string destination,
                                 std::function<void(Result<std::uint32_t>)> done) {
  Job job;
  job.file_of = id;
  auto attempts = std::make_shared<std::uint32_t>(0);
  job.change = [id, attempts, channel = std::move(channel), destination = std::move(destination)](DayFile& file) -> Status {
    TRY(*attempts, file.count_sending(id, channel, destination));
    return {};
  };
  job.done = [attempts, done = std::move(done)](const Status& status) {
    if (!status) return done(base::fail(status.error()));
    done(*attempts);
  };
  enqueue(std::move(job));
}

void SqliteJournal::forget_sending(MessageId id, std::string channel, std::string destination) {
  Job job;
  job.file_of = id;
  job.change = [id, channel = std::move(channel), destination = std::move(destination)](DayFile& file) {
    return file.forget_sending(id, channel, destination);
  };
  enqueue_lazily(std::move(job));
}

void SqliteJournal::drop_fragments(std::vector<MessageId> ids) {
  for (const MessageId id : ids) {
    Job job;
    job.file_of = id;
    job.change = [id](DayFile& file) { return file.delete_fragment(id); };
    enqueue_lazily(std::move(job));
  }
}

void SqliteJournal::set_link(MessageId newest, hl7::SequenceState state, std::function<void(Status)> done) {
  Job job;
  job.file_of = newest;
  job.of_link = true;
  job.change = [newest, state](DayFile& file) { return file.update_link_step(newest, state); };
  job.done = std::move(done);
  enqueue(std::move(job));
}

}  // namespace kiln::engine
