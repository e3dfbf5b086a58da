#pragma once
// Passwords as Argon2id (RFC 9106) and one-time codes (TOTP, RFC 6238). Pure but for randomness.

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace kiln::engine {

/// "$argon2id$v=19$m=19456,t=2,p=1$…": 19 MiB and two passes, some 20 ms of one processor. Error: internal.
base::Result<std::string> hash_password(std::string_view password);
/// Takes the time of the parameters in `hash`. False for a hash that is none.
bool verify_password(std::string_view password, const std::string& hash);
/// A hash of a password that nobody has: verifying against it costs what verifying a real one costs.
const std::string& nobodys_hash();
/// Whether it may be set. Error password_weak with what to change; never with a text of the password.
base::Status check_password(std::string_view password, std::string_view user);

/// 160 random bits as base32 (RFC 4648), without padding.
base::Result<std::string> new_totp_secret();
/// The code of a 30 second step, 6 digits (HMAC-SHA-1). Empty for a secret that is no base32.
std::string totp_code(std::string_view secret, std::uint64_t step);
/// The step whose code this is, one before to one after `unix_seconds`, and later than `after`; 0: none. A
/// step is taken once: pass the last one as `after`.
std::uint64_t find_totp_step(std::string_view secret, std::string_view code, std::int64_t unix_seconds,
                             std::uint64_t after);
/// "otpauth://totp/…" for an authenticator.
std::string totp_uri(std::string_view secret, std::string_view user);

/// In time that depends on the lengths only.
bool equals_in_constant_time(std::string_view a, std::string_view b);

}  // namespace kiln::engine
