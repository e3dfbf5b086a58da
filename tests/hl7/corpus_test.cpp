// Every message of the shared corpora: parses or gives a named error, keeps its bytes, scans the same with
// every instruction set, and every leaf equals that of the slow reference. Also on invented and on mutilated
// messages, so that the comparison runs where the corpora are absent.

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "hl7/batch.h"
#include "hl7/builder.h"
#include "hl7/edit.h"
#include "hl7/message.h"
#include "hl7/mllp/framer.h"
#include "tests/hl7/slow_reference.h"

using namespace kiln::hl7;
using kiln::base::ErrorCode;

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The parts of one field against the reference, in order and by number.
bool same_field(const FieldView& field, const kiln::test::SlowField& slow, const std::string& separators,
                const Message& message) {
  if (field.raw().empty()) return field.repetition_count() == 0 && slow.size() == 1;
  if (field.repetition_count() != slow.size()) return false;
  const bool latin1 = message.charset() == Charset::latin1(), utf8 = message.charset().is_utf8();
  const bool known = latin1 || utf8 || message.charset().is_ascii();
  std::uint32_t r = 0;
  for (const RepetitionView repetition : field.repetitions()) {
    const auto& slow_repetition = slow[r++];
    if (repetition.raw().empty()) continue;
    if (repetition.component_count() != slow_repetition.size()) return false;
    std::uint32_t c = 0;
    for (const ComponentView component : repetition.components()) {
      const auto& slow_component = slow_repetition[c++];
      if (component.raw().empty()) continue;
      if (component.sub_count() != slow_component.size()) return false;
      std::uint32_t s = 0;
      for (const LeafView leaf : component.subs()) {
        const std::string& raw = slow_component[s++].raw;
        const LeafView same = field.repetition(r).component(c).sub(s);
        if (leaf.raw() != raw || same.raw() != raw || same.offset() != leaf.offset()) return false;
        const Location at = message.locate(leaf.offset());
        if (!leaf.verbatim() && !raw.empty() &&
            (at.repetition != r || at.component != c || at.subcomponent != s))
          return false;
        const bool decoded = leaf.verbatim() || !known || raw.find("\\C") != raw.npos ||
                             raw.find("\\M") != raw.npos ||
                             leaf.to_text() == kiln::test::slow_text(raw, separators, latin1, utf8);
        if (!decoded) return false;
      }
    }
  }
  return true;
}

void check_against_reference(const Message& message, const kiln::test::SlowMessage& slow) {
  const Delimiters& d = message.delimiters();
  const std::string separators = {d.field, d.component, d.repetition, d.escape, d.subcomponent, d.truncation};
  REQUIRE(separators == slow.separators);
  REQUIRE(message.segment_count() == slow.segments.size());
  for (std::uint32_t i = 0; i < message.segment_count(); ++i) {
    const SegmentView segment = message.segment(i);
    const auto& slow_segment = slow.segments[i];
    REQUIRE(segment.raw() == slow_segment.raw);
    REQUIRE(segment.name() == slow_segment.name);
    REQUIRE(segment.field_count() == slow_segment.fields.size());
    for (std::uint32_t n = 1; n <= segment.field_count(); ++n) {
      INFO("segment " << i << " field " << n);
      REQUIRE(same_field(segment.field(n), slow_segment.fields[n - 1], separators, message));
    }
  }
}

/// The one-pass walk visits what the reference has, field for field.
void check_walk(const Message& message, const kiln::test::SlowMessage& slow) {
  std::string expected, walked;
  for (std::size_t i = 0; i < slow.segments.size(); ++i) {
    const auto& fields = slow.segments[i].fields;
    for (std::size_t n = 0; n < fields.size(); ++n) {
      if (fields[n].size() == 1 && fields[n][0].size() == 1 && fields[n][0][0].size() == 1 &&
          fields[n][0][0][0].raw.empty()) {
        continue;
      }
      for (std::size_t r = 0; r < fields[n].size(); ++r) {
        for (std::size_t c = 0; c < fields[n][r].size(); ++c) {
          for (std::size_t s = 0; s < fields[n][r][c].size(); ++s) {
            for (const std::size_t number : {i, n + 1, r + 1, c + 1, s + 1})
              expected += std::to_string(number) + " ";
            expected += fields[n][r][c][s].raw + "\n";
          }
        }
      }
    }
  }
  message.for_each_leaf([&](const Location& at, const LeafView& leaf) {
    for (const auto number : {at.segment, at.field, at.repetition, at.component, at.subcomponent}) {
      walked += std::to_string(number) + " ";
    }
    walked += std::string(leaf.raw()) + "\n";
  });
  REQUIRE((walked == expected));
}

struct Tally {
  std::size_t files = 0, messages = 0, parsed = 0, refused = 0;
};

