#include "engine/bulk/import_reader.h"

#include <algorithm>

#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "fhir/primitives.h"

namespace kiln::engine {

namespace limits = base::limits;
using base::ErrorCode;
using base::fail;
using base::JsonView;
using base::JsonWriter;
using base::Result;

namespace {

/// What a name ends with when ".gz" and ".zst" are taken away.
std::string_view plain_name(std::string_view name) {
  for (const std::string_view ending : {".gz", ".zst"})
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  return name;
}
bool is_ndjson(std::string_view name) {
  return plain_name(name).ends_with(".ndjson");
}
bool is_json(std::string_view name) {
  return plain_name(name).ends_with(".json");
}

base::JsonLimits file_limits() {
  base::JsonLimits json;
  json.bytes = limits::kFhirFileBytesMax;
  return json;
}

/// The line number first: ids of one file lie together in every index.
std::string derived_id(std::uint64_t number, std::string_view text) {
  std::string digits = std::to_string(number);
  if (digits.size() < 9) digits.insert(0, 9 - digits.size(), '0');
  constexpr std::size_t kHashDigits = 24;
  return "k" + digits + "-" + base::sha256_hex(text).substr(0, kHashDigits);
}

void write_request(JsonWriter& out, std::string_view method, std::string_view url) {
  out.key("request").begin_object().member("method", method).member("url", url).end_object();
}

/// The members of an object, without one of them.
void copy_members(JsonWriter& out, JsonView object, std::string_view without) {
  for (const JsonView member : object)
    if (member.key() != without) out.key(member.key()).value(member);
}

/// An entry of a Bundle that is loaded: what would be created by every repetition becomes an update by id.
void write_entry(JsonWriter& out, JsonView entry, const std::string& id, bool server_ids) {
  const JsonView resource = entry["resource"], request = entry["request"];
  const std::string type(resource["resourceType"].text());
  const bool creates = !request || (request["method"].text() == "POST" && !request["ifNoneExist"] &&
                                    request["url"].text() == type);
  const std::string_view own = resource["id"].text();
  if (!creates || !resource || (server_ids && (request || own.empty()))) {
    if (request) {
      out.value(entry);
      return;
    }
    out.begin_object();
    copy_members(out, entry, "search");
    write_request(out, "POST", type);
    out.end_object();
    return;
  }
  const std::string name = !request && !own.empty() ? std::string(own) : id;
  out.begin_object();
  if (const auto url = entry["fullUrl"].text(); !url.empty()) out.member("fullUrl", url);
  out.key("resource").begin_object().member("resourceType", type).member("id", name);
  for (const JsonView member : resource)
    if (member.key() != "resourceType" && member.key() != "id") out.key(member.key()).value(member);
  out.end_object();
  write_request(out, "PUT", type + "/" + name);
  out.end_object();
}

std::string open_bundle(std::string_view type) {
  return R"({"resourceType":"Bundle","type":")" + std::string(type) + R"(","entry":[)";
}

}  // namespace

Result<std::vector<ImportFile>> find_import_files(base::Env& env, const std::vector<std::string>& names) {
  std::vector<ImportFile> files;
  for (const std::string& name : names) {
    TRY(const base::FileInfo info, env.info(name));
    if (!info.is_directory) {
      if (!is_ndjson(name) && !is_json(name))
        return fail(ErrorCode::usage, "neither .ndjson nor .json, nor one of these with .gz or .zst", name);
      files.push_back({name, info.size, is_ndjson(name)});
      continue;
    }
    TRY(const auto list, env.list(name));
    for (const base::FileInfo& file : list)
      if (file.is_regular && (is_ndjson(file.name) || is_json(file.name)))
        files.push_back({base::join_path(name, file.name), file.size, is_ndjson(file.name)});
  }
  return files;
}

void ImportReader::tell(std::string place, base::Error error) const {
  if (!error.place.empty()) place += (place.empty() ? "" : ": ") + error.place;
  const std::string text = error.text.empty() ? error.info().text : error.text;
  options_.problem({std::move(place), error.info().code, text, error.remedy, false});
}

bool ImportReader::next(ImportUnit& unit) {
  for (;;) {
    if (!waiting_.empty()) {
      unit = std::move(waiting_.back());
      waiting_.pop_back();
      unit.number = units_++;
      return true;
    }
    if (file_ == options_.files.size()) return false;
    const ImportFile& file = options_.files[file_];
    if (!file.lines) {
      if (options_.done[file_] == 0) read_document(file.path);
      ++file_;
      continue;
    }
    if (next_of_lines(unit)) {
      unit.number = units_++;
      return true;
    }
    if (!waiting_.empty()) continue;
    lines_.reset();
    ++file_;
  }
}

/// Gathers lines until a request is full, or a line is a request by itself. False when nothing was gathered.
bool ImportReader::next_of_lines(ImportUnit& unit) {
  const std::string& path = options_.files[file_].path;
  if (!lines_) {
    auto opened = base::LineReader::open(path, limits::kFhirFileBytesMax);
    if (!opened) return tell(path, opened.error()), false;
    lines_ = std::make_unique<base::LineReader>(std::move(*opened));
    line_base_ = 0;
  }
  unit = ImportUnit();
  unit.file = file_;
  unit.body = open_bundle("batch");
  while (unit.entries < limits::kImportEntriesMax && unit.body.size() < limits::kImportBytesMax &&
         waiting_.empty()) {
    const auto more = lines_->next();
    if (!more) {
      const std::uint64_t at = lines_->number() + 1;
      tell(path + ":" + std::to_string(at), {more.error().code, more.error().text, {}, more.error().remedy});
    }
    if (!more || !*more) break;
    const std::uint64_t number = lines_->number();
    const std::string_view line = base::trim(lines_->line());
    if (line.empty() || number <= options_.done[file_]) continue;
    const bool added = add_line(unit, line, number);
    if (waiting_.empty()) unit.last_line = number;  // else the line is done with those units
    if (!added) continue;
    ++unit.entries;
    unit.lines.push_back(number);
  }
  if (unit.entries == 0) return false;
  unit.body += "]}";
  unit.bytes = lines_->position() - line_base_;
  line_base_ = lines_->position();
  return true;
}

bool ImportReader::add_line(ImportUnit& unit, std::string_view line, std::uint64_t number) {
  const std::string place = options_.files[file_].path + ":" + std::to_string(number);
  const auto document = base::parse_json(line, file_limits());
  if (!document) return tell(place, document.error()), false;
  const JsonView root = document->root();
  const std::string type(root["resourceType"].text());
  if (!fhir::find_resource_type(type))
    return tell(place, {ErrorCode::fhir_invalid, "resourceType is missing, or not a resource of R4", {}, {}}),
           false;
  if (const auto kind = root["type"].text(); type == "Bundle" && (kind == "transaction" || kind == "batch")) {
    add_bundle(line, number);
    return false;
  }
  const std::string own(root["id"].text());
  if (!own.empty() && !fhir::is_valid_id(own))
    return tell(place, {ErrorCode::bad_value, "the id is not valid: 1 to 64 of A-Z a-z 0-9 - .", {}, {}}), false;
  if (unit.entries > 0) unit.body += ',';
  if (own.empty() && options_.server_ids) {
    unit.body += R"({"resource":)" + std::string(line) + R"(,"request":{"method":"POST","url":")" + type + R"("}})";
    return true;
  }
  const std::string id = own.empty() ? derived_id(number, line) : own;
  unit.body += R"({"resource":)";
  if (own.empty()) {
    // The rest of the line stays as it is: it holds at least resourceType.
    unit.body += R"({"id":")" + id + "\",";
    line.remove_prefix(1);
  }
  unit.body += line;
  unit.body += R"(,"request":{"method":"PUT","url":")" + type + "/" + id + R"("}})";
  return true;
}

