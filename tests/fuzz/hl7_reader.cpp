// The lazy reader against the naive one (tests/hl7/naive_reader.h): each byte chooses a character that
// matters.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/hl7/naive_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr std::string_view kAlphabet = "a|^~\\&\rZ1\"";
  static std::vector<kiln::test::NaiveLeaf> leaves;
  std::string text = kiln::test::kNaiveHeader;
  for (std::size_t i = 0; i < size; ++i) text += kAlphabet[data[i] % kAlphabet.size()];
  if (!kiln::test::readers_agree(text, leaves)) std::abort();
  return 0;
}
