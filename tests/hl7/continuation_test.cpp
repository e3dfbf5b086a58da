// ADD and DSC: joining and cutting.

#include "hl7/continuation.h"

#include <catch2/catch.hpp>
#include <deque>
#include <string>
#include <vector>

using namespace kiln::hl7;

namespace {

std::string joined(const std::vector<std::string>& texts) {
  std::deque<Message> kept;
  std::vector<const Message*> fragments;
  for (const std::string& text : texts) {
    auto message = Message::parse(text);
    REQUIRE(message);
    fragments.push_back(&kept.emplace_back(std::move(*message)));
  }
  const auto whole = join_fragments(fragments);
  return whole ? *whole : "error: " + whole.error().text;
}

}  // namespace

TEST_CASE("point 24: ADD continues the segment before it") {
  const auto message = Message::parse("MSH|^~\\&|a\rOBX|1|TX|x||one \rADD|two|F\rADD|\rNTE|1\r");
  CHECK(*join_additions(*message) == "MSH|^~\\&|a\rOBX|1|TX|x||one two|F\rNTE|1\r");
  const auto none = Message::parse("MSH|^~\\&|a\nPID|1\n");
  CHECK(*join_additions(*none) == none->bytes());
  const auto lost = Message::parse("MSH|^~\\&|a\rADD|x\r");
  CHECK_FALSE(join_additions(*lost));
}

TEST_CASE("point 24: fragments become one message, and a gap is seen") {
  const std::string one = "MSH|^~\\&|a|||||||7|P|2.5\rPID|1\rOBX|1|TX|x||be\rADD\rDSC|p2|F\r";
  const std::string two = "MSH|^~\\&|a|||||||8|P|2.5||p2\rADD|ginning\rDSC|p3|F\r";
  const std::string three = "MSH|^~\\&|a|||||||9|P|2.5||p3\rOBX|2|TX|x||end\r";
  const std::string whole = "MSH|^~\\&|a|||||||7|P|2.5\rPID|1\rOBX|1|TX|x||beginning\rOBX|2|TX|x||end\r";
  // The field that held the pointer of another fragment is not part of the first header.
  CHECK(joined({one, two, three}) == whole);
  CHECK(joined({one, three}).starts_with("error"));
  CHECK(joined({one, two}).starts_with("error"));
  CHECK(joined({two, three}).starts_with("error"));
  CHECK(joined({one, "MSH|^~\\&|a|||||||8|P|2.5||p2\rOBX|2\r"}).starts_with("error"));
  CHECK(joined({}).starts_with("error"));
  const auto query = Message::parse("MSH|^~\\&|a\rDSC|p|I\r");
  CHECK_FALSE(continuation_of(*query).fragment());
}

TEST_CASE("point 24: a message cut at any size comes back byte for byte") {
  const std::string text = "MSH|^~\\&|a|||||||7|P|2.5\rPID|1||A^B~C\rOBX|1|TX|x||" + std::string(150, 'J') +
                           "\xC3\xBC\\T\\" + std::string(90, 'k') + "|F\rNTE|1||z\rZZZ\r";
  const auto message = Message::parse(text);
  REQUIRE(message);
  for (std::size_t most = 75; most < text.size() + 5; ++most) {
    const auto fragments = split_message(*message, most);
    INFO(most);
    REQUIRE(fragments);
    for (const std::string& fragment : *fragments) REQUIRE(fragment.size() <= most);
    REQUIRE(joined(*fragments) == text);
    REQUIRE((fragments->size() == 1) == (most >= text.size()));
  }
  CHECK_FALSE(split_message(*message, 40));
}
