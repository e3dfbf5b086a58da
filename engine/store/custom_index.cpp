// Search parameters that were added to the store: which there are, and their index, made in small steps.

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/store/sqlite_connection.h"
#include "fhir/search/custom_parameters.h"

namespace kiln::engine {

using base::Result;
using base::Status;
using fhir::CustomDefinition;

namespace {

/// Position of a parameter whose rows are all there.
constexpr std::int64_t kComplete = INT64_MAX;

/// Where the durable position of a parameter's index is kept; another expression has another one.
std::string cursor_of(const CustomDefinition& custom) {
  return "index:" + custom.fingerprint();
}

/// One that this process knows already: an earlier connection to the store added it, or it was removed
/// meanwhile.
const CustomDefinition* known_definition(const CustomDefinition& wanted) {
  for (const fhir::Parameter& parameter : fhir::type_parameters(wanted.type)->all())
    if (parameter.custom && parameter.custom->fingerprint() == wanted.fingerprint()) return parameter.custom;
  return nullptr;
}

}  // namespace

Result<std::vector<std::unique_ptr<CustomDefinition>>> SqliteConnection::wanted_parameters() {
  std::vector<std::unique_ptr<CustomDefinition>> out;
  TRY(auto select,
      database_.prepare("SELECT v.body FROM resource r CROSS JOIN version v ON v.seq=r.seq WHERE r.type="
                        "(SELECT id FROM type WHERE name='SearchParameter') AND r.deleted=0 ORDER BY r.rid"));
  while (out.size() < base::limits::kCustomParametersMax) {
    TRY(const bool row, select.step());
    if (!row) break;
    TRY(const base::JsonDocument document, base::parse_json(select.text(0)));
    auto found = fhir::read_search_parameter(document.root());
    if (!found) continue;  // it was stored by something that checks less
    for (auto& one : *found) {
      const bool taken = std::any_of(out.begin(), out.end(), [&](const auto& other) {
        return other->type == one->type && other->code == one->code;
      });
      if (!taken) out.push_back(std::move(one));  // of two with one code the first counts
    }
  }
  return out;
}

Status SqliteConnection::load_parameters() {
  TRY_VOID(require_writer());
  parameters_changed_ = false;
  TRY(auto wanted, wanted_parameters());
  const auto is_wanted = [&](const CustomDefinition* custom) {
    return std::any_of(wanted.begin(), wanted.end(),
                       [&](const auto& one) { return one->fingerprint() == custom->fingerprint(); });
  };
  std::vector<const CustomDefinition*> gone;
  std::copy_if(customs_.begin(), customs_.end(), std::back_inserter(gone),
               [&](const auto* one) { return !is_wanted(one); });
  for (const CustomDefinition* one : gone) one->is_removed = true;
  std::erase_if(customs_, [&](const auto* one) { return !is_wanted(one); });
  TRY_VOID(begin());
  const auto work = [&]() -> Status {
    for (const CustomDefinition* one : gone) {
      TRY_VOID(drop_rows(one->type, one->code));
      TRY_VOID(forget_cursor(cursor_of(*one)));
    }
    for (auto& one : wanted) TRY_VOID(take_in(std::move(one)));
    return {};
  };
  auto done = work();
  if (done) done = commit();
  if (!done) rollback();
  return done;
}

/// A parameter that is not in customs_ yet: with its position, or from the beginning.
Status SqliteConnection::take_in(std::unique_ptr<CustomDefinition> wanted) {
  const bool is_there = std::any_of(customs_.begin(), customs_.end(), [&](const auto* one) {
    return one->fingerprint() == wanted->fingerprint();
  });
  if (is_there) return {};
  const CustomDefinition* custom = known_definition(*wanted);
  if (!custom) custom = &fhir::add_search_parameter(std::move(wanted));
  TRY(const std::int64_t position, cursor(cursor_of(*custom)));
  if (position == 0) TRY_VOID(drop_rows(custom->type, custom->code));  // of an earlier one with this code
  custom->is_ready = position == kComplete;
  custom->is_removed = false;
  customs_.push_back(custom);
  return {};
}

Result<std::vector<fhir::ReindexState>> SqliteConnection::parameters_state() {
  std::vector<fhir::ReindexState> out;
  for (const CustomDefinition* custom : customs_) {
    fhir::ReindexState state{custom->type, custom->code, 0, 0, custom->is_ready};
    TRY(const std::int64_t type, dictionary_.type(custom->type));
    TRY(const std::int64_t position, cursor(cursor_of(*custom)));
    TRY(auto select, database_.cached("SELECT max(rid) FROM resource WHERE rid>=? AND rid<?"));
    select.bind(1, first_rid(type)).bind(2, first_rid(type + 1));
    TRY(const bool row, select.step());
    state.last = row && !select.is_null(0) ? select.integer(0) - first_rid(type) : 0;
    state.done = state.ready ? state.last : std::max<std::int64_t>(position - first_rid(type), 0);
    out.push_back(std::move(state));
  }
  return out;
}

Result<bool> SqliteConnection::reindex_step() {
  TRY_VOID(require_writer());
  finished_ = nullptr;
  const auto next =
      std::find_if(customs_.begin(), customs_.end(), [](const auto* one) { return !one->is_ready; });
  if (next == customs_.end()) return false;
  const CustomDefinition& custom = **next;
  TRY(const std::int64_t type, dictionary_.type(custom.type));
  const fhir::Parameter* parameter = fhir::type_parameters(custom.type)->find_pending(custom.code);
  TRY(std::int64_t after, cursor(cursor_of(custom)));
  after = std::max(after, first_rid(type));
  TRY(const bool more, index_some(*parameter, after, first_rid(type + 1)));
  TRY_VOID(set_cursor(cursor_of(custom), more ? after : kComplete));
  if (!more) finished_ = &custom;
  return true;
}

bool SqliteConnection::has_pending_parameters() const {
  return std::any_of(customs_.begin(), customs_.end(), [](const auto* one) { return !one->is_ready; });
}

void SqliteConnection::reindex_committed() {
  if (finished_) finished_->is_ready = true;
  finished_ = nullptr;
}

/// Some resources behind `after`, which moves on. True: there may be more.
Result<bool> SqliteConnection::index_some(const fhir::Parameter& parameter, std::int64_t& after,
                                          std::int64_t end) {
  TRY(auto select, database_.cached("SELECT r.rid, v.body FROM resource r CROSS JOIN version v ON v.seq=r.seq"
                                    " WHERE r.rid>? AND r.rid<? AND r.deleted=0 ORDER BY r.rid LIMIT ?"));
  constexpr auto kMost = static_cast<std::int64_t>(base::limits::kReindexStepResources);
  select.bind(1, after).bind(2, end).bind(3, kMost);
  const fhir::TypeParameters* parameters = fhir::type_parameters(parameter.custom->type);
  std::size_t bytes = 0;
  std::int64_t count = 0;
  for (;;) {
    TRY(const bool row, select.step());
    if (!row) return count == kMost;
    const std::string_view body = select.text(1);
    bytes += body.size();
    TRY(const base::JsonDocument document,
        base::parse_json(body, {base::limits::kArchiveFileBytesMax, base::limits::kJsonDepthMax}));
    const fhir::IndexRows rows = fhir::extract_rows(parameter, document.root(), options_.base_url);
    TRY_VOID(index_.replace(*parameters, select.integer(0), {}, rows));
    after = select.integer(0);
    ++count;
    if (bytes > base::limits::kReindexStepBytes) return true;
  }
}

Status SqliteConnection::forget_cursor(const std::string& name) {
  TRY(auto remove, database_.cached("DELETE FROM cursor WHERE name=?"));
  remove.bind(1, name);
  return remove.run();
}

Status SqliteConnection::drop_rows(std::string_view type, std::string_view code) {
  TRY_VOID(require_writer());
  std::int64_t param = 0;
  {
    TRY(auto select,
        database_.prepare("SELECT p.id FROM param p JOIN type t ON t.id=p.type WHERE t.name=? AND p.code=?"));
    select.bind(1, type).bind(2, code);
    TRY(const bool row, select.step());
    if (!row) return {};
    param = select.integer(0);
  }
  for (const char* sql : {"DELETE FROM ix_token WHERE param=?", "DELETE FROM ix_string WHERE param=?",
                          "DELETE FROM ix_date WHERE param=?", "DELETE FROM ix_reference WHERE param=?",
                          "DELETE FROM ix_uri WHERE param=?", "DELETE FROM ix_quantity WHERE param=?"}) {
    TRY(auto remove, database_.prepare(sql));
    remove.bind(1, param);
    TRY_VOID(remove.run());
  }
  return {};
}

}  // namespace kiln::engine
