#include "fhir/detail/sorting.h"

#include <algorithm>

#include "engine/base/limits.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;

/// In front of a key that is there, so that it is not empty.
constexpr char kPresent = '\x1e';

/// A text that sorts bytewise as the number does.
std::string number_key(std::int64_t value) {
  auto bits = static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63);
  std::string key(16, '0');
  for (std::size_t i = 16; i-- > 0; bits >>= 4) key[i] = "0123456789abcdef"[bits & 15];
  return key;
}

std::string cut(std::string_view text) {
  return std::string(text.substr(0, base::limits::kSortTextBytesMax));
}

template <class Rows, class Key>
std::vector<std::string> keys_of(const Rows& rows, Key key) {
  std::vector<std::string> keys;
  for (const auto& row : rows) keys.push_back(key(row));
  return keys;
}

std::vector<std::string> keys_of(const SortTerm& term, const StoredVersion& version, base::JsonView resource,
                                 std::string_view own_base) {
  if (term.parameter->kind == ParameterKind::id) return {cut(version.id)};
  if (term.parameter->kind == ParameterKind::last_updated) return {number_key(version.seq)};
  const IndexRows rows = extract_rows(*term.parameter, resource, own_base);
  switch (term.parameter->kind) {
    case ParameterKind::token:
      return keys_of(rows.tokens, [](const TokenRow& row) { return cut(row.code); });
    case ParameterKind::string:
      return keys_of(rows.strings, [](const StringRow& row) { return cut(row.folded); });
    case ParameterKind::date:
      // A period begins with its start; descending, its end is what comes first.
      return keys_of(rows.dates,
                     [&](const DateRow& row) { return number_key(term.descending ? row.high : row.low); });
    case ParameterKind::reference:
      return keys_of(rows.references,
                     [](const ReferenceRow& row) { return cut(row.target_type + "/" + row.target_id); });
    case ParameterKind::uri:
      return keys_of(rows.uris, [](const UriRow& row) { return cut(row.uri); });
    default:
      return keys_of(rows.quantities,
                     [&](const QuantityRow& row) { return cut(term.descending ? row.high : row.low); });
  }
}

/// The keys of one resource, each empty when it has no value, and its id.
using Keys = std::vector<std::string>;

Keys sort_keys(const ParsedSearch& search, const StoredVersion& version, std::string_view own_base) {
  const auto document =
      base::parse_json(version.body, {base::limits::kArchiveFileBytesMax, base::limits::kJsonDepthMax});
  const base::JsonView resource = document ? document->root() : base::JsonView();
  Keys keys;
  for (const SortTerm& term : search.sort) {
    const auto values = keys_of(term, version, resource, own_base);
    const auto first = term.descending ? std::max_element(values.begin(), values.end())
                                       : std::min_element(values.begin(), values.end());
    keys.push_back(first == values.end() ? std::string() : kPresent + *first);
  }
  keys.push_back(version.id);
  return keys;
}

bool comes_before(const ParsedSearch& search, const Keys& a, const Keys& b) {
  for (std::size_t i = 0; i < search.sort.size(); ++i) {
    if (a[i] == b[i]) continue;
    if (a[i].empty() || b[i].empty()) return b[i].empty();
    return search.sort[i].descending ? a[i] > b[i] : a[i] < b[i];
  }
  return a.back() < b.back();
}

/// A match: what it is sorted by, and where its version is.
struct Candidate {
  Keys keys;
  std::int64_t seq = 0;
};

/// The keys of all matches; their bodies are let go of one after the other.
Answer<std::vector<Candidate>> read_candidates(Store& store, const ParsedSearch& search,
                                               std::string_view own_base) {
  SearchQuery all = search.query;
  all.sort = SortKey::rid;
  all.descending = false;
  all.after.reset();
  all.count = base::limits::kSearchSortedMax;
  std::vector<Candidate> found;
  std::size_t bytes = 0;
  const auto too_many = [](std::string text) -> base::Error {
    return {ErrorCode::fhir_too_costly, std::move(text), {},
            "add a more selective parameter, or sort by _lastUpdated"};
  };
  TRY(const bool more, store.each(all, [&](StoredVersion row) -> base::Status {
    bytes += row.body.size();
    if (bytes > base::limits::kSortReadBytesMax)
      return fail(too_many("the matches are too large to be sorted by this parameter"));
    found.push_back({sort_keys(search, row, own_base), row.seq});
    return {};
  }));
  if (more)
    return fail(too_many("more than " + std::to_string(base::limits::kSearchSortedMax) +
                         " matches cannot be sorted by this parameter"));
  return found;
}

}  // namespace

Answer<SortedPage> sorted_page(Store& store, const ParsedSearch& search, std::int64_t after,
                               std::string_view own_base) {
  TRY(std::vector<Candidate> found, read_candidates(store, search, own_base));
  std::sort(found.begin(), found.end(), [&](const Candidate& a, const Candidate& b) {
    return comes_before(search, a.keys, b.keys);
  });
  auto at = found.begin();
  if (after > 0) {
    TRY(const auto version, store.version_at(after));
    if (!version) return fail(ErrorCode::fhir_page_invalid);
    const Keys last = sort_keys(search, *version, own_base);
    at = std::find_if(found.begin(), found.end(),
                      [&](const Candidate& one) { return comes_before(search, last, one.keys); });
  }
  SortedPage page;
  std::size_t bytes = 0;
  for (; at != found.end() && page.rows.size() < search.query.count; ++at) {
    TRY(auto version, store.version_at(at->seq));
    if (!version) return fail(ErrorCode::fhir_page_invalid);
    bytes += version->body.size();
    if (bytes > base::limits::kPageBytesMax && !page.rows.empty()) break;
    page.last_seq = at->seq;
    page.rows.push_back(std::move(*version));
  }
  page.more = at != found.end();
  return page;
}

}  // namespace kiln::fhir::detail
