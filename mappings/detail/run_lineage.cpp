// Where values came from and what was never read (hmap.md §14); computed on demand.

#include <charconv>

#include "mappings/detail/run.h"

namespace kiln::mappings::detail {
namespace {

/// The numbers of a path, one behind the other.
class PathNumbers {
 public:
  void add(char before, std::uint32_t number, char after = '\0') {
    *at_++ = before;
    at_ = std::to_chars(at_, text_ + sizeof text_, number).ptr;
    if (after != '\0') *at_++ = after;
  }
  std::string_view text() const { return {text_, static_cast<std::size_t>(at_ - text_)}; }

 private:
  char text_[5 * 12];  // occurrence, field, repetition, component, subcomponent
  char* at_ = text_;
};

/// "PID-3[2].4" cut to what was asked for; a first repetition is named only where there are several.
void add_hl7_path(const hl7::Message& message, Hl7Ref range, Hl7Level level, std::string& path) {
  const hl7::Location at = message.locate(range.begin);
  const hl7::SegmentView segment = message.segment(at.segment);
  PathNumbers numbers;
  if (message.find(segment.id(), 2).exists()) numbers.add('[', segment.occurrence(), ']');
  if (at.field != 0) {
    numbers.add('-', at.field);
    if (level != Hl7Level::field) {
      const hl7::FieldView field = segment.field(at.field);
      if (field.raw().find(message.delimiters().repetition) != std::string_view::npos &&
          field.repetition_count() > 1)
        numbers.add('[', at.repetition, ']');
      if (level != Hl7Level::repetition) {
        numbers.add('.', at.component);
        if (level != Hl7Level::component) numbers.add('.', at.subcomponent);
      }
    }
  }
  path.append(segment.name()).append(numbers.text());
}

bool find_json(const base::JsonView& view, std::uint32_t id, std::string& path) {
  if (view.id() == id) return true;
  std::size_t index = 0;
  for (const base::JsonView child : view) {
    const std::size_t size = path.size();
    if (view.is_array()) {
      path += "[" + std::to_string(index++) + "]";
    } else {
      path += "." + std::string(child.key());
    }
    if (find_json(child, id, path)) return true;
    path.resize(size);
  }
  return false;
}

}  // namespace

bool Run::is_read(std::uint32_t bit) const {
  return bit >> 6 < read_.size() && (read_[bit >> 6] >> (bit & 63) & 1) != 0;
}

std::vector<std::string> Run::source_paths(SourceRef source) const {
  std::vector<std::string> paths;
  if (source == 0) return paths;
  switch (kind_of(source)) {
    case SourceKind::pair: {
      if (source > source_pairs_.size()) return paths;
      const auto& [a, b] = source_pairs_[source - 1];
      paths = source_paths(a);
      for (std::string& path : source_paths(b)) paths.push_back(std::move(path));
      return paths;
    }
    case SourceKind::hl7:
      if (message_ != nullptr)
        add_hl7_path(*message_, hl7_range(source), hl7_level(source), paths.emplace_back());
      return paths;
    case SourceKind::json: {
      std::string path(json_["resourceType"].text());
      if (find_json(json_, static_cast<std::uint32_t>(source & 0xFFFFFFFFu), path))
        paths.push_back(std::move(path));
      return paths;
    }
    case SourceKind::csv: {
      std::string name = std::to_string(csv_column(source) + 1);
      if (map_ != nullptr && map_->source_csv != ir::kNone) {
        const ir::Range columns = unit_->csv_schemas[map_->source_csv].columns;
        if (csv_column(source) < columns.count)
          name = text(unit_->csv_columns[columns.first + csv_column(source)].name);
      }
      paths.push_back("row " + std::to_string(csv_row(source) + 1) + " column " + name);
      return paths;
    }
  }
  return paths;
}

/// All places of a value, for a diagnostic.
std::string Run::source_path(SourceRef source) const {
  std::string joined;
  if (kind_of(source) == SourceKind::hl7 && message_ != nullptr) {
    add_hl7_path(*message_, hl7_range(source), hl7_level(source), joined);
    return joined;
  }
  for (const std::string& path : source_paths(source)) {
    if (!joined.empty()) joined += ", ";
    joined += path;
  }
  return joined;
}

/// visit(segment, field, component, leaf, level) for every valued leaf; `level` is how deep its path goes.
template <class Visit>
void Run::visit_hl7(const Visit& visit) const {
  for (std::uint32_t s = 0; s < message_->segment_count(); ++s) {
    const hl7::SegmentView segment = message_->segment(s);
    const bool header = segment.index() == message_->header().index() && message_->header().exists();
    for (std::uint32_t f = header ? 3 : 1; f <= segment.field_count(); ++f) {
      for (const hl7::RepetitionView repetition : segment.field(f).repetitions()) {
        const bool composite = repetition.component_count() > 1;
        std::uint32_t c = 0;
        for (const hl7::ComponentView component : repetition.components()) {
          ++c;
          const bool deep = component.sub_count() > 1;
          for (const hl7::LeafView leaf : component.subs()) {
            if (leaf.absent()) continue;
            visit(segment, f, c, leaf,
                  deep        ? Hl7Level::leaf
                  : composite ? Hl7Level::component
                              : Hl7Level::repetition);
          }
        }
      }
    }
  }
}

void Run::unread_json(const base::JsonView& view, const std::string& path,
                      std::vector<std::string>& out) const {
  if (is_read(view.id())) return;
  if (!view.is_object() && !view.is_array()) {
    if (view.key() != "resourceType") out.push_back(path);
    return;
  }
  std::size_t index = 0;
  for (const base::JsonView child : view) {
    unread_json(
        child,
        view.is_array() ? path + "[" + std::to_string(index++) + "]" : path + "." + std::string(child.key()),
        out);
  }
}

std::vector<std::string> Run::unread() const {
  std::vector<std::string> out;
  switch (input_kind_) {
    case DataKind::hl7:
      if (message_ != nullptr)
        visit_hl7([&](const hl7::SegmentView&, std::uint32_t, std::uint32_t, const hl7::LeafView& leaf,
                      Hl7Level level) {
          if (!is_read(leaf.offset()))
            add_hl7_path(*message_, {leaf.offset(), leaf.end_offset()}, level, out.emplace_back());
        });
      break;
    case DataKind::fhir:
      unread_json(json_, std::string(json_["resourceType"].text()), out);
      break;
    case DataKind::csv:
      for (std::size_t i = 0; i < csv_.cells.size(); ++i) {
        if (csv_.cells[i].data() == nullptr || is_read(static_cast<std::uint32_t>(i))) continue;
        const auto row = static_cast<std::uint32_t>(i / csv_.columns),
                   column = static_cast<std::uint32_t>(i % csv_.columns);
        for (std::string& path : source_paths(csv_source(row, column))) out.push_back(std::move(path));
      }
      break;
  }
  return out;
}

void Run::json_values(const base::JsonView& view, const std::string& path, bool read,
                      std::vector<InputValue>& out) const {
  read = read || is_read(view.id());
  if (!view.is_object() && !view.is_array()) {
    if (view.key() != "resourceType") out.push_back({path, read});
    return;
  }
  for (const base::JsonView child : view)
    json_values(child, view.is_array() ? path : path + "." + std::string(child.key()), read, out);
}

/// A column counts once, not once a row: read when every valued cell of it is.
void Run::csv_values(std::vector<InputValue>& out) const {
  std::vector<char> valued(csv_.columns), unread(csv_.columns);
  for (std::size_t i = 0; i < csv_.cells.size(); ++i) {
    if (csv_.cells[i].data() == nullptr) continue;
    valued[i % csv_.columns] = 1;
    if (!is_read(static_cast<std::uint32_t>(i))) unread[i % csv_.columns] = 1;
  }
  for (std::size_t column = 0; column < csv_.columns; ++column) {
    if (valued[column] == 0) continue;
    const std::string path = source_path(csv_source(0, static_cast<std::uint32_t>(column)));
    out.push_back({path.substr(path.find("column")), unread[column] == 0});
  }
}

std::vector<InputValue> Run::input_values() const {
  std::vector<InputValue> out;
  switch (input_kind_) {
    case DataKind::hl7: {
      if (message_ == nullptr) break;
      const auto add = [&](const hl7::SegmentView& segment, std::uint32_t field, std::uint32_t component,
                           const hl7::LeafView& leaf, Hl7Level level) {
        InputValue& value = out.emplace_back();
        value.read = is_read(leaf.offset());
        PathNumbers numbers;
        numbers.add('-', field);
        if (level != Hl7Level::repetition) numbers.add('.', component);
        if (level == Hl7Level::leaf) numbers.add('.', message_->locate(leaf.offset()).subcomponent);
        value.path.append(segment.name()).append(numbers.text());
      };
      visit_hl7(add);
      break;
    }
    case DataKind::fhir:
      json_values(json_, std::string(json_["resourceType"].text()), false, out);
      break;
    case DataKind::csv:
      csv_values(out);
      break;
  }
  return out;
}

}  // namespace kiln::mappings::detail
