#pragma once
// The source files of one compile (the shipped library, a site, or single files), their packages, and what a
// name means in a file (hmap.md §2).

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"
#include "engine/base/embedded_file.h"
#include "engine/base/env.h"
#include "engine/base/result.h"
#include "mappings/ast.h"
#include "mappings/lock.h"
#include "mappings/profile.h"

namespace kiln::mappings {

class TableSnapshot;

/// A profile of the folder `profiles` with its constants as parsed blocks. Borrowed from the Library.
struct LoadedProfile {
  Profile profile;
  ast::File tree;                       ///< owns the blocks
  const ast::Block* meta = nullptr;     ///< `meta.profile += …`
  std::map<std::string, const ast::Block*, std::less<>> slices;  ///< "category:laboratory"
};

/// The files below mappings/library, put into the binary by the build: "std/v2fhir/adt.hmap", … Static
/// storage.
std::span<const base::EmbeddedFile> library_files();

/// Bits, so that one question can ask for several kinds.
enum class DeclKind : std::uint16_t {
  constant = 1 << 0,
  extension = 1 << 1,
  table = 1 << 2,
  lookup = 1 << 3,
  row = 1 << 4,
  csv = 1 << 5,
  segment = 1 << 6,
  fn = 1 << 7,
  datatype = 1 << 8,  ///< not found by name: see Library::conversions
  fragment = 1 << 9,
  map = 1 << 10,  ///< `map` and `extend map`
  channel = 1 << 11,
  any = 0xfff
};
constexpr DeclKind operator|(DeclKind a, DeclKind b) {
  return static_cast<DeclKind>(static_cast<std::uint16_t>(a) | static_cast<std::uint16_t>(b));
}
constexpr bool has_kind(DeclKind set, DeclKind kind) {
  return (static_cast<std::uint16_t>(set) & static_cast<std::uint16_t>(kind)) != 0;
}

/// A parsed file of the library.
struct LibraryFile {
  ast::File tree;
  std::string package;   ///< "std.v2fhir.adt"; "" for files without `module`
  std::string name;      ///< as shown in diagnostics
  bool shipped = false;  ///< from the binary, not from the site
};

/// A declaration with the place it comes from. Borrowed from the Library.
struct Declaration {
  DeclKind kind = DeclKind::constant;
  std::string_view name;  ///< datatype: the source type, "CX"
  std::string_view package;
  const ast::Decl* decl = nullptr;
  const LibraryFile* file = nullptr;
  base::Span span;  ///< of the name
  /// "std.v2fhir.adt.PID_Patient"; just the name in the unnamed package.
  std::string qualified() const;
};

/// What a name means. At most one of the two is filled.
struct Resolution {
  const Declaration* found = nullptr;
  std::vector<const Declaration*> ambiguous;  ///< two or more imports provide it (E0302)
  std::size_t parts = 0;  ///< parts of the name used; the rest is a column, `inverse`, a member
};

/// A datatype map that may be used in a file, and how near it is: 0 own package, 1 a package of its `use`, 2
/// a package that those use, and so on. A candidate hides the farther ones; two at one distance are E0301.
struct Conversion {
  const Declaration* declaration = nullptr;
  int distance = 0;
};

/// `extend const`: what a site says a constant is.
struct ConstantSetting {
  const Declaration* constant = nullptr;
  const ast::SetConstDecl* set = nullptr;
  const LibraryFile* file = nullptr;
  base::Span span;  ///< of the declaration
};

/// Build with the add_… functions, then call link() once; afterwards immutable and safe to read from any
/// thread. Trees and declarations live as long as the Library.
class Library {
 public:
  /// `shipped` replaces the embedded library (tests); it must outlive the Library.
  explicit Library(std::span<const base::EmbeddedFile> shipped = library_files());
  Library(Library&&) noexcept;
  Library& operator=(Library&&) noexcept;
  ~Library();

  /// kiln.conf, channels/*.channel and maps/*.hmap of a site, in this order and by name. A missing folder is
  /// no error; a site without any of them is file_not_found. Syntax errors go to `diagnostics`, unreadable
  /// files are returned.
  base::Status add_site(base::Env& env, const std::string& folder, base::Diagnostics& diagnostics);
  /// One file, for the CLI; `.csv` files that its tables name are found relative to its folder.
  base::Status add_file(base::Env& env, const std::string& path, base::Diagnostics& diagnostics);
  void add_text(std::string name, std::string text, base::Diagnostics& diagnostics);
  /// The text of hmap.lock, as add_site() and add_file() find it beside the files; E0702 when it is broken.
  void add_lock(std::string text, base::Diagnostics& diagnostics);
  /// A StructureDefinition, as add_site() and add_file() find them in the folder `profiles`; E0216 when it is no
  /// profile.
  void add_profile(const std::string& name, const std::string& json, base::Diagnostics& diagnostics);
  /// Asks for a shipped package and what is nested in it, or for the package of a shipped map ("std.v2fhir",
  /// "std.v2fhir.adt.adt_a01"), although no file uses it. False when the shipped library has no such thing.
  bool require_shipped(std::string_view package_or_map);
  /// Every shipped file (`kiln check` of the library itself).
  void require_all_shipped();

