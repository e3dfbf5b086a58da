#include "hl7/delimiters.h"

namespace kiln::hl7 {
namespace {

bool usable(char c) {
  const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  const bool digit = c >= '0' && c <= '9';
  return c > ' ' && c < '\x7f' && !letter && !digit;
}

}  // namespace

std::string Delimiters::encoding_characters() const {
  std::string text;
  for (const char c : {component, repetition, escape, subcomponent, truncation}) {
    if (c == '\0') break;
    text += c;
  }
  return text;
}

std::optional<DelimitersRead> read_delimiters(char field, std::string_view encoding) {
  if (!usable(field)) return std::nullopt;
  DelimitersRead read;
  Delimiters& d = read.delimiters;
  d = Delimiters{field, '\0', '\0', '\0', '\0', '\0'};
  char* const order[] = {&d.component, &d.repetition, &d.escape, &d.subcomponent, &d.truncation};
  read.clean = !encoding.empty() && encoding.size() <= 5;
  for (std::size_t i = 0; i < encoding.size() && i < 5; ++i) {
    const char c = encoding[i];
    if (!usable(c) || c == d.truncation || d.separates(c)) {
      read.clean = false;
    } else {
      *order[i] = c;
    }
  }
  return read;
}

}  // namespace kiln::hl7
