// Batches read piece by piece: the same as at once, in bounded memory; and written.

#include "hl7/batch_stream.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "engine/base/random.h"

using namespace kiln::hl7;
using kiln::base::ErrorCode;
using Kind = BatchEvent::Kind;

namespace {

const std::string kFile =
    "\xEF\xBB\xBF"
    "FHS|^~\\&|LAB|HAUS\r\nBHS|^~\\&|LAB|HAUS\r\nMSH|^~\\&|a|||||||1\r\nPID|1\r\n\x1c\r\n\x0bMSH|^~\\&|b|||||"
    "||2\r"
    "BTS|2\r\rnoise here\nmore  \r\nBHS|^~\\&|\rMSH#$~\\&#c\nPID#1\nBTS|7\rFTS|2\rtail";

std::string line_of(Kind kind, std::uint64_t offset, std::string_view text) {
  return std::to_string(static_cast<int>(kind)) + "@" + std::to_string(offset) + ":" + std::string(text) +
         "\n";
}

/// What split_batch() says, in the order of the file.
std::string at_once(const std::string& file) {
  const Batch batch = split_batch(file);
  std::vector<std::pair<std::size_t, std::string>> all;
  for (const Slice& s : batch.messages)
    all.emplace_back(s.begin, line_of(Kind::message, s.begin, s.of(file)));
  for (const Slice& s : batch.envelope)
    all.emplace_back(s.begin, line_of(Kind::envelope, s.begin, s.of(file)));
  for (const Slice& s : batch.noise) all.emplace_back(s.begin, line_of(Kind::noise, s.begin, s.of(file)));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (const auto& [offset, line] : all) text += line;
  for (const auto& problem : batch.problems) text += problem.message() + "\n";
  return text;
}

struct Read {
  std::string text;
  std::size_t memory = 0;
};

Read in_pieces(const std::string& file, std::size_t piece, std::size_t most = 1u << 20) {
  BatchReader reader(most);
  Read read;
  std::string problems;
  const auto drain = [&] {
    while (const auto event = reader.next()) {
      if (event->kind == Kind::problem) {
        problems += event->error.message() + "\n";
      } else {
        read.text += line_of(event->kind, event->offset, event->text);
      }
    }
    read.memory = std::max(read.memory, reader.memory_bytes());
  };
  for (std::size_t at = 0; at < file.size(); at += piece) {
    reader.push(std::string_view(file).substr(at, piece));
    drain();
  }
  reader.finish();
  drain();
  read.text += problems;
  return read;
}

}  // namespace

TEST_CASE("a batch read in pieces of any size is the batch read at once") {
  const std::string whole = at_once(kFile);
  CHECK(whole.find("BTS-1 does not agree") != whole.npos);
  CHECK(whole.find("2@") != whole.npos);
  for (std::size_t piece = 1; piece <= kFile.size(); ++piece) {
    INFO(piece);
    REQUIRE(in_pieces(kFile, piece).text == whole);
  }
}

TEST_CASE("random batches read in pieces are the batches read at once") {
  kiln::base::SeededRandom random(14);
  const std::vector<std::string> parts = {
      "MSH|^~\\&|a\r", "MSH#$~\\&#a\n", "PID|1\r",       "\r",      "\n",    " ",
      "\x0b",          "\x1c\r",        "BHS|^~\\&|x\r", "BTS|1\r", "BTS\r", "FHS|^~\\&\r",
      "FTS|1\n",       "noise",         "  MSH|x\r",     "MSH",     "|",     "\xEF\xBB\xBF"};
  for (int round = 0; round < 3'000; ++round) {
    std::string file;
    for (auto n = random.below(30); n > 0; --n) file += parts[random.below(parts.size())];
    INFO(file);
    REQUIRE(in_pieces(file, 1 + random.below(20)).text == at_once(file));
  }
}

TEST_CASE("a stream of any length takes the memory of one message") {
  BatchReader reader(10'000);
  std::uint64_t messages = 0, bytes = 0;
  std::size_t memory = 0;
  std::string piece;
  for (int i = 0; i < 40; ++i)
    piece += "MSH|^~\\&|a|||||||" + std::to_string(i) + "\rPID|1||4711\rOBX|1|NM|x||1.5\r";
  reader.push("FHS|^~\\&\rBHS|^~\\&\r");
  for (int round = 0; round < 5'000; ++round) {
    reader.push(piece);
    bytes += piece.size();
    while (const auto event = reader.next()) messages += event->kind == Kind::message;
    memory = std::max(memory, reader.memory_bytes());
  }
  reader.push("BTS|200000\rFTS|1\r");
  reader.finish();
  while (const auto event = reader.next()) {
    messages += event->kind == Kind::message;
    CHECK(event->kind != Kind::problem);
  }
  CHECK(messages == 200'000);
  CHECK(reader.messages() == 200'000);
  CHECK(bytes > 9u << 20);
  CHECK(memory < 50'000);
}

TEST_CASE("a message or a line that is too long is reported, and the next header starts cleanly") {
  const std::string big = "OBX|1|TX|x||" + std::string(900, 'x') + "\r";
  std::string file = "BHS|^~\\&\rMSH|^~\\&|a\rPID|1\rMSH|^~\\&|b\r";
  for (int i = 0; i < 20; ++i) file += big;
  file += "MSH|^~\\&|c\rPID|3\rMSH|^~\\&|d\rOBX|1|ED|x||" + std::string(50'000, 'Q') +
          "\rNTE|1\rMSH|^~\\&|e\r" + std::string(40'000, 'n') + "\rBTS|5\r";
  for (const std::size_t piece : {1u, 100u, 3'000u, 200'000u}) {
    const Read read = in_pieces(file, piece, 5'000);
    INFO(piece);
    CHECK(read.text.find("|a\rPID|1\r") != std::string::npos);
    CHECK(read.text.find("|c\rPID|3\r") != std::string::npos);
    CHECK(read.text.find("OBX") == std::string::npos);
    CHECK(read.text.find("NTE") == std::string::npos);
    CHECK(read.text.find("limit-exceeded: a message has more bytes than allowed (byte 26)") !=
          std::string::npos);
    CHECK(read.text.find("BTS-1") == std::string::npos);
    if (piece <= 3'000) CHECK(read.memory < 30'000);
  }
}

TEST_CASE("what the writer writes the reader takes without a word") {
  const auto first = Message::parse("MSH|^~\\&|LAB|HAUS|KIS|HAUS|||ORU^R01|1\rPID|1\r");
  REQUIRE(first);
  BatchHeader header;
  header.control_id = "B1";
  header.time.year = 2024;
  BatchWriter writer(header);
  std::string file = *writer.begin(*first);
  file += writer.add(first->bytes());
  file += writer.add("MSH|^~\\&|LAB|HAUS\nPID|2\n\n\x1c");
  file += writer.end();
  CHECK(file ==
        "FHS|^~\\&|LAB|HAUS|KIS|HAUS|2024||||B1\rBHS|^~\\&|LAB|HAUS|KIS|HAUS|2024||||B1\r"
        "MSH|^~\\&|LAB|HAUS|KIS|HAUS|||ORU^R01|1\rPID|1\rMSH|^~\\&|LAB|HAUS\rPID|2\rBTS|2\rFTS|1\r");
  const Batch batch = split_batch(file);
  CHECK(batch.messages.size() == 2);
  CHECK(batch.problems.empty());
  CHECK(batch.noise.empty());
}
