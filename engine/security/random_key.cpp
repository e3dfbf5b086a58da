#include "engine/security/random_key.h"

#include <openssl/rand.h>

namespace kiln::engine {

base::Result<std::string> random_key(std::size_t bytes) {
  std::string key(bytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(bytes)) != 1)
    return base::fail(base::ErrorCode::internal, "no random bytes for a key");
  return key;
}

}  // namespace kiln::engine
