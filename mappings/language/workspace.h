#pragma once
// The open documents of an editor and what the checker says of the sites they belong to.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"
#include "engine/base/env.h"
#include "mappings/language/overlay_env.h"
#include "mappings/language/text_document.h"
#include "mappings/package.h"

namespace kiln::mappings {

/// What a check gives: the files with their trees, and what is wrong with them.
struct Findings {
  std::shared_ptr<const Library> library;
  base::Diagnostics diagnostics;
};

/// Options of a connector or of the server block, for completion and hover. Text is static.
struct OptionHelp {
  std::string name, type, summary, default_value;
  bool required = false;
  std::vector<std::string> words;
  std::vector<OptionHelp> children;
};
struct ConnectorHelp {
  std::string name, summary;
  bool source = false;  ///< else a destination
  std::vector<OptionHelp> options;
};

/// What the layers above maps add: checks of channels and the option tables of connectors.
struct LanguageSurroundings {
  /// Checks a whole site; empty: its maps alone.
  std::function<base::Result<Findings>(base::Env& env, const std::string& site)> check_site;
  std::vector<ConnectorHelp> connectors;
  std::vector<OptionHelp> server;
};

/// Not thread-safe. `disk` and `around` outlive it.
class Workspace {
 public:
  /// More documents than that are not opened.
  static constexpr std::size_t kDocumentsMax = 500;

  Workspace(base::Env& disk, const LanguageSurroundings& around) : disk_(disk), around_(around) {}

  /// False: too many documents, or a text that is no UTF-8 or too long.
  bool open(const std::string& uri, std::string text);
  void close(const std::string& uri);
  TextDocument* find(std::string_view uri);
  /// After a document changed, was opened, closed or saved: its site is checked anew when it is asked for.
  void touch(const TextDocument& document);
  /// Sites that were touched since the last call.
  std::vector<std::string> take_touched();

  /// The site of a document (a folder), or its own path when it belongs to none.
  std::string site_of(const TextDocument& document);
  /// Some document of that site is open.
  bool has_open(const std::string& site);
  /// The newest findings of a site_of(); never without a library.
  const Findings& findings(const std::string& site);
  /// The document's file in the findings of its site; nullptr when the site does not hold it.
  const LibraryFile* file_of(const TextDocument& document);
  /// The URI of a file of the library: "file://…", or "kiln:/std/…" of a shipped one.
  std::string uri_of(const Library& library, std::uint32_t source) const;
  const LanguageSurroundings& around() const { return around_; }

 private:
  Findings check(const std::string& site);
  base::Env& disk_;
  const LanguageSurroundings& around_;
  std::map<std::string, std::unique_ptr<TextDocument>, std::less<>> documents_;  ///< by URI
  OverlayEnv::Texts texts_;
  std::map<std::string, Findings, std::less<>> checked_;
  std::set<std::string> touched_;
};

}  // namespace kiln::mappings
