#pragma once
// Site versions as the journal keeps them: a message is finished by the version that accepted it (reliability.md R13).

#include <map>
#include <memory>
#include <string>

#include "channels/definition.h"
#include "engine/base/env.h"
#include "engine/base/result.h"

namespace kiln::engine {

/// The channel of that name, or nullptr.
const channels::ChannelDefinition* find_channel(const channels::Site& site, std::string_view name);

/// By Site::hash. A null pointer: that version cannot be loaded any more.
using SiteVersions = std::map<std::string, std::shared_ptr<const channels::Site>>;

/// The text Journal::keep_config() keeps: a JSON array of [name, text], the files of the site in order.
std::string print_site_version(const channels::Site& site);

/// Loads what print_site_version() wrote and fills in its references from the environment of today. `like` gives the folders.
/// Errors: json_syntax and other json codes; channel_option when it does not compile with this version of Kiln or is another
/// site than `hash` says; what resolve_site() says.
base::Result<std::shared_ptr<const channels::Site>> load_site_version(const std::string& text, const std::string& hash,
                                                                      const channels::Site& like, base::Env& env);

}  // namespace kiln::engine
