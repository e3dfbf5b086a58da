#pragma once
// One file per message, whole or not at all: what `file` and `sftp` destinations share.

#include <memory>

#include "channels/connector.h"

namespace kiln::channels::detail {

inline constexpr const char* kExistsWords[] = {"number", "replace", "quarantine"};
inline constexpr FieldSpec kExistsOption = {
    .name = "exists",
    .type = FieldType::word,
    .summary = "a file of that name is there: add .2, .3 …; replace it; or quarantine the message",
    .default_value = "number",
    .words = kExistsWords};

/// Uses `file` and `exists` of the options, `env`, `file_work` and `site` of the surroundings. A message that may have
/// arrived and whose bytes are there under its name is not written again.
std::unique_ptr<Destination> make_written_file(const Options& options, const Surroundings& around);

}  // namespace kiln::channels::detail
