// The short way of regular expressions gives the answers of RE2.

#include "mappings/detail/simple_pattern.h"

#include <re2/re2.h>

#include <catch2/catch.hpp>
#include <string>

namespace kiln::mappings::test {
namespace {

/// All texts of up to `size` characters of the alphabet.
template <class Visit>
void each_text(std::string_view alphabet, std::size_t size, std::string& text, const Visit& visit) {
  visit(text);
  if (text.size() == size) return;
  for (const char c : alphabet) {
    text += c;
    each_text(alphabet, size, text, visit);
    text.pop_back();
  }
}

}  // namespace

TEST_CASE("simple patterns match what RE2 matches") {
  for (const std::string pattern :
       {"^ *[<>]=? *[0-9.]", "^[0-9.]+$", "^-?[0-9.]+$", "^HL7[0-9]{2}$", "^a[a-z.-]*$", "^", "^$", "^\\.a?b",
        "^[]a]", "^[a\\]-]+\\$$", "^a*b*<$", "^[+-]?[0-9]+"}) {
    const auto simple = detail::SimplePattern::of(pattern);
    INFO(pattern);
    if (pattern == "^[]a]") {
      CHECK(!simple);
      continue;
    }
    REQUIRE(simple);
    const re2::RE2 regex(pattern);
    std::string text;
    each_text(" <=0.-aHL7b]$\n", 4, text, [&](const std::string& one) {
      if (simple->matches(one) != re2::RE2::PartialMatch(one, regex)) FAIL(pattern << " on `" << one << "`");
    });
    CHECK(simple->matches("\xC3\xA4") == re2::RE2::PartialMatch("\xC3\xA4", regex));
  }
}

TEST_CASE("patterns that need a way back, or more than ASCII, are left to RE2") {
  for (const char* const pattern :
       {"a", "^a*a", "^a?b?a", "^[^a]", "^.", "^(a|b)", "^a|b", "^\\d", "^a{1,2}", "^a+?", "^a$b", "(?i)^a",
        "^\xC3\xA4", "^[[:alpha:]]", "^[a", "^a{0}", "^a{02}", "^[b-a]"}) {
    INFO(pattern);
    CHECK(!detail::SimplePattern::of(pattern));
  }
}

}  // namespace kiln::mappings::test
