#include "hl7/ack.h"

#include <algorithm>
#include <array>

#include "engine/base/limits.h"
#include "hl7/charset.h"
#include "hl7/escape.h"

namespace kiln::hl7 {
namespace {

using base::ErrorCode;

constexpr std::array<std::string_view, 6> kCodes = {"AA", "AE", "AR", "CA", "CE", "CR"};

std::string_view text_of_0357(int code) {
  switch (code) {
    case 0:
      return "Message accepted";
    case 100:
      return "Segment sequence error";
    case 101:
      return "Required field missing";
    case 102:
      return "Data type error";
    case 103:
      return "Table value not found";
    case 104:
      return "Value too long";
    case 198:
      return "Non-Conformant Cardinality";
    case 199:
      return "Other HL7 Error";
    case 200:
      return "Unsupported message type";
    case 201:
      return "Unsupported event code";
    case 202:
      return "Unsupported processing id";
    case 203:
      return "Unsupported version id";
    case 204:
      return "Unknown key identifier";
    case 205:
      return "Duplicate key identifier";
    case 206:
      return "Application record locked";
    default:
      return "Application internal error";
  }
}

constexpr int version(int major, int minor, int patch) {
  return major * 10'000 + minor * 100 + patch;
}
constexpr int kVersionUnknown = version(2, 5, 1);

/// "2.3.1" and what starts like it; anything else counts as a current version.
int read_version(std::string_view text) {
  int parts[3] = {0, 0, 0};
  std::size_t at = 0, part = 0;
  bool digits = false;
  while (at < text.size() && text[at] == ' ') ++at;
  for (; at < text.size() && part < 3; ++at) {
    if (text[at] >= '0' && text[at] <= '9') {
      parts[part] = std::min(99, parts[part] * 10 + (text[at] - '0'));
      digits = true;
    } else if (text[at] == '.' && digits) {
      ++part;
    } else {
      break;
    }
  }
  return parts[0] == 0 ? kVersionUnknown : version(parts[0], parts[1], parts[2]);
}

bool ascii_only(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7F; });
}

/// Writes one ACK from left to right into one buffer. Values of the source are taken over as bytes where the
/// delimiters are the same, so the whole is in the source's character set; own texts are turned into it.
class AckWriter {
 public:
  AckWriter(const Message& source, const AckInput& input, const Delimiters& delimiters)
      : source_(source),
        input_(input),
        delimiters_(delimiters),
        same_delimiters_(source.delimiters() == delimiters),
        header_(source.header()),
        from_msh_(header_.id() == kMsh) {
    std::string buffer;
    version_ = from_msh_ ? read_version(header_.field(12).text(buffer)) : kVersionUnknown;
    out_.reserve(kUsualBytes + 2 * header_.raw().size());
  }

  /// False when a value that must be there cannot be written with these delimiters.
  bool write() {
    write_header();
    write_msa();
    write_errors();
    out_ += '\r';
    return complete_;
  }

  std::string take() { return source_.converted() ? source_.as_received(out_) : std::move(out_); }

 private:
  static constexpr std::uint32_t kMsh = segment_id("MSH");
  static constexpr std::size_t kUsualBytes = 160;
  struct Place {
    std::uint32_t field = 0, repetition = 1, component = 1, subcomponent = 1;
  };

  void write_header() {
    out_ += "MSH";
    out_ += delimiters_.field;
    for (const char c : {delimiters_.component, delimiters_.repetition, delimiters_.escape,
                         delimiters_.subcomponent, delimiters_.truncation}) {
      if (c == '\0') break;
      out_ += c;
    }
    at_ = {2};
    take(3, 5);
    take(4, 6);
    take(5, 3);
    take(6, 4);
    required(put({7}, input_.time.print_hl7()));
    write_type();
    required(put({10}, input_.control_id));
    if (from_msh_) {
      take(11, 11);
      take(12, 12);
    } else {
      required(put({11}, "P"));
      required(put({12}, "2.5.1"));
    }
    if (!input_.accept_request.empty()) {
      required(put({15}, input_.accept_request));
      required(put({16}, "NE"));
    }
    if (from_msh_) take(18, 18);
  }

