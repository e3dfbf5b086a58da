// CSV: declaration, reader, writer, and that what is written reads back.

#include "mappings/csv.h"

#include <catch2/catch.hpp>

#include "engine/base/limits.h"
#include "mappings/parser.h"
#include "tests/mappings/golden.h"

namespace kiln::mappings::test {

namespace {

CsvFormat format_of(const std::string& declaration, std::string* messages = nullptr) {
  base::SourceMap sources;
  base::Diagnostics diagnostics;
  const auto index = sources.add("f.hmap", declaration);
  const ast::File file = parse(sources, index, diagnostics);
  INFO(base::render(diagnostics, sources));
  REQUIRE(diagnostics.ok());
  CsvFormat format = csv_format(std::get<ast::CsvDecl>(file.decls.at(0).node), diagnostics);
  if (messages != nullptr)
    *messages = base::render(diagnostics, sources);
  else
    CHECK(diagnostics.ok());
  return format;
}

const char* const kLab =
    "csv Lab { delimiter \";\" header true\n"
    " columns { no \"Pat.-Nr.\" : string required  result \"Ergebnis\" : string  unit : string } }";

/// "a|b|-" for each row; - absent, 0 null.
std::string rows_of(const CsvFile& file) {
  std::string out;
  for (std::size_t r = 0; r < file.rows(); ++r) {
    out += std::to_string(file.line(r)) + ":";
    for (std::size_t c = 0; c < file.columns(); ++c) {
      const std::string_view cell = file.cell(r, c);
      out += (c == 0 ? "" : "|");
      if (CsvFile::is_null(cell))
        out += "0";
      else if (cell.data() == nullptr)
        out += "-";
      else
        out += cell;
    }
    out += "\n";
  }
  return out;
}

std::string read_rows(std::string_view bytes, const CsvFormat& format) {
  const auto file = CsvFile::read(bytes, format);
  if (!file) return file.error().message();
  return rows_of(*file);
}

}  // namespace

TEST_CASE("csv: rows by header text, in any order", "[csv]") {
  const CsvFormat format = format_of(kLab);
  CHECK(read_rows("Ergebnis;unit;pat.-nr. \r\n5,4;mmol/l;1\n;;2\r\n", format) == "2:1|5,4|mmol/l\n3:2|-|-\n");
  CHECK(read_rows("\xEF\xBB\xBF"
                  "Pat.-Nr.;Ergebnis;unit\n1;a;b",
                  format) == "2:1|a|b\n");
  CHECK(read_rows("Pat.-Nr.\n\n\n7\n", format) == "4:7|-|-\n");
}

TEST_CASE("csv: quotes", "[csv]") {
  const CsvFormat format = format_of(kLab);
  const std::string head = "Pat.-Nr.;Ergebnis;unit\n";
  CHECK(read_rows(head + "1;\"a;\"\"b\"\"\nc\";\"\"\n2;x;y\n", format) == "2:1|a;\"b\"\nc|-\n4:2|x|y\n");
  const auto stray = CsvFile::read(head + "1;5\" pipe;\"a\"b\n", format);
  REQUIRE(stray.has_value());
  CHECK(rows_of(*stray) == "2:1|5\" pipe|ab\n");
  REQUIRE(stray->issues().size() == 2);
  CHECK(stray->issues()[0].kind == CsvIssue::Kind::stray_quote);
  CHECK(stray->issues()[1].column == 2);
  CHECK(read_rows(head + "1;x;y\n2;\"open\n3;a;b\n", format) ==
        "E0803: a quote is opened and never closed (line 3); double a quote that belongs to the text: \"\"");
}

TEST_CASE("csv: header mistakes", "[csv]") {
  const CsvFormat format = format_of(kLab);
  CHECK(read_rows("Pat.-Nr.;Ergebniss;unit\n", format) ==
        "E0801: CSV column \"Ergebniss\" is not in Lab (line 1); did you mean \"Ergebnis\"?");
  CHECK(read_rows("Pat.-Nr.;unit;unit\n", format) == "E0801: CSV column \"unit\" appears twice (line 1)");
  CHECK(read_rows("Ergebnis;unit\n", format) ==
        "E0802: CSV column \"Pat.-Nr.\" of Lab is not in the file (line 1); it is declared `required`");
  // A first line of data must not show up in a message.
  CHECK(read_rows("Everyman;Adam\n", format).find("Everyman") == std::string::npos);
  CsvFormat lenient = format;
  lenient.extra_columns = true;
  CHECK(read_rows("x;Pat.-Nr.;y\na;1;c\n", lenient) == "2:1|-|-\n");
}

TEST_CASE("csv: rows that are not as declared", "[csv]") {
  const CsvFormat format = format_of(kLab);
  const auto file = CsvFile::read("Pat.-Nr.;Ergebnis;unit\n1;a\n;b;c\n3;a;b;c;d\n", format);
  REQUIRE(file.has_value());
  CHECK(rows_of(*file) == "2:1|a|-\n3:-|b|c\n4:3|a|b\n");
  REQUIRE(file->issues().size() == 3);
  CHECK(file->issues()[0].kind == CsvIssue::Kind::too_few_cells);
  CHECK(file->issues()[1].kind == CsvIssue::Kind::missing_value);
  CHECK(file->issues()[1].row == 2);
  CHECK(file->issues()[1].line == 3);
  CHECK(file->issues()[1].column == 0);
  CHECK(file->issues()[2].kind == CsvIssue::Kind::too_many_cells);
}

TEST_CASE("csv: encodings", "[csv]") {
  CsvFormat format = format_of(kLab);
  format.encoding = CsvEncoding::windows1252;
  CHECK(read_rows("Pat.-Nr.;Ergebnis;unit\n1;\x80 5;\xB5g\n", format) == "2:1|\xE2\x82\xAC 5|\xC2\xB5g\n");
  format.encoding = CsvEncoding::latin1;
  CHECK(read_rows("Pat.-Nr.\n\xFC\n", format) == "2:\xC3\xBC|-|-\n");
  format.encoding = CsvEncoding::utf8;
  const auto damaged = CsvFile::read("Pat.-Nr.;Ergebnis\n1;\xFC\n", format);
  REQUIRE(damaged.has_value());
  REQUIRE(damaged->issues().size() == 1);
  CHECK(damaged->issues()[0].kind == CsvIssue::Kind::bad_character);
}

TEST_CASE("csv: null, no header, fixed width", "[csv]") {
  CHECK(read_rows("NULL,b\n,\"NULL\"\n",
                  format_of("csv A { header false null as \"NULL\"\n columns { a : string b : string } }")) ==
        "1:0|b\n2:-|0\n");
  CHECK(read_rows("\"\",b\n,c\n",
                  format_of("csv A { header false null as \"\"\n columns { a : string b : string } }")) ==
        "1:0|b\n2:-|c\n");
  const CsvFormat fixed =
      format_of("csv F { header false columns { no 1..4 : string  name 5..10 : string required } }");
  CHECK(read_rows("0001M\xC3\xBCller\n2   \n\n0003Li\r\n", fixed) ==
        "1:0001|M\xC3\xBCller\n2:2|-\n4:0003|Li\n");
  const auto file = CsvFile::read("0001\n", fixed);
  REQUIRE(file->issues().size() == 1);
  CHECK(file->issues()[0].kind == CsvIssue::Kind::missing_value);
}

TEST_CASE("csv: limits", "[csv]") {
  const CsvFormat format = format_of("csv A { header false columns { a : string } }");
  const std::string long_row(base::limits::kCsvLineBytesMax + 2, 'x');
  CHECK(read_rows(long_row, format).find("a CSV row is too long") != std::string::npos);
  const std::string wide(base::limits::kCsvColumnsMax + 1, ',');
  CHECK(read_rows(wide, format).find("too many columns") != std::string::npos);
  std::string many;
  for (std::size_t i = 0; i <= base::limits::kCsvRowsMax; ++i) many += "x\n";
  CHECK(read_rows(many, format).find("too many rows") != std::string::npos);
}

TEST_CASE("csv: declarations that are not understood", "[csv]") {
  std::string messages;
  format_of(
      "csv A {\n  delimiter \"ab\"\n  delimeter \";\"\n  encoding \"ebcdic\"\n  header maybe\n  null \"x\"\n"
      "  header true\n  columns { a : string  a : string  b 1..2 : string  c \"a\" : string }\n}\n",
      &messages);
  check_golden(test_path("diagnostics/csv/declaration.expected"), messages);
  format_of("csv Empty { header true }\n", &messages);
  CHECK(messages.find("has no columns") != std::string::npos);
}

TEST_CASE("csv: what is written reads back", "[csv]") {
  const CsvFormat delimited =
      format_of("csv A { delimiter \",\" null as \"NIL\"\n columns { a : string b : string c : string } }");
  const CsvFormat one = format_of("csv A { columns { a : string } }");
  std::uint32_t state = 7;
  const auto next = [&](std::uint32_t bound) {
    return (state = state * 1664525u + 1013904223u, (state >> 8) % bound);
  };
  const std::string_view pieces[] = {"a", ",", "\"", "\n", "\r", " ", "\xC3\xBC", "0", ";", ""};
  for (int round = 0; round < 200; ++round) {
    for (const CsvFormat* format : {&delimited, &one}) {
      std::vector<std::string> texts;
      for (std::size_t i = 0; i < 3 * format->columns.size(); ++i) {
        std::string text;
        for (std::uint32_t n = next(5); n > 0; --n) text += pieces[next(10)];
        texts.push_back(std::move(text));
      }
      std::string out;
      append_csv_header(out, *format);
      for (std::size_t row = 0; row < 3; ++row) {
        std::vector<std::string_view> cells;
        for (std::size_t c = 0; c < format->columns.size(); ++c) {
          const std::string& text = texts[row * format->columns.size() + c];
          cells.push_back(text.empty() ? std::string_view() : std::string_view(text));
        }
        CHECK(append_csv_row(out, cells, *format) == 0);
      }
      const auto file = CsvFile::read(out, *format);
      INFO(out);
      REQUIRE(file.has_value());
      REQUIRE(file->rows() == 3);
      for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string_view cell = file->cell(i / format->columns.size(), i % format->columns.size());
        CHECK(cell == texts[i]);
      }
    }
  }
}

TEST_CASE("csv: writing loses nothing silently", "[csv]") {
  CsvFormat format =
      format_of("csv A { encoding \"iso-8859-1\" header false columns { a : string b : string } }");
  std::string out;
  CHECK(append_csv_row(out, std::vector<std::string_view>{"M\xC3\xBCller", "\xE2\x82\xAC 5"}, format) == 1);
  CHECK(out == "M\xFCller,? 5\r\n");
  const CsvFormat fixed = format_of("csv F { columns { b 6..8 : string  a 1..4 : string } }");
  out.clear();
  CHECK(append_csv_row(out,
                       std::vector<std::string_view>{"xyz",
                                                     "\xC3\xBC"
                                                     "1"},
                       fixed) == 0);
  CHECK(append_csv_row(out, std::vector<std::string_view>{"toolong", "a\nb"}, fixed) == 1);
  CHECK(out ==
        "\xC3\xBC"
        "1   xyz\r\na b  too\r\n");
}

}  // namespace kiln::mappings::test
