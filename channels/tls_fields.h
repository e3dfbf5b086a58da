#pragma once
// The options of `tls { … }`.

#include "channels/field_spec.h"

namespace kiln::channels {

inline constexpr const char* kTlsClientWords[] = {"none", "optional", "required"};
inline constexpr const char* kTlsVersions[] = {"1.2", "1.3"};

inline constexpr FieldSpec kTlsListenerFields[] = {
    {.name = "cert",
     .type = FieldType::secret,
     .summary = "certificate chain (PEM), the server's own first; needed"},
    {.name = "key", .type = FieldType::secret, .summary = "its private key (PEM); needed"},
    {.name = "client_ca",
     .type = FieldType::secret,
     .summary = "authorities whose client certificates are taken (PEM)"},
    {.name = "client",
     .type = FieldType::word,
     .summary = "whether a client certificate is asked for",
     .default_value = "none",
     .words = kTlsClientWords},
    {.name = "allow",
     .type = FieldType::binding,
     .summary = "which MSH-3 a certificate may send, by its subject (`CN=…`) or alternative name (`DNS:…`); with "
                "any of these, everything else is answered AR",
     .repeated = true},
    {.name = "min",
     .type = FieldType::string,
     .summary = "lowest TLS version",
     .default_value = "\"1.2\"",
     .words = kTlsVersions},
};
inline constexpr FieldSpec kTlsClientFields[] = {
    {.name = "ca",
     .type = FieldType::secret,
     .summary = "authorities that may sign the server's certificate (PEM); without: those of the system"},
    {.name = "cert", .type = FieldType::secret, .summary = "own certificate chain (PEM)"},
    {.name = "key", .type = FieldType::secret, .summary = "own private key (PEM)"},
    {.name = "min",
     .type = FieldType::string,
     .summary = "lowest TLS version",
     .default_value = "\"1.2\"",
     .words = kTlsVersions},
};

inline constexpr FieldSpec kTlsListener = {.name = "tls",
                                           .type = FieldType::block,
                                           .summary = "encryption, and who may connect",
                                           .fields = kTlsListenerFields,
                                           .optional_block = true};
inline constexpr FieldSpec kTlsClient = {
    .name = "tls",
    .type = FieldType::block,
    .summary = "encryption; chain and name of the receiver's certificate are checked",
    .fields = kTlsClientFields,
    .optional_block = true};

}  // namespace kiln::channels
