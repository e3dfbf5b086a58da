#pragma once
// Option values after checking against their FieldSpec table. Plain data, copyable, no borrowed text.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "channels/field_spec.h"
#include "engine/base/diagnostic.h"
#include "engine/base/env.h"
#include "engine/base/result.h"

namespace kiln::channels {

enum class RetryEnd : std::uint8_t { quarantine, stop };
/// `retry …`: how often and how fast; without end by default (reliability.md R6).
struct RetryPolicy {
  bool forever = true;
  std::uint32_t attempts_max = 0;  ///< attempts in all, when not `forever`
  std::int64_t backoff_min_ms = 1'000;
  std::int64_t backoff_max_ms = 60'000;
  bool jitter = true;
  RetryEnd then = RetryEnd::quarantine;  ///< when not `forever`
};

/// `skip` ends the message at this destination: rejected, or expired when nothing was answered.
enum class NakAction : std::uint8_t { retry, block, quarantine, skip };
/// `nak …`: what becomes of a message by what was answered. By itself nothing is lost.
struct NakPolicy {
  NakAction on_error = NakAction::retry;      ///< AE
  NakAction on_reject = NakAction::block;     ///< AR
  std::optional<NakAction> on_commit_error;   ///< CE; nothing: as AE
  std::optional<NakAction> on_commit_reject;  ///< CR; nothing: as AR
  NakAction on_timeout = NakAction::retry;    ///< no answer in time: it may have arrived
  NakAction on_mismatch = NakAction::retry;   ///< an answer for another message (MSA-2): it may have arrived
};

class Options;

/// One checked value.
struct OptionValue {
  enum class Origin : std::uint8_t { literal, default_value, env, file, cred };
  Origin origin = Origin::literal;
  std::string reference;  ///< the X of env("X"), file("X"), cred("X")
  std::string text;       ///< string, word, path, address, template; of a reference: its value once resolved
  std::int64_t number = 0;      ///< integer, boolean (0, 1), duration (ms), size (bytes), low end of a range
  std::int64_t number_max = 0;  ///< high end of a range
  std::vector<std::string> words;
  std::vector<base::Span> expressions;  ///< of `expressions` and of the parts of a template
  std::vector<Options> block;           ///< 0 or 1 entries
  base::Span span;
  bool resolved = true;  ///< false: a reference that resolve() has not filled yet
};

/// The options of one block. Accessors assert that the table has the option; a missing optional one gives the
/// empty value.
class Options {
 public:
  explicit Options(std::span<const FieldSpec> fields = {}) : fields_(fields) {}

  bool has(std::string_view name) const { return values_.contains(name); }
  /// The first value of that name; nullptr when not given and without default.
  const OptionValue* find(std::string_view name) const;
  std::string text(std::string_view name) const;
  std::int64_t number(std::string_view name) const;
  bool flag(std::string_view name) const { return number(name) != 0; }
  /// The options of a `block`; an empty set when it is not given.
  const Options& block(std::string_view name) const;
  const std::vector<OptionValue>* all(std::string_view name) const;

  void add(std::string_view name, OptionValue value);
  std::span<const FieldSpec> fields() const { return fields_; }
  const std::map<std::string, std::vector<OptionValue>, std::less<>>& values() const { return values_; }
  std::map<std::string, std::vector<OptionValue>, std::less<>>& values() { return values_; }

  RetryPolicy retry;  ///< when the table has a `retry` option
  NakPolicy nak;      ///< when the table has a `nak` option

 private:
  std::span<const FieldSpec> fields_;
  std::map<std::string, std::vector<OptionValue>, std::less<>> values_;
};

/// What env("X") and cred("x") mean. The process's own by default; tests give their own.
struct ReferenceSource {
  /// nullptr when not set.
  const char* (*environment)(const char* name) = nullptr;
  std::string credentials_folder;  ///< $CREDENTIALS_DIRECTORY; cred("x") is a file in it
  std::string folder;              ///< what a relative file("x") is below: the site; empty: the folder of the process
};
ReferenceSource process_references();
/// The file that a file() or cred() reference is read from; empty for every other value.
std::string file_of(const OptionValue& value, const ReferenceSource& references);

/// Fills in env(), file() and cred() and checks the types of what they hold; a relative file("x") names its whole path from then
/// on. Also refuses `later` options
/// that are given (E0915). Errors: config_unresolved with the name of the reference, channel_option,
/// later_feature.
base::Status resolve(Options& options, base::Env& env, const ReferenceSource& references);

}  // namespace kiln::channels
