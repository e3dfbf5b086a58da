#include "channels/detail/validation.h"

#include <algorithm>

#include "engine/base/text.h"
#include "hl7/validate.h"

namespace kiln::channels::detail {

using base::ErrorCode;

namespace {

/// "user_table" is user-table in findings.
std::optional<hl7::RuleKind> kind_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return hl7::rule_kind(name);
}

/// "PID-8 off", "PID-8 user_table off".
base::Status add_place(hl7::ValidationPolicy& policy, const std::string& text) {
  std::vector<std::string> words;
  for (const std::string_view word : base::split(text, ' '))
    if (!word.empty()) words.emplace_back(word);
  const auto bad = [](const char* why) { return base::fail(ErrorCode::bad_value, why); };
  if (words.size() != 2 && words.size() != 3) return bad("write \"PLACE LEVEL\" or \"PLACE RULE LEVEL\"");
  const auto level = hl7::rule_level(words.back());
  if (!level) return bad("the level is error, warning, note or off");
  std::optional<hl7::RuleKind> kind;
  if (words.size() == 3) {
    kind = kind_of(words[1]);
    if (!kind) return bad("there is no such rule");
  }
  return policy.set(words.front(), kind, *level);
}

class Loader {
 public:
  Loader(const std::string& folder, base::Env& env, base::Diagnostics& diagnostics,
         std::vector<std::pair<std::string, std::string>>& files)
      : folder_(folder), env_(env), diagnostics_(diagnostics), files_(files) {}

  void load(ChannelDefinition& channel) {
    if (find_field(channel.source_options.fields(), kValidateOption.name) == nullptr) return;
    const OptionValue* option = channel.source_options.find(kValidateOption.name);
    if (option == nullptr || option->block.empty()) return;
    const Options& block = option->block.front();
    auto policy = make_policy(block);
    if (!policy) return;
    channel.validate_quarantines = block.text("on_error") == "quarantine";
    if (channel.ack_on == AckOn::stored && !channel.validate_quarantines)
      report(diagnostics_, ErrorCode::W0913, option->span,
             "`validate` can reject, but the ack is sent at `stored`",
             "`ack … on mapped`, or `on_error quarantine`", base::Severity::warning);
    if (option->text == "standard") {
      channel.validator = std::make_shared<const hl7::Validator>(std::move(*policy));
      return;
    }
    auto validator = make_validator(option->text, std::move(*policy));
    if (!validator) {
      const base::Error& why = validator.error();
      report(diagnostics_, ErrorCode::E0917, option->span,
             "`validate`: " + option->text + ": " + (why.text.empty() ? why.info().text : why.text) +
                 (why.place.empty() ? "" : " (" + why.place + ")"),
             "`standard`, or the file of a profile in the site's folder");
      return;
    }
    channel.validator = std::make_shared<const hl7::Validator>(std::move(*validator));
  }

 private:
  std::optional<hl7::ValidationPolicy> make_policy(const Options& block) {
    hl7::ValidationPolicy policy;
    for (const FieldSpec& field : kValidateFields) {
      const auto kind = kind_of(field.name);
      const auto level = hl7::rule_level(block.text(field.name));
      if (kind && level) policy.set(*kind, *level);
    }
    const auto* places = block.all("at");
    if (places == nullptr) return policy;
    for (const OptionValue& place : *places) {
      const auto added = add_place(policy, place.text);
      if (added) continue;
      report(diagnostics_, ErrorCode::E0917, place.span,
             "`at`: " +
                 (added.error().text.empty() ? std::string(added.error().info().text) : added.error().text),
             "\"PID-8 off\", \"OBX-5 datatype warning\"");
      return std::nullopt;
    }
    return policy;
  }

  base::Result<hl7::Validator> make_validator(const std::string& name, hl7::ValidationPolicy policy) {
    TRY(std::string text, env_.read_file(base::join_path(folder_, name), base::limits::kProfileBytesMax));
    TRY(auto profile, hl7::read_profile(text));
    const bool known =
        std::any_of(files_.begin(), files_.end(), [&](const auto& file) { return file.first == name; });
    if (!known) files_.emplace_back(name, std::move(text));
    return hl7::Validator::make(std::move(profile), std::move(policy));
  }

  const std::string& folder_;
  base::Env& env_;
  base::Diagnostics& diagnostics_;
  std::vector<std::pair<std::string, std::string>>& files_;
};

}  // namespace

void load_validators(PendingSite& site, const std::string& folder, base::Env& env,
                     base::Diagnostics& diagnostics,
                     std::vector<std::pair<std::string, std::string>>& files) {
  Loader loader(folder, env, diagnostics, files);
  for (PendingChannel& channel : site.channels) loader.load(channel.definition);
}

}  // namespace kiln::channels::detail
