#include <algorithm>
#include <utility>

#include "engine/base/limits.h"
#include "fhir/detail/criteria.h"
#include "fhir/detail/dispatch.h"
#include "fhir/detail/patching.h"
#include "fhir/detail/references.h"
#include "fhir/detail/transaction_plan.h"

namespace kiln::fhir::detail {

using base::ErrorCode;
using base::fail;
using base::JsonView;

namespace {

std::string_view interaction_name(const PlannedEntry& entry) {
  switch (entry.method) {
    case EntryMethod::post:
      return "create";
    case EntryMethod::put:
      return entry.query ? "conditional-update" : "update";
    case EntryMethod::patch:
      return entry.query ? "conditional-patch" : "patch";
    case EntryMethod::remove:
      return entry.query ? "conditional-delete" : "delete";
    case EntryMethod::get:
      return "read";
  }
  return "read";
}

std::string identity_of(const PlannedEntry& entry) {
  return entry.type + "/" + entry.id;
}

}  // namespace

Answer<void> TransactionRun::for_entries(EntryMethod method,
                                         Answer<void> (TransactionRun::*step)(PlannedEntry&)) {
  for (PlannedEntry& entry : entries_) {
    if (entry.method != method) continue;
    auto done = (this->*step)(entry);
    if (!done) return tl::unexpected(at_entry(std::move(done).error(), entry.index));
  }
  return {};
}

Answer<TransactionOutcome> TransactionRun::run() {
  outcome_.entries.resize(entries_.size());
  TRY_VOID(check_access());
  TRY_VOID(run_deletes());
  // http#trules: POST before PUT and PATCH. Identities first, so that references and overlaps are known
  // before anything is written.
  for (const EntryMethod method : {EntryMethod::post, EntryMethod::put, EntryMethod::patch}) {
    TRY_VOID(for_entries(method, &TransactionRun::decide_identity));
    TRY_VOID(for_entries(method, &TransactionRun::claim));
  }
  TRY_VOID(check_criteria_overlap());
  TRY_VOID(map_full_urls());
  for (const PlannedEntry& entry : entries_) {
    if (!entry.writes()) continue;
    auto done = resolve_references(entry);
    if (!done) return tl::unexpected(at_entry(std::move(done).error(), entry.index));
  }
  for (const EntryMethod method :
       {EntryMethod::post, EntryMethod::put, EntryMethod::patch, EntryMethod::get}) {
    for (const PlannedEntry& entry : entries_) {
      if (entry.method != method) continue;
      auto done = method == EntryMethod::get ? run_get(entry) : write(entry);
      if (!done) return tl::unexpected(at_entry(std::move(done).error(), entry.index));
    }
  }
  return std::move(outcome_);
}

Answer<void> TransactionRun::check_access() {
  if (!options_.principal) return {};
  for (const PlannedEntry& entry : entries_) {
    if (entry.method == EntryMethod::get) continue;  // asked when it runs
    const bool ok = server_.access &&
                    server_.access->allow(*options_.principal, interaction_name(entry), entry.type,
                                          entry.query ? std::string_view(*entry.query) : std::string_view());
    if (!ok)
      return tl::unexpected(at_entry(base::Error{ErrorCode::fhir_not_allowed, {}, {}, {}}, entry.index));
    if (!entry.criteria) continue;
    auto may_search = check_search_access(options_.principal, server_, *entry.criteria);
    if (!may_search) return tl::unexpected(at_entry(std::move(may_search).error(), entry.index));
  }
  return {};
}

Answer<void> TransactionRun::run_deletes() {
  // First every identity, then the deletions: criteria of one do not see the deletion of another.
  std::vector<std::pair<std::size_t, Match>> removals;
  for (PlannedEntry& entry : entries_) {
    if (entry.method != EntryMethod::remove) continue;
    std::vector<Match> matches;
    if (entry.criteria) {
      auto found = find_for_delete(store_, *entry.criteria, server_);
      if (!found) return tl::unexpected(at_entry(std::move(found).error(), entry.index, "request.url"));
      matches = std::move(*found);
      auto checked = check_if_match_of(store_, entry.request["ifMatch"].text(), matches);
      if (!checked)
        return tl::unexpected(at_entry(std::move(checked).error(), entry.index, "request.ifMatch"));
    } else {
      TRY(const auto current, store_.read(entry.type, entry.id));
      auto checked = check_if_match(entry.request["ifMatch"].text(), current);
      if (!checked)
        return tl::unexpected(at_entry(std::move(checked).error(), entry.index, "request.ifMatch"));
      matches.push_back({entry.type, entry.id, 0, 0, 0});
    }
    outcome_.entries[entry.index].status = 204;
    for (Match& match : matches) {
      entry.id = match.id;
      auto claimed = claim(entry);
      if (!claimed) return tl::unexpected(at_entry(std::move(claimed).error(), entry.index));
      removals.emplace_back(entry.index, std::move(match));
    }
  }
  for (const auto& [index, match] : removals) {
    TRY(const auto removed, store_.remove(match.type, match.id, server_.origin));
    EntryOutcome& outcome = outcome_.entries[index];
    if (!removed) continue;
    outcome.type = match.type;
    outcome.id = match.id;
    outcome.vid = removed->vid;
    outcome.updated = removed->updated;
  }
  return {};
}

Answer<void> TransactionRun::decide_identity(PlannedEntry& entry) {
  std::optional<Match> match;
  if (entry.criteria) {
    auto found = find_one(store_, *entry.criteria);
    if (!found)
      return tl::unexpected(at_entry(std::move(found).error(), entry.index,
                                     entry.query ? "request.url" : "request.ifNoneExist"));
    match = std::move(*found);
  }
  if (entry.method == EntryMethod::post) {
    entry.matched = match.has_value();
    entry.id = match ? match->id : server_.ids->next();
    return {};
  }
  if (entry.method == EntryMethod::patch) return decide_patch(entry, match);
  if (!entry.query) return {};
  const std::string_view body_id = entry.resource["id"].text();
  if (match) {
    if (!body_id.empty() && body_id != match->id)
      return fail(ErrorCode::fhir_invalid, "the id of the resource is not that of the one match",
                  "resource.id");
    entry.id = match->id;
    return {};
  }
  // Without a match a body id that is only a placeholder of the bundle does not count as the client's choice.
  TRY(entry.id, id_without_match(store_, entry.type, body_id, server_, "resource"));
  return {};
}

PlannedEntry* TransactionRun::created_under(const PlannedEntry& patch) {
  for (PlannedEntry& entry : entries_)
    if (entry.method == EntryMethod::post && !entry.matched && entry.type == patch.type &&
        entry.request["ifNoneExist"].text() == *patch.query)
      return &entry;
  return nullptr;
}

/// A patch becomes the update it stands for as soon as its resource is known: what it changes is not written
/// by any other entry.
Answer<void> TransactionRun::decide_patch(PlannedEntry& entry, const std::optional<Match>& match) {
  if (entry.query && !match) {
    PlannedEntry* const made = created_under(entry);
    if (made == nullptr) return fail(ErrorCode::fhir_not_found, "the criteria match no resource", "request.url");
    TRY_VOID(check_if_match(entry.request["ifMatch"].text(), std::nullopt));
    // "Create it where it is not known, change it where it is": what is new is created as the patch has it.
    StoredVersion fresh;
    fresh.type = made->type;
    fresh.id = made->id;
    fresh.body = base::print_json(made->resource);
    TRY(const PatchDocument patch, patch_of_entry(entry.resource));
    TRY(made->patched, apply_patch(fresh, patch, server_));
    made->resource = made->patched.root();
    entry.id = made->id;
    entry.matched = true;
    return {};
  }
  if (entry.query) entry.id = match->id;
  TRY(const auto current, store_.read(entry.type, entry.id));
  if (!current) return fail(ErrorCode::fhir_not_found);
  if (current->deleted()) return tl::unexpected(gone(*current));
  TRY(const PatchDocument patch, patch_of_entry(entry.resource));
  TRY(entry.patched, apply_patch(*current, patch, server_));
  entry.resource = entry.patched.root();
  return {};
}

Answer<void> TransactionRun::claim(PlannedEntry& entry) {
  if (entry.matched) return {};
  const auto [claimed, fresh] = claimed_.emplace(identity_of(entry), entry.index);
  if (fresh) return {};
  return fail(ErrorCode::fhir_overlap, "Bundle.entry[" + std::to_string(claimed->second) +
                                           "] and Bundle.entry[" + std::to_string(entry.index) +
                                           "] concern the same resource");
}

std::vector<const PlannedEntry*> TransactionRun::would_match(const SearchQuery& query) {
  if (!std::exchange(has_content_, true)) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const PlannedEntry& entry = entries_[i];
      if (!entry.writes()) continue;
      const IndexRows& rows =
          rows_.emplace(i, extract_rows(*type_parameters(entry.type), entry.resource, nullptr, server_.base_url))
              .first->second;
      new_content_.add(i, entry.type, rows);
    }
  }
  std::vector<const PlannedEntry*> entries;
  for (const std::size_t i : new_content_.candidates(query))
    if (matches(query, rows_.at(i), entries_[i].id)) entries.push_back(&entries_[i]);
  return entries;
}

