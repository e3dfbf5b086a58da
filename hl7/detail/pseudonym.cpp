#include "hl7/detail/pseudonym.h"

#include <array>
#include <vector>

#include "engine/base/text.h"

namespace kiln::hl7::detail {
namespace {

constexpr std::size_t kBlock = 64;  ///< of SHA-256, bytes
constexpr int kRounds = 10;

std::string hmac(std::string key, std::string_view text) {
  if (key.size() > kBlock) key = base::sha256(key);
  key.resize(kBlock, '\0');
  std::string inner = key, outer = key;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  inner += text;
  return base::sha256(outer + base::sha256(inner));
}

/// A character as a number below its radix; other characters are no part of the permutation.
struct Symbol {
  std::size_t at;      ///< byte in the text
  std::uint32_t base;  ///< '0', 'A' or 'a'
  std::uint32_t radix;
  std::uint32_t value;
};

std::string lower_words(std::string_view text) {
  return base::lower_ascii(base::trim(text));
}

constexpr std::array<const char*, 24> kOnsets = {"b", "br", "d", "dr", "f", "g", "gr", "h",
                                                 "k", "kl", "l", "m",  "n", "p", "pr", "r",
                                                 "s", "st", "t", "tr", "v", "w", "z",  "fl"};
constexpr std::array<const char*, 10> kVowels = {"a", "e", "i", "o", "u", "ai", "ei", "au", "ia", "oe"};
constexpr std::array<const char*, 12> kCodas = {"",   "l",  "n",  "r", "s",  "t",
                                                "nd", "rk", "ll", "m", "ns", "ck"};

}  // namespace

std::string Pseudonyms::mac(std::string_view domain, std::string_view value) const {
  return hmac(key_, std::string(domain) + '\0' + std::string(value));
}

std::string Pseudonyms::identifier(std::string_view text) const {
  std::string out;
  std::vector<Symbol> symbols;
  std::string form;  // the same form with other letters is another permutation
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      // One letter a character, whatever its size in UTF-8.
      if ((c & 0xC0) == 0x80) continue;
      symbols.push_back({out.size(), 'a', 26, c % 26u});
      form += 'a';
      out += 'a';
      continue;
    }
    const bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
    if (digit || upper || lower) {
      const std::uint32_t base = digit ? '0' : upper ? 'A' : 'a';
      symbols.push_back({out.size(), base, digit ? 10u : 26u, c - base});
      form += static_cast<char>(base);
    } else {
      form += static_cast<char>(c);
    }
    out += static_cast<char>(c);
  }
  // A Feistel network over two halves of mixed radix: each round adds a keyed number made of one half to
  // every symbol of the other, which can be undone, so it is a permutation of all texts of this form.
  const std::size_t middle = symbols.size() / 2;
  for (int round = 0; round < kRounds; ++round) {
    const bool left = round % 2 == 0;
    std::string other;
    for (std::size_t i = left ? middle : 0; i < (left ? symbols.size() : middle); ++i)
      other += static_cast<char>('0' + symbols[i].value);
    std::string stream;
    const std::string domain = "id" + std::to_string(round) + form;
    for (std::size_t i = left ? 0 : middle, n = 0; i < (left ? middle : symbols.size()); ++i, ++n) {
      if (n % 8 == 0) stream = mac(domain + std::to_string(n), other);
      std::uint32_t number = 0;
      for (std::size_t k = 0; k < 4; ++k)
        number = number << 8 | static_cast<unsigned char>(stream[(n % 8) * 4 + k]);
      symbols[i].value = (symbols[i].value + number % symbols[i].radix) % symbols[i].radix;
    }
  }
  for (const Symbol& symbol : symbols) out[symbol.at] = static_cast<char>(symbol.base + symbol.value);
  return out;
}

std::string Pseudonyms::digits(std::string_view text) const {
  std::string stream, out(text);
  std::size_t n = 0;
  for (char& c : out) {
    if (c < '0' || c > '9') continue;
    if (n % 32 == 0) stream = mac("digits" + std::to_string(n), text);
    c = static_cast<char>('0' + static_cast<unsigned char>(stream[n++ % 32]) % 10);
  }
  return out;
}

std::string Pseudonyms::name(std::string_view text) const {
  const std::string bits = mac("name", lower_words(text));
  const auto pick = [&](std::size_t at, const auto& list) {
    return std::string(list[static_cast<unsigned char>(bits[at]) % list.size()]);
  };
  std::string word = pick(0, kOnsets) + pick(1, kVowels) + pick(2, kCodas);
  if (base::trim(text).size() > 3) word += pick(3, kOnsets) + pick(4, kVowels) + pick(5, kCodas);
  if (word.size() < 2) word += "o";
  const bool has_lower = base::upper_ascii(text) != text;
  if (!has_lower) return base::upper_ascii(word);
  if (base::lower_ascii(text) == text) return word;
  word[0] = static_cast<char>(word[0] - 'a' + 'A');
  return word;
}

int Pseudonyms::days_back(std::string_view patient) const {
  const std::string bits = mac("days", patient);
  const auto number =
      static_cast<unsigned>(static_cast<unsigned char>(bits[0])) << 8 | static_cast<unsigned char>(bits[1]);
  return 1 + static_cast<int>(number % 365);
}

}  // namespace kiln::hl7::detail