void check_same_scan(const Message& message, const std::string& bytes) {
  for (const ScanMode mode : {ScanMode::scalar, ScanMode::sse2, ScanMode::avx2, ScanMode::avx512}) {
    ParseOptions options;
    options.scan = mode;
    const auto other = Message::parse(bytes, options);
    REQUIRE(other);
    REQUIRE(other->segment_count() == message.segment_count());
    for (std::uint32_t i = 0; i < message.segment_count(); ++i) {
      const auto a = message.segment(i).separators(), b = other->segment(i).separators();
      REQUIRE(std::vector(a.begin(), a.end()) == std::vector(b.begin(), b.end()));
    }
  }
}

void check_bytes(const std::string& bytes, Tally& tally) {
  ++tally.messages;
  const auto message = Message::parse(bytes);
  const auto slow = kiln::test::slow_parse(bytes);
  if (!message) {
    ++tally.refused;
    const ErrorCode code = message.error().code;
    if (code == ErrorCode::no_header) {
      REQUIRE_FALSE(slow);
    } else {
      REQUIRE((code == ErrorCode::charset_unsupported || code == ErrorCode::charset_not_framable ||
               code == ErrorCode::limit_exceeded));
    }
    return;
  }
  ++tally.parsed;
  REQUIRE(slow);
  REQUIRE(message->original() == bytes);
  REQUIRE(MessageEditor(*message).encode() == bytes);
  if (message->converted()) return;  // the reference knows bytes only
  REQUIRE(message->bytes() == bytes);
  check_against_reference(*message, *slow);
  check_walk(*message, *slow);
  check_same_scan(*message, bytes);
  check_text(*message);
}

void check_folder(const std::filesystem::path& folder, Tally& tally) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (!entry.is_regular_file() || name == "README.md" || name == "manifest.tsv" ||
        entry.path().parent_path().filename() == "LICENSES") {
      continue;
    }
    INFO(entry.path().filename());
    ++tally.files;
    const std::string bytes = read_file(entry.path());
    check_bytes(bytes, tally);
    const Batch batch = split_batch(bytes);
    if (batch.messages.size() > 1 || batch.enveloped()) {
      for (const Slice& slice : batch.messages) check_bytes(std::string(slice.of(bytes)), tally);
    }
  }
}

const std::string kAdmission =
    "MSH|^~\\&|AUFNAHME|HAUS-NORD|LABOR|ZENTRAL|20240131081500+0100||ADT^A01^ADT_A01|N0001|P|2.5.1||||||"
    "UNICODE UTF-8\r"
    "EVN|A01|20240131081500\rPID|1||4711^^^NORD&1.2.276&ISO^MR~K88^^^KASSE^NI||Brandt^Ilse^\"\"^^Dr.||"
    "19700203|F\r"
    "NTE|1||zwei\\.br\\Zeilen \\T\\ 4\\5 J\xC3\xBC\\XC3BC\\\nund eine dritte\r"
    "PV1|1|I|ST3^12^2&B~~x|||\"\"\rZKV|^^&|~~|\\|\\\\|\\Q\\\r";

}  // namespace

TEST_CASE("every message of the corpora equals the slow reference") {
  const std::filesystem::path shared = std::filesystem::path(KILN_SOURCE_DIR) / ".." / "shared" / "corpus";
  if (!std::filesystem::exists(shared)) {
    std::cout << "skipped: the shared corpus is not beside this checkout\n";
    return;
  }
  Tally tally;
  check_folder(shared / "hl7v2", tally);
  check_folder(shared / "hl7v2-parser", tally);
  std::cout << "corpus: " << tally.files << " files, " << tally.messages << " byte strings, " << tally.parsed
            << " parsed, " << tally.refused << " refused by name\n";
  CHECK(tally.files > 1000);
  CHECK(tally.parsed > tally.files * 9 / 10);
}

TEST_CASE("an invented message equals the slow reference, cut anywhere and with any byte changed") {
  Tally tally;
  check_bytes(kAdmission, tally);
  REQUIRE(tally.parsed == 1);
  for (std::size_t i = 0; i <= kAdmission.size(); ++i) check_bytes(kAdmission.substr(0, i), tally);
  kiln::base::SeededRandom random(5);
  const std::string alphabet = "|^~\\&\r\n\"MSHaX0.\x0b\x1c\xC3\xFF" + std::string(1, '\0');
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = kAdmission;
    for (auto n = 1 + random.below(6); n > 0; --n) {
      bytes[random.below(bytes.size())] = alphabet[random.below(alphabet.size())];
    }
    check_bytes(bytes, tally);
  }
  CHECK(tally.parsed > 1800);
}

TEST_CASE("a framed message comes back byte for byte, cut at every place") {
  const auto frame = mllp::encode_frame(kAdmission);
  REQUIRE(frame);
  for (std::size_t i = 0; i <= frame->size(); ++i) {
    mllp::Framer framer;
    framer.push(std::string_view(*frame).substr(0, i));
    framer.push(std::string_view(*frame).substr(i));
    const auto event = framer.next();
    REQUIRE(event);
    REQUIRE(event->bytes == kAdmission);
    REQUIRE_FALSE(framer.next());
  }
}
