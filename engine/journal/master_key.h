#pragma once
// The key of the site, `keys { master … }`: it opens the data keys of the journal files and hides dedupe keys (security.md §7).

#include <memory>
#include <string>
#include <string_view>

#include "channels/options.h"
#include "engine/journal/seal.h"

namespace kiln::engine {

/// Immutable; any thread.
class MasterKey {
 public:
  /// 32 bytes as 64 hexadecimal digits or in Base64, white space around them. `place` is said in an error. Errors: journal_key.
  static base::Result<std::shared_ptr<const MasterKey>> parse(std::string_view text, const std::string& place);

  /// 16 digits by which a file says which key it needs; the key cannot be told from them.
  const std::string& id() const { return id_; }
  /// A data key, closed for the place `of` (which file and which of its keys).
  base::Result<std::string> wrap(std::string_view data_key, std::string_view of) const;
  /// Error: journal_key.
  base::Result<std::string> unwrap(std::string_view wrapped, std::string_view of) const;

  /// Of the codes that stand for dedupe keys; the same for every file of the site.
  std::string_view naming_key() const { return naming_.view(); }

  explicit MasterKey(std::string_view key);

 private:
  SecretBytes wrapping_;  ///< made of the master key, so that what is wrapped never meets the key itself
  SecretBytes naming_;
  std::string id_;
};
/// nullptr: none, and what is written is in the clear.
using MasterKeyPtr = std::shared_ptr<const MasterKey>;

/// Of a server block that is resolved; nullptr when it names none. A key file inside the data folder is refused: a backup would
/// hold the key beside what it opens. Errors: journal_key.
base::Result<MasterKeyPtr> read_master_key(const channels::Options& server, const std::string& data_folder);

}  // namespace kiln::engine
