#include "hl7/anonymize.h"

#include <algorithm>
#include <array>

#include "engine/base/partial_date.h"
#include "engine/base/text.h"
#include "hl7/detail/anonymize_rules.h"
#include "hl7/dictionary/dictionary.h"
#include "hl7/escape.h"

namespace kiln::hl7 {
namespace {

using base::PartialDate;
using detail::Action;

constexpr std::string_view kRedacted = "REDACTED";
constexpr std::string_view kRedactedBase64 = "UkVEQUNURUQ=";
constexpr int kAgeMax = 89;  ///< years; older births would single people out

/// Days since 1970-01-01 of a date, and back (proleptic Gregorian).
std::int64_t days_of(int year, unsigned month, unsigned day) {
  const int y = month <= 2 ? year - 1 : year;
  const int era = (y >= 0 ? y : y - 399) / 400;
  const auto of_era = static_cast<unsigned>(y - era * 400);
  const unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return std::int64_t{era} * 146'097 + (of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719'468;
}

void set_days(PartialDate& date, std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
  const unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned month = (5 * of_year + 2) / 153;
  date.day = static_cast<std::uint8_t>(of_year - (153 * month + 2) / 5 + 1);
  date.month = static_cast<std::uint8_t>(month < 10 ? month + 3 : month - 9);
  date.year =
      static_cast<std::int16_t>(static_cast<std::int64_t>(year_of_era) + era * 400 + (date.month <= 2));
}

std::string patient_of(const SegmentView& pid) {
  for (const std::uint32_t field : {3u, 2u}) {
    const std::string id = pid.field(field).component(1).to_text();
    if (!id.empty()) return id;
  }
  return {};
}

/// Luhn, as chapter 2A has it for M10; weights 2 to 7 for M11. Empty when the id is no number or has none.
std::string check_digit(std::string_view scheme, std::string_view id) {
  if (id.empty() || id.find_first_not_of("0123456789") != id.npos) return {};
  int sum = 0;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const int digit = id[id.size() - 1 - i] - '0';
    if (scheme == "M11")
      sum += digit * (2 + static_cast<int>(i % 6));
    else
      sum += i % 2 == 0 ? (digit * 2) / 10 + (digit * 2) % 10 : digit;
  }
  const int check = scheme == "M11" ? (11 - sum % 11) % 11 : (10 - sum % 10) % 10;
  return check == 10 ? std::string() : std::to_string(check);
}

class Walk {
 public:
  Walk(const Message& message, const AnonymizeOptions& options, const detail::Pseudonyms& pseudonyms,
       AnonymizeReport& report)
      : message_(message),
        options_(options),
        pseudonyms_(pseudonyms),
        report_(report),
        dictionary_(nearest_version(message.field("MSH", 12).to_text()).version) {}

  base::Result<std::string> run() {
    use_patient(message_.find("PID"));
    const auto sent = PartialDate::parse_hl7(message_.header().field(7).to_text());
    if (sent) sent_year_ = sent->year;
    for (std::uint32_t i = 0; i < message_.segment_count(); ++i) {
      const SegmentView segment = message_.segment(i);
      if (segment.id() == segment_id("PID")) use_patient(segment);
      TRY_VOID(walk_segment(segment));
    }
    std::string out;
    const std::string& bytes = message_.bytes();
    std::size_t at = 0;
    for (const Edit& edit : edits_) {
      out.append(bytes, at, edit.begin - at);
      out += edit.text;
      at = edit.end;
    }
    out.append(bytes, at);
    // What is written is ASCII, so only a message that was converted on entry has to be turned back.
    if (!message_.converted()) return out;
    return from_utf8(out, message_.charset(), Unencodable::replace);
  }

 private:
  struct Edit {
    std::size_t begin, end;
    std::string text;
  };

  void use_patient(const SegmentView& pid) {
    std::string patient = patient_of(pid);
    if (patient.empty()) patient = message_.header().field(10).to_text();
    days_back_ = pseudonyms_.days_back(patient);
  }

