#include "hl7/ack.h"

#include <algorithm>
#include <array>

#include "engine/base/limits.h"
#include "hl7/builder.h"

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

/// Writes one ACK. Values of the source are taken over as bytes where the delimiters are the same, so the
/// whole is in the source's character set; own texts are turned into it.
class AckWriter {
 public:
  AckWriter(const Message& source, const AckInput& input, const Delimiters& delimiters)
      : source_(source), input_(input), builder_(delimiters) {
    header_ = source.header();
    from_msh_ = header_.id() == segment_id("MSH");
    std::string buffer;
    version_ = from_msh_ ? read_version(header_.field(12).text(buffer)) : kVersionUnknown;
  }

  /// False when a value that must be there cannot be written with these delimiters.
  bool write() {
    write_header();
    write_msa();
    write_errors();
    return complete_;
  }

  std::string print() const { return builder_.print(); }

 private:
  void write_header() {
    SegmentBuilder& msh = builder_.add("MSH");
    take(msh, 3, 5);
    take(msh, 4, 6);
    take(msh, 5, 3);
    take(msh, 6, 4);
    required(msh.set(7, input_.time.print_hl7()));
    write_type(msh);
    required(msh.set(10, own(input_.control_id)));
    if (from_msh_) {
      take(msh, 11, 11);
      take(msh, 12, 12);
    } else {
      required(msh.set(11, "P"));
      required(msh.set(12, "2.5.1"));
    }
    if (!input_.accept_request.empty()) {
      required(msh.set(15, own(input_.accept_request)));
      required(msh.set(16, "NE"));
    }
    if (from_msh_) take(msh, 18, 18);
  }

  void write_type(SegmentBuilder& msh) {
    required(msh.set(9, "ACK"));
    if (version_ < version(2, 2, 0)) return;
    std::string buffer;
    const std::string_view event =
        from_msh_ ? header_.field(9).component(2).text(buffer) : std::string_view();
    optional(msh.set_component(9, 1, 2, own(event)));
    if (version_ >= version(2, 3, 1)) optional(msh.set_component(9, 1, 3, "ACK"));
  }

  void write_msa() {
    SegmentBuilder& msa = builder_.add("MSA");
    required(msa.set(1, name_of(input_.code)));
    take(msa, 2, from_msh_ ? 10 : 11);
    if (version_ < version(2, 7, 0)) {
      const bool from_error = input_.text.empty() && !input_.errors.empty();
      optional(msa.set(3, own(from_error ? input_.errors.front().text : input_.text)));
    }
    optional(msa.set(4, own(input_.expected_sequence)));
  }

  void write_errors() {
    const std::size_t count = std::min(input_.errors.size(), base::limits::kAckErrorsMax);
    if (count == 0) return;
    if (version_ >= version(2, 5, 0)) {
      for (std::size_t i = 0; i < count; ++i) write_error(builder_.add("ERR"), input_.errors[i]);
      return;
    }
    // Before 2.5 the acknowledgement holds one ERR, whose only field repeats.
    SegmentBuilder& err = builder_.add("ERR");
    for (std::uint32_t i = 0; i < count; ++i) write_old_error(err, i + 1, input_.errors[i]);
  }

  void write_error(SegmentBuilder& err, const AckError& error) {
    if (!error.segment.empty()) {
      optional(err.set_component(2, 1, 1, own(error.segment)));
      const std::uint32_t place[] = {error.sequence, error.field, error.repetition, error.component,
                                     error.subcomponent};
      for (std::uint32_t i = 0; i < 5; ++i) {
        if (place[i] != 0) optional(err.set_component(2, 1, i + 2, std::to_string(place[i])));
      }
    }
    optional(err.set_component(3, 1, 1, std::to_string(error.code)));
    optional(err.set_component(3, 1, 2, text_of_0357(error.code)));
    optional(err.set_component(3, 1, 3, "HL70357"));
    optional(err.set(4, std::string_view(&error.severity, 1)));
    optional(err.set(5, own(error.application_code)));
    optional(err.set(7, own(error.text)));
    optional(err.set(8, own(error.user_text)));
  }

  void write_old_error(SegmentBuilder& err, std::uint32_t repetition, const AckError& error) {
    if (!error.segment.empty()) {
      optional(err.set_component(1, repetition, 1, own(error.segment)));
      if (error.sequence != 0) optional(err.set_component(1, repetition, 2, std::to_string(error.sequence)));
      if (error.field != 0) optional(err.set_component(1, repetition, 3, std::to_string(error.field)));
    }
    optional(err.set(1, repetition, 4, 1, std::to_string(error.code)));
    optional(err.set(1, repetition, 4, 2, text_of_0357(error.code)));
    optional(err.set(1, repetition, 4, 3, "HL70357"));
  }

  void take(SegmentBuilder& to, std::uint32_t field, std::uint32_t source_field) {
    const FieldView source = header_.field(source_field);
    const std::string_view raw = source.raw();
    const bool control =
        std::any_of(raw.begin(), raw.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
    if (!control && source_.delimiters() == builder_.delimiters()) {
      required(to.set_raw(field, raw));
      return;
    }
    std::string buffer;
    std::uint32_t c = 0;
    for (const ComponentView component : source.repetition(1).components()) {
      ++c;
      std::uint32_t s = 0;
      for (const LeafView leaf : component.subs()) {
        required(to.set(field, 1, c, ++s, own(leaf.text(buffer)), TextKind::hl7_text));
      }
    }
  }

  std::string own(std::string_view text) const {
    auto bytes = from_utf8(text, source_.charset(), Unencodable::replace);
    return bytes ? std::move(*bytes) : std::string(text);
  }

  void required(const base::Status& status) { complete_ = complete_ && status.has_value(); }
  static void optional(const base::Status& status) { static_cast<void>(status); }

  const Message& source_;
  const AckInput& input_;
  MessageBuilder builder_;
  SegmentView header_;
  bool from_msh_ = true;
  int version_ = kVersionUnknown;
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
  if (writer.write()) return writer.print();
  AckWriter standard(message, input, Delimiters{});
  standard.write();
  return standard.print();
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
