// Any bytes as CSV: the first byte picks the format. Whatever is read must write and read back the same.

#include "mappings/csv.h"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace kiln::mappings;

CsvFormat format_for(std::uint8_t choice) {
  CsvFormat format;
  format.name = "Fuzz";
  format.delimiter = ",;\t|"[choice & 3];
  format.encoding = static_cast<CsvEncoding>((choice >> 2) % 3);
  format.header = (choice & 16) != 0;
  format.extra_columns = (choice & 32) != 0;
  if ((choice & 64) != 0) format.null_text = "NULL";
  format.columns = {{"a", "a", 0, 0, true}, {"b", "B b", 0, 0, false}, {"c", "c", 0, 0, false}};
  if ((choice & 128) != 0) {
    format.columns = {{"a", "a", 1, 4, true}, {"b", "b", 6, 9, false}};
  }
  return format;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  CsvFormat format = format_for(data[0]);
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto any = CsvFile::read_any(bytes, format.delimiter, format.encoding);
  const auto file = CsvFile::read(bytes, format);
  if (!file || format.fixed_width() || file->issues().size() + file->issues_dropped() != 0) return 0;
  format.encoding = CsvEncoding::utf8;
  std::string out;
  append_csv_header(out, format);
  for (std::size_t row = 0; row < file->rows(); ++row) {
    std::vector<std::string_view> cells;
    for (std::size_t column = 0; column < file->columns(); ++column) cells.push_back(file->cell(row, column));
    if (append_csv_row(out, cells, format) != 0) std::abort();
  }
  const auto again = CsvFile::read(out, format);
  if (!again || again->rows() != file->rows()) std::abort();
  for (std::size_t row = 0; row < file->rows(); ++row) {
    for (std::size_t column = 0; column < file->columns(); ++column) {
      if (file->cell(row, column) != again->cell(row, column)) std::abort();
    }
  }
  return 0;
}
