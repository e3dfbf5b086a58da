#include "mappings/importer/guide_path.h"

#include <charconv>

#include "engine/base/text.h"
#include "hl7/dictionary/dictionary.h"
#include "mappings/detail/v2_model.h"

namespace kiln::mappings {
namespace {

constexpr hl7::Version kChecked = hl7::Version::v2_5_1;

/// "4.1" -> 4, 1; nothing for anything but numbers.
std::optional<std::vector<int>> numbers_of(std::string_view text) {
  std::vector<int> out;
  for (const std::string_view part : base::split(text, '.')) {
    int number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size() || number < 1) return std::nullopt;
    out.push_back(number);
  }
  return out;
}

}  // namespace

std::optional<std::vector<GuideStep>> guide_steps(std::string_view target) {
  std::vector<GuideStep> out;
  for (const std::string_view part : base::split(target, '.')) {
    const std::size_t open = part.find('[');
    GuideStep step{std::string(part.substr(0, open)), "1"};
    if (open != std::string_view::npos) {
      if (part.back() != ']') return std::nullopt;
      step.index = part.substr(open + 1, part.size() - open - 2);
      if (step.index.empty() || step.index.find_first_not_of("0123456789") != std::string::npos)
        return std::nullopt;
    }
    const bool name = !step.name.empty() &&
                      step.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
                          std::string::npos;
    if (!name) return std::nullopt;
    out.push_back(std::move(step));
  }
  return out.empty() ? std::nullopt : std::optional(std::move(out));
}

std::string guide_key(std::string_view target) {
  std::string out;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const std::size_t end = target[i] == '[' ? target.find(']', i) : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += target[i];
      continue;
    }
    const std::string_view index = target.substr(i + 1, end - i - 1);
    if (index != "1") out += index;
    i = end;
  }
  return out;
}

std::optional<GuideSource> GuideSources::find(std::string_view text, std::string_view datatype) const {
  const char mark = segment_ ? '-' : '.';
  if (!text.starts_with(owner_) || text.size() <= owner_.size() + 1 || text[owner_.size()] != mark)
    return std::nullopt;
  const auto numbers = numbers_of(text.substr(owner_.size() + 1));
  if (!numbers) return std::nullopt;
  GuideSource out;
  out.path = segment_ ? std::string(text) : self_ + std::string(text.substr(owner_.size()));
  std::size_t next = 0;
  if (segment_) {
    const auto position = static_cast<std::size_t>(numbers->front());
    auto version = kChecked;
    auto segment = hl7::Dictionary(version).segment(owner_);
    if (!segment || !segment->field(position)) {
      const auto first = hl7::first_version_with_field(owner_, position);
      if (!first) return std::nullopt;
      version = *first;
      segment = hl7::Dictionary(version).segment(owner_);
      out.since = hl7::version_text(version);
    }
    const auto field = segment->field(position);
    out.datatype = field->datatype;
    out.repeats = field->repeats();
    next = 1;
  } else {
    out.datatype = owner_;
  }
  for (; next < numbers->size(); ++next) {
    const auto part = detail::component_in_any(out.datatype, (*numbers)[next]);
    if (!part) return std::nullopt;
    if (next == 1 && out.repeats) {
      out.path =
          owner_ + "-" + std::to_string(numbers->front()) + "[1]" + std::string(text.substr(text.find('.')));
      out.repeats = false;
    }
    out.datatype = part->datatype;
  }
  if (out.datatype.empty() || out.datatype == "-" || out.datatype == "varies") return std::nullopt;
  const bool coded =
      (datatype == "CWE" || datatype == "CE") && (out.datatype == "IS" || out.datatype == "ID");
  out.composite = coded || (!detail::is_v2_primitive(kChecked, out.datatype) && out.datatype != "TS");
  return out;
}

std::string bridged_datatype(std::string_view datatype) {
  if (datatype == "CE" || datatype == "CNE" || datatype == "CF" || datatype == "IS" || datatype == "ID")
    return "CWE";
  if (datatype == "PN") return "XPN";
  if (datatype == "AD") return "XAD";
  if (datatype == "TN") return "XTN";
  if (datatype == "CN") return "XCN";
  return std::string(datatype);
}

}  // namespace kiln::mappings
