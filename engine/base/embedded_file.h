#pragma once
#include <string_view>

namespace kiln::base {

/// A file that the build put into the binary. Both views are to static storage.
struct EmbeddedFile {
  std::string_view path;  ///< relative to the embedded folder, with '/'
  std::string_view text;
};

}  // namespace kiln::base
