#pragma once
// Options that every listener for HL7 v2 has.

#include "channels/connector.h"
#include "channels/detail/validation.h"
#include "channels/field_spec.h"
#include "channels/net/http_server.h"
#include "channels/tls_fields.h"
#include "engine/base/limits.h"

namespace kiln::channels::detail {

/// Listens as `bind`, `port` and `tls` say. Errors: bad_certificate.
base::Result<HttpListen> listen_as_asked(const Options& options, const Surroundings& around);

/// "host:port" of `bind` and `port`, for the port clash check; empty when the port is not known yet, or 0.
std::string listens_on(const Options& options);

inline constexpr const char* kInsecureWords[] = {"accept_risk"};
inline constexpr const char* kStoreFailureWords[] = {"AE", "AR", "close"};

inline constexpr FieldSpec kPort = {.name = "port",
                                    .type = FieldType::integer,
                                    .summary = "TCP port; 0 takes a free one",
                                    .required = true,
                                    .max = 65535};
inline constexpr FieldSpec kBind = {.name = "bind",
                                    .type = FieldType::string,
                                    .summary = "IP address to listen on",
                                    .default_value = "\"127.0.0.1\""};
inline constexpr FieldSpec kInsecure = {.name = "insecure",
                                        .type = FieldType::word,
                                        .summary = "plaintext beyond loopback, knowingly",
                                        .words = kInsecureWords};
inline constexpr FieldSpec kCharset = {.name = "charset",
                                       .type = FieldType::string,
                                       .summary = "character set when MSH-18 is empty",
                                       .lead = "default"};
inline constexpr FieldSpec kTimezone = {
    .name = "timezone",
    .type = FieldType::string,
    .summary = "IANA zone of times without offset; default: the server's"};
inline constexpr FieldSpec kMaxMessage = {.name = "max_message",
                                          .type = FieldType::size,
                                          .summary = "largest message",
                                          .default_value = "16MB",
                                          .min = 1024,
                                          .max = std::int64_t{1} << 30};
inline constexpr FieldSpec kConnections = {.name = "connections",
                                           .type = FieldType::integer,
                                           .summary = "most connections at once",
                                           .default_value = "5000",
                                           .min = 1,
                                           .max = base::limits::kConnectionsPerListenerMax};
inline constexpr FieldSpec kOnStoreFailure = {.name = "on_store_failure",
                                              .type = FieldType::word,
                                              .summary = "answer when a message could not be stored",
                                              .default_value = "AE",
                                              .words = kStoreFailureWords};
inline constexpr const char* kFragmentWords[] = {"pass", "join"};
inline constexpr FieldSpec kFragments = {
    .name = "fragments",
    .type = FieldType::word,
    .summary = "parts of a message (DSC, MSH-14): each a message of its own, or joined before they are mapped",
    .default_value = "pass",
    .words = kFragmentWords};
inline constexpr FieldSpec kSequenceNumbers = {.name = "sequence_numbers",
                                               .type = FieldType::boolean,
                                               .summary =
                                                   "MSH-13 numbers the messages of a sender: what comes out "
                                                   "of order is refused until an operator resumes",
                                               .default_value = "false"};

}  // namespace kiln::channels::detail
