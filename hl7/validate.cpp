#include "hl7/validate.h"

#include <algorithm>

#include "hl7/path.h"
#include "hl7/validation/rule_set.h"

namespace kiln::hl7 {

namespace {

constexpr std::array<std::string_view, kRuleKindCount> kKinds = {
    "structure", "required",   "cardinality", "usage",    "length",   "datatype",
    "table",     "user-table", "condition",   "constant", "undefined"};
constexpr std::array<std::string_view, 4> kLevels = {"off", "note", "warning", "error"};

template <class Enum, class Names>
std::optional<Enum> find_name(const Names& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

bool is_prefix(std::uint32_t wanted, std::uint32_t at) {
  return wanted == 0 || wanted == at;
}

}  // namespace

std::string_view name_of(RuleKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}
std::optional<RuleKind> rule_kind(std::string_view name) {
  return find_name<RuleKind>(kKinds, name);
}
std::string_view name_of(RuleLevel level) {
  return kLevels[static_cast<std::size_t>(level)];
}
std::optional<RuleLevel> rule_level(std::string_view name) {
  return find_name<RuleLevel>(kLevels, name);
}

ValidationPolicy::ValidationPolicy() {
  set_all(RuleLevel::error);
  for (const RuleKind kind : {RuleKind::length, RuleKind::usage, RuleKind::user_table, RuleKind::undefined})
    set(kind, RuleLevel::warning);
}

base::Status ValidationPolicy::set(std::string_view path, std::optional<RuleKind> kind, RuleLevel level) {
  if (path.find('[') != path.npos)
    return base::fail(base::ErrorCode::bad_path, "a rule is for every repetition: no index",
                      "column " + std::to_string(path.find('[') + 1));
  TRY(const Path compiled, Path::compile(path));
  places_.push_back(
      {compiled.segment_id(), compiled.field(), compiled.component(), compiled.subcomponent(), kind, level});
  return {};
}

RuleLevel ValidationPolicy::level(RuleKind kind, std::uint32_t segment_id, const Location& at) const {
  RuleLevel level = levels_[static_cast<std::size_t>(kind)];
  int deepest = 0;
  for (const Place& place : places_) {
    if (place.segment != segment_id || (place.kind && *place.kind != kind)) continue;
    if (!is_prefix(place.field, at.field) || !is_prefix(place.component, at.component) ||
        !is_prefix(place.subcomponent, at.subcomponent))
      continue;
    const int depth = 1 + (place.field != 0) + (place.component != 0) + (place.subcomponent != 0);
    if (depth < deepest) continue;
    deepest = depth;
    level = place.level;
  }
  return level;
}

Validator::Validator(ValidationPolicy policy) : policy_(std::move(policy)) {}
Validator::Validator(Validator&&) noexcept = default;
Validator& Validator::operator=(Validator&&) noexcept = default;
Validator::~Validator() = default;

base::Result<Validator> Validator::make(Profile profile, ValidationPolicy policy) {
  Validator out(std::move(policy));
  out.profile_ = std::make_unique<const Profile>(std::move(profile));
  TRY(out.rules_, detail::RuleSet::make(*out.profile_));
  return out;
}

AckError ack_error(const Finding& finding) {
  AckError error;
  error.segment = finding.segment;
  error.sequence = finding.sequence;
  error.field = finding.location.field;
  error.repetition = finding.location.repetition;
  error.component = finding.location.component;
  error.subcomponent = finding.location.subcomponent;
  error.code = finding.code;
  error.severity = finding.severity == base::Severity::error     ? 'E'
                   : finding.severity == base::Severity::warning ? 'W'
                                                                 : 'I';
  error.text = finding.text;
  error.application_code = name_of(finding.rule);
  return error;
}

ValidationAck ack_of(const ValidationReport& report) {
  ValidationAck ack;
  if (report.ok()) return ack;
  ack.code = AckCode::AE;
  for (const Finding& finding : report.findings) {
    if (finding.severity != base::Severity::error) continue;
    if (finding.code >= 200 && finding.code <= 203) ack.code = AckCode::AR;
    if (ack.errors.size() < base::limits::kAckErrorsMax) ack.errors.push_back(ack_error(finding));
  }
  return ack;
}

}  // namespace kiln::hl7