  base::Status walk_segment(const SegmentView& segment) {
    const std::string name = segment_name(segment.id());
    const auto definition = dictionary_.segment(name);
    if (!definition || name.starts_with('Z')) return walk_local(segment, name.empty() ? "line" : name);
    for (std::uint32_t n = 1; n <= segment.field_count(); ++n) {
      const FieldView field = segment.field(n);
      if (field.verbatim() || field.absent()) continue;
      const auto part = definition->field(n);
      if (!part && options_.local == AnonymizeLocal::remove) {
        edit(field, {}, name + "-" + std::to_string(n), AnonymizeRule::local);
        continue;
      }
      if (!part && options_.local == AnonymizeLocal::keep) continue;
      const std::string type = part ? datatype_of(segment, *part) : std::string();
      for (const RepetitionView repetition : field.repetitions())
        TRY_VOID(walk_repetition(repetition, name, n, type));
    }
    return {};
  }

  std::string datatype_of(const SegmentView& segment, const FieldDef& field) const {
    if (field.datatype != "varies") return std::string(field.datatype);
    if (segment.id() == segment_id("OBX")) return segment.field(2).to_text();
    return {};
  }

  base::Status walk_local(const SegmentView& segment, const std::string& name) {
    if (options_.local == AnonymizeLocal::keep) return {};
    if (options_.local == AnonymizeLocal::remove || segment.id() == 0) {
      const SegmentView next = message_.segment(segment.index() + 1);
      const std::size_t end = next.exists() ? next.offset() : message_.bytes().size();
      edits_.push_back({segment.offset(), end, {}});
      ++report_[{name, AnonymizeRule::local}];
      return {};
    }
    for (std::uint32_t n = 1; n <= segment.field_count(); ++n)
      for (const RepetitionView repetition : segment.field(n).repetitions())
        TRY_VOID(walk_repetition(repetition, name, n, {}));
    return {};
  }

  base::Status walk_repetition(const RepetitionView& repetition, const std::string& segment, std::uint32_t n,
                               const std::string& type) {
    const auto definition = dictionary_.datatype(type);
    const bool composite = definition && !definition->primitive();
    const std::string field = segment + "-" + std::to_string(n);
    // Asked once: counting for every leaf would make the work grow with the square of a field.
    const bool numbered = composite || repetition.component(2).located();
    std::uint32_t c = 0;
    for (const ComponentView component : repetition.components()) {
      ++c;
      const bool parted = component.sub(2).located();
      const auto part = composite ? definition->component(c) : std::nullopt;
      const std::string inner = part ? std::string(part->datatype) : composite ? std::string() : type;
      const auto below = composite ? dictionary_.datatype(inner) : std::nullopt;
      const bool deep = below && !below->primitive();
      std::uint32_t s = 0;
      for (const LeafView leaf : component.subs()) {
        ++s;
        if (!leaf.valued()) continue;
        const auto leaf_part = deep ? below->component(s) : std::nullopt;
        detail::Place place;
        place.field = field;
        place.outer = composite ? type : std::string();
        place.component = c;
        place.parent = deep ? inner : place.outer;
        place.position = deep ? s : c;
        place.type = deep ? (leaf_part ? std::string(leaf_part->datatype) : std::string()) : inner;
        std::string path = field;
        if (numbered) path += "." + std::to_string(c);
        if (deep && parted) path += "." + std::to_string(s);
        TRY_VOID(replace(leaf, repetition, place, path));
      }
    }
    return {};
  }

  base::Status replace(const LeafView& leaf, const RepetitionView& whole, const detail::Place& place,
                       const std::string& path) {
    const std::string text = leaf.to_text();
    Action action = detail::action_for(place, text, system_of(whole, place));
    if (action == Action::text && options_.text == AnonymizeText::keep) return {};
    if (action == Action::keep || base::trim(text).empty()) return {};
    std::string plain = replacement(action, text, whole, place);
    if (plain == text) return {};
    std::string raw;
    TRY_VOID(encode(plain, message_.delimiters(), TextKind::plain, raw));
    edit(leaf, std::move(raw), path, detail::rule_of(action, place));
    return {};
  }