Answer<void> TransactionRun::check_criteria_overlap() {
  for (const PlannedEntry& entry : entries_) {
    if (!entry.criteria || entry.method == EntryMethod::remove) continue;
    for (const PlannedEntry* other : would_match(*entry.criteria)) {
      if (other->index == entry.index || (entry.matched && other->id == entry.id)) continue;
      const std::string text = "the criteria of Bundle.entry[" + std::to_string(entry.index) +
                               "] also match the content of Bundle.entry[" + std::to_string(other->index) +
                               "]";
      return tl::unexpected(at_entry(base::Error{ErrorCode::fhir_overlap, text, {}, {}}, entry.index));
    }
  }
  return {};
}

Answer<void> TransactionRun::map_full_urls() {
  for (const PlannedEntry& entry : entries_) {
    if (entry.full_url.empty() || entry.method == EntryMethod::get || entry.method == EntryMethod::remove)
      continue;
    map_.add(entry.full_url, identity_of(entry));
  }
  return {};
}

Answer<std::string> TransactionRun::resolve_conditional(const ReferenceParts& parts) {
  std::string key = std::string(parts.type) + "?" + std::string(parts.query);
  if (const auto known = conditional_.find(key); known != conditional_.end()) return known->second;
  TRY(const SearchQuery query, parse_criteria(parts.type, parts.query, server_.base_url));
  TRY_VOID(check_search_access(options_.principal, server_, query));
  std::vector<std::string> ids;
  TRY(const auto found, store_.find(query, 2 + claimed_.size()));
  for (const Match& match : found)  // what this bundle writes is judged by its new content
    if (!claimed_.count(match.type + "/" + match.id)) ids.push_back(match.id);
  for (const PlannedEntry* entry : would_match(query)) ids.push_back(entry->id);
  if (ids.size() > 1)
    return fail(ErrorCode::fhir_multiple_matches, "the conditional reference matches more than one resource");
  if (ids.empty()) return fail(ErrorCode::fhir_no_match, "the conditional reference matches no resource");
  std::string identity = std::string(parts.type) + "/" + ids.front();
  conditional_.emplace(std::move(key), identity);
  return identity;
}

