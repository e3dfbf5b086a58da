#pragma once
// What a message can be found by beside its columns in the journal: patient id, account, name, paths that the site names, words.
// One extraction for the index, and for messages that the index does not have.

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "channels/options.h"
#include "engine/journal/journal.h"
#include "engine/journal/query.h"
#include "hl7/path.h"

namespace kiln::engine {

/// What the site adds to the keys that every message has: `index { key ward { path "PV1-3.1" } text "adt_in" }`.
struct IndexRules {
  struct Key {
    std::string name;     ///< "ward"
    hl7::Path path;       ///< as compiled
    std::string channel;  ///< empty: of every channel
  };
  std::vector<Key> keys;
  std::set<std::string, std::less<>> text_channels;  ///< whose words are indexed; "*": of all

  bool has_text(std::string_view channel) const;
  /// One line that is another one when the rules are others: an index made by others is made again.
  std::string print() const;
};
/// `index` of a server block, which was checked. Errors: bad_path with the key as place.
base::Result<IndexRules> read_index_rules(const channels::Options& server);

/// The parts of a message that keys are made of. Borrowed.
struct IndexedMessage {
  std::string_view channel, type, control_id, body;
  channels::ContentKind kind = channels::ContentKind::hl7;
};

/// What a key is stored as; the same for the same kind and value. No value can be read from it; with `secret`, the token key of an
/// encrypted journal file, none can be guessed either (HMAC-SHA-256).
std::uint64_t key_hash(std::string_view kind, std::string_view value, std::string_view secret = {});
/// Adds the text of it: 13 characters.
void append_token(std::uint64_t hash, std::string& out);
/// Both at once.
std::string key_token(std::string_view kind, std::string_view value, std::string_view secret = {});

/// Every key of the message: kind ("id", "mrn", "account", "name", "text", "path PV1-3.1", "channel", "type") and value, folded
/// for comparison. The same may come twice. `with_text`: also words of the whole message, as far as
/// limits::kIndexTextBytesMax.
using KeyVisitor = std::function<void(std::string_view kind, std::string_view value)>;
void visit_keys(const IndexedMessage& message, const IndexRules& rules, bool with_text, const KeyVisitor& visit);

/// The kind and values that a term about content asks for; all of them must be there. Nothing for a path that is no key: only
/// the message itself can tell.
struct WantedKeys {
  std::string kind;
  std::vector<std::string> values;
};
std::optional<WantedKeys> wanted_keys(const QueryTerm& term, const IndexRules& rules);

/// Whether a term about content holds for the message; `negated` is not looked at.
class ContentMatcher {
 public:
  ContentMatcher(const IndexedMessage& message, const IndexRules& rules) : message_(message), rules_(rules) {}
  bool holds(const QueryTerm& term);

 private:
  bool path_holds(const QueryTerm& term) const;
  const IndexedMessage& message_;
  const IndexRules& rules_;
  std::set<std::string> keys_;  ///< "kind\nvalue", of all but words
  std::set<std::string> words_;
  bool has_keys_ = false, has_words_ = false;
};

}  // namespace kiln::engine
