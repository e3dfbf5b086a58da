// Tables: literal and csv rows, keys, columns, inverse, hashes.

#include "mappings/tables.h"

#include <catch2/catch.hpp>

#include "mappings/package.h"
#include "tests/mappings/golden.h"
#include "tests/support/temp_folder.h"

namespace kiln::mappings::test {

namespace {

struct Tables {
  kiln::test::TempFolder folder;
  Library library{std::span<const base::EmbeddedFile>()};
  base::Diagnostics diagnostics;
  std::shared_ptr<const TableSnapshot> snapshot;

  void file(const std::string& name, const std::string& text) {
    REQUIRE(base::system_env().make_folders(folder.path("tables")).has_value());
    REQUIRE(base::system_env().write_file_atomic(folder.path(name), text).has_value());
  }
  void load(const std::string& text) {
    REQUIRE(base::system_env().make_folders(folder.path("maps")).has_value());
    REQUIRE(base::system_env().write_file_atomic(folder.path("maps/t.hmap"), text).has_value());
    REQUIRE(library.add_site(base::system_env(), folder.path(), diagnostics).has_value());
    library.link(diagnostics);
    REQUIRE(diagnostics.ok());
    snapshot = load_tables(library, base::system_env(), diagnostics);
  }
  const TableData& table(const std::string& name) const {
    const TableData* found = snapshot->find(name);
    REQUIRE(found != nullptr);
    return *found;
  }
};

}  // namespace

TEST_CASE("tables: literal rows", "[tables]") {
  Tables tables;
  tables.load(
      "module m\n"
      "table Sex system \"urn:sex\" { \"M\" => \"male\" display \"Male\"  \"F\", \"W\" => \"female\"  1 => "
      "\"one\" }\n"
      "table Marked { \"a\" => \"x\"  \"b\" => \"x\" preferred }\n");
  const TableData& sex = tables.table("m.Sex");
  CHECK(sex.rows() == 4);
  REQUIRE(sex.find("W").has_value());
  CHECK(sex.code(*sex.find("W")) == "female");
  CHECK(sex.display(*sex.find("M")) == "Male");
  CHECK(sex.display(*sex.find("F")).data() == nullptr);
  CHECK(sex.system(*sex.find("F")) == "urn:sex");
  CHECK(sex.code(*sex.find("1")) == "one");
  CHECK_FALSE(sex.find("m").has_value());
  CHECK(sex.key(*sex.find_inverse("male")) == "M");
  CHECK_FALSE(sex.find_inverse("female").has_value());  // F and W
  const TableData& marked = tables.table("m.Marked");
  CHECK(marked.key(*marked.find_inverse("x")) == "b");
  CHECK(tables.snapshot->find("Sex") == nullptr);
}

TEST_CASE("tables: csv rows", "[tables]") {
  Tables tables;
  tables.file("tables/lab.csv",
              "local;loinc;name;system\nGLU;2345-7;Glucose;urn:x\nNA;;Sodium;\n007;1-1;Agent;\n");
  tables.file("tables/two.csv",
              "\xEF\xBB\xBF"
              "from,to\n1,one\n");
  tables.load(
      "module m\n"
      "table Lab system \"urn:own\" = csv \"tables/lab.csv\" key local reload 60s else quarantine\n"
      "table Two = csv \"tables/two.csv\" key from else omit\n");
  CHECK(tables.diagnostics.list().empty());
  const TableData& lab = tables.table("m.Lab");
  CHECK(lab.columns() == std::vector<std::string>{"local", "loinc", "name", "system"});
  const auto row = lab.find("GLU");
  REQUIRE(row.has_value());
  CHECK(lab.cell(*row, lab.column("loinc")) == "2345-7");
  CHECK(lab.system(*row) == "urn:x");
  CHECK(lab.system(*lab.find("NA")) == "urn:own");
  CHECK(lab.cell(*lab.find("NA"), lab.column("loinc")).data() == nullptr);
  CHECK(lab.find("007").has_value());
  CHECK_FALSE(lab.find("7").has_value());
  CHECK_FALSE(lab.has_code());
  CHECK(lab.column("nothing") == TableData::kNoColumn);
  const TableData& two = tables.table("m.Two");
  CHECK(two.code(*two.find("1")) == "one");
  CHECK(lab.content_hash().size() == 64);
  CHECK(lab.content_hash() != two.content_hash());
  CHECK(tables.snapshot->content_hash().size() == 64);
}

TEST_CASE("tables: files that are not as declared", "[tables]") {
  Tables tables;
  tables.file("tables/a.csv", "local,loinc\nx,1\ny,2\nx,3\n");
  tables.file("tables/open.csv", "a,b\n\"x,1\n");
  tables.load(
      "module m\n"
      "table NoFile = csv \"tables/none.csv\" key a else omit\n"
      "table NoKey = csv \"tables/a.csv\" key lokal else omit\n"
      "table Twice = csv \"tables/a.csv\" key local else omit\n"
      "table Broken = csv \"tables/open.csv\" key a else omit\n");
  std::string messages = base::render(tables.diagnostics, tables.library.sources());
  const std::string root = tables.folder.path();
  for (std::size_t at; (at = messages.find(root)) != std::string::npos;)
    messages.replace(at, root.size(), "SITE");
  check_golden(test_path("diagnostics/tables/files.expected"), messages);
  CHECK(tables.snapshot->find("m.NoFile") == nullptr);
  const TableData& twice = tables.table("m.Twice");
  CHECK(twice.code(*twice.find("x")) == "1");
}

}  // namespace kiln::mappings::test
