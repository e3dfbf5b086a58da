#pragma once
// A CSV file that rows are appended to, with its header line once, repaired at open.

#include <memory>
#include <string>
#include <string_view>

#include "engine/base/env.h"
#include "engine/base/result.h"

namespace kiln::channels::detail {

/// Where the last complete record of a CSV text ends: after a line end outside of double quotes.
std::size_t end_of_last_record(std::string_view text);

/// Used by one thread at a time.
class CsvFile {
 public:
  /// Creates folders and file as needed. A torn last record (power cut during an append) is cut off: its
  /// message was not recorded as sent and comes again.
  static base::Result<std::unique_ptr<CsvFile>> open(base::Env& env, const std::string& path);

  /// Appends the rows, after the header when the file is empty. After an error the file is as it was before,
  /// or the next open() repairs it.
  base::Status append(std::string_view header, std::string_view rows);
  base::Status sync() { return file_->sync(); }
  const std::string& path() const { return path_; }
  /// False when the file was removed or changed by somebody else: open it anew.
  bool is_current() const;

 private:
  CsvFile(base::Env& env, std::string path, std::unique_ptr<base::AppendFile> file)
      : env_(env), path_(std::move(path)), file_(std::move(file)) {}
  base::Env& env_;
  std::string path_;
  std::unique_ptr<base::AppendFile> file_;
};

}  // namespace kiln::channels::detail
