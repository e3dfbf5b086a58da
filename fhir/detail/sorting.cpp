#include "fhir/detail/sorting.h"

#include <algorithm>
#include <numeric>

#include "engine/base/limits.h"
#include "engine/base/text.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;
using base::fail;

/// Between the keys of a resource, and in front of a key that is there: no key has such a character.
constexpr char kSeparator = '\x1f', kPresent = '\x1e';

/// A text that sorts bytewise as the number does.
std::string number_key(std::int64_t value) {
  auto bits = static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63);
  std::string key(16, '0');
  for (std::size_t i = 16; i-- > 0; bits >>= 4) key[i] = "0123456789abcdef"[bits & 15];
  return key;
}

std::string cut(std::string_view text) {
  std::string key(text.substr(0, base::limits::kSortTextBytesMax));
  std::replace(key.begin(), key.end(), kSeparator, ' ');
  return key;
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

std::string join(const Keys& keys) {
  std::string text = keys.front();
  for (std::size_t i = 1; i < keys.size(); ++i) text += kSeparator + keys[i];
  return text;
}

Keys split_keys(std::string_view text, std::size_t count) {
  Keys keys;
  for (const std::string_view part : base::split(text, kSeparator)) keys.emplace_back(part);
  keys.resize(count);
  return keys;
}

}  // namespace

Answer<SortedPage> sorted_page(Store& store, const ParsedSearch& search, std::string_view after,
                               std::string_view own_base) {
  SearchQuery all = search.query;
  all.sort = SortKey::rid;
  all.descending = false;
  all.after.reset();
  all.count = base::limits::kSearchSortedMax;
  TRY(SearchPage found, store.search(all));
  if (found.more)
    return fail(ErrorCode::fhir_too_costly,
                "more than " + std::to_string(base::limits::kSearchSortedMax) +
                    " matches cannot be sorted by this parameter",
                {}, "add a more selective parameter, or sort by _lastUpdated or _id");
  std::vector<Keys> keys;
  keys.reserve(found.rows.size());
  for (const StoredVersion& row : found.rows) keys.push_back(sort_keys(search, row, own_base));
  std::vector<std::size_t> order(found.rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return comes_before(search, keys[a], keys[b]); });
  auto at = order.begin();
  if (!after.empty()) {
    const Keys last = split_keys(after, search.sort.size() + 1);
    at = std::find_if(order.begin(), order.end(),
                      [&](std::size_t i) { return comes_before(search, last, keys[i]); });
  }
  SortedPage page;
  for (; at != order.end() && page.rows.size() < search.query.count; ++at) {
    page.last = join(keys[*at]);
    page.rows.push_back(std::move(found.rows[*at]));
  }
  page.more = at != order.end();
  return page;
}

}  // namespace kiln::fhir::detail
