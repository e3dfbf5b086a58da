#include "engine/fhir_service.h"

namespace kiln::engine {

base::Result<FhirRules> read_fhir_rules(const channels::Options& server, const std::string& site_folder,
                                        base::Env& env) {
  FhirRules rules;
  const channels::Options& fhir = server.block("fhir");
  fhir::ServerContext& context = rules.context;
  const std::string validate = fhir.text("validate");
  context.validate = validate != "off";
  context.validate_profiles = validate == "profile";
  if (fhir.has("update_create")) context.update_create = fhir.flag("update_create");
  context.conditional_delete_multiple = fhir.text("conditional_delete") == "multiple";
  context.strict_search = fhir.text("handling") == "strict";
  const std::string audit = fhir.text("audit"), provenance = fhir.text("provenance");
  rules.audit.writes = audit == "writes" || audit == "all";
  rules.audit.reads = audit == "all";
  rules.audit.channel_provenance = provenance == "channels" || provenance == "all";
  rules.audit.client_provenance = provenance == "all";
  const channels::Options& limits = server.block("limits").block("fhir");
  if (limits.has("bundle_entries"))
    context.bundle_entries_max = static_cast<std::size_t>(limits.number("bundle_entries"));
  if (const auto* packages = fhir.all("package")) {
    rules.library = std::make_unique<fhir::Library>();
    for (const channels::OptionValue& package : *packages)
      TRY_VOID(rules.library->load(env, base::join_path(site_folder, package.text)));
  }
  return rules;
}

}  // namespace kiln::engine