  /// The coding system beside a code or its name; empty when there is none.
  static std::string system_of(const RepetitionView& whole, const detail::Place& place) {
    constexpr std::uint32_t kComponents = 22;  // of CWE; what stands behind them has no system
    if (!detail::is_coded(place.outer) || place.component > kComponents) return {};
    const std::uint32_t at = place.component <= 3 ? 3 : place.component <= 6 ? 6 : 12;
    return whole.component(at).to_text();
  }

  std::string replacement(Action action, const std::string& text, const RepetitionView& whole,
                          const detail::Place& place) const {
    switch (action) {
      case Action::name:
      case Action::organisation:
        return pseudonyms_.name(text);
      case Action::identifier:
      case Action::location:
        return pseudonyms_.identifier(text);
      case Action::check_digit: {
        const std::string scheme = whole.component(3).to_text();
        if (scheme == "M10" || scheme == "M11")
          return check_digit(scheme, pseudonyms_.identifier(whole.component(1).to_text()));
        return pseudonyms_.digits(text);
      }
      case Action::digits:
        return text.find('@') == text.npos ? contact(text)
                                           : pseudonyms_.name(base::lower_ascii(text)) + "@example.org";
      case Action::address:
        return address(text);
      case Action::date:
        return shifted(text, detail::is_birth(place.field));
      case Action::document:
        return base::equals_ignore_case(whole.component(4).to_text(), "Base64") ? std::string(kRedactedBase64)
                                                                                : std::string(kRedacted);
      case Action::text:
      case Action::keep:
        break;
    }
    return std::string(kRedacted);
  }

  /// Digits change; words beside them ("ext.") are not worth a risk.
  std::string contact(const std::string& text) const {
    const bool has_letters = std::any_of(text.begin(), text.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
    });
    return has_letters ? pseudonyms_.identifier(text) : pseudonyms_.digits(text);
  }

  /// "17 Lomu Street" -> "42 Graist": number and one invented word.
  std::string address(const std::string& text) const {
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    std::string out = pseudonyms_.digits(std::string_view(text).substr(0, digits));
    if (digits == text.size()) return out;
    return out + (digits == 0 ? "" : " ") + pseudonyms_.name(std::string_view(text).substr(digits));
  }

  std::string shifted(const std::string& text, bool birth) const {
    auto date = PartialDate::parse_hl7(text);
    if (!date) return text.find_first_not_of('0') == text.npos ? text : pseudonyms_.digits(text);
    if (birth && sent_year_ != 0 && sent_year_ - date->year > kAgeMax)
      date->year = static_cast<std::int16_t>(sent_year_ - kAgeMax - 1);
    if (date->precision == base::DatePrecision::year) return date->print_hl7();
    const unsigned day = date->precision == base::DatePrecision::month ? 15 : date->day;
    set_days(*date, days_of(date->year, date->month, day) - days_back_);
    return date->print_hl7();
  }

  void edit(const Piece& piece, std::string text, const std::string& path, AnonymizeRule rule) {
    edits_.push_back({piece.offset(), piece.end_offset(), std::move(text)});
    ++report_[{path, rule}];
  }

  const Message& message_;
  const AnonymizeOptions& options_;
  const detail::Pseudonyms& pseudonyms_;
  AnonymizeReport& report_;
  Dictionary dictionary_;
  int days_back_ = 1;
  int sent_year_ = 0;
  std::vector<Edit> edits_;  ///< in order of bytes
};

}  // namespace

std::string_view name_of(AnonymizeRule rule) {
  static constexpr std::array<std::string_view, 10> kNames = {"name", "identifier",   "address",  "contact",
                                                              "date", "organisation", "location", "document",
                                                              "text", "local"};
  return kNames[static_cast<std::size_t>(rule)];
}

Anonymizer::Anonymizer(AnonymizeOptions options) : options_(std::move(options)), pseudonyms_(options_.key) {}

base::Result<std::string> Anonymizer::apply(const Message& message, AnonymizeReport& report) const {
  return Walk(message, options_, pseudonyms_, report).run();
}

}  // namespace kiln::hl7
