#include "hl7/escape.h"

#include <algorithm>
#include <cstring>

#include "hl7/detail/escape_sequence.h"

namespace kiln::hl7 {
namespace {

using detail::read_sequence;
using detail::Sequence;
using detail::SequenceKind;

/// Unescaped bytes wait in the last third of the buffer until their character set is known to end; then they
/// become UTF-8 at its front. A byte makes 3 at most, so the front never reaches what is still waiting.
class Decoder {
 public:
  Decoder(std::string_view raw, const TextRules& rules, char* out, std::vector<EscapeNote>* notes)
      : raw_(raw),
        rules_(rules),
        out_(out),
        notes_(notes),
        charset_(rules.converted ? Charset::utf8() : rules.charset) {
    run_ = tail_ = out + 2 * raw.size();
  }

  std::size_t run() {
    const char escape = rules_.delimiters.escape;
    std::size_t at = 0;
    while (at < raw_.size()) {
      const std::size_t next = escape == '\0' ? raw_.npos : raw_.find(escape, at);
      put(raw_.substr(at, next - at));
      if (next == raw_.npos) break;
      at = next + take(read_sequence(raw_.substr(next), rules_.delimiters), next);
    }
    flush();
    return head_;
  }

 private:
  void put(std::string_view bytes) {
    if (bytes.empty()) return;
    end_hex();
    std::memcpy(tail_, bytes.data(), bytes.size());
    tail_ += bytes.size();
  }

  std::size_t take(const Sequence& sequence, std::size_t at) {
    const std::string_view whole = raw_.substr(at, sequence.size);
    switch (sequence.kind) {
      case SequenceKind::delimiter:
        end_hex();
        *tail_++ = sequence.character;
        break;
      case SequenceKind::hex:
        begin_hex();
        for (std::size_t i = 0; i < sequence.body.size(); i += 2) {
          *tail_++ = static_cast<char>(detail::hex_digit(sequence.body[i]) << 4 |
                                       detail::hex_digit(sequence.body[i + 1]));
        }
        break;
      case SequenceKind::switch_set:
        if (!switch_to(sequence.body)) {
          note(base::ErrorCode::unknown_escape, at);
          put(whole);
        }
        break;
      case SequenceKind::format:
      case SequenceKind::local:
        put(whole);
        break;
      case SequenceKind::bad_hex:
        note(base::ErrorCode::bad_escape, at);
        put(whole);
        break;
      case SequenceKind::unknown:
        note(base::ErrorCode::unknown_escape, at);
        put(whole);
        break;
      case SequenceKind::stray:
        note(base::ErrorCode::stray_escape, at);
        put(whole);
        break;
    }
    return sequence.size;
  }

  /// Bytes given in hexadecimal are in the message's set even where the text around them is UTF-8 by now.
  /// Several sequences side by side may hold one character.
  void begin_hex() {
    if (!rules_.converted || in_hex_) return;
    flush();
    outside_hex_ = charset_;
    charset_ = rules_.charset;
    in_hex_ = true;
  }
  void end_hex() {
    if (!in_hex_) return;
    flush();
    charset_ = outside_hex_;
    in_hex_ = false;
  }

  bool switch_to(std::string_view body) {
    const auto set = Charset::find_escape(body);
    if (!set || !set->supported()) return false;
    const bool named =
        *set == rules_.charset || set->is_ascii() ||
        (rules_.alternates != nullptr &&
         std::find(rules_.alternates->begin(), rules_.alternates->end(), *set) != rules_.alternates->end());
    if (!named) return false;
    end_hex();
    flush();
    charset_ = rules_.converted && *set == rules_.charset ? Charset::utf8() : *set;
    return true;
  }

  void flush() {
    bool damaged = false;
    const auto size = static_cast<std::size_t>(tail_ - run_);
    head_ += charset_.to_utf8({run_, size}, out_ + head_, &damaged);
    run_ = tail_;
    if (damaged && !damage_noted_) {
      note(base::ErrorCode::bad_charset_bytes, 0);
      damage_noted_ = true;
    }
  }

  void note(base::ErrorCode code, std::size_t at) {
    if (notes_ != nullptr) notes_->push_back({code, static_cast<std::uint32_t>(at)});
  }

  std::string_view raw_;
  const TextRules& rules_;
  char* out_;
  std::vector<EscapeNote>* notes_;
  Charset charset_;
  Charset outside_hex_;
  bool in_hex_ = false;
  std::size_t head_ = 0;
  char* run_;
  char* tail_;
  bool damage_noted_ = false;
};

void append_hex(std::string& out, char escape, unsigned char byte) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  out += escape;
  out += 'X';
  out += kDigits[byte >> 4];
  out += kDigits[byte & 0xF];
  out += escape;
}

bool special(char c, const Delimiters& d) {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f' || d.separates(c);
}

/// Letter of the sequence for a delimiter.
char letter_of(char c, const Delimiters& d) {
  if (c == d.field) return 'F';
  if (c == d.component) return 'S';
  if (c == d.repetition) return 'R';
  if (c == d.escape) return 'E';
  return 'T';
}

/// What decoding leaves as it is stands for itself when written back.
std::size_t verbatim_size(std::string_view text, const Delimiters& d) {
  const Sequence sequence = read_sequence(text, d);
  switch (sequence.kind) {
    case SequenceKind::format:
    case SequenceKind::local:
    case SequenceKind::unknown:
    case SequenceKind::bad_hex:
    case SequenceKind::switch_set:
      break;
    default:
      return 0;
  }
  // A local sequence may hold anything printable, also a delimiter that would split it when read again.
  const bool splits =
      std::any_of(sequence.body.begin(), sequence.body.end(), [&](char c) { return d.separates(c); });
  return splits ? 0 : sequence.size;
}

}  // namespace

std::size_t decode_to(std::string_view raw, const TextRules& rules, char* out,
                      std::vector<EscapeNote>* notes) {
  return Decoder(raw, rules, out, notes).run();
}

std::string decode(std::string_view raw, const TextRules& rules, std::vector<EscapeNote>* notes) {
  std::string out(3 * raw.size(), '\0');
  out.resize(decode_to(raw, rules, out.data(), notes));
  return out;
}

base::Status encode(std::string_view text, const Delimiters& d, TextKind kind, std::string& out) {
  const bool reads_as_null = kind == TextKind::plain && text == "\"\"";
  const bool reads_as_truncated = d.truncation != '\0' && text.ends_with(d.truncation);
  const auto first = std::find_if(text.begin(), text.end(), [&](char c) { return special(c, d); });
  if (first == text.end() && !reads_as_null && !reads_as_truncated) {
    out += text;
    return {};
  }
  if (d.escape == '\0') return base::fail(base::ErrorCode::no_escape_character);
  if (reads_as_null) {
    out.append({d.escape, 'X', '2', '2', '2', '2', d.escape});
    return {};
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == d.escape && kind == TextKind::hl7_text) {
      if (const std::size_t size = verbatim_size(text.substr(i), d); size > 0) {
        out += text.substr(i, size);
        i += size - 1;
        continue;
      }
    }
    if (d.separates(c)) {
      out.append({d.escape, letter_of(c, d), d.escape});
    } else if (special(c, d)) {
      append_hex(out, d.escape, static_cast<unsigned char>(c));
    } else if (c == d.truncation && i + 1 == text.size() && kind == TextKind::plain) {
      out.append({d.escape, 'P', d.escape});
    } else {
      out += c;
    }
  }
  return {};
}

}  // namespace kiln::hl7
