#pragma once
// Caps of connectors, named, with their unit; what other layers need too stands in engine/base/limits.h.

#include <cstddef>
#include <cstdint>

namespace kiln::channels::limits {

// secrets and certificates
inline constexpr std::uint64_t kSecretBytesMax = 64u << 10;        ///< bytes of one file() or cred()
inline constexpr std::int64_t kCertificateLookMs = 1'000;          ///< between two looks at certificate files
// TCP: how long a peer that is gone without a word stays unnoticed
inline constexpr int kTcpUserTimeoutMs = 60'000;                   ///< bytes sent and not confirmed
inline constexpr int kTcpKeepAliveIdleS = 60;                      ///< silence before the first probe
inline constexpr int kTcpKeepAliveEveryS = 10;                     ///< between probes
inline constexpr int kTcpKeepAliveProbes = 3;
// sql
inline constexpr std::size_t kSqlRowsPerLook = 1'000;              ///< rows of one poll; the rest comes with the next
inline constexpr std::size_t kSqlPositionBytesMax = 4u << 10;      ///< bytes of a kept position
// timer
inline constexpr std::size_t kTimerPlaceBytesMax = 64;             ///< bytes of a kept moment
// files that are split
inline constexpr std::size_t kSplitBytesMax = 256u << 20;          ///< bytes of the messages of one file, headers repeated
// smtp
inline constexpr std::size_t kSmtpAnswerBytesMax = 64u << 10;      ///< bytes of one answer of a mail server

}  // namespace kiln::channels::limits
