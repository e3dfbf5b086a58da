// Files of several messages.

#include "hl7/batch.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace kiln::hl7;

namespace {

std::vector<std::string> texts(const std::vector<Slice>& slices, const std::string& file) {
  std::vector<std::string> texts;
  for (const Slice& slice : slices) texts.emplace_back(slice.of(file));
  return texts;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("one message, bare messages, blank lines between them") {
  const std::string one = "MSH|^~\\&|a\rPID|1\r";
  CHECK(texts(split_batch(one).messages, one) == Texts{one});
  const std::string two = "MSH|^~\\&|a\rPID|1\r\r\r\nMSH|^~\\&|b\r\nPID|2\r\n\n";
  const Batch batch = split_batch(two);
  CHECK(texts(batch.messages, two) == Texts{"MSH|^~\\&|a\rPID|1\r", "MSH|^~\\&|b\r\nPID|2\r\n"});
  CHECK(batch.noise.empty());
  CHECK_FALSE(batch.enveloped());
  const std::string open = "MSH|^~\\&|a\nPID|1";
  CHECK(texts(split_batch(open).messages, open) == Texts{open});
  CHECK(split_batch("").messages.empty());
}

TEST_CASE("an envelope with several batches, each message with its own delimiters") {
  const std::string file =
      "FHS|^~\\&|x\rBHS|^~\\&|y\rMSH|^~\\&|a\rPID|1\rMSH*:+?%*b\rPID*1\rBTS|2\r"
      "BHS|^~\\&|z\rMSH|^~\\&|c\rBTS|1\rFTS|2\r";
  const Batch batch = split_batch(file);
  CHECK(texts(batch.messages, file) == Texts{"MSH|^~\\&|a\rPID|1\r", "MSH*:+?%*b\rPID*1\r", "MSH|^~\\&|c\r"});
  CHECK(texts(batch.envelope, file) ==
        Texts{"FHS|^~\\&|x", "BHS|^~\\&|y", "BTS|2", "BHS|^~\\&|z", "BTS|1", "FTS|2"});
  CHECK(batch.envelope_delimiters.size() == 6);
  CHECK(batch.problems.empty());
  CHECK(batch.noise.empty());
}

TEST_CASE("wrong counts and missing trailers are problems; every message is listed") {
  const std::string file = "FHS|^~\\&|x\rBHS|^~\\&\rMSH|^~\\&|a\rBTS|2\rBHS|^~\\&\rMSH|^~\\&|b\rFTS|7\r";
  const Batch batch = split_batch(file);
  CHECK(batch.messages.size() == 2);
  REQUIRE(batch.problems.size() == 3);
  CHECK(batch.problems[0].text == "BTS-1 does not agree with the number of messages");
  CHECK(batch.problems[1].text == "FTS-1 does not agree with the number of batches");
  CHECK(batch.problems[2].text == "the last batch has no BTS");
  CHECK(split_batch("FHS|^~\\&\rMSH|^~\\&\r").problems[0].text == "the file has no FTS");
  CHECK(split_batch("BHS|^~\\&\rMSH|^~\\&\rBTS|x\r").problems[0].text ==
        "the count of a trailer is not a number");
  CHECK(split_batch("BHS|^~\\&\rMSH|^~\\&\rBTS\r").problems.empty());
}

TEST_CASE("frame bytes belong to nobody, other bytes are noise") {
  const std::string file = "\x0bMSH|^~\\&|a\rPID|1\r\x1c\r\x0bMSH|^~\\&|b\r\x1c\r";
  CHECK(texts(split_batch(file).messages, file) == Texts{"MSH|^~\\&|a\rPID|1\r", "MSH|^~\\&|b\r"});
  const std::string noisy = "# exported\r\nby nobody\r\n\xEF\xBB\xBFMSH|^~\\&|a\r";
  const Batch batch = split_batch(noisy);
  CHECK(texts(batch.messages, noisy) == Texts{"MSH|^~\\&|a\r"});
  CHECK(texts(batch.noise, noisy) == Texts{"# exported\r\nby nobody"});
}

TEST_CASE("every byte of a file that is not blank is in exactly one slice") {
  const std::string file =
      "junk\rFHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|a\rzzz\r\rBTS|1\rmore junk\rMSH|^~\\&|b\r \rFTS|1\r\rend\r";
  const Batch batch = split_batch(file);
  std::string covered(file.size(), '.');
  for (const auto* slices : {&batch.messages, &batch.envelope, &batch.noise}) {
    for (const Slice& slice : *slices) {
      for (std::size_t i = slice.begin; i < slice.end; ++i) {
        CHECK(covered[i] == '.');
        covered[i] = 'x';
      }
    }
  }
  for (std::size_t i = 0; i < file.size(); ++i) {
    if (file[i] > ' ') CHECK(covered[i] == 'x');
  }
}
