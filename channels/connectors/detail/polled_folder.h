#pragma once
// A polled folder as a source: what `file` and `csv` share. A file is taken when it has not changed for the
// stable time: it is renamed into the work folder (atomic: no writer and no second engine sees it any more),
// read, given to the intake, and renamed to the archive or the failed folder. A file whose messages could not
// be stored stays in the work folder and is tried again, also after a restart.

#include <memory>

#include "channels/connector.h"
#include "channels/connectors/detail/split.h"

namespace kiln::channels::detail {

// The options of a polled folder, for the tables of its connectors.
inline constexpr FieldSpec kFolderOption{.name = "folder",
                                         .type = FieldType::path,
                                         .summary = "folder that is watched, relative to the site",
                                         .required = true};
inline constexpr FieldSpec kPatternOption{.name = "pattern",
                                          .type = FieldType::string,
                                          .summary = "names that are taken; * and ? stand for any characters",
                                          .default_value = "\"*\""};
inline constexpr FieldSpec kPollOption{.name = "poll",
                                       .type = FieldType::duration,
                                       .summary = "pause between looks",
                                       .default_value = "1s",
                                       .min = 10};
inline constexpr FieldSpec kStableOption{.name = "stable",
                                         .type = FieldType::duration,
                                         .summary = "a file is taken when it has not changed for this time",
                                         .default_value = "2s"};
inline constexpr FieldSpec kArchiveOption{
    .name = "archive",
    .type = FieldType::path,
    .summary = "where taken files go; a name without / is below `folder`",
    .default_value = "\"archive\""};
inline constexpr FieldSpec kFailedOption{.name = "failed",
                                         .type = FieldType::path,
                                         .summary = "where files go that were refused or unreadable",
                                         .default_value = "\"failed\""};
inline constexpr FieldSpec kWorkOption{
    .name = "work",
    .type = FieldType::path,
    .summary = "where a file is while it is read; same file system as `folder`",
    .default_value = "\".taken\""};
inline constexpr FieldSpec kMaxFileOption{.name = "max_file",
                                          .type = FieldType::size,
                                          .summary = "larger files go to `failed`",
                                          .default_value = "16MB",
                                          .min = 1,
                                          .max = std::int64_t{1} << 30};

struct FolderInput {
  ContentKind content = ContentKind::hl7;
  bool split_batches = false;
  bool splits = false;  ///< the connector has `split` and `results`
  std::string peer = "file";  ///< Inbound::peer
  /// The files are a server's: it need not be there at the start, and folders are made when it is.
  bool remote = false;
};
std::unique_ptr<Source> make_polled_folder(const Options& options, const Surroundings& around, FolderInput input);

/// `*` any characters, `?` one; the rest literally. Linear in practice: no backtracking beyond the last star.
bool matches_pattern(std::string_view name, std::string_view pattern);

}  // namespace kiln::channels::detail