  /// Loads the shipped packages that are needed (std.tables, used ones, those of qualified names), builds the
  /// index, resolves `use` and finds the constants that are set. Reports E0302 … E0305, E0705.
  void link(base::Diagnostics& diagnostics);

  /// The tables the checker may look into (columns of csv tables, E0401); null: those checks are left out.
  void set_tables(std::shared_ptr<const TableSnapshot> tables) { tables_ = std::move(tables); }
  const TableSnapshot* tables() const { return tables_.get(); }

  /// By id or url; nullptr when the site has no such profile.
  const LoadedProfile* profile(std::string_view name) const;
  std::span<const std::unique_ptr<LoadedProfile>> profiles() const { return profiles_; }

  /// hmap.lock beside the site's files; null when there is none, or when it cannot be read (E0702 says so).
  const Lock* lock() const { return lock_ ? &*lock_ : nullptr; }
  /// Its text as read, for the record of a site version; empty when there is none.
  const std::string& lock_text() const { return lock_text_; }

  const base::SourceMap& sources() const { return sources_; }
  std::span<const std::unique_ptr<LibraryFile>> files() const { return files_; }
  /// Folder that relative file names in declarations start from; "." without a site.
  const std::string& root() const { return root_; }

  /// All declarations, in order of file and place. Stable addresses.
  std::span<const std::unique_ptr<Declaration>> declarations() const { return declarations_; }
  bool has_package(std::string_view package) const;
  /// What `extend const` says, in order of file and place; each constant at most once.
  std::span<const ConstantSetting> settings() const { return settings_; }
  /// The setting of this constant; nullptr when nobody sets it.
  const ConstantSetting* setting(const Declaration& constant) const;

  /// Looks `name` up in a file: own package, then imports, then std.tables; a dotted name as `alias.x` or
  /// `package.name`. The longest prefix of the name that means something wins (Resolution::parts).
  Resolution resolve(const LibraryFile& file, const ast::QName& name, DeclKind kinds) const;
  /// As above for a name without dots.
  Resolution resolve(const LibraryFile& file, std::string_view name, DeclKind kinds) const;
  /// resolve() of the whole name that reports: E0302 when ambiguous, E0305 with "did you mean" when there is
  /// none.
  const Declaration* find(const LibraryFile& file, const ast::QName& name, DeclKind kinds,
                          base::Diagnostics& diagnostics) const;
  /// Reports E0302 for an ambiguous resolution.
  void report_ambiguous(const Resolution& resolution, std::string_view name, base::Span span,
                        base::Diagnostics& diagnostics) const;

  /// Names usable without a qualifier in the file, for "did you mean"; sorted, without doubles.
  std::vector<std::string_view> names_in_scope(const LibraryFile& file, DeclKind kinds) const;
  /// Datatype maps usable in the file, nearest first. They come with every kind of `use`, also indirectly,
  /// since no rule names them: `use std.v2fhir.adt.{PID_Patient}` brings what std.v2fhir.datatypes, used
  /// there, converts.
  std::vector<Conversion> conversions(const LibraryFile& file) const;
  /// The file a tree belongs to (ExpressionRequest::file, say).
  const LibraryFile& file_of(const ast::File& tree) const;
  const LibraryFile& file_of(std::uint32_t source) const;

 private:
  struct Scope;
  struct Shipped;

  LibraryFile& add_parsed(std::string name, std::string text, bool shipped, base::Diagnostics& diagnostics);
  base::Status read_beside(base::Env& env, base::Diagnostics& diagnostics);
  base::Status read_lock(base::Env& env, base::Diagnostics& diagnostics);
  void load_needed(base::Diagnostics& diagnostics);
  void need_package(std::string_view name, bool nested);
  void need_names_of(const LibraryFile& file);
  void index_declarations(base::Diagnostics& diagnostics);
  void resolve_uses(base::Diagnostics& diagnostics);
  void resolve_use(const LibraryFile& file, const ast::UseDecl& use, base::Diagnostics& diagnostics);
  void resolve_settings(base::Diagnostics& diagnostics);
  const Scope& scope_of(const LibraryFile& file) const;
  const Declaration* in_package(std::string_view package, std::string_view name, DeclKind kinds) const;
  Resolution resolve_dotted(const LibraryFile& file, const ast::QName& name, std::size_t parts,
                            DeclKind kinds) const;

  base::SourceMap sources_;
  std::vector<std::unique_ptr<LibraryFile>> files_;
  std::vector<std::unique_ptr<Declaration>> declarations_;
  std::vector<ConstantSetting> settings_;
  /// package -> name -> declarations of that name (of several kinds)
  std::map<std::string, std::map<std::string, std::vector<const Declaration*>, std::less<>>, std::less<>>
      packages_;
  std::vector<std::unique_ptr<Scope>> scopes_;  ///< parallel to files_
  std::vector<std::uint32_t> file_of_source_;   ///< source index -> index in files_
  std::unique_ptr<Shipped> shipped_;
  std::shared_ptr<const TableSnapshot> tables_;
  std::optional<Lock> lock_;
  std::vector<std::unique_ptr<LoadedProfile>> profiles_;
  std::string lock_text_;
  std::string root_ = ".";
};

}  // namespace kiln::mappings