  void write_type() {
    const MessageType& type = input_.type;
    const bool own_type = !type.code.empty();
    required(put({9}, own_type ? std::string_view(type.code) : "ACK"));
    if (version_ < version(2, 2, 0)) return;
    std::string buffer;
    const std::string_view event =
        from_msh_ ? header_.field(9).component(2).text(buffer) : std::string_view();
    put({9, 1, 2}, own_type ? std::string_view(type.trigger) : event);
    if (version_ >= version(2, 3, 1)) put({9, 1, 3}, own_type ? std::string_view(type.structure) : "ACK");
  }

  void write_msa() {
    segment("MSA");
    required(put({1}, name_of(input_.code)));
    take(2, from_msh_ ? 10 : 11);
    if (version_ < version(2, 7, 0)) {
      const bool from_error = input_.text.empty() && !input_.errors.empty();
      put({3}, from_error ? input_.errors.front().text : input_.text);
    }
    put({4}, input_.expected_sequence);
  }

  void write_errors() {
    const std::size_t count = std::min(input_.errors.size(), base::limits::kAckErrorsMax);
    if (count == 0) return;
    if (version_ >= version(2, 5, 0)) {
      for (std::size_t i = 0; i < count; ++i) write_error(input_.errors[i]);
      return;
    }
    // Before 2.5 the acknowledgement holds one ERR, whose only field repeats.
    segment("ERR");
    for (std::uint32_t i = 0; i < count; ++i) write_old_error(i + 1, input_.errors[i]);
  }

  void write_error(const AckError& error) {
    segment("ERR");
    if (!error.segment.empty()) {
      put({2, 1, 1}, error.segment);
      const std::uint32_t place[] = {error.sequence, error.field, error.repetition, error.component,
                                     error.subcomponent};
      for (std::uint32_t i = 0; i < 5; ++i) {
        if (place[i] != 0) put({2, 1, i + 2}, std::to_string(place[i]));
      }
    }
    put({3, 1, 1}, std::to_string(error.code));
    put({3, 1, 2}, text_of_0357(error.code));
    put({3, 1, 3}, "HL70357");
    put({4}, std::string_view(&error.severity, 1));
    put({5, 1, 1}, error.application_code);
    put({7}, error.text);
    put({8}, error.user_text);
  }

  void write_old_error(std::uint32_t repetition, const AckError& error) {
    if (!error.segment.empty()) {
      put({1, repetition, 1}, error.segment);
      if (error.sequence != 0) put({1, repetition, 2}, std::to_string(error.sequence));
      if (error.field != 0) put({1, repetition, 3}, std::to_string(error.field));
    }
    put({1, repetition, 4, 1}, std::to_string(error.code));
    put({1, repetition, 4, 2}, text_of_0357(error.code));
    put({1, repetition, 4, 3}, "HL70357");
  }

