#pragma once
// What the `process` source and destination share: which program, and its limits.

#include "channels/connector.h"
#include "channels/connectors/detail/child_process.h"

namespace kiln::channels::detail {

inline constexpr FieldSpec kProcessProgram{.name = "program",
                                           .type = FieldType::path,
                                           .summary = "absolute path, or below the site; run without a shell",
                                           .required = true};
inline constexpr FieldSpec kProcessArgument{
    .name = "argument", .type = FieldType::string, .summary = "one argument", .repeated = true};
inline constexpr FieldSpec kProcessTimeout{.name = "timeout",
                                           .type = FieldType::duration,
                                           .summary = "the program is killed when it takes longer",
                                           .default_value = "30s",
                                           .min = 10,
                                           .max = 86'400'000};
inline constexpr FieldSpec kProcessOutput{.name = "max_output",
                                          .type = FieldType::size,
                                          .summary = "bytes it may write to standard output",
                                          .default_value = "16MB",
                                          .min = 1,
                                          .max = std::int64_t{1} << 30};
inline constexpr FieldSpec kProcessMemory{.name = "memory",
                                          .type = FieldType::size,
                                          .summary = "address space it may use",
                                          .default_value = "512MB",
                                          .min = 1 << 20};
inline constexpr FieldSpec kProcessCpu{.name = "cpu",
                                       .type = FieldType::duration,
                                       .summary = "processor time it may use; whole seconds",
                                       .default_value = "30s",
                                       .min = 1'000};
inline constexpr FieldSpec kProcessFile{.name = "max_file",
                                        .type = FieldType::size,
                                        .summary = "size of a file it may write",
                                        .default_value = "64MB",
                                        .min = 1};

/// The run that the options ask for; `input` is empty. It sees PATH, LANG, KILN_CHANNEL and nothing else of this process.
ChildRun child_run(const Options& options, const Surroundings& around);

}  // namespace kiln::channels::detail
