#pragma once
// Language servers of the console's editors, one a page that is open; the messages come and go by HTTP.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/admin/site_files.h"
#include "engine/base/clock.h"
#include "mappings/language/language_server.h"

namespace kiln::engine {

/// On one thread. At most limits::kLspSessionsMax; one that is not used for limits::kLspIdleSeconds ends.
class LspSessions {
 public:
  explicit LspSessions(const base::Clock& clock) : clock_(clock) {}

  struct Answer {
    std::string session;
    std::vector<std::string> messages;  ///< JSON
  };
  /// JSON-RPC messages of one session, in order; an empty name begins one of `user`, on the files of that
  /// site. Errors: no_such_thing for a session that has ended or is another's, too_many_clients.
  base::Result<Answer> handle(const std::string& session, const std::string& user,
                              const std::vector<std::string>& messages, base::Env& disk,
                              const std::string& folder, const std::string& data_folder);
  void end(const std::string& session, const std::string& user);

 private:
  struct Session {
    std::string user;
    std::unique_ptr<SiteFiles> files;
    std::unique_ptr<mappings::LanguageServer> server;
    base::MonoTime used{0};
  };
  const base::Clock& clock_;
  std::map<std::string, Session> sessions_;
};

/// What the language server says of connectors and server options (engine/cli/lsp.cpp uses it too).
mappings::LanguageSurroundings language_surroundings();

}  // namespace kiln::engine
