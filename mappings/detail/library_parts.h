#pragma once
// Private parts of Library, shared by package.cpp (names) and package_files.cpp (files).

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mappings/package.h"

namespace kiln::mappings {

/// What `use` brings into one file.
struct Library::Scope {
  std::vector<std::string> packages;                        ///< `use m`
  std::map<std::string, std::string, std::less<>> aliases;  ///< `use m as x`
  /// `use m.{a}`: name -> where it comes from
  std::map<std::string, std::vector<const Declaration*>, std::less<>> names;
  std::set<std::string, std::less<>> mentioned;  ///< every package of a `use`, in any form
};

/// The embedded files by package, parsed only when needed.
struct Library::Shipped {
  struct Source {
    const base::EmbeddedFile* file = nullptr;
    std::string package;
    bool needed = false;
    bool loaded = false;
  };
  std::vector<Source> sources;
  std::set<std::string, std::less<>> packages;
};

namespace detail {

/// In scope in every file.
inline constexpr std::string_view kImplicitPackage = "std.tables";

inline bool is_within(std::string_view package, std::string_view outer) {
  return package == outer ||
         (package.size() > outer.size() && package.starts_with(outer) && package[outer.size()] == '.');
}

}  // namespace detail
}  // namespace kiln::mappings
