// The one walk over a message: structure, then every field that is there, then those that should be.

#include <algorithm>

#include "hl7/validation/check.h"

namespace kiln::hl7 {

namespace detail {

namespace {

constexpr std::uint32_t kObx = segment_id("OBX"), kMfe = segment_id("MFE");

/// What stands in a field whose type another field names (std 2.A: varies).
std::uint32_t type_field(std::uint32_t segment, std::uint32_t field) {
  if (segment == kObx && field == 5) return 2;
  if (segment == kMfe && field == 4) return 5;
  return 0;
}

bool is_null(const Piece& piece) {
  const std::string_view raw = piece.raw();
  return raw.size() == 2 && raw[0] == '"' && raw[1] == '"';
}

class Walk {
 public:
  explicit Walk(Check& check) : check_(check), delimiters_(check.message.delimiters()) {}

  void run() {
    check_structure(check_);
    if (check_.rules.profile() != nullptr) header(*check_.rules.profile());
    for (std::uint32_t i = 0; i < check_.message.segment_count(); ++i) {
      // A receiver ignores a segment that has no place (std 2.5.2).
      const bool unplaced = check_.report.tree.placements()[i].placing == Placing::unplaced;
      if (unplaced && check_.report.choice.structure != nullptr) continue;
      segment_ = check_.message.segment(i);
      if (const SegmentRules* rules = rules_of(i)) fields(*rules);
    }
  }

 private:
  /// Whether the message is of the kind the profile is about.
  void header(const Profile& profile) {
    const SegmentView msh = check_.message.header();
    const auto differs = [&](std::uint32_t field, std::uint32_t component, const auto& allowed) {
      const ComponentView part = msh.field(field).component(component);
      if (part.absent() || allowed(part.text(check_.buffer))) return;
      check_.add(RuleKind::constant, {msh.index(), field, 1, component, 0}, part.offset(),
                 "not what the profile is about", profile.name);
    };
    differs(9, 2, [&](std::string_view event) {
      const auto& events = profile.events;
      return events.empty() || std::find(events.begin(), events.end(), event) != events.end();
    });
    differs(9, 3, [&](std::string_view id) { return profile.structure.empty() || id == profile.structure; });
    differs(12, 1, [&](std::string_view text) { return text == version_text(profile.version); });
  }

  const SegmentRules* rules_of(std::uint32_t index) const {
    const auto nodes = check_.rules.nodes();
    const Placement& placed = check_.report.tree.placements()[index];
    if (placed.node != kNoNode && !nodes.empty() && nodes[placed.node].segment != 0)
      return &check_.rules.segment_at(nodes[placed.node].segment - 1);
    return check_.rules.find_segment(segment_.id());
  }

  void fields(const SegmentRules& rules) {
    // Field n lies behind separator n; in a header the first separator is a field itself.
    const auto separators = segment_.separators();
    const std::uint32_t last = segment_.field_count();
    const bool header = last >= separators.size();
    for (std::uint32_t i = 0; i + 1 < separators.size(); ++i) {
      if (separators[i + 1] - separators[i] == 1) continue;
      const std::uint32_t n = i + (header ? 2 : 1);
      const FieldView view = segment_.field(n);
      if (view.verbatim()) continue;
      if (n > rules.count) {
        if (!is_absent(view)) {
          check_.add(RuleKind::undefined, {segment_.index(), n, 0, 0, 0}, view.offset(),
                     "a field that the segment does not have", rules.title);
          break;
        }
        continue;
      }
      field(check_.rules.element(rules.first + n - 1), view, n);
    }
    for (const std::uint16_t n : rules.wanted) {
      const std::size_t i = n - (header ? 2u : 1u);  // of MSH-1, which is always there, a number beyond
      const bool empty = i + 1 >= separators.size() || separators[i + 1] - separators[i] == 1;
      const bool begins_empty = !empty && is_delimiter(check_.message.bytes()[separators[i] + 1]);
      if ((empty || begins_empty) && !(header && n == 1))
        wanted(check_.rules.element(rules.first + n - 1u), n);
    }
    check_segment_rule(check_, segment_);
  }

  /// What must be looked at although it may not be there.
  void wanted(const Element& element, std::uint32_t n) {
    const FieldView view = segment_.field(n);
    if (!is_absent(view)) return;
    const auto ends = segment_.separators();
    const std::uint32_t offset = view.located() ? view.offset()
                                 : ends.empty() ? segment_.offset()
                                                : ends.back();
    check_presence(check_, element, view, {segment_.index(), n, 0, 0, 0}, offset);
  }

