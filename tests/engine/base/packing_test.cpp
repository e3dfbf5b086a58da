#include "engine/base/packing.h"

#include <catch2/catch.hpp>

#include "engine/base/random.h"

using namespace kiln;

TEST_CASE("what is unpacked is what was packed, and shorter when it repeats itself", "[packing]") {
  base::SeededRandom random(7);
  for (const std::size_t size : {0u, 1u, 500u, 9000u, 3'000'000u}) {
    std::string text;
    while (text.size() < size) text += "\"resourceType\":\"" + std::to_string(random.below(50)) + "\",";
    const std::string packed = base::pack(text);
    CHECK(base::unpack(packed, text.size()).value() == text);
    if (size > 1) CHECK(packed.size() * 3 < text.size());
  }
}

TEST_CASE("a damaged or too long packed text is refused", "[packing]") {
  const std::string text(2000, 'x'), packed = base::pack(text);
  CHECK(base::unpack(packed, 1999).error().code == base::ErrorCode::limit_exceeded);
  CHECK(base::unpack("", 2000).error().code == base::ErrorCode::database_corrupt);
  CHECK(base::unpack(text, 2000).error().code == base::ErrorCode::database_corrupt);
  for (std::size_t length = 0; length < packed.size(); ++length)
    CHECK_FALSE(base::unpack(packed.substr(0, length), 2000));
}
