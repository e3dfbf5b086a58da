#pragma once
// Where a site keeps its data, and how a verb talks to the engine that serves it.

#include <string>

#include "engine/base/http_message.h"
#include "engine/base/result.h"
#include "engine/command.h"
#include "engine/journal/master_key.h"
#include "engine/journal/reader.h"

namespace kiln::engine::detail {

/// --site DIR (default "."), or --data DIR directly. Only kiln.conf is read; errors in the rest of the site
/// do not matter.
base::Result<std::string> data_folder(const Arguments& arguments);

/// Of the site in that folder.
base::Result<std::string> data_folder_of(const std::string& site);

/// The key of the site's journal, when it has one; with --data, that of --site when there is one. Errors: journal_key,
/// config_unresolved.
base::Result<MasterKeyPtr> master_key(const Arguments& arguments);

/// The journal of the site for reading, with its key.
base::Result<JournalReader> open_journal(const Arguments& arguments);

/// One request to the control API of the engine that runs on that data folder. Errors: engine_unreachable
/// when none does.
base::Result<base::HttpResponse> control_request(const std::string& data_folder, base::HttpRequest request);

/// The same for a body of JSON, or none; what is answered, or its error.
base::Result<std::string> ask_engine(const std::string& data_folder, const char* method, std::string target,
                                     std::string body);

/// The error that a control API answer holds, when its status is not 2xx.
base::Status control_status(const base::HttpResponse& response);

/// The options --site and --data, for the specs of verbs that need them.
inline constexpr OptionSpec kSiteOption{"--site", "DIR", "the site (default: the current folder)"};
inline constexpr OptionSpec kDataOption{"--data", "DIR", "the data folder itself, instead of --site"};

}  // namespace kiln::engine::detail