  void field(const Element& element, const FieldView& view, std::uint32_t n) {
    Location at{segment_.index(), n, 1, 0, 0};
    if (is_absent(view)) return;
    if (!present(element, view, {segment_.index(), n, 0, 0, 0})) return;
    Element varying;
    const Element* rules = &element;
    if (element.varies) {
      rules = varying_type(element, n, varying);
      if (rules == nullptr) return;
    }
    std::uint32_t count = 0;
    for (const RepetitionView repetition : view.repetitions()) {
      at.repetition = ++count;
      if (!repetition.raw().empty() && !is_null(repetition)) part(*rules, repetition, at);
    }
    if (count > element.repetition_max || count < element.repetition_min)
      check_repetitions(check_, element, view, count, at);
  }

  /// An element that is there: whether there is something to look into.
  bool present(const Element& element, const Piece& piece, const Location& at) {
    if (is_null(piece)) return false;
    if (element.usage != Usage::not_supported && element.usage != Usage::withdrawn &&
        element.condition == kNone16)
      return true;
    return check_presence(check_, element, piece, at, piece.offset());
  }

  /// The type that the type field names, with the limits of the field; null when there is none.
  const Element* varying_type(const Element& element, std::uint32_t n, Element& made) {
    const std::uint32_t from = type_field(segment_.id(), n);
    if (from == 0) return nullptr;
    const Element* type = check_.rules.find_type(segment_.field(from).text(check_.buffer));
    if (type == nullptr) return nullptr;
    made = *type;
    made.name = element.name;
    made.length_min = element.length_min;
    made.length_max = element.length_max;
    made.constants = element.constants;
    if (element.table != kNone16) made.table = element.table;
    return &made;
  }

  void part(const Element& element, const Piece& piece, const Location& at) {
    const std::size_t bytes = piece.raw().size();
    if (bytes > element.length_max || element.length_min > 0) check_length(check_, element, piece, at);
    if (element.opaque) return;
    if (element.count == 0 || piece.level() == Piece::Level::leaf) return primitive(element, piece, at);
    std::uint32_t n = 0;
    const auto visit = [&](const Piece& child) {
      ++n;
      if (child.raw().empty() || is_absent(child)) return true;
      const Location place = below(at, n);
      if (n > element.count) {
        check_.add(RuleKind::undefined, place, child.offset(), "a component that the type does not have",
                   element.name);
        return false;
      }
      const Element& rules = check_.rules.element(element.first + n - 1);
      if (present(rules, child, place)) part(rules, child, place);
      return true;
    };
    if (piece.level() == Piece::Level::component) {
      for (const LeafView child : ComponentView(piece).subs())
        if (!visit(child)) break;
    } else {
      for (const ComponentView child : RepetitionView(piece).components())
        if (!visit(child)) break;
    }
    if (element.demands) demanded(element, piece, at);
    if (element.type_rule != TypeRule::none) check_type_rule(check_, element, piece, at);
    if (element.table != kNone16 && element.type_rule == TypeRule::coded)
      check_coded(check_, element, piece, at);
    if (element.constants != kNone16) check_constant(check_, element, piece.leaf(), at);
  }

  void demanded(const Element& element, const Piece& piece, const Location& at) {
    for (std::uint32_t n = 1; n <= element.count; ++n) {
      const Element& rules = check_.rules.element(element.first + n - 1);
      if (rules.usage != Usage::required && rules.condition == kNone16) continue;
      const Piece child = part_of(piece, n);
      if (!is_absent(child)) continue;
      check_presence(check_, rules, child, below(at, n),
                     child.located() ? child.offset() : piece.end_offset());
    }
  }

  void primitive(const Element& element, const Piece& piece, const Location& at) {
    if (has_parts(piece)) {
      check_.add(RuleKind::undefined, below(at, 2), piece.leaf().end_offset(),
                 "a component of a type that has none", element.name);
    }
    // Below a subcomponent nothing is split: a type of several parts is read by its first one.
    const Element* rules = &element;
    while (rules->count != 0) rules = &check_.rules.element(rules->first);
    if (rules->primitive == Primitive::text && rules->table == kNone16 && rules->constants == kNone16) return;
    const LeafView leaf = piece.leaf();
    if (leaf.raw().empty() || is_null(leaf)) return;
    if (rules->primitive != Primitive::text) check_datatype(check_, *rules, leaf, at);
    if (rules->table != kNone16) check_code(check_, *rules, leaf, at);
    if (rules->constants != kNone16) check_constant(check_, *rules, leaf, at);
  }

  /// A delimiter of a level below the piece stands in it.
  bool has_parts(const Piece& piece) const {
    if (piece.level() == Piece::Level::leaf) return false;
    const std::string_view raw = piece.raw();
    const bool components = piece.level() != Piece::Level::component;
    for (const char c : raw)
      if ((c == delimiters_.subcomponent && c != 0) || (components && c == delimiters_.component && c != 0))
        return true;
    return false;
  }

  /// As Piece::absent(), quick for what begins with a character of its own.
  bool is_absent(const Piece& piece) const {
    const std::string_view raw = piece.raw();
    if (raw.empty()) return true;
    return is_delimiter(raw.front()) && piece.absent();
  }
  bool is_delimiter(char c) const {
    return c == delimiters_.component || c == delimiters_.repetition || c == delimiters_.subcomponent;
  }

