// What a message costs in memory, counted by the allocator: at most three times its bytes on messages as they
// are met, six times on any input, kept and at the peak of parsing.

#include <malloc.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "hl7/batch.h"
#include "hl7/message.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KILN_COUNT_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define KILN_COUNT_MEMORY 0
#endif
#endif
#ifndef KILN_COUNT_MEMORY
#define KILN_COUNT_MEMORY 1
#endif

using namespace kiln::hl7;
namespace limits = kiln::base::limits;

namespace {

thread_local long long live = 0;  ///< bytes the allocator handed out to this thread and did not get back
thread_local long long peak = 0;

[[maybe_unused]] void* take(std::size_t size) {
  void* const block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  live += static_cast<long long>(malloc_usable_size(block));
  peak = std::max(peak, live);
  return block;
}

[[maybe_unused]] void give(void* block) noexcept {
  if (block != nullptr) live -= static_cast<long long>(malloc_usable_size(block));
  std::free(block);
}

}  // namespace

#if KILN_COUNT_MEMORY
void* operator new(std::size_t size) {
  return take(size);
}
void* operator new[](std::size_t size) {
  return take(size);
}
void operator delete(void* block) noexcept {
  give(block);
}
void operator delete[](void* block) noexcept {
  give(block);
}
void operator delete(void* block, std::size_t) noexcept {
  give(block);
}
void operator delete[](void* block, std::size_t) noexcept {
  give(block);
}
#endif

namespace {

struct Cost {
  bool parsed = false;
  double kept = 0, peak = 0;  ///< bytes, with the message's own
};

Cost cost_of(const std::string& bytes, const ParseOptions& options = {}) {
  const long long before = live;
  std::string own(bytes);
  own.shrink_to_fit();
  peak = live;
  const auto message = Message::parse(std::move(own), options);
  Cost cost;
  cost.parsed = message.has_value();
  if (!message) REQUIRE(message.error().code == kiln::base::ErrorCode::limit_exceeded);
#if KILN_COUNT_MEMORY
  cost.kept = static_cast<double>(live - before);
  cost.peak = static_cast<double>(peak - before);
  if (message)
    CHECK(cost.kept <= static_cast<double>(message->memory_bytes()) + 4 * 4096);  // pages of large blocks
#else
  static_cast<void>(before);
  if (message) cost.kept = static_cast<double>(message->memory_bytes());
#endif
  return cost;
}

/// Six times the bytes, and what a message costs in any case: itself, a few KB of index, its diagnostics.
double allowed(std::size_t bytes) {
  constexpr std::size_t kItself =
      limits::kIndexFreeBytes + 2'048 + 3 * limits::kParseDiagnosticsMax * sizeof(ParseDiagnostic);
  return 6.0 * static_cast<double>(bytes) + static_cast<double>(kItself);
}

ParseOptions without_limits() {
  ParseOptions options;
  options.segments_max = options.fields_max = options.repetitions_max = options.bytes_max = 1u << 30;
  options.wide = true;
  return options;
}

bool check(const std::string& bytes) {
  const Cost cost = cost_of(bytes, without_limits());
  CHECK(cost.kept <= allowed(bytes.size()));
  CHECK(cost.peak <= allowed(bytes.size()));
  return cost.parsed;
}

std::string repeated(const std::string& header, const std::string& unit, std::size_t bytes) {
  std::string text = header;
  while (text.size() < bytes) text += unit;
  return text;
}

std::string widened(std::string_view text, std::size_t unit) {
  std::string wide = unit == 2 ? "\xFF\xFE" : std::string("\xFF\xFE\0\0", 4);
  for (const char c : text) {
    wide += c;
    wide.append(unit - 1, '\0');
  }
  return wide;
}

const std::string kPlain = "MSH|^~\\&|a\r";
const std::string kShiftJis = "MSH|^~\\&|a||||||||||||||||SHIFT JIS\r";
const std::string kJis = "MSH|^~\\&|a||||||||||||||||~ISO IR87\rNTE|1||\x1b$B;3\x1b(B\r";

/// The messages of all files below a folder, those of batches one by one.
std::vector<std::string> messages_below(const std::filesystem::path& folder) {
  std::vector<std::string> messages;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ostringstream text;
    text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    const std::string bytes = text.str();
    for (const Slice& slice : split_batch(bytes).messages) messages.emplace_back(slice.of(bytes));
  }
  return messages;
}

}  // namespace

