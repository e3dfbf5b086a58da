#include "engine/bulk/export.h"

#include <algorithm>

#include "engine/base/gzip.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "fhir/definitions/definitions.h"
#include "fhir/search/query.h"

namespace kiln::engine {

namespace limits = base::limits;
using base::Result;
using base::Status;
using fhir::StoredVersion;

namespace {

/// A deletion as the Bulk Data guide has it: a transaction that would do it again.
void append_deletion(std::string& out, const StoredVersion& version) {
  base::JsonWriter bundle;
  bundle.begin_object().member("resourceType", "Bundle").member("type", "transaction").key("entry").begin_array();
  bundle.begin_object().key("request").begin_object().member("method", "DELETE");
  bundle.member("url", version.type + "/" + version.id).end_object().end_object().end_array().end_object();
  out += bundle.str();
  out += '\n';
}

bool names_patient(const fhir::SearchClause& clause, const fhir::IndexRows& rows,
                   const std::optional<std::set<std::string>>& ids) {
  if (clause.kind == fhir::SearchClause::Kind::any)
    return std::any_of(clause.any.begin(), clause.any.end(),
                       [&](const fhir::SearchClause& one) { return names_patient(one, rows, ids); });
  if (!clause.parameter) return false;
  return std::any_of(rows.references.begin(), rows.references.end(), [&](const fhir::ReferenceRow& row) {
    return row.parameter == clause.parameter->ordinal && row.target_type == "Patient" &&
           (!ids || ids->count(row.target_id) > 0);
  });
}

}  // namespace

bool is_of_patient(std::string_view type, std::string_view id, std::string_view body,
                   const std::optional<std::set<std::string>>& ids, const std::string& own_base) {
  if (type == "Patient") return !ids || ids->count(std::string(id)) > 0;
  if (body.find("Patient/") == body.npos) return false;  // no reference to one
  const auto clause = fhir::compartment_clause("Patient", "any", type);
  const fhir::TypeParameters* parameters = fhir::type_parameters(type);
  const auto document = base::parse_json(body);
  if (!clause || !parameters || !document) return false;
  return names_patient(*clause, fhir::extract_rows(*parameters, document->root(), nullptr, own_base), ids);
}

Exporter::Exporter(fhir::Store& store, base::Env& env, ExportOptions options, ExportScope& scope, ExportState state,
                   std::string base_url)
    : store_(&store),
      env_(&env),
      options_(std::move(options)),
      scope_(&scope),
      state_(std::move(state)),
      base_url_(std::move(base_url)) {}

Result<Exporter> Exporter::start(fhir::Store& store, base::Env& env, ExportOptions options, ExportScope& scope,
                                 ExportState state, std::string base_url) {
  if (scope.up_to_seq == 0) {
    TRY(scope.up_to_seq, store.last_seq());
  }
  if (scope.types.empty()) {
    for (const fhir::TypeDef& type : fhir::all_types())
      if (fhir::find_resource_type(type.name())) scope.types.emplace_back(type.name());
  }
  TRY_VOID(env.make_folders(options.folder));
  Exporter exporter(store, env, std::move(options), scope, std::move(state), std::move(base_url));
  // What a stop left behind the state is not part of it: those pages are written again.
  for (const ExportedFile& file : exporter.state_.files) {
    TRY(auto opened, env.open_append(base::join_path(exporter.options_.folder, file.name)));
    TRY_VOID(opened->truncate(file.bytes));
  }
  return exporter;
}

namespace {

bool meets_one(const std::vector<fhir::SearchQuery>& filters, const StoredVersion& version,
               const std::string& own_base) {
  const fhir::TypeParameters* parameters = fhir::type_parameters(version.type);
  const auto document = base::parse_json(version.body);
  if (!parameters || !document) return false;
  const fhir::IndexRows rows = fhir::extract_rows(*parameters, document->root(), nullptr, own_base);
  return std::any_of(filters.begin(), filters.end(), [&](const fhir::SearchQuery& filter) {
    return fhir::matches(filter, rows, version.id);
  });
}

}  // namespace

/// Whose a deleted resource was is what it said before.
Result<bool> Exporter::is_wanted(const StoredVersion& version) {
  const auto filters = scope_->filters.find(version.type);
  if (!version.deleted() && filters != scope_->filters.end() && !meets_one(filters->second, version, base_url_))
    return false;
  if (!scope_->patients) return true;
  if (!version.deleted())
    return is_of_patient(version.type, version.id, version.body, scope_->patient_ids, base_url_);
  TRY(const auto before, store_->read_version(version.type, version.id, version.vid - 1));
  return before && is_of_patient(version.type, version.id, before->body, scope_->patient_ids, base_url_);
}

Result<bool> Exporter::step() {
  if (state_.type == scope_->types.size()) return false;
  const std::string& type = scope_->types[state_.type];
  fhir::SnapshotRange range;
  range.type = type;
  range.up_to_seq = scope_->up_to_seq;
  range.after_rid = state_.after_rid;
  range.since = scope_->since;
  range.limit = limits::kBulkPageResources;
  range.bytes = limits::kBulkPageBytesMax;
  const bool in_compartment = !scope_->patients || type == "Patient" || fhir::compartment_clause("Patient", "any", type);
  fhir::SnapshotPage page;
  if (in_compartment) {
    TRY(page, store_->snapshot(range));
  }
  for (const StoredVersion& version : page.rows) {
    TRY(const bool wanted, is_wanted(version));
    if (!wanted) continue;
    if (version.deleted()) {
      append_deletion(deleted_.text, version);
      ++deleted_.lines;
      continue;
    }
    present_.text += version.body;
    present_.text += '\n';
    ++present_.lines;
  }
  TRY_VOID(put(present_, false));
  TRY_VOID(put(deleted_, true));
  state_.after_rid = page.last_rid;
  if (page.more) return true;
  TRY_VOID(sync());
  present_.file.reset();
  deleted_.file.reset();
  ++state_.type;
  state_.after_rid = 0;
  return state_.type < scope_->types.size();
}

Status Exporter::open_file(Open& open, bool deleted) {
  const std::string& type = scope_->types[state_.type];
  std::size_t of_type = 0;
  for (std::size_t i = 0; i < state_.files.size(); ++i) {
    const ExportedFile& file = state_.files[i];
    if (file.type != type || file.deleted != deleted) continue;
    ++of_type;
    open.index = i;
  }
  const bool goes_on = of_type > 0 && (options_.file_bytes_max == 0 ||
                                       state_.files[open.index].bytes + open.text.size() <= options_.file_bytes_max);
  if (!goes_on) {
    ExportedFile file;
    file.type = type;
    file.deleted = deleted;
    file.name = type + (deleted ? ".deleted" : "");
    if (options_.file_bytes_max > 0) file.name += "." + std::to_string(of_type + 1);
    file.name += options_.gzip ? ".ndjson.gz" : ".ndjson";
    open.index = state_.files.size();
    state_.files.push_back(std::move(file));
  }
  TRY(open.file, env_->open_append(base::join_path(options_.folder, state_.files[open.index].name)));
  if (!goes_on) TRY_VOID(open.file->truncate(0));  // of an earlier export into the same folder
  return {};
}

Status Exporter::put(Open& open, bool deleted) {
  if (open.text.empty()) return {};
  const bool full = open.file && options_.file_bytes_max > 0 &&
                    state_.files[open.index].bytes + open.text.size() > options_.file_bytes_max;
  if (full) TRY_VOID(open.file->sync());
  if (!open.file || full) TRY_VOID(open_file(open, deleted));
  const std::string packed = options_.gzip ? base::gzip(open.text) : std::string();
  TRY_VOID(open.file->append(options_.gzip ? packed : open.text));
  ExportedFile& file = state_.files[open.index];
  file.bytes += options_.gzip ? packed.size() : open.text.size();
  file.count += open.lines;
  state_.resources += open.lines;
  open.text.clear();
  open.lines = 0;
  return {};
}

Status Exporter::sync() {
  for (Open* open : {&present_, &deleted_})
    if (open->file) TRY_VOID(open->file->sync());
  return {};
}

}  // namespace kiln::engine
