#include "mappings/targets/hl7.h"

#include <algorithm>

#include "hl7/escape.h"
#include "mappings/detail/sha1.h"

namespace kiln::mappings::detail {
namespace {

constexpr hl7::Delimiters kDelimiters{};
// Levels of print_part: what separates the parts below.
constexpr int kComponents = 0;
constexpr int kSubcomponents = 1;

bool is_msh(const ir::Shape& shape) {
  return shape.segment == ir::pack_segment("MSH");
}

}  // namespace

void Hl7Target::print() {
  out_.clear();
  if (run_.root_ != nullptr) print_group(*run_.root_);
  look_for_required();
  if (!failed_) return;
  out_.clear();
  run_.stop(Outcome::failed, "a value cannot be written with these delimiters");
}

/// A message without a segment that its structure demands is no such message: it goes by the `on missing` of the map.
void Hl7Target::look_for_required() {
  const ir::Map& map = *run_.map_;
  const std::string_view all = out_;
  for (ir::Index i = 0; i < map.required_segments.count; ++i) {
    const std::uint32_t packed = run_.unit_->required_segments[map.required_segments.first + i];
    const char begin[] = {'\r', static_cast<char>(packed >> 16 & 0xFF), static_cast<char>(packed >> 8 & 0xFF),
                          static_cast<char>(packed & 0xFF), '|'};
    const std::string_view wanted(begin, sizeof begin);
    if (all.starts_with(wanted.substr(1)) || all.find(wanted) != std::string_view::npos) continue;
    const std::string id(begin + 1, 3);
    const std::string what = "the message has no " + id + ", which " +
                             std::string(run_.unit_->text(map.target_type)) + " requires: its rules gave nothing";
    run_.rule_ = ir::kNone;
    if (map.missing_segment == ir::kNone)
      run_.note(RunDiagnostic::Level::warning, "missing-segment", what, nullptr);
    else
      run_.apply_policy(map.missing_segment, "missing-segment", what, Value());
  }
}

void Hl7Target::print_group(const OutputNode& group) {
  const auto print_one = [&](const OutputNode& node) {
    if (node.kind != NodeKind::object) return;
    if (run_.unit_->shapes[node.shape].kind == ir::ShapeKind::v2_segment) {
      print_segment(node);
    } else {
      print_group(node);
    }
  };
  for (std::uint32_t i = 0; i < group.size; ++i) {
    const OutputNode* node = group.slots[i];
    if (node == nullptr || is_vacant(*node)) continue;
    if (node->kind != NodeKind::list) {
      print_one(*node);
      continue;
    }
    for (const OutputNode* item = node->first; item != nullptr; item = item->next) {
      if (!is_vacant(*item)) print_one(*item);
    }
  }
}

void Hl7Target::pad(std::uint32_t& at, std::uint32_t number) {
  for (; at < number; ++at) out_ += kDelimiters.field;
}

/// MSH-9 and MSH-12 come from the target type when no rule wrote them; MSH-10 from the source message, so
/// that the same input gives the same control id.
bool Hl7Target::header_field(std::uint32_t number) {
  const ir::Map& map = *run_.map_;
  if (number == 10) {
    constexpr std::size_t kControlIdSize = 20;  // MSH-10 holds no more in 2.5 and before
    char uuid[36];
    uuid5_into(run_.message_seed(), uuid);
    for (std::size_t i = 0, kept = 0; kept < kControlIdSize; ++i) {
      if (uuid[i] == '-') continue;
      out_ += uuid[i];
      ++kept;
    }
    return true;
  }
  const std::string_view text = run_.unit_->text(number == 9 ? map.target_event : map.target_version);
  if (text.empty()) return false;
  out_ += text;
  const std::string_view structure = run_.unit_->text(map.target_type);
  const bool two_parts = number == 9 && std::count(text.begin(), text.end(), '^') == 1;
  if (two_parts && !structure.empty()) (out_ += '^') += structure;
  return true;
}

void Hl7Target::print_segment(const OutputNode& segment) {
  const ir::Shape& shape = run_.unit_->shapes[segment.shape];
  const bool msh = is_msh(shape);
  const std::size_t begin = out_.size();
  out_ += run_.unit_->text(shape.name).substr(0, 3);
  std::uint32_t at = 0;
  if (msh) {
    ((out_ += kDelimiters.field) += kDelimiters.encoding_characters());
    at = 2;
  }
  bool type_done = !msh, id_done = !msh, version_done = !msh, any = msh;
  const auto complete = [&](std::uint32_t before) {
    for (const std::uint32_t number : {9u, 10u, 12u}) {
      bool& done = number == 9 ? type_done : number == 10 ? id_done : version_done;
      if (done || before <= number) continue;
      done = true;
      const std::size_t mark = out_.size();
      const std::uint32_t was = at;
      pad(at, number);
      if (header_field(number)) continue;
      out_.resize(mark);
      at = was;
    }
  };
  for (std::uint32_t i = 0; i < segment.size; ++i) {
    const std::uint32_t number = run_.unit_->members[shape.members.first + i].order;
    if (segment.slots[i] == nullptr || (msh && number <= 2)) continue;
    complete(number);
    const std::size_t mark = out_.size();
    const std::uint32_t was = at;
    pad(at, number);
    if (print_field(segment.slots[i])) {
      any = true;
      if (number == 9) type_done = true;
      if (number == 10) id_done = true;
      if (number == 12) version_done = true;
    } else {
      out_.resize(mark);
      at = was;
    }
  }
  complete(UINT32_MAX);
  if (!any) return out_.resize(begin);
  out_ += '\r';
}

bool Hl7Target::print_field(const OutputNode* field) {
  if (is_vacant(*field)) return false;
  if (field->kind != NodeKind::list) return print_part(*field, kComponents);
  bool wrote = false;
  for (const OutputNode* item = field->first; item != nullptr; item = item->next) {
    if (is_vacant(*item)) continue;
    const std::size_t mark = out_.size();
    if (wrote) out_ += kDelimiters.repetition;
    if (print_part(*item, kComponents)) {
      wrote = true;
    } else {
      out_.resize(mark);
    }
  }
  return wrote;
}

/// A field's text one level down: its components become subcomponents. There is no level for what was below
/// them; it stays readable as text.
void Hl7Target::print_encoded(std::string_view text, int level) {
  if (level == kComponents) {
    out_ += text;
    return;
  }
  for (const char c : text) {
    if (c == kDelimiters.component)
      out_ += kDelimiters.subcomponent;
    else if (c == kDelimiters.subcomponent)
      ((out_ += kDelimiters.escape) += 'T') += kDelimiters.escape;
    else
      out_ += c;
  }
}

bool Hl7Target::print_part(const OutputNode& part, int level) {
  if (part.needs_live && !part.live) return false;
  switch (part.kind) {
    case NodeKind::null_:
      out_ += "\"\"";
      return true;
    case NodeKind::text:
    case NodeKind::token: {
      if (part.rule != ir::kNone) {
        run_.result_.lineage.push_back({part.rule, static_cast<std::uint32_t>(out_.size()), part.source});
      }
      if (!hl7::encode(part.text(), kDelimiters, hl7::TextKind::plain, out_)) failed_ = true;
      return !failed_;
    }
    case NodeKind::encoded:
      if (part.rule != ir::kNone) {
        run_.result_.lineage.push_back({part.rule, static_cast<std::uint32_t>(out_.size()), part.source});
      }
      print_encoded(part.text(), level);
      return true;
    case NodeKind::list:
      return part.first != nullptr && print_part(*part.first, level);
    case NodeKind::object:
      break;
    default:
      return false;
  }
  const ir::Shape& shape = run_.unit_->shapes[part.shape];
  const char separator = level == kComponents ? kDelimiters.component : kDelimiters.subcomponent;
  std::uint32_t at = 1;
  bool wrote = false;
  for (std::uint32_t i = 0; i < part.size; ++i) {
    if (part.slots[i] == nullptr || is_vacant(*part.slots[i])) continue;
    const std::uint32_t number = run_.unit_->members[shape.members.first + i].order;
    const std::size_t mark = out_.size();
    const std::uint32_t was = at;
    for (; at < number; ++at) out_ += separator;
    if (print_part(*part.slots[i], kSubcomponents)) {
      wrote = true;
    } else {
      out_.resize(mark);
      at = was;
    }
  }
  return wrote;
}

}  // namespace kiln::mappings::detail