TEST_CASE("memory: six times the bytes on inputs made to cost most, kept and at the peak") {
  const auto [unit, parsed] = GENERATE(table<std::string, bool>({
      {"PID\r", true},
      {"PID|\r", true},
      {"PID|1||4711\r", true},
      {"\r", true},
      {"\r\n", true},
      {" \n\r", true},
      {"PID" + std::string(900, '|') + "\r", true},
      {"PID" + std::string(12, '|') + "\r", true},
      {"NTE|" + std::string(3000, '~') + "\r", true},
      {"NTE|" + std::string(3000, '^') + "\r", true},
      {"NTE|" + std::string(3000, '\\') + "\r", true},
      {"NTE|\\X0D\\\\T\\\"\"&\r", true},
      {"NTE|\xE4\xF6\xFC\r", true},
      {"text behind a lone line end\r", true},
      {"ABCD\r", true},
      {"msh|\n", true},
      {"A\r", false},
      {"|\r", false},
      {"||\r", false},
      {"A|\r", false},
      {"||||\r", false},
      {"|\r\rPID|1\r", true},
      {"A\rOBX|1|NM|6001-1^Analyte^LN||1.5\r", true},
  }));
  INFO(unit.substr(0, 20));
  for (const std::size_t bytes : {300u, 3'000u, 30'000u, 300'000u}) {
    INFO(bytes);
    const bool read = check(repeated(kPlain, unit, bytes));
    if (parsed) CHECK(read);
    if (!parsed && bytes >= 30'000) CHECK_FALSE(read);
    check(repeated(kShiftJis, unit, bytes));
    check(repeated(kJis, unit, bytes));
    check(widened(repeated(kPlain, unit, bytes), 2));
    check(widened(repeated(kPlain, unit, bytes), 4));
  }
}

TEST_CASE("memory: characters that grow when they are converted") {
  CHECK(check(
      repeated(kShiftJis, "NTE|\xB1\xB1\xB1\xB1\xB1\xB1\xB1\xB1\xB1\xB1\xB1\xB1\xB1\xB1\xB1\r", 300'000)));
  CHECK(check(repeated(kShiftJis, "NTE|\x8E\x52\x93\x63\xFF\xFF\r", 300'000)));
  CHECK(check(repeated(kJis, "NTE|\x1b(I1111111111111111111111111\r", 300'000)));
  CHECK(check(repeated("MSH|^~\\&|a||||||||||||||||GB 18030-2000\r", "NTE|\xFF\xFF\xFF\xFF\xFF\r", 300'000)));
  CHECK(check("MSH|^~\\&|a||||||||||||||||" + repeated("", "~ASCII", 60'000) + "\r"));
  std::string wide = widened(kPlain, 2);
  while (wide.size() < 300'000) wide += "\x11\x4E";
  CHECK(check(wide));
}

TEST_CASE("memory: six times the bytes on random mixtures of lines") {
  kiln::base::SeededRandom random(6);
  const std::vector<std::string> units = {"\r", "\n",   "|",    "A",      "PID", "OBX|", "^",  "~",
                                          "\\", "\"\"", "\xB1", "\x1b$B", " ",   "|\r",  "A\r"};
  for (int round = 0; round < 400; ++round) {
    std::string bytes = round % 3 == 0 ? kShiftJis : round % 3 == 1 ? kJis : kPlain;
    std::vector<std::string> few;
    for (auto n = 1 + random.below(5); n > 0; --n) few.push_back(units[random.below(units.size())]);
    const std::size_t size = 1'000 + random.below(60'000);
    while (bytes.size() < size) bytes += few[random.below(few.size())];
    INFO(round);
    check(bytes);
  }
}

TEST_CASE("memory: three times the bytes on the messages of the corpora") {
  const std::filesystem::path shared = std::filesystem::path(KILN_SOURCE_DIR) / ".." / "shared" / "corpus";
  if (!std::filesystem::exists(shared)) {
    std::cout << "skipped: the shared corpus is not beside this checkout\n";
    return;
  }
  double bytes = 0, kept = 0, peaks = 0, worst = 0;
  for (const char* folder : {"hl7v2", "hl7v2-parser"}) {
    for (const std::string& text : messages_below(shared / folder)) {
      if (!Message::parse(text)) continue;
      const Cost cost = cost_of(text);
      const double size = static_cast<double>(text.size());
      bytes += size;
      kept += cost.kept;
      peaks += cost.peak;
      // What a message costs in any case would hide what its bytes cost.
      worst = std::max(worst, (cost.kept - 1'024) / size);
      CHECK(cost.kept <= 3 * size + 1'024);
    }
  }
  std::cout << "memory: " << kept / bytes << " times the bytes of the corpora, " << peaks / bytes
            << " at the peak, at most " << worst << " and 1 KB\n";
  CHECK(kept <= 3 * bytes);
}
