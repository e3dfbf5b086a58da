// ER7 to v2.xml.

#include <algorithm>
#include <type_traits>

#include "engine/base/text.h"
#include "hl7/detail/escape_sequence.h"
#include "hl7/dictionary/dictionary.h"
#include "hl7/escape.h"
#include "hl7/structure.h"
#include "hl7/xml.h"

namespace kiln::hl7 {
namespace {

using detail::read_sequence;
using detail::Sequence;
using detail::SequenceKind;

bool is_xml_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  return !name.empty() && letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\n' && c != '\r';
}

class Writer {
 public:
  Writer(const Message& message, const XmlWriteOptions& options)
      : message_(message), options_(options), rules_(message.text_rules()), dictionary_(Version::v2_5_1) {}

  std::string run() {
    std::vector<std::uint32_t> ids(message_.segment_count());
    for (std::uint32_t i = 0; i < ids.size(); ++i) ids[i] = message_.segment(i).id();
    choose(ids);
    match(structure_, ids, tree_);
    if (options_.declaration) out_ += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    out_ += "<" + root_ + " xmlns=\"urn:hl7-org:v2xml\">";
    depth_ = 1;
    for (std::uint32_t i = 0; i < ids.size(); ++i) {
      move_to(tree_.placements()[i].instance);
      write_segment(message_.segment(i));
    }
    move_to(0);
    depth_ = 0;
    line();
    out_ += "</" + root_ + ">";
    if (options_.pretty) out_ += '\n';
    return std::move(out_);
  }

 private:
  void choose(const std::vector<std::uint32_t>& ids) {
    const FieldView type = message_.field("MSH", 9);
    const std::string code = type.component(1).to_text(), trigger = type.component(2).to_text(),
                      structure = type.component(3).to_text(), version = message_.field("MSH", 12).to_text();
    const StructureChoice choice = choose_structure({code, trigger, structure, version}, ids);
    structure_ = choice.structure;
    dictionary_ = Dictionary(choice.version);
    root_ = structure_ != nullptr ? std::string(structure_->id()) : structure;
    if (!is_xml_name(root_)) root_ = trigger.empty() ? code : code + "_" + trigger;
    if (!is_xml_name(root_)) root_ = "MESSAGE";
  }

  /// Closes and opens group elements so that `to` is the innermost open one. Instances have no gaps.
  void move_to(std::uint32_t to) {
    std::vector<std::uint32_t> wanted;
    for (std::uint32_t at = to; at != 0; at = tree_.instances()[at].parent) wanted.push_back(at);
    std::reverse(wanted.begin(), wanted.end());
    std::size_t same = 0;
    while (same < open_.size() && same < wanted.size() && open_[same] == wanted[same]) ++same;
    while (open_.size() > same) {
      --depth_;
      line();
      out_ += "</" + group_name(open_.back()) + ">";
      open_.pop_back();
    }
    for (; same < wanted.size(); ++same) {
      line();
      out_ += "<" + group_name(wanted[same]) + ">";
      open_.push_back(wanted[same]);
      ++depth_;
    }
  }

  std::string group_name(std::uint32_t instance) const {
    return root_ + "." + std::string(structure_->nodes()[tree_.instances()[instance].node].name);
  }

  void line() {
    if (!options_.pretty) return;
    out_ += '\n';
    out_.append(2 * depth_, ' ');
  }

  void write_segment(const SegmentView& segment) {
    line();
    if (segment.id() == 0) {
      out_ += "<line xmlns=\"urn:kiln:hl7v2\" V=\"" + base::base64_encode(segment.raw()) + "\"/>";
      return;
    }
    const std::string name = segment_name(segment.id());
    const auto definition = dictionary_.segment(name);
    out_ += "<" + name;
    const std::size_t before = out_.size();
    out_ += '>';
    ++depth_;
    for (std::uint32_t n = 1; n <= segment.field_count(); ++n)
      write_field(segment, segment.field(n), name + "." + std::to_string(n),
                  definition ? definition->field(n) : std::nullopt);
    --depth_;
    close(name, before);
  }

  /// Ends the element whose start tag ends at `start`; an empty one becomes <NAME/>.
  void close(const std::string& name, std::size_t start) {
    if (out_.size() == start + 1) {
      out_.resize(start);
      out_ += "/>";
      leaf_ = false;
      return;
    }
    if (!leaf_) line();
    leaf_ = false;
    out_ += "</" + name + ">";
  }

  std::string datatype_of(const SegmentView& segment, const std::optional<FieldDef>& field) const {
    if (!field) return {};
    std::string type(field->datatype);
    if (type != "varies") return type;
    // Where the type of a field stands in the message (std 2.10.4 and chapter 8).
    if (segment.id() == segment_id("OBX") && field->position == 5) return segment.field(2).to_text();
    if (segment.id() == segment_id("MFE") && field->position == 4) return segment.field(5).to_text();
    return {};
  }

  void write_field(const SegmentView& segment, const FieldView& field, const std::string& name,
                   const std::optional<FieldDef>& definition) {
    if (field.raw().empty()) return;
    if (field.verbatim()) {
      line();
      out_ += "<" + name + ">";
      write_text(valid(field.raw()));
      out_ += "</" + name + ">";
      return;
    }
    const std::string type = datatype_of(segment, definition);
    std::uint32_t last = 0, count = 0;
    for (const RepetitionView repetition : field.repetitions()) {
      ++count;
      if (!repetition.absent()) last = count;
    }
    std::uint32_t n = 0;
    for (const RepetitionView repetition : field.repetitions()) {
      if (++n > last) break;
      write_part(repetition, name, type);
    }
  }

