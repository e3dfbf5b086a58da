#pragma once
// `kiln verify`: do the books of a journal balance, and is every record what was written (reliability.md R6, R14). Reads
// only; beside a running engine too.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/base/env.h"
#include "engine/journal/journal.h"
#include "engine/journal/master_key.h"

namespace kiln::engine {

struct VerifyOptions {
  bool full = false;                ///< also every checksum and the structure of the files
  MasterKeyPtr master;  ///< opens what is sealed; without it only its checksums are compared
  std::size_t findings_max = 1000;  ///< kept; all are counted
  std::function<void(std::uint64_t done)> progress;  ///< messages so far; may be empty
};

struct Finding {
  std::string file;
  MessageId id = 0;  ///< 0: of the file
  /// sequence-gap, no-outcome, two-states, orphan-output, orphan-outcome, orphan-record, wrong-count, corrupt-record,
  /// sent-altered, missing-output, database-damaged
  std::string code;
  std::string detail;  ///< one line without patient data
};

/// How the messages of one destination ended; of "channel/-" as a whole.
struct Book {
  std::uint64_t pending = 0;
  std::array<std::uint64_t, 6> ended{};  ///< by DeliveryState
};

struct VerifyReport {
  bool full = false;
  std::size_t files = 0;
  std::uint64_t messages = 0, unprocessed = 0, records = 0;  ///< records: checksums compared
  std::uint64_t locked = 0;  ///< of them, sealed with a key that was not given: their tags were not looked at
  MessageId first = 0, last = 0;
  std::uint64_t removed = 0;              ///< messages that retention took, by number
  std::map<std::string, Book> books;     ///< by "channel/destination"
  std::vector<Finding> findings;
  std::uint64_t findings_total = 0;
};

/// Errors: what keeps it from reading at all; everything else is a finding.
base::Result<VerifyReport> verify_journal(base::Env& env, const std::string& folder, const VerifyOptions& options);

/// For people, and for machines (docs in the verb's help).
std::string print_report(const VerifyReport& report);
std::string print_report_json(const VerifyReport& report);

}  // namespace kiln::engine
