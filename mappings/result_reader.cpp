#include "mappings/result_reader.h"

#include <algorithm>

#include "fhir/definitions/definitions.h"
#include "hl7/message.h"
#include "mappings/csv.h"

namespace kiln::mappings {
namespace {

/// Largest byte offset of anything inside a value: lineage of an object is that of its leaves.
std::size_t last_offset(const base::JsonView& view) {
  std::size_t last = view.offset();
  for (const base::JsonView child : view) last = std::max(last, last_offset(child));
  return last;
}

bool find_offset(const base::JsonView& view, std::uint32_t offset, std::string& path) {
  if (view.offset() == offset && !view.is_object() && !view.is_array()) return true;
  std::size_t index = 0;
  for (const base::JsonView child : view) {
    const std::size_t size = path.size();
    path += view.is_array() ? "[" + std::to_string(index++) + "]" : "." + std::string(child.key());
    if (find_offset(child, offset, path)) return true;
    path.resize(size);
  }
  return false;
}

}  // namespace

/// The output in the form of its kind.
struct ResultReader::Parsed {
  const RunResult* result = nullptr;
  base::JsonDocument json;
  std::optional<hl7::Message> message;
  std::optional<CsvFile> rows;

  struct Place {
    ReadItem item;
    const fhir::TypeDef* type = nullptr;
    base::JsonView companion;  ///< of a primitive: its `_x`
    std::uint32_t row = 0;
    hl7::Piece piece;
    bool root = false;  ///< not yet a value: rows, or the message as a whole
  };
  using Places = std::vector<Place>;

  Place resource(base::JsonView view) const;
  Places roots(std::string_view name) const;
  void member(const Place& at, std::string_view name, Places& out) const;
  void add_value(base::JsonView view, const fhir::TypeDef* type, base::JsonView companion, Places& out) const;
  void extension(const Place& at, std::string_view url, Places& out) const;
  void field(const ReadStep& step, Places& out) const;
  void component(const Place& at, std::uint32_t number, Places& out) const;
  void column(const Place& at, std::string_view name, Places& out) const;
  Place leaf(const hl7::Piece& piece) const;
};

ResultReader::Parsed::Place ResultReader::Parsed::resource(base::JsonView view) const {
  Place place;
  place.type = fhir::find_type(view["resourceType"].text());
  place.item.type = view["resourceType"].text();
  place.item.json = view;
  place.item.is_object = true;
  place.item.offset = static_cast<std::uint32_t>(view.offset());
  return place;
}

ResultReader::Parsed::Places ResultReader::Parsed::roots(std::string_view name) const {
  Places out;
  if (result->output_kind != DataKind::fhir) {
    Place place;
    place.root = true;
    if (rows && name == "rows") {
      for (std::uint32_t i = 0; i < rows->rows(); ++i) {
        place.row = i;
        place.item.is_object = true;
        place.item.type = result->output_type;
        out.push_back(place);
      }
    } else if (name.empty()) {
      out.push_back(place);
    }
    return out;
  }
  const base::JsonView root = json.root();
  if (!root.exists()) return out;
  if (name.empty() || name == "Bundle" || (root["resourceType"].text() == name && name != "Bundle")) {
    out.push_back(resource(root));
    return out;
  }
  const bool is_handle = std::any_of(result->created.begin(), result->created.end(),
                                     [&](const CreatedResource& created) { return created.handle == name; });
  std::vector<std::uint32_t> entries;
  for (const CreatedResource& created : result->created) {
    const bool wanted = is_handle ? created.handle == name : created.type == name;
    if (wanted && std::find(entries.begin(), entries.end(), created.entry) == entries.end()) {
      entries.push_back(created.entry);
    }
  }
  for (const std::uint32_t entry : entries) out.push_back(resource(root["entry"].at(entry)["resource"]));
  return out;
}

void ResultReader::Parsed::add_value(base::JsonView view, const fhir::TypeDef* type, base::JsonView companion,
                                     Places& out) const {
  if (view.is_array()) {
    std::size_t index = 0;
    for (const base::JsonView item : view) add_value(item, type, companion.at(index++), out);
    return;
  }
  if (!view.exists() && !companion.exists()) return;
  const base::JsonView shown = view.exists() ? view : companion;
  Place place = view.is_object() && view["resourceType"].exists() ? resource(view) : Place{};
  if (place.type == nullptr) place.type = type;
  if (place.item.type.empty() && type != nullptr) place.item.type = type->name();
  place.item.json = shown;
  place.item.is_object = shown.is_object();
  place.item.text = view.exists() ? std::string(view.text()) : std::string();
  place.item.offset = static_cast<std::uint32_t>(shown.offset());
  place.companion = companion;
  out.push_back(std::move(place));
}

void ResultReader::Parsed::member(const Place& at, std::string_view name, Places& out) const {
  const base::JsonView object = at.item.json;
  if (!object.is_object()) return;
  const auto companion = [&](std::string_view json_name) { return object["_" + std::string(json_name)]; };
  if (object[name].exists() || companion(name).exists()) {
    const fhir::JsonMember known =
        at.type == nullptr ? fhir::JsonMember{} : at.type->element_by_json_name(name);
    return add_value(object[name], known.content(), companion(name), out);
  }
  const fhir::ElementDef* element = at.type == nullptr ? nullptr : at.type->element(name);
  if (element == nullptr || !element->is_choice()) return;
  for (const fhir::ElementType& type : element->types()) {
    const std::string_view json_name = element->json_name(type);
    add_value(object[json_name], &type.type(), companion(json_name), out);
  }
}

void ResultReader::Parsed::extension(const Place& at, std::string_view url, Places& out) const {
  const base::JsonView holder = at.companion.exists() ? at.companion : at.item.json;
  for (const base::JsonView extension : holder["extension"]) {
    if (extension["url"].text() != url) continue;
    Place place;
    place.type = fhir::find_type("Extension");
    place.item.json = extension;
    member(place, "value", out);
  }
}

ResultReader::Parsed::Place ResultReader::Parsed::leaf(const hl7::Piece& piece) const {
  Place place;
  place.piece = piece;
  place.item.type = "string";
  place.item.text = piece.to_text();
  place.item.is_null = piece.is_null();
  place.item.offset = piece.offset();
  return place;
}

void ResultReader::Parsed::field(const ReadStep& step, Places& out) const {
  if (!message) return;
  for (std::uint32_t n = 1;; ++n) {
    const hl7::SegmentView segment = message->find(step.name, n);
    if (!segment.exists()) return;
    const hl7::FieldView value = segment.field(step.number);
    for (const hl7::RepetitionView repetition : value.repetitions()) {
      if (!repetition.absent()) out.push_back(leaf(repetition));
    }
  }
}

void ResultReader::Parsed::component(const Place& at, std::uint32_t number, Places& out) const {
  hl7::Piece piece;
  if (at.piece.level() == hl7::Piece::Level::component) {
    piece = hl7::ComponentView(at.piece).sub(number);
  } else if (at.piece.level() == hl7::Piece::Level::repetition) {
    piece = hl7::RepetitionView(at.piece).component(number);
  } else if (number == 1) {
    piece = at.piece;
  }
  if (!piece.absent()) out.push_back(leaf(piece));
}

void ResultReader::Parsed::column(const Place& at, std::string_view name, Places& out) const {
  const std::vector<CsvColumnFormat>& columns = result->csv_format->columns;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name != name) continue;
    const std::string_view cell = rows->cell(at.row, i);
    if (cell.data() == nullptr) return;
    Place place;
    place.row = at.row;
    place.item.type = "string";
    place.item.text = cell;
    place.item.is_null = CsvFile::is_null(cell);
    place.item.offset = result->csv_row_offsets[at.row];
    out.push_back(std::move(place));
  }
}

