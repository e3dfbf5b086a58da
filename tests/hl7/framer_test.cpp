// The MLLP machine: its table, its limits, and the same events for every way to cut the input.

#include "hl7/mllp/framer.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "engine/base/random.h"

using namespace kiln::hl7::mllp;
using kiln::base::ErrorCode;

namespace {

const std::string kM1 = "MSH|^~\\&|a\rPID|1\r", kM2 = "MSH|^~\\&|b\r";
std::string framed(const std::string& message) {
  return "\x0b" + message + "\x1c\r";
}

std::string describe(const Event& event) {
  static const char* const kNames[] = {"frame", "commit_ack", "commit_nak", "keep_alive",    "garbage",
                                       "lost",  "note",       "too_large",  "protocol_error"};
  std::string text = std::string(kNames[static_cast<int>(event.kind)]) + "@" + std::to_string(event.offset) +
                     "+" + std::to_string(event.size);
  if (event.code != ErrorCode::internal) text += std::string("!") + kiln::base::error_info(event.code).code;
  return text + ":" + event.bytes;
}

std::vector<std::string> drain(Framer& framer) {
  std::vector<std::string> events;
  while (auto event = framer.next()) events.push_back(describe(*event));
  return events;
}

/// Events of the input cut at the given places, then end of input.
std::vector<std::string> run(std::string_view input, const FramerOptions& options,
                             std::vector<std::size_t> cuts = {}) {
  Framer framer(options);
  std::size_t at = 0;
  cuts.push_back(input.size());
  for (const std::size_t cut : cuts) {
    framer.push(input.substr(at, cut - at));
    at = cut;
  }
  framer.finish();
  return drain(framer);
}

using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("frames: one, several in a read, blanks between them") {
  CHECK(run(framed(kM1), {}) == Events{"frame@1+17:" + kM1});
  CHECK(run(framed(kM1) + framed(kM2), {}) == Events{"frame@1+17:" + kM1, "frame@21+11:" + kM2});
  CHECK(run("\r\n " + framed(kM2) + "\r\n" + std::string(1, '\0') + framed(kM2), {}) ==
        Events{"frame@4+11:" + kM2, "frame@21+11:" + kM2});
  Framer framer;
  framer.push("\r \n");
  CHECK(framer.ignored_bytes() == 3);
  CHECK(drain(framer).empty());
}

TEST_CASE("empty frames and release 2 commit answers are no messages") {
  CHECK(run("\x0b\x1c\r", {}) == Events{"keep_alive@1+0:"});
  CHECK(run(commit_frame(true), {}) == Events{"commit_ack@1+1:\x06"});
  CHECK(run(commit_frame(false), {}) == Events{"commit_nak@1+1:\x15"});
}

TEST_CASE("bytes outside frames are reported once per run") {
  CHECK(run("hello\r\nworld" + framed(kM2) + "x", {}) == Events{"garbage@0+12!mllp-garbage:hello\r\nworld",
                                                                "frame@13+11:" + kM2,
                                                                "garbage@26+1!mllp-garbage:x"});
  CHECK(garbage_hex("\x01\xFFz") == "01ff7a");
  CHECK(garbage_hex(std::string(100, 'a')).size() == 64);
  Framer framer;
  framer.push("junk");
  CHECK(framer.waits_for_silence());
  framer.silence();
  CHECK(drain(framer) == Events{"garbage@0+4!mllp-garbage:junk"});
  CHECK_FALSE(framer.waits_for_silence());
}

TEST_CASE("a missing trailer") {
  CHECK(run("\x0b" + kM2 + "\x1c" + framed(kM2), {}) ==
        Events{"note@13+0!mllp-missing-trailer:", "frame@1+11:" + kM2, "frame@14+11:" + kM2});
  CHECK(run("\x0b" + kM2 + "\x1c", {}) == Events{"note@13+0!mllp-missing-trailer:", "frame@1+11:" + kM2});
  FramerOptions strict;
  strict.missing_trailer = MissingTrailer::reject;
  CHECK(run("\x0b" + kM2 + "\x1c" + framed(kM2), strict) ==
        Events{"lost@1+11!mllp-missing-trailer:" + kM2, "frame@14+11:" + kM2});
  Framer framer;
  framer.push("\x0b" + kM2 + "\x1c");
  CHECK(drain(framer).empty());
  CHECK(framer.waits_for_silence());
  framer.silence();
  CHECK(drain(framer).size() == 2);
  framer.push("\r" + framed(kM2));
  CHECK(drain(framer) == Events{"frame@15+11:" + kM2});
}

TEST_CASE("silence changes nothing inside a frame") {
  Framer framer;
  framer.push("\x0bMSH|");
  CHECK(framer.in_frame());
  CHECK_FALSE(framer.waits_for_silence());
  framer.silence();
  framer.push("^~\\&\x1c\r");
  CHECK(drain(framer) == Events{"frame@1+8:MSH|^~\\&"});
}

TEST_CASE("an end byte inside a frame is data, noted once") {
  CHECK(run("\x0b"
            "a\x1c"
            "b\x1c\x1c"
            "c\x1c\r",
            {}) == Events{"note@2+1!mllp-separator-in-data:",
                          "frame@1+6:a\x1c"
                          "b\x1c\x1c"
                          "c"});
}

TEST_CASE("a start byte inside a frame restarts it, or is data") {
  CHECK(run("\x0b"
            "cut" +
                framed(kM2),
            {}) == Events{"lost@1+3!mllp-lost-end:cut", "frame@5+11:" + kM2});
  CHECK(run("\x0b\x0b" + kM2 + "\x1c\r", {}) == Events{"frame@2+11:" + kM2});
  FramerOptions data;
  data.start_in_frame = StartInFrame::data;
  CHECK(run("\x0b"
            "a\x0b"
            "b\x1c\r",
            data) == Events{"frame@1+3:a\x0b"
                            "b"});
}

TEST_CASE("the end of input inside a frame loses it, with its bytes") {
  CHECK(run("\x0b"
            "MSH|^",
            {}) == Events{"lost@1+5!mllp-incomplete:MSH|^"});
  CHECK(run("\x0b", {}) == Events{"lost@1+0!mllp-incomplete:"});
  CHECK(run("", {}).empty());
}

TEST_CASE("limits hold at n - 1 and n and fail at n + 1") {
  FramerOptions options;
  options.message_max = 20;
  options.garbage_kept = 8;
  options.garbage_close = 16;
  for (const std::size_t size : {19u, 20u}) {
    const std::string message(size, 'm');
    CHECK(run(framed(message), options) == Events{"frame@1+" + std::to_string(size) + ":" + message});
  }
  CHECK(run(framed(std::string(21, 'm')) + framed(kM2), options) ==
        Events{"too_large@1+21!mllp-frame-too-large:mmmmmmmm"});
  // The end byte that turns out to be data is the one too many.
  CHECK(run("\x0b" + std::string(20, 'm') + "\x1cx", options).back() ==
        "too_large@1+21!mllp-frame-too-large:mmmmmmmm");
  CHECK(run("\x0b" + std::string(20, 'm') + "\x1c\r", options).size() == 1);
  for (const std::size_t size : {15u, 16u}) {
    CHECK(run(std::string(size, 'g'), options) ==
          Events{"garbage@0+" + std::to_string(size) + "!mllp-garbage:gggggggg"});
  }
  CHECK(run(std::string(17, 'g') + framed(kM2), options) ==
        Events{"garbage@0+17!mllp-garbage:gggggggg", "protocol_error@0+17!mllp-garbage:"});
  // A pause does not let garbage begin anew, a frame does.
  Framer framer(options);
  framer.push(std::string(10, 'g'));
  framer.silence();
  framer.push(std::string(7, 'g'));
  CHECK(framer.closed());
  CHECK(run(std::string(10, 'g') + framed("x") + std::string(10, 'g'), options).size() == 3);
  Framer big(options);
  big.push("\x0b" + std::string(1000, 'm'));
  CHECK(big.closed());
  CHECK(big.buffered() <= options.message_max + 1);
}

TEST_CASE("messages without frame are taken where the channel allows it") {
  FramerOptions options;
  options.unframed = Unframed::accept;
  CHECK(run(kM1, options) == Events{"frame@0+17!mllp-garbage:" + kM1});
  CHECK(run("MSX" + framed(kM2), options) == Events{"garbage@0+3!mllp-garbage:MSX", "frame@4+11:" + kM2});
  CHECK(run(kM1, {}) == Events{"garbage@0+17!mllp-garbage:" + kM1});
  options.message_max = 17;
  options.garbage_kept = 4;
  options.garbage_close = 6;
  CHECK(run(kM1, options) == Events{"frame@0+17!mllp-garbage:" + kM1});
  CHECK(run(kM1 + "x", options) == Events{"too_large@0+18!mllp-frame-too-large:MSH|"});
}

TEST_CASE("other frame bytes") {
  FramerOptions options;
  options.bytes = {'\x02', '\x03', '\n'};
  CHECK(run("\x02hi\x03\n\n\x02ho\x03\n", options) == Events{"frame@1+2:hi", "frame@7+2:ho"});
  CHECK(*encode_frame("hi", options.bytes) == "\x02hi\x03\n");
}

TEST_CASE("what is framed can be read back, or is refused") {
  CHECK(*encode_frame(kM1) == framed(kM1));
  CHECK(
      encode_frame("a\x1c"
                   "b"));
  for (const std::string bad : {"a\x0b"
                                "b",
                                "a\x1c\rb", "a\x1c"}) {
    CHECK(encode_frame(bad).error().code == ErrorCode::mllp_separator_in_data);
  }
}

TEST_CASE("the same events for every way to cut the input") {
  std::vector<FramerOptions> variants(5);
  variants[1].missing_trailer = MissingTrailer::reject;
  variants[1].start_in_frame = StartInFrame::data;
  variants[2].message_max = 9;
  variants[2].garbage_kept = 4;
  variants[2].garbage_close = 7;
  variants[3].unframed = Unframed::accept;
  variants[4].unframed = Unframed::accept;
  variants[4].message_max = 6;
  variants[4].garbage_close = 5;
  variants[4].garbage_kept = 5;
  const std::vector<std::string> scripted = {
      "junk" + framed(kM1) + "\r\n" + framed(kM2) +
          "\x0b"
          "cut" +
          framed("x\x1cy\x1c\x1cz") + "MSH|x" + "\x0b\x1c\r\x0b\x06\x1c\r",
      "\x0b" + kM2 + "\x1c\x0b" + kM2 + "\x1c",
      "MSH|^~\\&|q\r\x0b\x0b" + kM2 + "\x1c\r" + std::string(10, 'g') + framed("a"),
  };
  for (const FramerOptions& options : variants) {
    for (const std::string& input : scripted) {
      const Events whole = run(input, options);
      std::vector<std::size_t> bytewise;
      for (std::size_t i = 0; i <= input.size(); ++i) {
        REQUIRE(run(input, options, {i}) == whole);
        for (std::size_t j = i; j <= input.size(); j += 3) REQUIRE(run(input, options, {i, j}) == whole);
        bytewise.push_back(i);
      }
      REQUIRE(run(input, options, bytewise) == whole);
    }
  }
  kiln::base::SeededRandom random(3);
  const std::string alphabet =
      "\x0b\x0b\x1c\x1c\r\r\n\x06"
      "MSH|ab ";
  for (int round = 0; round < 5'000; ++round) {
    std::string input(static_cast<std::size_t>(random.below(40)), ' ');
    for (char& c : input) c = alphabet[random.below(alphabet.size())];
    for (const FramerOptions& options : variants) {
      const Events whole = run(input, options);
      std::vector<std::size_t> cuts;
      for (std::size_t at = 0; at < input.size(); at += 1 + random.below(5)) cuts.push_back(at);
      REQUIRE(run(input, options, cuts) == whole);
    }
  }
}

TEST_CASE("a frame that grows byte by byte is scanned once") {
  // A quadratic scan of this frame would take minutes.
  Framer framer;
  framer.push("\x0b");
  for (int i = 0; i < 2'000'000; ++i) framer.push("m");
  framer.push("\x1c\r");
  const auto event = framer.next();
  REQUIRE(event);
  CHECK(event->bytes.size() == 2'000'000);
}
