#pragma once
// The language server of .hmap and .channel files and kiln.conf: JSON-RPC 2.0 messages in, messages out. Pure
// but for reading the site's files; the stream around it belongs to `kiln lsp`.
//
// Positions are UTF-16 (the protocol's default). Malformed messages get an error answer and change nothing.
// Beside the protocol's requests there is `kiln/content` {uri}: the text of a "kiln:/…" document, which is a
// shipped file or the page of a diagnostic's code.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/json.h"
#include "mappings/language/workspace.h"

namespace kiln::mappings {

/// Not thread-safe. `disk` and `around` outlive it.
class LanguageServer {
 public:
  LanguageServer(base::Env& disk, const LanguageSurroundings& around, std::string version)
      : workspace_(disk, around), version_(std::move(version)) {}

  /// One message; answers are appended to `out`. Findings of changed documents come with settle().
  void handle(std::string_view message, std::vector<std::string>& out);
  /// Checks what changed and publishes the findings. To be called when no further message waits, so that a
  /// burst of changes is checked once.
  void settle(std::vector<std::string>& out);
  bool must_settle() const { return changed_; }
  /// After `exit`.
  bool ended() const { return ended_; }
  /// 0 when `shutdown` came before `exit`, else 1.
  int exit_code() const { return shut_down_ ? 0 : 1; }

 private:
  enum class Failure : int {
    parse = -32700,
    invalid = -32600,
    no_method = -32601,
    parameters = -32602,
    not_ready = -32002
  };
  void handle_one(base::JsonView message, std::vector<std::string>& out);
  void notify(std::string_view method, base::JsonView params);
  void answer(base::JsonView id, std::string_view method, base::JsonView params,
              std::vector<std::string>& out);
  bool answer_document(std::string_view method, base::JsonView params, base::JsonWriter& result, bool& known);
  void write_capabilities(base::JsonWriter& result) const;
  void open(base::JsonView params);
  void change(base::JsonView params);

  Workspace workspace_;
  std::string version_;
  std::map<std::string, std::set<std::string>> published_;  ///< by site: the URIs with findings
  bool ready_ = false, shut_down_ = false, ended_ = false, changed_ = false;
};

}  // namespace kiln::mappings
