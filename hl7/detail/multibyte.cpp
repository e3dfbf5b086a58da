#include "hl7/detail/multibyte.h"

#include <iconv.h>

#include <array>
#include <cerrno>

namespace kiln::hl7::detail {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

class Converter {
 public:
  Converter(const char* to, const char* from) : handle_(iconv_open(to, from)) {}
  ~Converter() {
    if (good()) iconv_close(handle_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;
  bool good() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

  /// Converts as far as possible: the number of bytes read, `error` 0 at the end.
  std::size_t run(std::string_view bytes, std::string& out, int& error) {
    std::array<char, 512> buffer;
    char* in = const_cast<char*>(bytes.data());  // iconv does not write to it
    std::size_t left = bytes.size();
    error = 0;
    while (left > 0) {
      char* to = buffer.data();
      std::size_t room = buffer.size();
      const std::size_t done = iconv(handle_, &in, &left, &to, &room);
      const int failure = done == static_cast<std::size_t>(-1) ? errno : 0;
      out.append(buffer.data(), buffer.size() - room);
      if (failure != 0 && failure != E2BIG) {
        error = failure;
        break;
      }
    }
    flush(out);
    return bytes.size() - left;
  }

 private:
  /// Some sets hold a character back until they know that no combining mark follows.
  void flush(std::string& out) {
    std::array<char, 32> buffer;
    char* to = buffer.data();
    std::size_t room = buffer.size();
    iconv(handle_, nullptr, nullptr, &to, &room);
    out.append(buffer.data(), buffer.size() - room);
  }

  iconv_t handle_;
};

struct Designation {
  std::string_view sequence;
  JapaneseSet set;
};
constexpr std::array kDesignations = {
    Designation{"\x1b(B", JapaneseSet::base},
    Designation{"\x1b(J", JapaneseSet::base},
    Designation{"\x1b(I", JapaneseSet::katakana},
    Designation{"\x1b$@", JapaneseSet::kanji},
    Designation{"\x1b$B", JapaneseSet::kanji},
    Designation{"\x1b$(B", JapaneseSet::kanji},
    Designation{"\x1b$(D", JapaneseSet::more_kanji},
    // What IR13 is above 0x7F is always in force.
    Designation{"\x1b)I", JapaneseSet::base},
};

constexpr const char* kEuc = "EUC-JP";

std::string_view sequence_of(JapaneseSet set) {
  switch (set) {
    case JapaneseSet::katakana:
      return "\x1b(I";
    case JapaneseSet::kanji:
      return "\x1b$B";
    case JapaneseSet::more_kanji:
      return "\x1b$(D";
    case JapaneseSet::base:
      break;
  }
  return "\x1b(B";
}

}  // namespace

bool multibyte_to_utf8(const char* set, std::string_view bytes, std::string& out) {
  Converter converter("UTF-8", set);
  bool clean = converter.good();
  while (!bytes.empty()) {
    int error = EILSEQ;
    if (converter.good()) bytes.remove_prefix(converter.run(bytes, out, error));
    if (error == 0) break;
    clean = false;
    out += kReplacement;
    bytes.remove_prefix(1);
  }
  return clean;
}

std::string multibyte_from_utf8(const char* set, std::string_view character) {
  Converter converter(set, "UTF-8");
  std::string out;
  int error = EILSEQ;
  if (converter.good()) converter.run(character, out, error);
  return error == 0 ? out : std::string();
}

bool iso2022_to_utf8(std::string_view bytes, JapaneseSet start, std::string& out) {
  Converter euc("UTF-8", kEuc);
  bool clean = true;
  JapaneseSet now = start;
  const auto put = [&](std::string_view character) {
    int error = EILSEQ;
    std::string text;
    if (euc.good()) euc.run(character, text, error);
    clean = clean && error == 0;
    out += error == 0 ? std::string_view(text) : kReplacement;
  };
  for (std::size_t at = 0; at < bytes.size();) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte == 0x1B) {
      const auto* known = kDesignations.begin();
      while (known != kDesignations.end() && !bytes.substr(at).starts_with(known->sequence)) ++known;
      if (known != kDesignations.end()) {
        now = known->set;
        at += known->sequence.size();
        continue;
      }
    }
    if (byte < ' ') now = JapaneseSet::base;
    const bool printable = byte > ' ' && byte < 0x7F;
    if (byte > 0x7F) {
      put(std::string{'\x8E', bytes[at++]});
    } else if (now == JapaneseSet::base || !printable) {
      out += bytes[at++];
    } else if (now == JapaneseSet::katakana) {
      put(std::string{'\x8E', static_cast<char>(byte | 0x80)});
      ++at;
    } else {
      const auto second = at + 1 < bytes.size() ? static_cast<unsigned char>(bytes[at + 1]) : 0u;
      std::string pair = now == JapaneseSet::more_kanji ? "\x8F" : "";
      pair += static_cast<char>(byte | 0x80);
      if (second > ' ' && second < 0x7F) {
        pair += static_cast<char>(second | 0x80);
        ++at;
      }
      put(pair);
      ++at;
    }
  }
  return clean;
}

bool iso2022_from_utf8(std::string_view character, JapaneseSet& now, std::string& out) {
  std::string euc(character);
  if (static_cast<unsigned char>(character[0]) > 0x7F) euc = multibyte_from_utf8(kEuc, character);
  JapaneseSet set = JapaneseSet::base;
  if (euc.size() == 2) set = euc[0] == '\x8E' ? JapaneseSet::katakana : JapaneseSet::kanji;
  if (euc.size() == 3) set = JapaneseSet::more_kanji;
  if (euc.empty()) return false;
  if (set != now) out += sequence_of(set);
  now = set;
  if (set == JapaneseSet::katakana || set == JapaneseSet::more_kanji) euc.erase(0, 1);
  for (const char c : euc) out += static_cast<char>(c & 0x7F);
  return true;
}

const char* wide_set(std::string_view bytes) {
  using namespace std::string_view_literals;
  const auto ascii = [](char c) { return static_cast<signed char>(c) > 0; };
  if (bytes.size() > 1 && ascii(bytes[0]) && ascii(bytes[1])) return nullptr;  // the usual message
  struct Mark {
    std::string_view first;
    const char* set;
  };
  static constexpr std::array kMarks = {
      Mark{"\xFF\xFE\0\0"sv, "UTF-32LE"}, Mark{"\0\0\xFE\xFF"sv, "UTF-32BE"},
      Mark{"\xFF\xFE"sv, "UTF-16LE"},     Mark{"\xFE\xFF"sv, "UTF-16BE"},
      Mark{"M\0\0\0S\0"sv, "UTF-32LE"},   Mark{"\0\0\0M\0\0\0S"sv, "UTF-32BE"},
      Mark{"M\0S\0H\0"sv, "UTF-16LE"},    Mark{"\0M\0S\0H"sv, "UTF-16BE"},
  };
  for (const Mark& mark : kMarks) {
    if (bytes.starts_with(mark.first)) return mark.set;
  }
  return nullptr;
}

}  // namespace kiln::hl7::detail