void ImportReader::read_document(const std::string& path) {
  const auto text = base::read_packed_file(path, limits::kFhirFileBytesMax);
  if (!text) return tell(path, {text.error().code, text.error().text, {}, text.error().remedy});
  add_bundle(*text, 0);
  if (!waiting_.empty()) waiting_.front().bytes = options_.files[file_].size;
}

/// A Bundle becomes one request; a batch with many entries several; what is no collection is one resource.
void ImportReader::add_bundle(std::string_view text, std::uint64_t line) {
  const std::string& path = options_.files[file_].path;
  const std::string place = line == 0 ? path : path + ":" + std::to_string(line);
  const auto document = base::parse_json(text, file_limits());
  if (!document) return tell(place, document.error());
  const JsonView root = document->root();
  const std::string_view kind = root["resourceType"].text() == "Bundle" ? root["type"].text() : "";
  if (kind == "history")
    return tell(place, {ErrorCode::fhir_not_supported, "a history cannot be imported", {}, "export the resources"});
  const bool entries = kind == "transaction" || kind == "batch" || kind == "collection" || kind == "searchset";
  if (!entries) {
    ImportUnit unit;
    unit.file = file_;
    unit.body = open_bundle("batch");
    unit.last_line = 1;
    if (!add_line(unit, base::trim(text), 1)) return;
    unit.body += "]}";
    unit.entries = 1;
    waiting_.push_back(std::move(unit));
    return;
  }
  const bool whole = kind != "batch";
  const std::string digest = base::sha256_hex(text).substr(0, 20);
  std::vector<ImportUnit> units;
  std::uint64_t index = 0;
  JsonWriter out;
  const auto begin = [&] {
    out = JsonWriter();
    out.begin_object().member("resourceType", "Bundle").member("type", whole ? "transaction" : "batch");
    out.key("entry").begin_array();
  };
  ImportUnit unit;
  const auto end = [&] {
    out.end_array().end_object();
    unit.file = file_;
    unit.whole = whole;
    unit.body = out.take();
    units.push_back(std::exchange(unit, {}));
  };
  begin();
  for (const JsonView entry : root["entry"]) {
    ++index;
    std::string digits = std::to_string(index);
    digits.insert(0, digits.size() < 5 ? 5 - digits.size() : 0, '0');
    if (entry["search"]["mode"].text() == "outcome") continue;
    write_entry(out, entry, "k" + digest + "-" + digits, options_.server_ids);
    if (unit.entries == 0) unit.first_entry = index - 1;
    unit.lines.push_back(line);
    ++unit.entries;
    if (whole || (unit.entries < limits::kImportEntriesMax && out.str().size() < limits::kImportBytesMax)) continue;
    end();
    begin();
  }
  if (unit.entries > 0) end();
  if (!units.empty()) units.back().last_line = std::max<std::uint64_t>(line, 1);  // done with the last of them
  for (auto& one : units) waiting_.push_back(std::move(one));
  std::reverse(waiting_.begin(), waiting_.end());
}

}  // namespace kiln::engine