  /// Field `source_field` of the source's header.
  void take(std::uint32_t field, std::uint32_t source_field) {
    const FieldView source = header_.field(source_field);
    const std::string_view raw = source.raw();
    if (raw.empty()) return;
    const bool control =
        std::any_of(raw.begin(), raw.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
    if (!control && same_delimiters_) {
      go_to({field});
      out_ += raw;
      return;
    }
    std::string buffer;
    std::uint32_t c = 0;
    for (const ComponentView component : source.repetition(1).components()) {
      ++c;
      std::uint32_t s = 0;
      for (const LeafView leaf : component.subs()) {
        required(put({field, 1, c, ++s}, leaf.text(buffer), TextKind::hl7_text));
      }
    }
  }

  void segment(std::string_view name) {
    out_ += '\r';
    out_ += name;
    at_ = {};
  }

  /// Writes UTF-8 text at a place behind the last one. False, and nothing is written, when these delimiters
  /// cannot.
  bool put(const Place& place, std::string_view text, TextKind kind = TextKind::plain) {
    if (text.empty()) return true;
    const std::size_t before = out_.size();
    const Place old = at_;
    if (go_to(place)) {
      if (ascii_only(text) || source_.charset().is_utf8() || source_.converted()) {
        if (encode(text, delimiters_, kind, out_)) return true;
      } else {
        const auto bytes = from_utf8(text, source_.charset(), Unencodable::replace);
        if (encode(bytes ? std::string_view(*bytes) : text, delimiters_, kind, out_)) return true;
      }
    }
    out_.resize(before);
    at_ = old;
    return false;
  }

  /// Appends the delimiters up to `place`. False when a level is needed that does not exist.
  bool go_to(const Place& place) {
    const auto advance = [&](std::uint32_t& from, std::uint32_t to, char delimiter) {
      const bool possible = to <= from || delimiter != '\0';
      if (to > from && possible) out_.append(to - from, delimiter);
      const bool moved = to > from;
      from = std::max(from, to);
      return std::pair(possible, moved);
    };
    const auto [field_possible, new_field] = advance(at_.field, place.field, delimiters_.field);
    if (new_field) at_ = {place.field};
    const auto [repetition_possible, new_repetition] =
        advance(at_.repetition, place.repetition, delimiters_.repetition);
    if (new_repetition) at_.component = at_.subcomponent = 1;
    const auto [component_possible, new_component] =
        advance(at_.component, place.component, delimiters_.component);
    if (new_component) at_.subcomponent = 1;
    const auto [subcomponent_possible, unused] =
        advance(at_.subcomponent, place.subcomponent, delimiters_.subcomponent);
    static_cast<void>(unused);
    return field_possible && repetition_possible && component_possible && subcomponent_possible;
  }

  void required(bool written) { complete_ = complete_ && written; }

  const Message& source_;
  const AckInput& input_;
  const Delimiters delimiters_;
  const bool same_delimiters_;
  const SegmentView header_;
  const bool from_msh_;
  int version_ = kVersionUnknown;
  std::string out_;
  Place at_;
  bool complete_ = true;
};

AckCondition condition(const FieldView& field, AckCondition empty_is, bool& unknown) {
  if (!field.leaf().valued()) return empty_is;
  std::string buffer;
  const std::string_view code = field.text(buffer);
  if (code == "NE") return AckCondition::never;
  if (code == "ER") return AckCondition::on_error;
  if (code == "SU") return AckCondition::on_success;
  unknown |= code != "AL";
  return AckCondition::always;
}

}  // namespace

std::string_view name_of(AckCode code) {
  return kCodes[static_cast<std::size_t>(code)];
}

std::optional<AckCode> ack_code(std::string_view name) {
  const auto found = std::find(kCodes.begin(), kCodes.end(), name);
  if (found == kCodes.end()) return std::nullopt;
  return static_cast<AckCode>(found - kCodes.begin());
}

AckError ack_error(const base::Error& error, const Message* message, const Location& location) {
  AckError out;
  out.code = error.info().hl7_0357;
  out.text = error.text.empty() ? error.info().text : error.text;
  if (message == nullptr) return out;
  const SegmentView segment = message->segment(location.segment);
  out.segment = segment_name(segment.id());
  out.sequence = segment.occurrence();
  out.field = location.field;
  out.repetition = location.repetition;
  out.component = location.component;
  out.subcomponent = location.subcomponent;
  return out;
}

std::string make_ack(const Message& message, const AckInput& input) {
  AckWriter writer(message, input, message.delimiters());
  if (writer.write()) return writer.take();
  AckWriter standard(message, input, Delimiters{});
  standard.write();
  return standard.take();
}

AckDemand ack_demand(const Message& message, AckCondition empty_is) {
  const FieldView accept = message.header().field(15), application = message.header().field(16);
  AckDemand demand;
  if (!accept.leaf().valued() && !application.leaf().valued()) return demand;
  demand.mode = AckMode::enhanced;
  demand.accept = condition(accept, empty_is, demand.unknown_condition);
  demand.application = condition(application, empty_is, demand.unknown_condition);
  return demand;
}

bool may_acknowledge(const Message& message) {
  std::string buffer;
  if (message.header().field(9).text(buffer) == "ACK") return false;
  return !message.find("MSA").exists() || message.header().field(15).text(buffer) == "AL";
}

}  // namespace kiln::hl7
