// What is known to the language but not built yet (E0915): `kiln check` and `kiln run` say the same about it.

#include <string>

#include "channels/detail/site_builder.h"

namespace kiln::channels::detail {

using base::Diagnostics;
using base::ErrorCode;

namespace {

class Checker {
 public:
  explicit Checker(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void check(const PendingSite& site) {
    check_options(site.server);
    check_durability(site.server.block("journal"));
    for (const PendingChannel& channel : site.channels)
      if (!channel.definition.disabled) check_channel(channel);
  }

 private:
  void add(base::Span span, const std::string& what, std::string help) {
    report(diagnostics_, ErrorCode::E0915, span, what + " is not in this version: `kiln run` refuses the site",
           std::move(help));
  }

  void check_options(const Options& options) {
    for (const auto& [name, values] : options.values())
      for (const OptionValue& value : values) {
        const FieldSpec* field = find_field(options.fields(), name);
        if (field->later && value.origin != OptionValue::Origin::default_value)
          add(value.span, "`" + name + "`", "leave it out");
        else
          for (const Options& block : value.block) check_options(block);
      }
  }

  void check_durability(const Options& journal) {
    const OptionValue* mode = journal.find("durability");
    if (mode != nullptr && mode->text == "relaxed")
      add(mode->span, "`durability relaxed`", "`durability full`: every answer waits for the disk");
  }

  void check_channel(const PendingChannel& channel) {
    const ChannelDefinition& definition = channel.definition;
    check_options(definition.source_options);
    for (const DestinationDefinition& destination : definition.destinations) {
      check_options(destination.options);
      if (destination.connector == nullptr || destination.connector->check == nullptr) continue;
      for (const OptionProblem& problem : destination.connector->check(destination.options)) {
        const OptionValue* value = destination.options.find(problem.option);
        if (problem.code == ErrorCode::E0915)
          add(value != nullptr ? value->span : destination.span, "`" + problem.option + "`: " + problem.message,
              problem.help);
      }
    }
  }

  Diagnostics& diagnostics_;
};

}  // namespace

void check_available(const PendingSite& site, Diagnostics& diagnostics) {
  Checker(diagnostics).check(site);
}

}  // namespace kiln::channels::detail
