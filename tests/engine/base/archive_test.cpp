// base/archive: gzip and tar as packages use them, and what is refused. The archives are made here, byte by
// byte.

#include "engine/base/archive.h"

#include <zlib.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace kiln::base;

namespace {

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// One ustar entry: header block, content, padding.
std::string entry(const std::string& name, const std::string& content, char kind = '0',
                  const std::string& prefix = "") {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  char field[16];
  std::snprintf(field, sizeof field, "%011llo", static_cast<unsigned long long>(content.size()));
  header.replace(124, 11, field);
  header[156] = kind;
  header.replace(257, 5, "ustar");
  header.replace(345, prefix.size(), prefix);
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::snprintf(field, sizeof field, "%06o", sum);
  header.replace(148, 7, std::string(field) + '\0');
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

const std::string kEnd(1024, '\0');

using Files = std::vector<std::pair<std::string, std::string>>;

Status read_into(Files& files, const std::string& tar, const ArchiveLimits& limits = {}) {
  return read_tgz(
      gzip(tar),
      [&](std::string_view name, std::string_view bytes) -> Status {
        files.emplace_back(name, bytes);
        return {};
      },
      limits);
}

std::string refusal(const std::string& tar, const ArchiveLimits& limits = {}) {
  Files files;
  const Status status = read_into(files, tar, limits);
  return status ? "read" : status.error().info().code;
}

}  // namespace

TEST_CASE("archive: files in order, folders and links passed over", "[archive]") {
  Files files;
  const std::string large(100'000, 'x');
  REQUIRE(read_into(files, entry("package/", "", '5') + entry("package/a.json", "{}") + entry("l", "", '2') +
                               entry("b", large, '\0') + entry("c", std::string(512, 'c')) + entry("e", "") +
                               kEnd));
  CHECK(files == Files{{"package/a.json", "{}"}, {"b", large}, {"c", std::string(512, 'c')}, {"e", ""}});
}

TEST_CASE("archive: long names by prefix, pax and GNU entries", "[archive]") {
  Files files;
  const std::string name = std::string(150, 'n') + ".json";
  const std::string record = "path=" + name + "\n";
  const std::string pax = std::to_string(record.size() + 4) + " " + record;
  REQUIRE(read_into(files, entry("n.json", "1", '0', "some/folder") +
                               entry("PaxHeader", "11 size=99\n" + pax, 'x') + entry("short", "2") +
                               entry("././@LongLink", name + '\0', 'L') + entry("short", "3") +
                               entry("global", "19 comment=ignored\n", 'g') + entry("last", "4") + kEnd));
  CHECK(files == Files{{"some/folder/n.json", "1"}, {name, "2"}, {name, "3"}, {"last", "4"}});
}

TEST_CASE("archive: refused", "[archive]") {
  CHECK(refusal(entry("../x", "1") + kEnd) == "bad-archive");
  CHECK(refusal(entry("a/../../x", "1") + kEnd) == "bad-archive");
  CHECK(refusal(entry("/etc/x", "1") + kEnd) == "bad-archive");
  CHECK(refusal(entry("a\\b", "1") + kEnd) == "bad-archive");
  CHECK(refusal(entry("a..b/..c", "1") + kEnd) == "read");
  std::string damaged = entry("a", "1") + kEnd;
  damaged[0] = 'b';
  CHECK(refusal(damaged) == "bad-archive");
  CHECK(refusal(entry("a", std::string(2000, 'x')).substr(0, 1500)) == "bad-archive");
  CHECK(refusal(entry("a", "1").substr(0, 300)) == "bad-archive");
  CHECK(refusal(entry("a", std::string(2000, 'x')) + kEnd, {1'000'000, 1999}) == "limit-exceeded");
  CHECK(refusal(entry("a", std::string(2000, 'x')) + entry("b", "1") + kEnd, {2000, 2000}) ==
        "limit-exceeded");
  CHECK(refusal(entry("a", std::string(2000, 'x')) + kEnd, {2000, 2000}) == "read");
}

TEST_CASE("archive: what the visitor returns ends the reading", "[archive]") {
  int seen = 0;
  const Status status =
      read_tgz(gzip(entry("a", "1") + entry("b", "2") + kEnd), [&](std::string_view, std::string_view) {
        ++seen;
        return Status(fail(ErrorCode::cancelled));
      });
  REQUIRE_FALSE(status);
  CHECK(status.error().code == ErrorCode::cancelled);
  CHECK(seen == 1);
}

TEST_CASE("archive: gunzip", "[archive]") {
  CHECK(gunzip(gzip("hello"), 100).value() == "hello");
  CHECK(gunzip(gzip("hello") + gzip(" world"), 100).value() == "hello world");
  CHECK(gunzip(gzip(""), 0).value() == "");
  CHECK(gunzip(gzip(std::string(5'000'000, 'z')), 5'000'000).value().size() == 5'000'000);
  CHECK(gunzip(gzip("hello"), 5).has_value());
  CHECK(gunzip(gzip("hello"), 4).error().code == ErrorCode::limit_exceeded);
  CHECK(gunzip("plain text", 100).error().code == ErrorCode::bad_archive);
  CHECK(gunzip("", 100).error().code == ErrorCode::bad_archive);
  const std::string whole = gzip("hello hello hello");
  for (std::size_t size = 1; size < whole.size(); ++size) {
    CHECK(gunzip(whole.substr(0, size), 100).error().code == ErrorCode::bad_archive);
  }
  std::string wrong_checksum = whole;
  wrong_checksum[whole.size() - 6] ^= 1;
  CHECK(gunzip(wrong_checksum, 100).error().code == ErrorCode::bad_archive);
}
