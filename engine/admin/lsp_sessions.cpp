#include "engine/admin/lsp_sessions.h"

#include "channels/connector.h"
#include "channels/definition.h"
#include "engine/base/text.h"
#include "engine/limits.h"
#include "engine/security/random_key.h"
#include "engine/version.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;

namespace {

constexpr std::size_t kNameBytes = 16;

std::vector<mappings::OptionHelp> help_of(std::span<const channels::FieldSpec> fields) {
  std::vector<mappings::OptionHelp> out;
  for (const channels::FieldSpec& field : fields) {
    mappings::OptionHelp help;
    help.name = field.name;
    help.type = channels::name_of(field.type);
    help.summary = field.summary;
    help.default_value = field.default_value == nullptr ? "" : field.default_value;
    help.required = field.required;
    help.words.assign(field.words.begin(), field.words.end());
    help.children = help_of(field.fields);
    out.push_back(std::move(help));
  }
  return out;
}

const mappings::LanguageSurroundings& shared_surroundings() {
  static const mappings::LanguageSurroundings around = language_surroundings();
  return around;
}

}  // namespace

mappings::LanguageSurroundings language_surroundings() {
  mappings::LanguageSurroundings out;
  out.check_site = [](base::Env& env, const std::string& site) -> base::Result<mappings::Findings> {
    TRY(auto load, channels::load_site(env, site));
    for (const base::Diagnostic& finding : load.unavailable.list()) load.diagnostics.add(finding);
    return mappings::Findings{std::move(load.library), std::move(load.diagnostics)};
  };
  for (const channels::ConnectorSpec* spec : channels::all_connectors()) {
    mappings::ConnectorHelp help{spec->name, spec->summary, spec->role == channels::ConnectorRole::source,
                                 help_of(spec->options)};
    const auto common = help.source ? channels::common_source_options() : channels::common_destination_options();
    for (auto& option : help_of(common)) help.options.push_back(std::move(option));
    out.connectors.push_back(std::move(help));
  }
  out.server = help_of(channels::server_options());
  return out;
}

Result<LspSessions::Answer> LspSessions::handle(const std::string& session, const std::string& user,
                                                const std::vector<std::string>& messages, base::Env& disk,
                                                const std::string& folder, const std::string& data_folder) {
  const base::MonoTime now = clock_.mono();
  std::erase_if(sessions_, [now](const auto& one) {
    return now - one.second.used > std::chrono::seconds(limits::kLspIdleSeconds) ||
           one.second.server->ended();
  });
  Answer out;
  out.session = session;
  if (session.empty()) {
    if (sessions_.size() >= limits::kLspSessionsMax)
      return base::fail(ErrorCode::too_many_clients, "too many editors are open", {},
                        "close one; each ends by itself after ten minutes");
    TRY(const std::string name, random_key(kNameBytes));
    out.session = base::hex(name);
    Session made;
    made.user = user;
    made.files = std::make_unique<SiteFiles>(disk, folder, data_folder);
    made.server = std::make_unique<mappings::LanguageServer>(*made.files, shared_surroundings(), kVersion);
    sessions_.emplace(out.session, std::move(made));
  }
  const auto found = sessions_.find(out.session);
  if (found == sessions_.end() || found->second.user != user)
    return base::fail(ErrorCode::no_such_thing, "this editor's session has ended", {}, "begin a new one");
  found->second.used = now;
  mappings::LanguageServer& server = *found->second.server;
  for (const std::string& message : messages) server.handle(message, out.messages);
  if (server.must_settle()) server.settle(out.messages);
  if (server.ended()) sessions_.erase(found);
  return out;
}

void LspSessions::end(const std::string& session, const std::string& user) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end() && found->second.user == user) sessions_.erase(found);
}

}  // namespace kiln::engine
