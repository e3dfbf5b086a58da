// Formatted text (std 2.7.1, 2.7.7): carrying out the commands that decoding keeps.

#include "hl7/detail/escape_sequence.h"
#include "hl7/escape.h"

namespace kiln::hl7 {
namespace {

class Renderer {
 public:
  Renderer(const TextRules& rules, Rendering rendering)
      : rules_(rules), html_(rendering == Rendering::html) {}

  std::string run(std::string_view raw) {
    const char escape = rules_.delimiters.escape;
    std::size_t begin = 0, at = 0;
    while (escape != '\0' && (at = raw.find(escape, at)) != raw.npos) {
      const auto sequence = detail::read_sequence(raw.substr(at), rules_.delimiters);
      if (sequence.kind == detail::SequenceKind::format) {
        text(raw.substr(begin, at - begin));
        command(detail::read_format(sequence.body));
        begin = at + sequence.size;
      }
      at += sequence.size;
    }
    text(raw.substr(begin));
    if (bold_) out_ += "</b>";
    return std::move(out_);
  }

 private:
  void text(std::string_view raw) {
    const std::string decoded = decode(raw, rules_);
    if (!html_) {
      out_ += decoded;
      return;
    }
    for (const char c : decoded) {
      switch (c) {
        case '<':
          out_ += "&lt;";
          break;
        case '>':
          out_ += "&gt;";
          break;
        case '&':
          out_ += "&amp;";
          break;
        case '"':
          out_ += "&quot;";
          break;
        default:
          out_ += c;
      }
    }
  }

  void command(const detail::FormatCommand& command) {
    if (command.name == "H" || command.name == "N") {
      highlight(command.name == "H");
    } else if (command.name == ".br" || command.name == ".ce") {
      repeat(html_ ? "<br/>" : "\n", 1);
    } else if (command.name == ".sp") {
      repeat(html_ ? "<br/>" : "\n", command.has_count ? command.count : 1);
    } else if (command.name == ".sk" || command.name == ".in" || command.name == ".ti") {
      repeat(html_ ? "&#160;" : " ", command.has_count || command.name != ".sk" ? command.count : 1);
    }
  }

  void highlight(bool on) {
    if (html_ && on != bold_) out_ += on ? "<b>" : "</b>";
    bold_ = html_ && on;
  }

  void repeat(std::string_view what, unsigned times) {
    for (unsigned i = 0; i < times; ++i) out_ += what;
  }

  const TextRules& rules_;
  bool html_;
  bool bold_ = false;
  std::string out_;
};

}  // namespace

std::string render(std::string_view raw, const TextRules& rules, Rendering rendering) {
  return Renderer(rules, rendering).run(raw);
}

}  // namespace kiln::hl7
