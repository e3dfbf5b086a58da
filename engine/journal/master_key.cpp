#include "engine/journal/master_key.h"

#include <openssl/crypto.h>

#include <cstdlib>

#include "engine/base/text.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;

namespace {

constexpr const char* kRemedy = "`openssl rand -hex 32` makes one; keep a copy of it apart from the backups";

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Empty when it is none.
std::string decode(std::string_view text) {
  std::string out;
  if (text.size() == 2 * kKeyBytes) {
    for (std::size_t i = 0; i < text.size(); i += 2) {
      const int high = digit(text[i]), low = digit(text[i + 1]);
      if (high < 0 || low < 0) return {};
      out += static_cast<char>(high * 16 + low);
    }
    return out;
  }
  if (!base::base64_decode(text, out) || out.size() != kKeyBytes) return {};
  return out;
}

/// The path with links and dots taken out; as it is when there is no such file.
std::string real_path(const std::string& path) {
  char* found = ::realpath(path.c_str(), nullptr);
  std::string out = found == nullptr ? path : std::string(found);
  std::free(found);
  return out;
}

}  // namespace

MasterKey::MasterKey(std::string_view key)
    : wrapping_(hmac_sha256(key, "kiln wrap data keys")),
      naming_(hmac_sha256(key, "kiln dedupe keys")),
      id_(base::hex(hmac_sha256(key, "kiln master key id").substr(0, 8))) {}

Result<std::shared_ptr<const MasterKey>> MasterKey::parse(std::string_view text, const std::string& place) {
  std::string key = decode(base::trim(text));
  if (key.size() != kKeyBytes)
    return base::fail(ErrorCode::journal_key, "the master key must be 32 bytes, as 64 hexadecimal digits or in Base64", place,
                      kRemedy);
  auto out = std::make_shared<const MasterKey>(key);
  OPENSSL_cleanse(key.data(), key.size());
  return out;
}

Result<std::string> MasterKey::wrap(std::string_view data_key, std::string_view of) const {
  return Sealer(wrapping_.view()).seal(of, data_key);
}

Result<std::string> MasterKey::unwrap(std::string_view wrapped, std::string_view of) const {
  auto key = Sealer(wrapping_.view()).open(of, wrapped);
  if (!key || key->size() != kKeyBytes)
    return base::fail(ErrorCode::journal_key, "the data key is damaged, or is of another file");
  return std::move(*key);
}

Result<MasterKeyPtr> read_master_key(const channels::Options& server, const std::string& data_folder) {
  const channels::Options& keys = server.block("keys");
  const channels::OptionValue* master = keys.find("master");
  if (master == nullptr) return MasterKeyPtr();
  if (const std::string file = channels::file_of(*master, channels::process_references()); !file.empty()) {
    const std::string inside = real_path(data_folder) + "/";
    if (real_path(file).starts_with(inside))
      return base::fail(ErrorCode::journal_key, "the master key lies in the data folder, so backups would hold it", file,
                        "move it elsewhere, best to another disk");
  }
  return MasterKey::parse(master->text, "server, keys { master }");
}

}  // namespace kiln::engine
