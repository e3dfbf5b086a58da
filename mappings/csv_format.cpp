// The options and columns of a `csv` declaration.

#include <algorithm>

#include "engine/base/text.h"
#include "mappings/csv.h"

namespace kiln::mappings {

namespace {

using base::ErrorCode;

class FormatReader {
 public:
  FormatReader(const ast::CsvDecl& declaration, base::Diagnostics& diagnostics)
      : declaration_(declaration), diagnostics_(diagnostics) {}

  CsvFormat read() {
    format_.name = declaration_.name.text;
    for (const ast::Option& option : declaration_.options) this->option(option);
    columns();
    return std::move(format_);
  }

 private:
  void report(base::Span span, std::string message, std::string help = {}) {
    base::Diagnostic diagnostic;
    diagnostic.code = ErrorCode::E0804;
    diagnostic.message = std::move(message);
    diagnostic.span = span;
    if (!help.empty()) diagnostic.helps.push_back(std::move(help));
    diagnostics_.add(std::move(diagnostic));
  }

  void option(const ast::Option& option) {
    const std::string& name = option.name.text;
    if (std::find(seen_.begin(), seen_.end(), name) != seen_.end()) {
      return report(option.name.span, "`" + name + "` is given twice");
    }
    seen_.push_back(name);
    if (option.values.empty()) return report(option.span, "`" + name + "` needs a value");
    const std::string& value = option.values[0].text;
    const base::Span span = option.values[0].span;
    if (name == "delimiter") return delimiter(value, span);
    if (name == "encoding") return encoding(value, span);
    if (name == "header") {
      if (value != "true" && value != "false") report(span, "`header` is true or false");
      format_.header = value != "false";
    } else if (name == "null") {
      if (option.values.size() != 2 || value != "as") return report(option.span, "write `null as \"…\"`");
      format_.null_text = option.values[1].text;
    } else if (name == "extra_columns") {
      if (value != "ignore" && value != "refuse") report(span, "`extra_columns` is ignore or refuse");
      format_.extra_columns = value == "ignore";
    } else {
      const std::string_view near =
          base::nearest(name, {"delimiter", "encoding", "header", "null", "extra_columns", "columns"});
      report(option.name.span, "csv has no option `" + name + "`",
             near.empty() ? "options: delimiter, encoding, header, null as, extra_columns, columns"
                          : "did you mean `" + std::string(near) + "`?");
    }
  }

  void delimiter(const std::string& value, base::Span span) {
    const bool usable = value.size() == 1 && value[0] != '"' && value[0] != '\r' && value[0] != '\n' &&
                        static_cast<unsigned char>(value[0]) < 0x80;
    if (!usable) return report(span, "a delimiter is one ASCII character, not a quote or a line break");
    format_.delimiter = value[0];
  }

  void encoding(const std::string& value, base::Span span) {
    if (const auto known = find_csv_encoding(value)) {
      format_.encoding = *known;
    } else {
      report(span, "unknown encoding \"" + value + "\"", "encodings: utf-8, iso-8859-1, windows-1252");
    }
  }

  void columns() {
    if (declaration_.columns.empty()) {
      return report(declaration_.name.span, "csv `" + format_.name + "` has no columns",
                    "columns { name : string }");
    }
    const bool fixed = declaration_.columns.front().from.has_value();
    for (const ast::CsvColumn& column : declaration_.columns) {
      CsvColumnFormat out;
      out.name = column.name.text;
      out.header = column.header ? column.header->text : out.name;
      out.required = column.required;
      if (column.from.has_value() != fixed) {
        report(column.span, "either all columns have character positions or none");
      } else if (fixed) {
        out.from = static_cast<std::uint32_t>(column.from->value);
        out.to = static_cast<std::uint32_t>(column.to->value);
        positions(column, out);
      }
      if (column.format) date_pattern(column);
      for (const CsvColumnFormat& other : format_.columns) {
        if (other.name == out.name)
          report(column.name.span, "column `" + out.name + "` is declared twice");
        else if (!fixed && format_.header && other.header == out.header) {
          report(column.span, "two columns have the header \"" + out.header + "\"");
        }
      }
      format_.columns.push_back(std::move(out));
    }
  }

  void positions(const ast::CsvColumn& column, const CsvColumnFormat& out) {
    if (out.from == 0 || out.to < out.from) {
      return report(column.span, "`" + out.name + "` has no characters",
                    "positions count from 1, the last one included: `1..10`");
    }
    for (const CsvColumnFormat& other : format_.columns) {
      if (other.from == 0 || out.from > other.to || other.from > out.to) continue;
      return report(column.span, "`" + out.name + "` and `" + other.name + "` share characters",
                    "`" + other.name + "` has the positions " + std::to_string(other.from) + ".." +
                        std::to_string(other.to));
    }
  }

  void date_pattern(const ast::CsvColumn& column) {
    const std::string& pattern = column.format->text;
    const std::string& type = column.type.name.text;
    if (type != "date" && type != "dateTime" && type != "instant") {
      return report(column.format->span, "only a date has a pattern; `" + column.name.text + "` is " + type);
    }
    if (pattern.find("yyyy") == std::string::npos) {
      report(column.format->span, "\"" + pattern + "\" is no pattern of a date: it has no year",
             "yyyy MM dd HH mm ss and literals: \"dd.MM.yyyy\"");
    }
  }

  const ast::CsvDecl& declaration_;
  base::Diagnostics& diagnostics_;
  CsvFormat format_;
  std::vector<std::string> seen_;
};

}  // namespace

std::optional<CsvEncoding> find_csv_encoding(std::string_view written) {
  const std::string name = base::lower_ascii(written);
  if (name == "utf-8" || name == "utf8") return CsvEncoding::utf8;
  if (name == "iso-8859-1" || name == "8859-1" || name == "latin1") return CsvEncoding::latin1;
  if (name == "windows-1252" || name == "cp1252") return CsvEncoding::windows1252;
  return std::nullopt;
}

CsvFormat csv_format(const ast::CsvDecl& declaration, base::Diagnostics& diagnostics) {
  return FormatReader(declaration, diagnostics).read();
}

}  // namespace kiln::mappings
