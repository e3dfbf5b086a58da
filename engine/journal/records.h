#pragma once
// What the journal keeps beside messages, outputs and outcomes: decisions of operators, single attempts, jobs.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/clock.h"

namespace kiln::engine {

/// Sequence number: 64 bit, from 1, never reused, the only order in Kiln. 0 = none.
using MessageId = std::uint64_t;

/// Number of a job: from 1, in order of creation. 0 = none.
using JobId = std::uint64_t;

/// What an operator, or a policy, holds back; durable until it is released.
enum class HoldState : std::uint8_t {
  running,  ///< not held: set_hold() with it takes the hold away
  paused,   ///< a source keeps accepting, a channel keeps accepting and does not deliver, a destination does not send
  stopped,  ///< of a source or channel: the listener is closed
  blocked   ///< of a destination, by its policy (`nak … block`, `retry … stop`)
};
const char* name_of(HoldState state);
std::optional<HoldState> hold_state(std::string_view name);

struct Hold {
  /// "channel:adt_in", "source:adt_in" or "destination:adt_in/pas"; whoever sets and reads it gives it that meaning.
  std::string subject;
  HoldState state = HoldState::running;
  std::string by;      ///< user, or "policy", "restore"
  std::string reason;  ///< one line without patient data, may be empty
  base::WallTime since;
  bool damaged = false;  ///< read back only: its record does not fit its checksum; it holds on
};

/// What became of a quarantined message or output.
enum class Resolution : std::uint8_t {
  open,
  resolved,  ///< nothing more is to be done (mended elsewhere)
  released,  ///< processed again as another message
  dropped    ///< removed by an operator: its ending becomes DeliveryState::removed
};
const char* name_of(Resolution resolution);
std::optional<Resolution> resolution_of(std::string_view name);

/// Beside a quarantined ending: who cares for it and what was decided.
struct QuarantineNote {
  Resolution resolution = Resolution::open;
  std::string owner;          ///< user who takes care of it, may be empty
  std::string note;           ///< free text of the operator, may be empty
  std::string reason;         ///< of the resolution
  std::string by;             ///< who changed it last
  base::WallTime changed;
  MessageId released_as = 0;  ///< the message made of it
};

/// One attempt to send an output. The one that ended it is not kept apart: its delivery row says the same.
struct Attempt {
  std::uint32_t number = 0;  ///< from 1: attempts so far, this one included
  bool in_doubt = false;     ///< it or an earlier one may have arrived
  base::WallTime at;         ///< when it was begun
  std::int64_t took_us = 0;  ///< until its outcome was known
  std::string code;          ///< "timeout", "AE"; empty: the number and the doubt are kept, no row for a timeline
  std::string detail;        ///< one line without patient data
  std::string reply;         ///< bytes answered; kept up to limits::kAttemptReplyMax
};

enum class JobState : std::uint8_t { running, paused, finished, cancelled, failed };
const char* name_of(JobState state);
std::optional<JobState> job_state(std::string_view name);

/// A piece of work that goes on over restarts: a replay.
struct JobRecord {
  JobId id = 0;      ///< 0 in keep_job(): a new one
  std::string kind;  ///< "replay"
  std::string spec;  ///< what to do, in the words of whoever does it (JSON: query, destinations, rate, …)
  JobState state = JobState::running;
  /// Last message that was handled. append() of a message with `job` moves it to its `replay_of` in the same commit,
  /// and counts `done`, so that a job that goes on after a crash repeats and skips nothing.
  MessageId position = 0;
  std::uint64_t total = 0, done = 0, skipped = 0;
  std::string requester, reason;
  std::string detail;  ///< why it failed or was paused
  base::WallTime created, changed;
  bool damaged = false;  ///< read back only: what it does cannot be read any more; it is then `failed`
};

}  // namespace kiln::engine