  static PieceRange<ComponentView> parts_of(const RepetitionView& part) { return part.components(); }
  static PieceRange<LeafView> parts_of(const ComponentView& part) { return part.subs(); }
  static bool has_parts(const ComponentView& part) { return part.sub_count() > 1; }
  static bool has_parts(const RepetitionView& part) {
    return part.component_count() > 1 || has_parts(part.component(1));
  }

  /// A repetition or a component, and what is in it.
  template <class View>
  void write_part(const View& part, const std::string& name, const std::string& type) {
    line();
    out_ += "<" + name;
    const std::size_t start = out_.size();
    out_ += '>';
    const auto definition = dictionary_.datatype(type);
    const bool composite = definition && !definition->primitive();
    if (!composite && !has_parts(part)) {
      write_leaf(part.leaf());
      leaf_ = true;
      return close(name, start);
    }
    ++depth_;
    std::uint32_t n = 0;
    for (const auto below : parts_of(part)) {
      ++n;
      if (below.absent()) continue;
      const std::string inner = (composite ? type : name) + "." + std::to_string(n);
      if constexpr (std::is_same_v<View, RepetitionView>) {
        const auto element = definition ? definition->component(n) : std::nullopt;
        write_part(below, inner, element ? std::string(element->datatype) : std::string());
      } else {
        line();
        out_ += "<" + inner + ">";
        write_leaf(below);
        out_ += "</" + inner + ">";
      }
    }
    --depth_;
    close(name, start);
  }

  /// Runs of text and character escapes are decoded together; what stays a sequence is an element.
  void write_leaf(const LeafView& leaf) {
    const std::string_view raw = leaf.raw();
    if (leaf.is_null()) return write_text(raw);
    const char escape = rules_.delimiters.escape;
    std::string run, switched;
    prefix_.clear();
    std::size_t at = 0;
    while (at < raw.size()) {
      const std::size_t next = escape == '\0' ? raw.npos : raw.find(escape, at);
      run += raw.substr(at, std::min(next, raw.size()) - at);
      if (next == raw.npos) break;
      const Sequence sequence = read_sequence(raw.substr(next), rules_.delimiters);
      const std::string_view whole = raw.substr(next, sequence.size);
      at = next + sequence.size;
      if (stays_sequence(sequence)) {
        write_run(run, switched);
        write_escape(whole.substr(1, whole.size() - 2));
        continue;
      }
      if (sequence.kind == SequenceKind::switch_set) switched = whole;
      run += whole;
    }
    write_run(run, switched);
  }

  static bool stays_sequence(const Sequence& sequence) {
    switch (sequence.kind) {
      case SequenceKind::bad_hex:
      case SequenceKind::format:
      case SequenceKind::local:
      case SequenceKind::unknown:
        return true;
      case SequenceKind::hex:
        return hex_stays(sequence.body);
      case SequenceKind::delimiter:
      case SequenceKind::switch_set:
      case SequenceKind::stray:
        return false;
    }
    return false;
  }

  /// Control characters cannot stand in XML or would not come back as they were, and `""` would be the null.
  static bool hex_stays(std::string_view digits) {
    if (digits == "2222") return true;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
      if (detail::hex_digit(digits[i]) < 2) return true;
    return false;
  }

  /// `switched` is the last change of character set before what follows the run.
  void write_run(std::string& run, const std::string& switched) {
    if (run.empty()) return;
    const std::string text = decode(prefix_ + run, rules_);
    prefix_ = switched;
    run.clear();
    write_text(text == "\"\"" ? std::string_view() : std::string_view(text));
    if (text == "\"\"") write_escape("X2222");
  }

  void write_escape(std::string_view body) {
    out_ += "<escape V=\"";
    write_text(valid(body));
    out_ += "\"/>";
  }

  static std::string valid(std::string_view bytes) {
    std::string out(bytes.size() * 3, '\0');
    out.resize(Charset::utf8().to_utf8(bytes, out.data()));
    return out;
  }

  void write_text(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '&') {
        out_ += "&amp;";
      } else if (c == '<') {
        out_ += "&lt;";
      } else if (c == '>') {
        out_ += "&gt;";
      } else if (c == '"') {
        out_ += "&quot;";
      } else if (c == '\t' || c == '\n' || c == '\r') {
        out_ += "&#" + std::to_string(static_cast<int>(c)) + ";";
      } else if (is_control(c)) {
        out_ += "<escape V=\"X" + base::upper_ascii(base::hex({&c, 1})) + "\"/>";
      } else if (text.substr(i, 2) == "\xEF\xBF" && i + 2 < text.size() &&
                 static_cast<unsigned char>(text[i + 2]) >= 0xBE) {
        out_ += "\xEF\xBF\xBD";  // U+FFFE and U+FFFF are no characters of XML
        i += 2;
      } else {
        out_ += c;
      }
    }
  }

  const Message& message_;
  const XmlWriteOptions& options_;
  const TextRules rules_;
  Dictionary dictionary_;
  const Structure* structure_ = nullptr;
  GroupTree tree_;
  std::string root_;
  std::vector<std::uint32_t> open_;  ///< group instances, outermost first
  std::size_t depth_ = 0;
  bool leaf_ = false;   ///< the element to close holds text
  std::string prefix_;  ///< of a leaf: the change of character set in force before the next run
  std::string out_;
};

}  // namespace

std::string to_xml(const Message& message, const XmlWriteOptions& options) {
  return Writer(message, options).run();
}

}  // namespace kiln::hl7