base::Result<ResultReader> ResultReader::open(const RunResult& result) {
  auto parsed = std::make_shared<Parsed>();
  parsed->result = &result;
  if (!result.output.empty()) {
    switch (result.output_kind) {
      case DataKind::fhir: {
        base::JsonLimits limits;
        limits.bytes = result.output.size();
        TRY(parsed->json, base::parse_json(result.output, limits));
        break;
      }
      case DataKind::hl7: {
        TRY(parsed->message, hl7::Message::parse(result.output));
        break;
      }
      case DataKind::csv: {
        CsvFormat format = *result.csv_format;
        format.header = false;
        TRY(parsed->rows, CsvFile::read(result.output, format));
        break;
      }
    }
  }
  ResultReader reader;
  reader.parsed_ = std::move(parsed);
  return reader;
}

bool ResultReader::has_root(std::string_view root) const {
  if (root == "rows") return parsed_->result->output_kind == DataKind::csv;
  return !parsed_->roots(root).empty();
}

std::vector<ReadItem> ResultReader::read(std::string_view root, std::span<const ReadStep> steps) const {
  Parsed::Places places = parsed_->roots(root);
  for (const ReadStep& step : steps) {
    Parsed::Places next;
    switch (step.kind) {
      case ReadStep::Kind::index:
        if (step.number >= 1 && step.number <= places.size()) next.push_back(places[step.number - 1]);
        break;
      case ReadStep::Kind::last:
        if (!places.empty()) next.push_back(places.back());
        break;
      case ReadStep::Kind::hl7_field:
        parsed_->field(step, next);
        break;
      default:
        for (const Parsed::Place& place : places) {
          if (step.kind == ReadStep::Kind::component) {
            parsed_->component(place, step.number, next);
          } else if (step.kind == ReadStep::Kind::extension) {
            parsed_->extension(place, step.name, next);
          } else if (parsed_->rows) {
            parsed_->column(place, step.name, next);
          } else {
            parsed_->member(place, step.name, next);
          }
        }
    }
    places = std::move(next);
  }
  std::vector<ReadItem> items;
  for (Parsed::Place& place : places) items.push_back(std::move(place.item));
  return items;
}

std::vector<LineageRecord> ResultReader::lineage(const ReadItem& item) const {
  const std::size_t last = item.json.exists() ? last_offset(item.json) : item.offset;
  std::vector<LineageRecord> records;
  for (const LineageRecord& record : parsed_->result->lineage) {
    if (record.output >= item.offset && record.output <= last) records.push_back(record);
  }
  return records;
}

std::string ResultReader::output_path(std::uint32_t offset) const {
  const RunResult& result = *parsed_->result;
  switch (result.output_kind) {
    case DataKind::fhir: {
      std::string path(parsed_->json.root()["resourceType"].text());
      return find_offset(parsed_->json.root(), offset, path) ? path : std::string();
    }
    case DataKind::hl7:
      return parsed_->message ? parsed_->message->place(parsed_->message->locate(offset)) : std::string();
    case DataKind::csv: {
      const auto& rows = result.csv_row_offsets;
      const auto at = std::upper_bound(rows.begin(), rows.end(), offset);
      return "row " + std::to_string(at - rows.begin());
    }
  }
  return {};
}

}  // namespace kiln::mappings