  Check& check_;
  const Delimiters delimiters_;
  SegmentView segment_;
};

}  // namespace

namespace {

int code_of(RuleKind kind, Version version) {
  switch (kind) {
    case RuleKind::structure:
      return 100;
    case RuleKind::required:
    case RuleKind::condition:
      return 101;
    case RuleKind::cardinality:
      return version >= Version::v2_9 ? 198 : 102;
    case RuleKind::length:
      return version >= Version::v2_7 ? 104 : 102;
    case RuleKind::table:
    case RuleKind::user_table:
    case RuleKind::constant:
      return 103;
    case RuleKind::usage:
    case RuleKind::datatype:
    case RuleKind::undefined:
      return 102;
  }
  return 207;
}

/// What the receiver cannot take at all has codes of its own (hl7v2.md §11).
int header_code(const Location& at, int code) {
  if (at.field == 9 && at.component != 3) return at.component == 2 ? 201 : 200;
  if (at.field == 11) return 202;
  if (at.field == 12) return 203;
  return code;
}

base::Severity severity_of(RuleLevel level) {
  if (level == RuleLevel::error) return base::Severity::error;
  return level == RuleLevel::warning ? base::Severity::warning : base::Severity::note;
}

/// Beyond the cap an error takes the place of the last finding that is none: what makes the answer negative
/// is always listed.
void keep(ValidationReport& report, Finding finding) {
  if (report.findings.size() < base::limits::kHl7FindingsMax) {
    report.findings.push_back(std::move(finding));
    return;
  }
  for (auto it = report.findings.rbegin(); it != report.findings.rend(); ++it) {
    if (it->severity == base::Severity::error) continue;
    *it = std::move(finding);
    return;
  }
}

}  // namespace

void Check::add(RuleKind kind, const Location& at, std::uint32_t offset, std::string_view text,
                std::string_view name) {
  add(kind, at, offset, code_of(kind, rules.version()), text, name);
}

void Check::add(RuleKind kind, const Location& at, std::uint32_t offset, int code, std::string_view text,
                std::string_view name) {
  const SegmentView segment = message.segment(at.segment);
  if (!wants(kind, segment.id(), at)) return;
  Finding finding;
  finding.severity = severity_of(policy.level(kind, segment.id(), at));
  finding.rule = kind;
  const bool content = kind != RuleKind::length && kind != RuleKind::undefined && kind != RuleKind::usage;
  finding.code = content && segment.id() == segment_id("MSH") ? header_code(at, code) : code;
  finding.segment = segment_name(segment.id());
  finding.sequence = segment.occurrence();
  finding.location = at;
  finding.offset = offset;
  finding.path = message.place(at);
  finding.text = text;
  if (!name.empty()) finding.text.append(": ").append(name);
  keep(report, std::move(finding));
}

bool Check::wants(RuleKind kind, std::uint32_t id, const Location& at) {
  const RuleLevel level = policy.level(kind, id, at);
  if (level == RuleLevel::off) return false;
  const bool error = level == RuleLevel::error;
  ++(error ? report.errors : level == RuleLevel::warning ? report.warnings : report.notes);
  if (report.findings.size() < base::limits::kHl7FindingsMax) return true;
  ++report.dropped;
  return error && report.errors <= base::limits::kHl7FindingsMax;
}

void Check::list(Finding finding) {
  finding.severity =
      severity_of(policy.level(finding.rule, segment_id(finding.segment), {finding.location.segment}));
  if (finding.code == 207) finding.code = code_of(finding.rule, rules.version());
  keep(report, std::move(finding));
}

}  // namespace detail

void Validator::validate(const Message& message, ValidationReport& report) const {
  report.findings.clear();
  report.dropped = 0;
  report.errors = report.warnings = report.notes = 0;
  const SegmentView header = message.header();
  std::string code, trigger, structure, version;
  const FieldView type = header.field(9);
  const MessageTypeText text{type.component(1).text(code), type.component(2).text(trigger),
                             type.component(3).text(structure),
                             rules_ ? version_text(rules_->version()) : header.field(12).text(version)};
  std::vector<std::uint32_t> segments(message.segment_count());
  for (std::uint32_t i = 0; i < segments.size(); ++i) segments[i] = message.segment(i).id();
  report.choice = choose_structure(text, segments);
  if (rules_ && rules_->structure() != nullptr) report.choice.structure = rules_->structure();
  const detail::RuleSet& rules = rules_ ? *rules_ : detail::RuleSet::standard(report.choice.version);
  match(report.choice.structure, segments, report.tree);
  detail::Check check{rules, policy_, message, report, {}};
  detail::Walk(check).run();
  std::stable_sort(report.findings.begin(), report.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.offset < b.offset; });
}

ValidationReport Validator::validate(const Message& message) const {
  ValidationReport report;
  validate(message, report);
  return report;
}

}  // namespace kiln::hl7