Answer<void> TransactionRun::resolve_references(const PlannedEntry& entry) {
  const ReferenceRewrite rewrite{&map_, entry.base};
  return for_each_reference(
      entry.resource, [&](std::string_view text, const std::function<std::string()>& path) -> Answer<void> {
        const ReferenceParts parts = parse_reference(text, server_.base_url);
        const auto place = [&] {
          return "Bundle.entry[" + std::to_string(entry.index) + "].resource." + path();
        };
        if (parts.form == ReferenceParts::Form::conditional) {
          auto identity = resolve_conditional(parts);
          if (!identity) {
            Failure failure = std::move(identity).error();
            failure.error.place = place();
            return tl::unexpected(std::move(failure));
          }
          map_.add(std::string(text), std::move(*identity));
        } else if (parts.form == ReferenceParts::Form::urn && !rewrite.reference(text)) {
          return fail(ErrorCode::fhir_reference, "no entry of the Bundle has this fullUrl", place());
        }
        return {};
      });
}

Answer<void> TransactionRun::write(const PlannedEntry& entry) {
  EntryOutcome& outcome = outcome_.entries[entry.index];
  outcome.type = entry.type;
  outcome.id = entry.id;
  if (entry.matched) {
    TRY(auto existing, store_.read(entry.type, entry.id));
    if (!existing) return fail(ErrorCode::fhir_not_found);
    outcome.vid = existing->vid;
    outcome.updated = existing->updated;
    outcome.unchanged = true;
    outcome.body = std::move(existing->body);
    return {};
  }
  const WriteRequest request{entry.type,
                             entry.id,
                             entry.resource,
                             {&map_, entry.base},
                             entry.request["ifMatch"].text(),
                             entry.request["ifNoneMatch"].text(),
                             entry.method == EntryMethod::patch ? WriteMethod::patch : WriteMethod::update};
  auto result =
      entry.method == EntryMethod::post ? create(store_, request, server_) : update(store_, request, server_);
  if (!result) return tl::unexpected(std::move(result).error());
  outcome.status = result->created ? 201 : 200;
  outcome.vid = result->vid;
  outcome.updated = result->updated;
  outcome.unchanged = result->unchanged;
  outcome.body = std::move(result->body);
  return {};
}

Answer<void> TransactionRun::run_get(const PlannedEntry& entry) {
  static const Principal kNobody;
  Call call;
  call.principal = options_.principal ? options_.principal : &kNobody;
  call.store = &store_;
  call.server = &server_;
  base::HttpHeaders headers;
  if (const auto text = entry.request["ifNoneMatch"].text(); !text.empty())
    headers.set("If-None-Match", std::string(text));
  if (const auto text = entry.request["ifModifiedSince"].text(); !text.empty())
    headers.set("If-Modified-Since", std::string(text));
  call.headers = &headers;
  TRY(const Interaction* interaction, find_interaction("GET", entry.target, call));
  TRY(Reply reply, run_interaction(*interaction, call));
  EntryOutcome& outcome = outcome_.entries[entry.index];
  outcome.status = reply.status;
  outcome.type = call.type;
  outcome.id = call.id;
  if (const auto vid = parse_etag(reply.headers.get("ETag"))) outcome.vid = *vid;
  if (entry.request["method"].text() != "HEAD") outcome.body = std::move(reply.body);
  read_bytes_ += outcome.body.size();
  if (read_bytes_ > base::limits::kPageBytesMax)
    return fail(ErrorCode::limit_exceeded, "the answers to the GET entries are larger than a page may be");
  return {};
}

}  // namespace kiln::fhir::detail
