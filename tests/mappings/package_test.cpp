// Packages, `use`, and what a name means in a file.

#include "mappings/package.h"

#include <catch2/catch.hpp>

#include "engine/base/env.h"
#include "tests/mappings/golden.h"
#include "tests/support/temp_folder.h"

namespace kiln::mappings::test {

namespace {

constexpr base::EmbeddedFile kShipped[] = {
    {"std/tables.hmap", "module std.tables\ntable Sex { \"M\" => \"male\" }\nconst role = \"x\"\n"},
    {"std/v2/types.hmap",
     "module std.v2.types\ndatatype CX -> Identifier { value = .1 }\nconst oid = \"o\"\n"},
    {"std/v2/adt.hmap",
     "module std.v2.adt\nuse std.v2.types\nfragment Pat(PID: hl7 PID) -> Patient { active = true }\n"
     "map adt(m: hl7 ADT_A01 2.5.1) -> fhir Bundle { skip }\n"},
    {"std/v2/unused.hmap", "module std.v2.unused\nconst broken = \n"},
    {"std/out.hmap", "module std.out\nfragment header(app: string) -> hl7 MSH { MSH-3 = app }\n"},
};

struct Loaded {
  Library library{kShipped};
  base::Diagnostics diagnostics;
  void add(const std::string& name, const std::string& text) { library.add_text(name, text, diagnostics); }
  void link() { library.link(diagnostics); }
  const LibraryFile& file(std::string_view name) const {
    for (const auto& file : library.files()) {
      if (file->name == name) return *file;
    }
    FAIL("no file " << name);
    return *library.files().front();
  }
  std::string messages() const { return base::render(diagnostics, library.sources()); }
  std::string where(std::string_view in, const std::string& name, DeclKind kinds = DeclKind::any) const {
    const Resolution result = library.resolve(file(in), qname(name), kinds);
    if (!result.ambiguous.empty()) return "ambiguous";
    return result.found == nullptr ? "none" : result.found->qualified() + "/" + std::to_string(result.parts);
  }
  static ast::QName qname(const std::string& text) {
    ast::QName name;
    std::size_t begin = 0;
    for (;;) {
      const std::size_t dot = text.find('.', begin);
      name.parts.push_back({text.substr(begin, dot - begin), {}});
      if (dot == std::string::npos) return name;
      begin = dot + 1;
    }
  }
};

}  // namespace

TEST_CASE("package: only what is used is loaded", "[package]") {
  Loaded loaded;
  loaded.add("maps/a.hmap", "module site.a\nuse std.v2.adt.{Pat}\nconst x = 1\n");
  loaded.link();
  INFO(loaded.messages());
  CHECK(loaded.diagnostics.ok());
  CHECK(loaded.library.files().size() == 4);  // a, std.tables, std.v2.adt, std.v2.types
  CHECK(loaded.library.has_package("std.v2.unused"));
  CHECK(loaded.library.has_package("std.v2"));
  CHECK_FALSE(loaded.library.has_package("std.v"));
}

TEST_CASE("package: a qualified name needs no use", "[package]") {
  Loaded loaded;
  loaded.add("a.hmap",
             "map m(p: fhir Patient) -> hl7 ADT_A08 2.5.1 { include std.out.header(app = \"X\") }\n");
  loaded.link();
  CHECK(loaded.where("a.hmap", "std.out.header") == "std.out.header/3");
  CHECK(loaded.where("a.hmap", "header") == "none");
}

TEST_CASE("package: what a name means", "[package]") {
  Loaded loaded;
  loaded.add(
      "a.hmap",
      "module site\nuse std.v2.types as t\nuse std.v2.adt\nconst mine = 1\ntable Sex { \"M\" => \"m\" }\n");
  loaded.add("b.hmap", "module site\nuse std.v2.adt.{adt}\nconst other = 1\n");
  loaded.add("c.hmap", "module elsewhere\nconst third = 1\n");
  loaded.link();
  INFO(loaded.messages());
  CHECK(loaded.diagnostics.ok());
  CHECK(loaded.where("a.hmap", "other") == "site.other/1");  // same package, other file
  CHECK(loaded.where("a.hmap", "third") == "none");
  CHECK(loaded.where("a.hmap", "elsewhere.third") == "elsewhere.third/2");
  CHECK(loaded.where("a.hmap", "Sex") == "site.Sex/1");  // own before std.tables
  CHECK(loaded.where("c.hmap", "Sex") == "std.tables.Sex/1");
  CHECK(loaded.where("a.hmap", "Pat") == "std.v2.adt.Pat/1");
  CHECK(loaded.where("b.hmap", "Pat") == "none");  // only {adt}
  CHECK(loaded.where("b.hmap", "adt") == "std.v2.adt.adt/1");
  CHECK(loaded.where("a.hmap", "oid") == "none");  // alias only
  CHECK(loaded.where("a.hmap", "t.oid") == "std.v2.types.oid/2");
  CHECK(loaded.where("a.hmap", "Sex.inverse") == "site.Sex/1");  // the rest is for the checker
  CHECK(loaded.where("a.hmap", "Pat", DeclKind::table) == "none");
}

TEST_CASE("package: an ambiguous name is an error where it is used", "[package]") {
  Loaded loaded;
  loaded.add("x.hmap", "module x\nconst v = 1\nconst u = 1\n");
  loaded.add("y.hmap", "module y\nconst v = 2\n");
  loaded.add("z.hmap", "module z\nuse x\nuse y\nuse x.{v}\nuse x as q\n");
  loaded.link();
  CHECK(loaded.diagnostics.ok());
  CHECK(loaded.where("z.hmap", "v") == "ambiguous");
  CHECK(loaded.where("z.hmap", "u") == "x.u/1");
  CHECK(loaded.where("z.hmap", "q.v") == "x.v/2");
  const auto* found =
      loaded.library.find(loaded.file("z.hmap"), Loaded::qname("v"), DeclKind::any, loaded.diagnostics);
  CHECK(found == nullptr);
  REQUIRE(loaded.diagnostics.list().size() == 1);
  CHECK(loaded.diagnostics.list()[0].code == base::ErrorCode::E0302);
  CHECK(loaded.diagnostics.list()[0].message == "`v` comes from two imports");
}

TEST_CASE("package: mistakes in use and declarations", "[package]") {
  Loaded loaded;
  loaded.add("site.hmap",
             "module site\n"
             "use std.v2.atd\n"
             "use std.v2.adt.{Patt}\n"
             "use std.v2\n"
             "const a = 1\n"
             "const a = 2\n"
             "table a { \"x\" => \"y\" }\n");
  loaded.link();
  loaded.library.find(loaded.file("site.hmap"), Loaded::qname("Sexx"), DeclKind::table, loaded.diagnostics);
  loaded.library.find(loaded.file("site.hmap"), Loaded::qname("Pat"), DeclKind::fragment, loaded.diagnostics);
  check_golden(test_path("golden/packages/mistakes.expected"), loaded.messages());
}

TEST_CASE("package: conversions come with any use, nearest first", "[package]") {
  Loaded loaded;
  loaded.add("a.hmap", "module site\nuse std.v2.adt.{Pat}\n");
  loaded.add("b.hmap", "module own\nuse std.v2.types\ndatatype CX -> Identifier { value = .4 }\n");
  loaded.link();
  const auto far = loaded.library.conversions(loaded.file("a.hmap"));
  REQUIRE(far.size() == 1);
  CHECK(far[0].distance == 2);
  const auto near = loaded.library.conversions(loaded.file("b.hmap"));
  REQUIRE(near.size() == 2);
  CHECK(near[0].declaration->package == "own");
  CHECK(near[0].distance == 0);
  CHECK(near[1].distance == 1);
}

TEST_CASE("package: a shipped map is asked for by name", "[package]") {
  Loaded loaded;
  CHECK(loaded.library.require_shipped("std.v2.adt.adt"));
  CHECK_FALSE(loaded.library.require_shipped("std.v3"));
  CHECK_FALSE(loaded.library.require_shipped("adt"));
  loaded.link();
  CHECK(loaded.diagnostics.ok());
  CHECK(loaded.library.files().size() == 3);
  Loaded all;
  CHECK(all.library.require_shipped("std.v2"));
  all.link();
  CHECK(all.diagnostics.errors() == 1);  // std.v2.unused is broken
}

TEST_CASE("package: a site's files", "[package]") {
  kiln::test::TempFolder folder;
  base::Env& env = base::system_env();
  const std::string root = folder.path();
  base::Diagnostics diagnostics;
  Library empty(kShipped);
  CHECK(empty.add_site(env, root, diagnostics).error().code == base::ErrorCode::file_not_found);
  REQUIRE(env.make_folders(root + "/maps").has_value());
  REQUIRE(env.make_folders(root + "/channels").has_value());
  REQUIRE(env.write_file_atomic(root + "/kiln.conf", "server { data \"data\" }\n").has_value());
  REQUIRE(env.write_file_atomic(root + "/maps/b.hmap", "module s\nconst b = 1\n").has_value());
  REQUIRE(env.write_file_atomic(root + "/maps/a.hmap", "module s\nconst a = 1\n").has_value());
  REQUIRE(env.write_file_atomic(root + "/maps/a.hmap~", "junk (").has_value());
  REQUIRE(env.write_file_atomic(root + "/channels/c.channel", "module s\nchannel c { }\n").has_value());
  Library library(kShipped);
  REQUIRE(library.add_site(env, root, diagnostics).has_value());
  library.link(diagnostics);
  CHECK(diagnostics.ok());
  REQUIRE(library.files().size() == 5);
  CHECK(library.files()[0]->name == "kiln.conf");
  CHECK(library.files()[1]->name == "channels/c.channel");
  CHECK(library.files()[2]->name == "maps/a.hmap");
  CHECK(library.files()[4]->shipped);
  CHECK(library.root() == root);
}

}  // namespace kiln::mappings::test
