// Files that may be packed, read as a stream of bytes or lines.
#include <zstd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <vector>

#include "engine/base/gzip.h"
#include "engine/base/packed_file.h"
#include "tests/support/temp_folder.h"

using namespace kiln;
using base::ErrorCode;
using base::LineReader;

namespace {

std::string zstd(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1));
  return packed;
}

std::string write(const test::TempFolder& folder, const std::string& name, const std::string& bytes) {
  const std::string path = folder.path(name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::vector<std::string> lines_of(const std::string& path) {
  auto reader = LineReader::open(path, 1u << 20);
  REQUIRE(reader);
  std::vector<std::string> lines;
  for (;;) {
    const auto more = reader->next();
    REQUIRE(more);
    if (!*more) return lines;
    lines.emplace_back(reader->line());
    CHECK(reader->number() == lines.size());
  }
}

}  // namespace

TEST_CASE("packed and plain files have the same lines", "[packed]") {
  const test::TempFolder folder;
  std::string text;
  std::vector<std::string> expected;
  for (int i = 0; i < 20'000; ++i) {  // more than a chunk of reading
    expected.push_back("line " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 40), 'x'));
    text += expected.back() + (i % 3 == 0 ? "\r\n" : "\n");
  }
  CHECK(lines_of(write(folder, "a", text)) == expected);
  CHECK(lines_of(write(folder, "b", base::gzip(text))) == expected);
  CHECK(lines_of(write(folder, "c", zstd(text))) == expected);
  // Members and frames may follow each other.
  const std::size_t half = text.find('\n', text.size() / 2) + 1;
  CHECK(lines_of(write(folder, "d", base::gzip(text.substr(0, half)) + base::gzip(text.substr(half)))) == expected);
  CHECK(lines_of(write(folder, "e", zstd(text.substr(0, half)) + zstd(text.substr(half)))) == expected);
  CHECK(base::read_packed_file(folder.path("c"), text.size()).value() == text);
  CHECK(base::read_packed_file(folder.path("c"), text.size() - 1).error().code == ErrorCode::limit_exceeded);
}

TEST_CASE("the last line needs no end, and an empty file has none", "[packed]") {
  const test::TempFolder folder;
  CHECK(lines_of(write(folder, "a", "one\n\ntwo")) == std::vector<std::string>{"one", "", "two"});
  CHECK(lines_of(write(folder, "b", "")).empty());
}

TEST_CASE("damaged, cut off and missing files are errors", "[packed]") {
  const test::TempFolder folder;
  const std::string text(100'000, 'a'), gzip = base::gzip(text), frame = zstd(text);
  for (const std::string& bytes : {gzip.substr(0, gzip.size() - 9), gzip.substr(0, 12) + std::string(200, '\xFF'),
                                   frame.substr(0, frame.size() - 3)}) {
    const auto read = base::read_packed_file(write(folder, "x", bytes), 1u << 30);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == ErrorCode::bad_archive);
  }
  CHECK(base::PackedFile::open(folder.path("none")).error().code == ErrorCode::file_not_found);
  auto reader = LineReader::open(write(folder, "long", std::string(600'000, 'a')), 1000);
  REQUIRE(reader);
  CHECK(reader->next().error().code == ErrorCode::limit_exceeded);
}
